//! `vmtwin completions`: a shell's completion script.

use std::io::Write as _;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::output::{CANNOT_WRITE, Out};
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
    // What makes the script panics where it can't write.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::arguments::Arguments::command(), "vmtwin", &mut script);
    out.write_all(&script).context(CANNOT_WRITE)?;
    Ok(Status::Held)
}
