//! Waiting for what another process does.

use std::time::{Duration, Instant};

use crate::error::{Result, TestbedError};

/// Between two looks: short against what is waited for, long against what a look costs.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks until there is something to see, for at most `limit`.
///
/// # Errors
/// What `look` fails with, or that it took too long, with what the looker saw last.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<std::result::Result<T, String>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match look().await? {
            Ok(seen) => return Ok(seen),
            Err(instead) if Instant::now() >= deadline => {
                return Err(TestbedError::TooLate { what: what.to_owned(), limit, log: instead });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
