//! `vmtwin admit`: would this be admitted? For people, manifests from files; for an API server, an AdmissionReview.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::{Value, json};
use vmtwin_engine::NetworkProvider;
use vmtwin_model::kube::api::User;
use vmtwin_model::time::Timestamp;
use vmtwin_scenarios::admit::{self, Answered, Chosen, Judge, Manifests, Options, Surroundings, Verdict};
use vmtwin_scenarios::diagnostics::{Diagnostic, Severity};

use crate::arguments::Format;
use crate::console::Console;
use crate::files;
use crate::interrupt;
use crate::output::Out;
use crate::report::counted;
use crate::status::{Misuse, Status};

/// More than any file may have: who is to judge that can tell.
const MOST_BYTES: u64 = 64 << 20;

/// What can be typed after `vmtwin admit`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --file, an AdmissionReview (admission.k8s.io/v1) is read from standard input and answered as a webhook does.\n\n\
    Manifests are judged as a set, in the order of their kinds, each seeing those before it. An object that exists is replaced, as by \
    `kubectl replace`; if kubectl has noted in it what was applied last, it is changed as by `kubectl apply`.\n\n\
    Exit status: 0 all admitted; 1 something is denied; 2 the input is invalid."
)]
pub struct Arguments {
    /// Manifests: a file, a folder (its .yaml, .yml and .json files), a pattern, or `-` for standard input
    #[arg(short, long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// The objects as they are: what is found there under the same name is updated
    #[arg(long, value_name = "FILE", requires = "files")]
    old: Vec<PathBuf>,
    /// What exists besides: manifests, a Scenario or an Inventory
    #[arg(long, value_name = "PATH")]
    given: Vec<PathBuf>,
    /// Who asks; `administrator` and the operator's service accounts are privileged; devops@vsphere.local unless told
    #[arg(long = "as", value_name = "USER", requires = "files")]
    user: Option<String>,
    /// A group that whoever asks is in
    #[arg(long = "as-group", value_name = "GROUP", requires = "files")]
    groups: Vec<String>,
    /// Where manifests go that name no namespace [default: the only one of the surroundings, or `default`]
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// Feature gates: `VMSnapshots=true,VMGroups=false`
    #[arg(long, value_name = "GATES", value_delimiter = ',', value_parser = gate)]
    features: Vec<(String, bool)>,
    /// The Supervisor's network provider
    #[arg(long, value_name = "PROVIDER")]
    network_provider: Option<Provider>,
    /// The instant of the request [default: the surroundings' start]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Timestamp>,
    /// Show what is denied alone
    #[arg(short, long)]
    quiet: bool,
    /// How to print the verdicts
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// The network providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Provider {
    /// NSX with VPCs
    Vpc,
    /// NSX-T
    NsxT,
    /// Distributed switches
    Vds,
}

/// Runs the command.
pub fn run(arguments: &Arguments, console: &Console, out: &mut Out) -> anyhow::Result<Status> {
    interrupt::note()?;
    let mut surroundings = Surroundings::default();
    let mut wrong = given(arguments, console, &mut surroundings)?;
    let options = Options {
        features: arguments.features.clone(),
        network_provider: arguments.network_provider.map(Provider::engine),
        namespace: arguments.namespace.clone(),
        now: arguments.at,
    };
    if is_wrong(&wrong) {
        console.show(&wrong);
        return Ok(Status::Invalid);
    }
    let (mut judge, more) = Judge::new(&surroundings, &options).map_err(|error| Misuse::because(error.to_string()))?;
    wrong.extend(more);
    console.show(&wrong);
    if is_wrong(&wrong) {
        return Ok(Status::Invalid);
    }
    if arguments.files.is_empty() { review(&mut judge, arguments.output, out) } else { manifests(arguments, &mut judge, console, out) }
}

