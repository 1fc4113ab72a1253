//! `vmtwin man`: the manual page, in roff.

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::output::Out;
use crate::status::{Misuse, Status};

/// What can be typed after `vmtwin man`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The page of this command instead of the whole program's
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Runs the command.
pub fn run(arguments: &Arguments, out: &mut Out) -> anyhow::Result<Status> {
    let mut program = crate::arguments::Arguments::command();
    program.build();
    let page = match arguments.command.as_deref() {
        None => program,
        Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| Misuse::because(format!("there is no command `{name}`")))?,
    };
    clap_mangen::Man::new(page).render(out).context("the page can't be written")?;
    Ok(Status::Held)
}
