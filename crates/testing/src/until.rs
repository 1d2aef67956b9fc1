//! Waiting for a condition, never for a time.

use std::fmt::Display;
use std::time::{Duration, Instant};

use tokio::time;

/// The pause between two looks: short against what is waited for, long against what a look costs.
const PAUSE: Duration = Duration::from_millis(20);

/// The time that a look has at least, however near the deadline it begins.
const ONE_LOOK: Duration = Duration::from_secs(1);

/// A condition that did not come true in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} did not happen within {limit:?}{}", if seen.is_empty() { String::new() } else { format!("; last seen:\n{seen}") })]
pub struct TooLate {
    /// The condition, as in "the node getting ready".
    pub what: String,
    /// The time it was given.
    pub limit: Duration,
    /// The state that the last look saw instead.
    pub seen: String,
}

/// Looks again and again until `look` returns `Ok`, and returns its value.
///
/// `look` returns `Err` with a description of the state that it sees instead; a look that does not end counts too.
///
/// # Panics
/// After `limit`, with `what` was waited for and the state last seen.
pub async fn until<T, S: Display>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Result<T, S>) -> T {
    let seen = try_until(what, limit, async || Ok::<_, TooLate>(look().await.map_err(|seen| seen.to_string()))).await;
    seen.unwrap_or_else(|error| panic!("{error}"))
}

/// Like [`until`], for looks that can fail for good.
///
/// # Errors
/// The outer error of `look` at once; a [`TooLate`] after `limit`.
pub async fn try_until<T, E: From<TooLate>>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Result<T, String>, E>,
) -> Result<T, E> {
    let deadline = time::Instant::now() + limit;
    let mut last = String::new();
    loop {
        let cut_off = deadline.max(time::Instant::now() + ONE_LOOK);
        match time::timeout_at(cut_off, look()).await {
            Ok(seen) => match seen? {
                Ok(value) => return Ok(value),
                Err(instead) => last = instead,
            },
            Err(_) if last.is_empty() => "the look itself did not end".clone_into(&mut last),
            Err(_) => last += "\n(the last look did not end)",
        }
        if time::Instant::now() >= deadline {
            return Err(TooLate { what: what.to_owned(), limit, seen: last }.into());
        }
        time::sleep(PAUSE).await;
    }
}

/// Like [`until`], for tests without a runtime.
///
/// # Panics
/// After `limit`, with `what` was waited for and the state last seen.
pub fn until_blocking<T, S: Display>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, S>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match look() {
            Ok(value) => return value,
            Err(seen) if Instant::now() >= deadline => {
                panic!("{}", TooLate { what: what.to_owned(), limit, seen: seen.to_string() })
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_value_is_returned_as_soon_as_a_look_finds_it() {
        let mut looks = 0;
        let found = until("the third look", Duration::from_mins(1), async || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err("not yet") }
        });
        assert_eq!(found.await, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "the node getting ready did not happen within 50ms; last seen:\nlook ")]
    async fn a_condition_that_stays_false_fails_with_the_state_last_seen() {
        let mut looks = 0;
        until("the node getting ready", Duration::from_millis(50), async || {
            looks += 1;
            Err::<(), _>(format!("look {looks}"))
        })
        .await;
    }

    #[tokio::test]
    async fn a_look_that_fails_for_good_ends_the_waiting() {
        #[derive(Debug, PartialEq)]
        enum Fault {
            Ended,
            Late(TooLate),
        }
        impl From<TooLate> for Fault {
            fn from(late: TooLate) -> Self {
                Self::Late(late)
            }
        }
        let ended = try_until("x", Duration::from_secs(9), async || Err::<Result<(), String>, _>(Fault::Ended)).await;
        assert_eq!(ended, Err(Fault::Ended));
        let hangs = try_until("x", Duration::ZERO, async || std::future::pending().await).await;
        let seen = "the look itself did not end".to_owned();
        let late = TooLate { what: "x".to_owned(), limit: Duration::ZERO, seen };
        assert_eq!(hangs, Err::<(), _>(Fault::Late(late)));
    }

    #[test]
    #[should_panic(expected = "a reply did not happen within 1ms; last seen:\nnothing")]
    fn a_blocking_wait_has_a_deadline_too() {
        until_blocking("a reply", Duration::from_millis(1), || Err::<(), _>("nothing"));
    }
}
