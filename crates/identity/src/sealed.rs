//! Tokens that only one key can read: how the operator hands a researcher a token through an object that others can read.
//!
//! The researcher's program makes a key pair for one delivery and publishes the public half where only the researcher may
//! write. Whoever issues the token seals it for that key by HPKE (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256 and ChaCha20-Poly1305. The object that the token is for is authenticated with it, and so is all that says where
//! the token is to be shown: the gateway's address, its name and its authority. So whoever can write the object, but has
//! no key, can neither pass the token off under another object nor have it sent to a gateway of their own. A sealed token names
//! its suite and what is bound, so that a program of another version can say what it lacks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal};

use super::IdentityError;

/// The way of sealing before a sealed token: that object and gateway are bound, and the numbers of KEM, KDF and AEAD in the
/// registry of RFC 9180, section 7.
const SUITE: &str = "gateway-bound.hpke-0020-0001-0003:";

/// Beginning of the tokens of operators that bound the object alone.
const UNBOUND: &str = "hpke-0020-0001-0003:";

/// Application of the keys (`info` in RFC 9180).
const INFO: &[u8] = b"wanqu.dev delivery, bound to a gateway";

/// Length of a public key and of an encapsulated key, in bytes.
const KEY: usize = 32;

/// The longest sealed token that is looked at, in bytes.
const MAX_SEALED: usize = 16 * 1024;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Key pair for one delivery. It lives in memory only, and opens one token.
pub struct DeliveryKey {
    private: PrivateKey,
    public: PublicKey,
}

impl DeliveryKey {
    /// Makes a new pair.
    ///
    /// # Panics
    /// If the system has no randomness.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each pair is another")]
    pub fn new() -> Self {
        let (private, public) = X25519HkdfSha256::gen_keypair();
        Self { private, public }
    }

    /// Returns the public half, base64.
    #[must_use]
    pub fn public(&self) -> String {
        STANDARD.encode(self.public.to_bytes())
    }

    /// Opens a token that was sealed for this key and this `context`.
    ///
    /// # Errors
    /// If it was sealed for another key or context, by another suite, or was changed.
    pub fn open(self, sealed: &str, context: &[impl AsRef<str>]) -> Result<String, IdentityError> {
        let wrong = || {
            IdentityError::Sealed(
                "was sealed for another key, another object or another gateway (namespace, service, serverName, ca, expires), \
                 or was changed: ask for the result again; if that does not help, see who writes status.delivery of the query",
            )
        };
        if sealed.starts_with(UNBOUND) {
            return Err(IdentityError::Sealed(
                "is not bound to the gateway that it is to be shown to, as an older operator seals it: upgrade the operator, \
                 then ask for the result again, so that it is sealed again",
            ));
        }
        let text = sealed.strip_prefix(SUITE).ok_or(IdentityError::Sealed(
            "is sealed in a way that this program does not know: use the version of wanqu that the operator has",
        ))?;
        let bytes = Some(text).filter(|text| text.len() <= MAX_SEALED).and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.ok_or_else(wrong)?;
        let (theirs, text) = bytes.split_at_checked(KEY).ok_or_else(wrong)?;
        let theirs = EncappedKey::from_bytes(theirs).map_err(|_| wrong())?;
        let token = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &theirs,
            INFO,
            text,
            &bytes_of(context),
        )
        .map_err(|_| wrong())?;
        String::from_utf8(token).map_err(|_| wrong())
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
/// If the text is no public key, or one of small order, which gives no secret.
pub fn seal(token: &str, public: &str, context: &[impl AsRef<str>]) -> Result<String, IdentityError> {
    let wrong = || IdentityError::Sealed("needs an X25519 public key, base64, to be sealed for");
    let theirs = STANDARD.decode(public).ok().and_then(|key| PublicKey::from_bytes(&key).ok()).ok_or_else(wrong)?;
    let (own, text) = single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &theirs,
        INFO,
        token.as_bytes(),
        &bytes_of(context),
    )
    .map_err(|_| wrong())?;
    Ok(format!("{SUITE}{}", STANDARD.encode([own.to_bytes().as_slice(), &text].concat())))
}

/// Returns true if a token is sealed in the way in which [`seal`] does it now.
#[must_use]
pub fn is_sealed_now(sealed: &str) -> bool {
    sealed.starts_with(SUITE)
}

