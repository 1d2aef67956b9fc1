//! Tokens that only one key can read: how the operator hands a researcher a token through an object that others can read.
//!
//! The researcher's program makes a key pair for one delivery and publishes the public half where only the researcher may
//! write. Whoever issues the token seals it for that key: an ephemeral key agreement (X25519), a key derived from it and
//! from both public halves (HKDF-SHA256), and authenticated encryption (ChaCha20-Poly1305) bound to the object that the
//! token is for, so that it cannot be passed off under another. Each sealing has a key of its own, used once, so its nonce
//! may be fixed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::SystemRandom;

use super::IdentityError;

/// The length of a public key, in bytes.
const KEY: usize = 32;

/// The longest sealed token that is looked at, in bytes.
const MAX_SEALED: usize = 16 * 1024;

/// A key pair for one delivery. It lives in memory only, and opens one token.
pub struct DeliveryKey {
    private: EphemeralPrivateKey,
    public: [u8; KEY],
}

impl DeliveryKey {
    /// A new pair.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new() -> Result<Self, IdentityError> {
        let (private, public) = pair()?;
        Ok(Self { private, public })
    }

    /// The public half, base64.
    #[must_use]
    pub fn public(&self) -> String {
        STANDARD.encode(self.public)
    }

    /// Opens a token that was sealed for this key and this `context`.
    ///
    /// # Errors
    /// It was sealed for another key or context, or was changed.
    pub fn open(self, sealed: &str, context: &str) -> Result<String, IdentityError> {
        let wrong = || IdentityError::Sealed("was sealed for another key or object, or was changed");
        let bytes = Some(sealed).filter(|text| text.len() <= MAX_SEALED).and_then(|text| STANDARD.decode(text).ok());
        let mut bytes = bytes.ok_or_else(wrong)?;
        let (theirs, text) = bytes.split_first_chunk_mut::<KEY>().ok_or_else(wrong)?;
        let key = agree(self.private, theirs, theirs, &self.public).map_err(|_| wrong())?;
        let token = key.open_in_place(once(), Aad::from(context), text).map_err(|_| wrong())?;
        String::from_utf8(token.to_vec()).map_err(|_| wrong())
    }
}

impl std::fmt::Debug for DeliveryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeliveryKey").finish_non_exhaustive()
    }
}

/// Seals a token for a public key (base64) and a context.
///
/// # Errors
/// The public key is none.
pub fn seal(token: &str, public: &str, context: &str) -> Result<String, IdentityError> {
    let wrong = || IdentityError::Sealed("needs an X25519 public key, base64, to be sealed for");
    let theirs: [u8; KEY] = STANDARD.decode(public).ok().and_then(|key| key.try_into().ok()).ok_or_else(wrong)?;
    let (private, own) = pair()?;
    let key = agree(private, &theirs, &own, &theirs).map_err(|_| wrong())?;
    let mut text = token.as_bytes().to_vec();
    key.seal_in_place_append_tag(once(), Aad::from(context), &mut text).map_err(|_| wrong())?;
    Ok(STANDARD.encode([own.as_slice(), &text].concat()))
}

fn pair() -> Result<(EphemeralPrivateKey, [u8; KEY]), IdentityError> {
    let failed = || IdentityError::Sealed("cannot be sealed: the system has no randomness");
    let private = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).map_err(|_| failed())?;
    let public = private.compute_public_key().map_err(|_| failed())?;
    Ok((private, public.as_ref().try_into().map_err(|_| failed())?))
}

/// The key of one sealing. A public key of small order gives no secret, and `ring` refuses it.
fn agree(
    private: EphemeralPrivateKey,
    peer: &[u8; KEY],
    sender: &[u8; KEY],
    recipient: &[u8; KEY],
) -> Result<LessSafeKey, ring::error::Unspecified> {
    agree_ephemeral(private, &UnparsedPublicKey::new(&X25519, peer), |secret| {
        let derived = Salt::new(HKDF_SHA256, b"wanqu.dev delivery v1").extract(secret);
        let info = [sender.as_slice(), recipient.as_slice()];
        Ok(LessSafeKey::new(UnboundKey::from(derived.expand(&info, &CHACHA20_POLY1305)?)))
    })?
}

fn once() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: &str = "gba/visits/7f8e";

    #[test]
    fn only_the_key_that_it_was_sealed_for_reads_a_token() {
        let (key, other) = (DeliveryKey::new().unwrap(), DeliveryKey::new().unwrap());
        let sealed = seal("TOKEN", &key.public(), CONTEXT).unwrap();
        assert_ne!(sealed, seal("TOKEN", &key.public(), CONTEXT).unwrap(), "each sealing has its own key");
        assert!(!STANDARD.decode(&sealed).unwrap().windows(5).any(|bytes| bytes == b"TOKEN"));
        assert!(other.open(&sealed, CONTEXT).is_err());
        assert_eq!(key.open(&sealed, CONTEXT).unwrap(), "TOKEN");
    }

    #[test]
    fn what_was_changed_or_moved_to_another_object_does_not_open() {
        let open = |change: fn(&mut Vec<u8>), context: &str| {
            let key = DeliveryKey::new().unwrap();
            let mut bytes = STANDARD.decode(seal("TOKEN", &key.public(), CONTEXT).unwrap()).unwrap();
            change(&mut bytes);
            key.open(&STANDARD.encode(bytes), context)
        };
        assert!(open(|_| {}, CONTEXT).is_ok());
        assert!(open(|_| {}, "gba/others/7f8e").is_err());
        assert!(open(|bytes| bytes[0] ^= 1, CONTEXT).is_err());
        assert!(open(|bytes| *bytes.last_mut().unwrap() ^= 1, CONTEXT).is_err());
        assert!(open(|bytes| bytes.truncate(40), CONTEXT).is_err());
        assert!(open(Vec::clear, CONTEXT).is_err());
        assert!(DeliveryKey::new().unwrap().open("no base64!", CONTEXT).is_err());
    }

    #[test]
    fn what_is_no_public_key_seals_nothing() {
        let zero = STANDARD.encode([0; KEY]);
        for public in ["", "x", "AAAA", &zero, &"A".repeat(4096)] {
            assert!(seal("TOKEN", public, CONTEXT).is_err(), "{public:.20}");
        }
    }
}
