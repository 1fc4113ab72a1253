//! The commands, one file each.

pub mod admit;
pub mod capacity;
pub mod completions;
pub mod explain;
pub mod explore;
pub mod features;
pub mod init;
pub mod lint;
pub mod man;
pub mod run;
pub mod schema;
pub mod shrink;
pub mod timeline;

use crate::arguments::{Arguments, Command};
use crate::console::Console;
use crate::output::Out;
use crate::status::Status;

/// Runs the command.
pub fn run(arguments: Arguments, console: &Console, out: &mut Out) -> anyhow::Result<Status> {
    match arguments.command {
        Command::Init(arguments) => init::run(&arguments, out),
        Command::Run(arguments) => run::run(&arguments, console, out),
        Command::Lint(arguments) => lint::run(&arguments, console, out),
        Command::Timeline(arguments) => timeline::run(&arguments, console, out),
        Command::Explain(arguments) => explain::run(&arguments, console, out),
        Command::Explore(arguments) => explore::run(&arguments, console, out),
        Command::Shrink(arguments) => shrink::run(&arguments, console, out),
        Command::Capacity(arguments) => capacity::run(&arguments, console, out),
        Command::Admit(arguments) => admit::run(&arguments, console, out),
        Command::Features(arguments) => features::run(&arguments, console, out),
        Command::Schema(arguments) => schema::run(&arguments, out),
        Command::Completions(arguments) => completions::run(&arguments, out),
        Command::Man(arguments) => man::run(&arguments, out),
    }
}
