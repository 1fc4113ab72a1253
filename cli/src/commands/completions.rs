//! `vmtwin completions`: a shell's completion script.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::output::Out;
use crate::status::Status;

/// What can be typed after `vmtwin completions`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs the command.
pub fn run(arguments: &Arguments, out: &mut Out) -> anyhow::Result<Status> {
    clap_complete::generate(arguments.shell, &mut crate::arguments::Arguments::command(), "vmtwin", out);
    Ok(Status::Held)
}
