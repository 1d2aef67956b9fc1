//! SHA-256 in hexadecimal.

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of some bytes, in hexadecimal.
#[must_use]
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_64_digits_and_leading_zeros() {
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(sha256("39").starts_with("0b918943"), "{}", sha256("39"));
    }
}