/// Reads what exists.
fn given(arguments: &Arguments, console: &Console, surroundings: &mut Surroundings) -> anyhow::Result<Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    for given in &arguments.given {
        for (path, root, _) in files::manifests(given, console.allow_outside)? {
            wrong.extend(surroundings.add(&path, &read(&path)?, &root));
        }
    }
    for path in &arguments.old {
        for (path, ..) in files::manifests(path, console.allow_outside)? {
            wrong.extend(surroundings.add_old(&path, &read(&path)?));
        }
    }
    Ok(wrong)
}

fn is_wrong(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
}

/// Answers the review on standard input.
fn review(judge: &mut Judge, format: Format, out: &mut Out) -> anyhow::Result<Status> {
    let answered = admit::answer_bytes(judge, &stdin()?);
    out.document(format, answered.document())?;
    Ok(match answered {
        Answered::Allowed(_) => Status::Held,
        Answered::Denied(_) => Status::Failed,
        Answered::Bad(_) => Status::Invalid,
    })
}

fn manifests(arguments: &Arguments, judge: &mut Judge, console: &Console, out: &mut Out) -> anyhow::Result<Status> {
    let mut documents = Vec::new();
    let mut invalid = false;
    for given in &arguments.files {
        for (path, _, chosen) in files::manifests(given, console.allow_outside)? {
            if interrupt::happened() {
                return Ok(Status::Interrupted);
            }
            let chosen = if chosen == files::Chosen::Named { Chosen::Named } else { Chosen::Found };
            let read = Manifests::read(&path, &read(&path)?, chosen);
            console.show(&read.diagnostics);
            invalid |= is_wrong(&read.diagnostics);
            documents.extend(read.documents);
        }
    }
    if documents.is_empty() && !invalid {
        return Err(Misuse::because("there is no manifest to judge in what --file names"));
    }
    let name = match arguments.user.as_deref() {
        None => "devops@vsphere.local",
        Some("administrator") => "kubernetes-admin",
        Some(user) => user,
    };
    let user = User { groups: arguments.groups.iter().map(|group| group.as_str().into()).collect(), ..User::named(name) };
    let verdicts = judge.judge(&user, &documents);
    match arguments.output {
        Format::Text => print(&verdicts, arguments.quiet, console, out)?,
        format => {
            let shown = verdicts.iter().filter(|verdict| !arguments.quiet || !verdict.is_admitted());
            out.document(format, &json!({"results": shown.map(Verdict::to_json).collect::<Vec<Value>>()}))?;
        }
    }
    let denied = verdicts.iter().any(|verdict| !verdict.is_admitted());
    Ok(match (invalid, denied) {
        (true, _) => Status::Invalid,
        (false, true) => Status::Failed,
        (false, false) => Status::Held,
    })
}

fn print(verdicts: &[Verdict], quiet: bool, console: &Console, out: &mut Out) -> anyhow::Result<()> {
    for verdict in verdicts.iter().filter(|verdict| !quiet || !verdict.is_admitted()) {
        out.line(verdict.render(console.style.colour).trim_end())?;
    }
    let admitted = verdicts.iter().filter(|verdict| verdict.is_admitted()).count();
    out.line(&format!("{} of {} admitted", admitted, counted(verdicts.len(), "object")))
}

/// The content of a file, or of standard input for `-`.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path == Path::new("-") {
        return stdin();
    }
    let open = std::fs::File::open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes).map(|_| bytes)
    });
    open.map_err(|error| Misuse::because(format!("`{}` can't be read: {error}", path.display())))
}

fn stdin() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MOST_BYTES).read_to_end(&mut bytes).context("standard input can't be read")?;
    Ok(bytes)
}

impl Provider {
    fn engine(self) -> NetworkProvider {
        match self {
            Self::Vpc => NetworkProvider::Vpc,
            Self::NsxT => NetworkProvider::NsxT,
            Self::Vds => NetworkProvider::Vds,
        }
    }
}

fn gate(text: &str) -> Result<(String, bool), String> {
    match text.split_once('=') {
        Some((name, "true")) => Ok((name.to_owned(), true)),
        Some((name, "false")) => Ok((name.to_owned(), false)),
        _ => Err("a gate is given as NAME=true or NAME=false".to_owned()),
    }
}

fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|error| error.to_string())
}
