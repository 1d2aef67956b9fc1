//! The state of a source at one moment, to be compared with its state at another.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// State of a source at one moment: a digest of what changes when its records do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Returns the fingerprint of a source that has these parts, in this order. Each is named, with whatever changes when
    /// its records do: a version, or length and time of change.
    #[must_use]
    pub fn of<N: AsRef<[u8]>, V: std::fmt::Debug>(parts: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut digest = Sha256::new();
        let mut version = String::new();
        for (name, of_part) in parts {
            version.clear();
            // Writing into a String does not fail.
            let _ = write!(version, "{of_part:?}");
            // With its length before it, no text reads like two.
            for text in [name.as_ref(), version.as_bytes()] {
                digest.update((text.len() as u64).to_le_bytes());
                digest.update(text);
            }
        }
        Self(format!("{:x}", digest.finalize()))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_of_different_parts_differ() {
        let all = [
            Fingerprint::of([("a", 1), ("b", 2)]),
            Fingerprint::of([("b", 2), ("a", 1)]),
            Fingerprint::of([("a", 1)]),
            Fingerprint::of([("a", 12)]),
            Fingerprint::of([("a1", 2)]),
            Fingerprint::of::<&str, u8>([]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|other| other == one), Some(at));
        }
        assert_eq!(Fingerprint::of([("a", 1)]), Fingerprint::of([("a", 1)]));
    }
}
