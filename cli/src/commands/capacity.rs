//! `vmtwin capacity`: how many more VMs fit, and what a failure leaves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vmtwin_model::time::Span;
use vmtwin_scenarios::capacity::{HeadroomQuestion, Outcome, Plan, PlanError, Requirement, Sets, SurviveQuestion, run as answer};
use vmtwin_scenarios::format::{hundredths_of, load_baseline, load_plan};

use crate::arguments::Format;
use crate::bug::{self, Running};
use crate::console::Console;
use crate::interrupt;
use crate::output::Out;
use crate::status::{Misuse, Status};

/// What can be typed after `vmtwin capacity`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A capacity plan, a scenario, or an inventory
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// How many more VMs of these classes fit
    #[arg(long = "class", value_name = "CLASS", value_delimiter = ',')]
    classes: Vec<String>,
    /// Count also with each zone alone
    #[arg(long, value_name = "zone", value_delimiter = ',', value_parser = per)]
    per: Vec<String>,
    /// What fails, each in turn: hosts, zones
    #[arg(long, value_name = "SETS", value_delimiter = ',')]
    survive: Vec<Sets>,
    /// The planner's own limit: `cpu=4,memory=1`, or `none`
    #[arg(long, value_name = "RATIOS")]
    overcommit: Option<String>,
    /// So many of each class must fit
    #[arg(long, value_name = "N")]
    at_least: Option<u32>,
    /// Use this seed instead of the baseline's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How to print the answers
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

fn per(word: &str) -> Result<String, String> {
    match word {
        "zone" => Ok(word.to_owned()),
        "cluster" => Err("`cluster` isn't answered by this version of vmtwin".to_owned()),
        _ => Err("`zone` is expected".to_owned()),
    }
}

impl Arguments {
    fn asks(&self) -> bool {
        !self.classes.is_empty() || !self.per.is_empty() || !self.survive.is_empty() || self.overcommit.is_some() || self.at_least.is_some()
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments, console: &Console, out: &mut Out) -> anyhow::Result<Status> {
    interrupt::note()?;
    if !arguments.path.is_file() {
        return Err(Misuse::because(format!("there is no file `{}`", arguments.path.display())));
    }
    let folder = arguments.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let root = crate::files::root(folder, console.allow_outside);
    let plan = match load_plan(&arguments.path, &root) {
        Some(loaded) => {
            console.show(&loaded.diagnostics);
            if arguments.asks() {
                return Err(Misuse::because("the file is a plan: what is asked stands in it, not on the command line"));
            }
            loaded.plan
        }
        None => {
            let loaded = load_baseline(&arguments.path, &root);
            console.show(&loaded.diagnostics);
            let valid = loaded.is_valid();
            let mut scenarios = loaded.scenarios.into_iter().filter(|_| valid);
            match (scenarios.next(), scenarios.next()) {
                (Some(_), Some(_)) => return Err(Misuse::because("a baseline with a matrix isn't read by this version of vmtwin")),
                (one, _) => one.map(|baseline| of_flags(Plan::of(baseline), arguments)).transpose()?,
            }
        }
    };
    let Some(mut plan) = plan else { return Ok(Status::Invalid) };
    plan.seed = arguments.seed.or(plan.seed);
    match ask(&plan, console) {
        Ok(outcome) => {
            tell(&outcome, arguments.output, out)?;
            Ok(if outcome.held() { Status::Held } else { Status::Failed })
        }
        Err(PlanError::Interrupted) => {
            console.say("interrupted");
            Ok(Status::Interrupted)
        }
        Err(error) => Err(Misuse::because(error.to_string())),
    }
}

fn ask(plan: &Plan, console: &Console) -> Result<Outcome, PlanError> {
    let (file, seed) = (plan.baseline.file.name().to_owned(), plan.seed.unwrap_or(plan.baseline.seed));
    let repeat = super::run::repeat(&file, seed, console);
    bug::while_running(Running { scenario: plan.name.clone(), file, seed, repeat }, || answer(plan, &interrupt::happened))
}

fn tell(outcome: &Outcome, format: Format, out: &mut Out) -> anyhow::Result<()> {
    match format {
        Format::Text => outcome.lines().iter().try_for_each(|line| out.line(line)),
        format => out.document(format, &outcome.to_json()),
    }
}

/// The plan that the flags stand for.
fn of_flags(mut plan: Plan, arguments: &Arguments) -> anyhow::Result<Plan> {
    for class in &arguments.classes {
        plan.headroom.push(HeadroomQuestion { per_zone: !arguments.per.is_empty(), ..HeadroomQuestion::of(class) });
        let required = arguments.at_least.map(|at_least| Requirement::AtLeast { headroom: class.clone(), at_least });
        plan.requirements.extend(required);
    }
    if arguments.classes.is_empty() && (arguments.at_least.is_some() || !arguments.per.is_empty()) {
        return Err(Misuse::because("`--at-least` and `--per` go with `--class`"));
    }
    let of: BTreeSet<Sets> = arguments.survive.iter().copied().collect();
    if !of.is_empty() {
        plan.survive = Some(SurviveQuestion { of, within: Span::from_hours(1), keep: None });
    }
    match arguments.overcommit.as_deref() {
        None => {}
        Some("none") => (plan.overcommit.cpu, plan.overcommit.memory) = (None, None),
        Some(ratios) => {
            for ratio in ratios.split(',') {
                let wrong = || Misuse::because(format!("`{ratio}` is no ratio: write cpu=4, memory=1.5, or none"));
                let (resource, value) = ratio.split_once('=').ok_or_else(wrong)?;
                let value = hundredths_of(value).filter(|value| *value > 0).ok_or_else(wrong)?;
                match resource {
                    "cpu" => plan.overcommit.cpu = Some(value),
                    "memory" => plan.overcommit.memory = Some(value),
                    _ => return Err(wrong()),
                }
            }
        }
    }
    Ok(plan)
}
