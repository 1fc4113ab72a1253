//! How much of everything there may be. Reaching one of these is a bug, and is reported as one.

/// Calls, writes and waits of one pass.
pub const EXCHANGES_PER_PASS: usize = 512;

/// Passes of one key at one instant: more is a loop that feeds itself.
pub const PASSES_PER_INSTANT: u32 = 64;
