//! A stack that holds what the parser of expressions makes of the largest text that is read: it recurses deeply for every bracket and every
//! operator of a chain, and nobody knows how much of an ordinary stack is left.

/// Enough in unoptimized builds too.
const STACK: usize = 64 << 20;

/// Does a piece of work on a stack of its own. It must be a pure function: the caller waits for it, and nothing else is shared.
///
/// # Errors
/// If there is no room for another stack, or the work panics.
pub(crate) fn on_its_own<T: Send>(work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let working = thread.spawn_scoped(scope, work).map_err(|error| format!("there is no room to read it: {error}"))?;
        working.join().map_err(|_| "it can't be read".to_owned())?
    })
}
