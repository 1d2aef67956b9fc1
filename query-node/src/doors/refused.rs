//! Lines of the log about refused connections: so many that an operator sees who is refused and why, and no more than that.

use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::tap::Tap;

/// Lines that may follow each other at once.
const AT_ONCE: u32 = 20;

/// Time after which another line may be written.
const EVERY: Duration = Duration::from_secs(1);

/// Refused connections of one door.
pub(super) struct RefusedConnections {
    tap: Tap,
    lines: Mutex<Lines>,
}

/// Number of lines that may be written, and of refusals that had none.
struct Lines {
    left: u32,
    since: Instant,
    untold: u64,
}

impl RefusedConnections {
    /// Returns a record that shows each of them to `tap` too.
    pub fn new(tap: Tap) -> Self {
        Self { tap, lines: Mutex::new(Lines { left: AT_ONCE, since: Instant::now(), untold: 0 }) }
    }

    /// Takes note of one.
    pub fn note(&self, address: SocketAddr, reason: &str) {
        if let Some(untold) = self.lines.lock().next(Instant::now()) {
            tracing::warn!(%address, reason, untold, "a connection was refused");
        }
        if let Some(tap) = &self.tap {
            tap.refused(address, reason);
        }
    }
}

impl Lines {
    /// Returns the number of refusals without a line before this one; `None` if it has none either.
    fn next(&mut self, now: Instant) -> Option<u64> {
        let more = u32::try_from(now.duration_since(self.since).as_secs() / EVERY.as_secs()).unwrap_or(AT_ONCE);
        if more > 0 {
            self.left = self.left.saturating_add(more).min(AT_ONCE);
            self.since = now;
        }
        if self.left == 0 {
            self.untold += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_line_a_second_that_counts_the_others() {
        let begun = Instant::now();
        let mut lines = Lines { left: AT_ONCE, since: begun, untold: 0 };
        let told = (0..1000).filter(|_| lines.next(begun).is_some()).count();
        assert_eq!(told, AT_ONCE as usize);
        assert_eq!(lines.next(begun + EVERY), Some(980));
        assert_eq!(lines.next(begun + EVERY), None);
        assert_eq!(lines.next(begun + EVERY * 2), Some(1));
    }
}
