//! What is said when vmtwin itself is wrong: a panic is a bug, and whoever meets one learns what to send where.

use std::cell::RefCell;
use std::io::Write as _;
use std::panic::PanicHookInfo;

use crate::status::BUG;

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// What a thread is running.
#[derive(Clone, Debug)]
pub struct Running {
    /// The scenario's name.
    pub scenario: String,
    /// The file, as the user named it.
    pub file: String,
    /// The seed.
    pub seed: u64,
    /// The command that repeats it.
    pub repeat: String,
}

/// Calls `run` while a panic of this thread tells what was running.
pub fn while_running<T>(running: Running, run: impl FnOnce() -> T) -> T {
    RUNNING.set(Some(running));
    let result = run();
    RUNNING.set(None);
    result
}

/// From now on a panic, in any thread, is reported as a bug and ends the process.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let running = RUNNING.try_with(|running| running.try_borrow().ok().and_then(|running| running.clone())).ok().flatten();
        let mut text = describe(panic, running.as_ref());
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            text.push_str(&std::backtrace::Backtrace::force_capture().to_string());
        }
        // Nothing can be done if standard error is gone.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
        std::process::exit(BUG);
    }));
}

fn describe(panic: &PanicHookInfo<'_>, running: Option<&Running>) -> String {
    let message = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
    let mut text = format!("\nthis is a bug in vmtwin {}{place}:\n  {}\n", env!("CARGO_PKG_VERSION"), message.replace('\n', "\n  "));
    if let Some(Running { scenario, file, seed, repeat }) = running {
        text.push_str(&format!("it showed in scenario {scenario} of {file} with seed {seed}; repeat: {repeat}\n"));
    }
    let what = if running.is_some() { "the file, the seed and this text" } else { "the command and this text" };
    text.push_str(&format!("please send {what} to {}/issues\n", env!("CARGO_PKG_REPOSITORY")));
    text
}
