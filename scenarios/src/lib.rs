//! Where the three machines meet: the scenario format, the runner, and what reads its log.

pub mod diagnostics;
pub mod format;
pub mod yaml;
