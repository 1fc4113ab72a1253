//! What can be typed.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::commands::{admit, capacity, completions, explain, explore, features, init, lint, man, run, schema, shrink, timeline};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "Exit status: 0 all held; 1 a scenario or an invariant failed; 2 the input is invalid or the usage is wrong; \
    3 an error outside; 101 a bug in vmtwin; 130 interrupted.";

/// A digital twin of VMware VM Operator and vSphere, driven by YAML scenarios.
#[derive(Debug, Parser)]
#[command(name = "vmtwin", version, styles = STYLES, after_help = AFTER_HELP, max_term_width = 120, infer_long_args = false)]
pub struct Arguments {
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
    /// What goes with every command.
    #[command(flatten)]
    pub global: Global,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first scenario with comments, ready to run and to edit
    Init(init::Arguments),
    /// Run scenarios and report what held
    Run(run::Arguments),
    /// Check files without running them
    Lint(lint::Arguments),
    /// Tell a run as a timeline, one event a line
    Timeline(timeline::Arguments),
    /// Tell why a VM is where it is, or why it is not on, and what a group waits for
    Explain(explain::Arguments),
    /// Draw random worlds, operations and faults, and hold them against the invariants
    Explore(explore::Arguments),
    /// Make a scenario that fails small
    Shrink(shrink::Arguments),
    /// Tell how many more VMs fit, and what the failure of a host or a zone leaves
    Capacity(capacity::Arguments),
    /// Tell whether manifests would be admitted, or answer an AdmissionReview
    Admit(admit::Arguments),
    /// List the feature gates: default, origin, effect
    Features(features::Arguments),
    /// Print the JSON Schema of the file formats, or of a Kubernetes kind
    Schema(schema::Arguments),
    /// Print a shell's completion script
    Completions(completions::Arguments),
    /// Print the manual page
    Man(man::Arguments),
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Log more (-v, -vv) to standard error
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Whether to use colours; NO_COLOR is honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Global options")]
    pub color: ColorWhen,
    /// Let files refer to files outside of the folder given, or of the current one
    #[arg(long, global = true, help_heading = "Global options")]
    pub allow_outside: bool,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// In which form data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; it may change
    #[default]
    Text,
    /// For programs; stable
    Json,
    /// For programs; stable
    Yaml,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    fn refused(arguments: &[&str]) -> (ErrorKind, i32) {
        let error = Arguments::try_parse_from(arguments).expect_err("a refusal");
        (error.kind(), error.exit_code())
    }

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn commands_that_do_not_exist_are_refused_as_wrong_usage() {
        for command in ["diff", "bisect", "import", "operate"] {
            assert_eq!(refused(&["vmtwin", command]), (ErrorKind::InvalidSubcommand, 2), "{command}");
        }
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        assert_eq!(refused(&["vmtwin"]).1, 2);
        assert_eq!(refused(&["vmtwin", "run"]), (ErrorKind::MissingRequiredArgument, 2));
        assert_eq!(refused(&["vmtwin", "run", "a.yaml", "-j", "0"]), (ErrorKind::ValueValidation, 2));
        assert_eq!(refused(&["vmtwin", "run", "a.yaml", "--seeds", "0"]), (ErrorKind::ValueValidation, 2));
        assert_eq!(refused(&["vmtwin", "run", "a.yaml", "-l", "a=b=c"]), (ErrorKind::ValueValidation, 2));
        assert_eq!(refused(&["vmtwin", "timeline", "a.yaml", "--event", "thunder"]), (ErrorKind::InvalidValue, 2));
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for arguments in [["vmtwin", "-vv", "--color=never", "run", "a.yaml"], ["vmtwin", "run", "a.yaml", "-vv", "--color=never"]] {
            let parsed = Arguments::try_parse_from(arguments).expect("arguments");
            assert_eq!((parsed.global.verbose, parsed.global.color), (2, ColorWhen::Never));
        }
    }
}
