//! The node's only source of randomness: the operating system's.

/// Fills an array with random bytes. The process ends when the operating system has none to give: nothing safe could follow.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0u8; N];
    if let Err(error) = getrandom::fill(&mut out) {
        tracing::error!(%error, "the operating system gives no randomness; stopping");
        std::process::abort();
    }
    out
}
