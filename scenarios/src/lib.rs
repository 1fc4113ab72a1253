//! Where the three machines meet: the scenario format, the runner, and what reads its log.

pub mod admit;
pub mod capacity;
pub mod check;
pub mod diagnostics;
pub mod explain;
pub mod explore;
pub mod format;
pub mod invariants;
pub mod log;
pub mod runner;
mod stack;
pub mod timeline;
pub mod yaml;
