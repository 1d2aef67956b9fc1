//! Secret numbers in entries, so that a digest tells nothing of its entry to whoever cannot read the log.
//!
//! The digest of an entry is told to others: it is in the report of the release. Nearly all of the entry is known to whoever
//! asked, too, and the rest, such as the exact number of cells that were kept back, is small enough to be tried out. With 256
//! random bits in the entry, the digest still commits to all of it, and nothing can be tried.

use std::fmt;

use rand::Rng;
use serde::{Deserialize, Serialize};

/// Secret number of 256 bits, hexadecimal. It is in the log and nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(String);

impl Nonce {
    /// Draws a number from the operating system's randomness.
    pub(super) fn random() -> Self {
        Self::of(rand::rng().random())
    }

    /// Returns the number of these bytes.
    pub(super) fn of(bytes: [u8; 32]) -> Self {
        use fmt::Write;
        let mut text = String::with_capacity(64);
        for byte in bytes {
            // Writing to a text cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(…)")
    }
}

/// Source of the numbers of one log.
pub(super) type Nonces = fn() -> Nonce;
