//! Ctrl-C: the first time what is under way comes to an end and what there is is written; the second time the process ends.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use crate::status::Status;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on an interrupt is noted instead of ending the process.
pub fn note() -> anyhow::Result<()> {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Status::Interrupted.code()));
        }
    };
    ctrlc::set_handler(handler).context("interrupts can't be caught")
}

/// Whether there was an interrupt.
pub fn happened() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
