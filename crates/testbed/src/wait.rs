//! Waiting for what another process does.

use std::time::Duration;

use crate::error::Result;

/// Looks again and again until `look` returns an inner `Ok`, for at most `limit`.
///
/// `look` returns an inner `Err` with a description of the state that it sees instead.
///
/// # Errors
/// The outer error of `look` at once; `TestbedError::TooLate` after `limit`, with the state last seen.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    look: impl AsyncFnMut() -> Result<std::result::Result<T, String>>,
) -> Result<T> {
    wanqu_testing::try_until(what, limit, look).await
}