/// Returns a context as bytes: each part with its length before it, so that no two contexts read alike.
fn bytes_of(context: &[impl AsRef<str>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in context {
        bytes.extend((part.as_ref().len() as u64).to_le_bytes());
        bytes.extend(part.as_ref().as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: &[&str] = &["gba/visits/7f8e", "gba-hongkong", "hongkong-gateway", "gateway.hk.gba.example", "CA"];

    fn decoded(sealed: &str) -> Vec<u8> {
        STANDARD.decode(sealed.strip_prefix(SUITE).unwrap()).unwrap()
    }

    #[test]
    fn a_sealed_token_opens_with_the_key_that_it_was_sealed_for_alone() {
        let (key, other) = (DeliveryKey::new(), DeliveryKey::new());
        let sealed = seal("TOKEN", &key.public(), CONTEXT).unwrap();
        assert_ne!(sealed, seal("TOKEN", &key.public(), CONTEXT).unwrap(), "each sealing has its own key");
        assert!(!decoded(&sealed).windows(5).any(|bytes| bytes == b"TOKEN"));
        assert!(other.open(&sealed, CONTEXT).is_err());
        assert!(is_sealed_now(&sealed));
        assert_eq!(key.open(&sealed, CONTEXT).unwrap(), "TOKEN");
    }

    #[test]
    fn a_sealed_token_that_was_changed_or_moved_to_another_object_does_not_open() {
        let open = |change: fn(&mut Vec<u8>), context: &[&str]| {
            let key = DeliveryKey::new();
            let mut bytes = decoded(&seal("TOKEN", &key.public(), CONTEXT).unwrap());
            change(&mut bytes);
            key.open(&format!("{SUITE}{}", STANDARD.encode(bytes)), context)
        };
        assert!(open(|_| {}, CONTEXT).is_ok());
        for part in 0..CONTEXT.len() {
            let mut another = CONTEXT.to_vec();
            another[part] = "another";
            let error = open(|_| {}, &another).unwrap_err().to_string();
            assert!(error.contains("another gateway") && error.contains("ask for the result again"), "{error}");
        }
        // The same letters, divided otherwise.
        let joined = ["gba/visits/7f8egba-hongkong", "", "hongkong-gateway", "gateway.hk.gba.example", "CA"];
        assert!(open(|_| {}, &joined).is_err());
        assert!(open(|_| {}, &CONTEXT[..4]).is_err());
        assert!(open(|bytes| bytes[0] ^= 1, CONTEXT).is_err());
        assert!(open(|bytes| *bytes.last_mut().unwrap() ^= 1, CONTEXT).is_err());
        assert!(open(|bytes| bytes.truncate(40), CONTEXT).is_err());
        assert!(open(Vec::clear, CONTEXT).is_err());
        assert!(DeliveryKey::new().open(&format!("{SUITE}no base64!"), CONTEXT).is_err());
    }

    #[test]
    fn a_token_of_another_suite_says_that_versions_differ() {
        let key = DeliveryKey::new();
        let sealed = seal("TOKEN", &key.public(), CONTEXT).unwrap();
        let old = sealed.replacen(SUITE, UNBOUND, 1);
        assert!(!is_sealed_now(&old));
        let error = DeliveryKey::new().open(&old, CONTEXT).unwrap_err().to_string();
        assert!(error.contains("upgrade the operator, then ask for the result again"), "{error}");
        for other in [sealed.trim_start_matches(SUITE).to_owned(), sealed.replace("-0003:", "-0002:")] {
            let error = DeliveryKey::new().open(&other, CONTEXT).unwrap_err().to_string();
            assert_eq!(
                error,
                "the sealed token is sealed in a way that this program does not know: use the version of wanqu that the operator has"
            );
        }
        assert!(key.open(&sealed, CONTEXT).is_ok());
    }

    /// The first vector of RFC 9180, appendix A.2.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, base mode.
    #[test]
    fn a_test_vector_of_rfc_9180_opens() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let private = hex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
        let theirs = hex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
        let text = hex("1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28");
        let plain = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &PrivateKey::from_bytes(&private).unwrap(),
            &EncappedKey::from_bytes(&theirs).unwrap(),
            &hex("4f6465206f6e2061204772656369616e2055726e"),
            &text,
            &hex("436f756e742d30"),
        );
        assert_eq!(plain.unwrap(), hex("4265617574792069732074727574682c20747275746820626561757479"));
    }

    #[test]
    fn nothing_is_sealed_to_a_text_that_is_no_public_key() {
        let zero = STANDARD.encode([0; KEY]);
        for public in ["", "x", "AAAA", &zero, &"A".repeat(4096)] {
            assert!(seal("TOKEN", public, CONTEXT).is_err(), "{public:.20}");
        }
    }
}
