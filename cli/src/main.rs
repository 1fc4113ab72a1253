//! vmtwin's command line: it reads arguments, calls the library, prints, and exits. What is decided is decided in the library.

mod arguments;
mod bug;
mod commands;
mod console;
mod files;
mod interrupt;
mod jobs;
mod output;
mod report;
mod selector;
mod status;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;
use console::Console;
use output::Out;
use status::Status;

/// A run makes and drops millions of small objects: an allocator that is quick at that saves a tenth of the whole.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    bug::report_panics();
    let console = Console::new(&arguments.global);
    console.log_to_stderr(arguments.global.verbose);
    let mut out = Out::stdout();
    let ended = commands::run(arguments, &console, &mut out).and_then(|status| {
        out.finish()?;
        Ok(status)
    });
    let status = ended.unwrap_or_else(|error| {
        console.complain(&error);
        Status::of(&error)
    });
    status.into()
}
