//! Researchers' tokens: JWTs signed with Ed25519, after the best current practices of RFC 8725.
//!
//! One algorithm, fixed here and never taken from the token; issuer, audience, expiry and start are required; a key
//! counts only for the issuer that it belongs to.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use parking_lot::RwLock;
use rcgen::{KeyPair, PKCS_ED25519};
use serde::{Deserialize, Serialize};
use wanqu_model::bundle::{Issuer, Subject};

use super::{IdentityError, keys};

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 8 * 1024;

/// How far the clocks of issuer and gateway may differ, in seconds.
const LEEWAY: i64 = 30;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: serde_json::Value,
    iat: Option<i64>,
    nbf: i64,
    exp: i64,
}

/// Issues tokens for a local federation. A real one has an issuer of its own.
pub struct TokenIssuer {
    issuer: String,
    audience: String,
    key: KeyPair,
}

impl TokenIssuer {
    /// A new issuer with a key of its own.
    pub fn new(issuer: &str, audience: &str) -> Result<Self, IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        Ok(Self { issuer: issuer.to_owned(), audience: audience.to_owned(), key })
    }

    /// An issuer with the key in a PEM text.
    pub fn from_pem(issuer: &str, audience: &str, key: &str) -> Result<Self, IdentityError> {
        let key = KeyPair::from_pem(key).map_err(|_| IdentityError::Pem("the issuer's key"))?;
        Ok(Self { issuer: issuer.to_owned(), audience: audience.to_owned(), key })
    }

    /// Its key, PEM, for who keeps it in a Secret.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Writes `issuer.key` into a folder.
    pub fn save(&self, dir: &Path) -> Result<(), IdentityError> {
        keys::write_secret(&dir.join("issuer.key"), &self.key.serialize_pem())
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn load(dir: &Path, issuer: &str, audience: &str) -> Result<Self, IdentityError> {
        Self::from_pem(issuer, audience, &keys::read(&dir.join("issuer.key"))?)
    }

    /// What a bundle says of this issuer.
    #[must_use]
    pub fn as_issuer(&self) -> Issuer {
        let public_keys = vec![self.key.public_key_pem()];
        Issuer { issuer: self.issuer.clone(), audience: self.audience.clone(), public_keys }
    }

    /// A token for `subject` that holds from `now` on for `lifetime`.
    pub fn issue(&self, subject: &str, now: Timestamp, lifetime: Duration) -> Result<String, IdentityError> {
        let now = now.as_second();
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: subject.to_owned(),
            aud: self.audience.clone().into(),
            iat: Some(now),
            nbf: now,
            exp: now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
        };
        encode(&Header::new(Algorithm::EdDSA), &claims, &EncodingKey::from_ed_der(self.key.serialized_der()))
            .map_err(|_| IdentityError::Token("could not be signed"))
    }
}

/// Verifies tokens against the issuers that a gateway accepts. Clones share one state, which
/// [`replace`](TokenVerifier::replace) changes for every token that comes from then on.
#[derive(Clone)]
pub struct TokenVerifier(Arc<RwLock<Keys>>);

/// Each key with what must hold of a token that it signed.
type Keys = Vec<(Validation, DecodingKey)>;

impl TokenVerifier {
    /// Takes the issuers of the gateway's own member in the bundle.
    pub fn new(issuers: &[Issuer]) -> Result<Self, IdentityError> {
        Ok(Self(Arc::new(RwLock::new(keys_of(issuers)?))))
    }

    /// Takes other issuers from here on; on an error the old ones stay.
    pub fn replace(&self, issuers: &[Issuer]) -> Result<(), IdentityError> {
        let keys = keys_of(issuers)?;
        *self.0.write() = keys;
        Ok(())
    }

    /// Who the token's bearer is, at the time `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Subject, IdentityError> {
        if token.len() > MAX_TOKEN {
            return Err(IdentityError::Token("is too long"));
        }
        let claims = self
            .0
            .read()
            .iter()
            .find_map(|(validation, key)| {
                let data = decode::<Claims>(token, key, validation).ok()?;
                // No extension is understood here, so none may be critical (RFC 7515, 4.1.11).
                data.header.crit.is_none().then_some(data.claims)
            })
            .filter(|claims| claims.nbf <= now.as_second() + LEEWAY && now.as_second() - LEEWAY < claims.exp)
            .ok_or(IdentityError::Token(
                "is not one that an accepted issuer signed for this federation, or has expired",
            ))?;
        if claims.sub.is_empty() || claims.sub.len() > 255 || claims.sub.chars().any(char::is_control) {
            return Err(IdentityError::Token("does not name its bearer"));
        }
        Ok(Subject { issuer: claims.iss, subject: claims.sub })
    }
}

fn keys_of(issuers: &[Issuer]) -> Result<Keys, IdentityError> {
    let mut keys = Vec::new();
    for issuer in issuers {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["iss", "sub", "aud", "exp", "nbf"]);
        validation.set_issuer(&[&issuer.issuer]);
        validation.set_audience(&[&issuer.audience]);
        // Times are checked below, by the node's own clock.
        validation.validate_exp = false;
        for pem in &issuer.public_keys {
            keys.push((validation.clone(), DecodingKey::from_ed_der(&keys::ed25519_of_pem(pem)?)));
        }
    }
    Ok(keys)
}

impl std::fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenVerifier").field("keys", &self.0.read().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://issuer.example";
    const AUDIENCE: &str = "wanqu:gba";

    fn claims(change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> serde_json::Value {
        let now = Timestamp::now().as_second();
        let mut claims = serde_json::json!({
            "iss": ISSUER, "sub": "wei", "aud": AUDIENCE, "nbf": now - 1, "exp": now + 600,
        });
        change(claims.as_object_mut().unwrap());
        claims
    }

    fn signed(issuer: &TokenIssuer, claims: &serde_json::Value) -> String {
        let key = EncodingKey::from_ed_der(issuer.key.serialized_der());
        encode(&Header::new(Algorithm::EdDSA), claims, &key).unwrap()
    }

    fn with_header(token: &str, header: &str) -> String {
        use base64::Engine;
        let rest = token.split_once('.').unwrap().1;
        format!("{}.{rest}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn a_token_names_its_bearer() {
        let issuer = TokenIssuer::new(ISSUER, AUDIENCE).unwrap();
        let verifier = TokenVerifier::new(&[issuer.as_issuer()]).unwrap();
        let token = issuer.issue("wei", Timestamp::now(), Duration::from_mins(1)).unwrap();
        let subject = verifier.verify(&token, Timestamp::now()).unwrap();
        assert_eq!(subject, Subject { issuer: ISSUER.into(), subject: "wei".into() });
        assert!(
            verifier
                .verify(
                    &signed(&issuer, &claims(|c| drop(c.insert("aud".into(), vec![AUDIENCE].into())))),
                    Timestamp::now()
                )
                .is_ok()
        );
    }

    #[test]
    fn claims_that_are_missing_or_wrong_are_refused() {
        let issuer = TokenIssuer::new(ISSUER, AUDIENCE).unwrap();
        let verifier = TokenVerifier::new(&[issuer.as_issuer()]).unwrap();
        let now = Timestamp::now().as_second();
        assert!(
            verifier.verify(&signed(&issuer, &claims(|_| {})), Timestamp::now()).is_ok(),
            "the untouched claims hold"
        );
        for required in ["iss", "sub", "aud", "exp", "nbf"] {
            let token = signed(&issuer, &claims(|c| drop(c.remove(required))));
            assert!(verifier.verify(&token, Timestamp::now()).is_err(), "without {required}");
        }
        let cases: [(&str, serde_json::Value); 8] = [
            ("iss", "https://other.example".into()),
            ("iss", vec![ISSUER, "https://other.example"].into()),
            ("aud", "another-federation".into()),
            ("aud", serde_json::json!([])),
            ("exp", (now - 120).into()),
            ("exp", "tomorrow".into()),
            ("nbf", (now + 120).into()),
            ("sub", "".into()),
        ];
        for (claim, value) in cases {
            let token = signed(&issuer, &claims(|c| drop(c.insert(claim.into(), value.clone()))));
            assert!(verifier.verify(&token, Timestamp::now()).is_err(), "{claim} = {value}");
        }
    }

    #[test]
    fn the_algorithm_is_never_the_tokens_choice() {
        let issuer = TokenIssuer::new(ISSUER, AUDIENCE).unwrap();
        let verifier = TokenVerifier::new(&[issuer.as_issuer()]).unwrap();
        let good = signed(&issuer, &claims(|_| {}));
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"None"}"#, r#"{"alg":"HS256","typ":"JWT"}"#, "{}", "x"] {
            assert!(verifier.verify(&with_header(&good, header), Timestamp::now()).is_err(), "{header}");
        }
        let unsigned = format!("{}.", with_header(&good, r#"{"alg":"none"}"#).rsplit_once('.').unwrap().0);
        assert!(verifier.verify(&unsigned, Timestamp::now()).is_err());
        // The public key as an HMAC secret: as PEM text and as raw bytes.
        let public = issuer.as_issuer().public_keys.remove(0);
        for secret in [public.as_bytes(), &keys::ed25519_of_pem(&public).unwrap()] {
            let forged =
                encode(&Header::new(Algorithm::HS256), &claims(|_| {}), &EncodingKey::from_secret(secret)).unwrap();
            assert!(verifier.verify(&forged, Timestamp::now()).is_err());
        }
    }

    #[test]
    fn a_key_counts_for_its_own_issuer_only() {
        let (ours, theirs) =
            (TokenIssuer::new(ISSUER, AUDIENCE).unwrap(), TokenIssuer::new("https://b.example", AUDIENCE).unwrap());
        let verifier = TokenVerifier::new(&[ours.as_issuer(), theirs.as_issuer()]).unwrap();
        assert!(verifier.verify(&signed(&ours, &claims(|_| {})), Timestamp::now()).is_ok());
        assert!(verifier.verify(&signed(&theirs, &claims(|_| {})), Timestamp::now()).is_err(), "B's key in A's name");
        let stranger = TokenIssuer::new(ISSUER, AUDIENCE).unwrap();
        assert!(verifier.verify(&signed(&stranger, &claims(|_| {})), Timestamp::now()).is_err());
        let mut altered = signed(&ours, &claims(|_| {}));
        altered.replace_range(60..61, if &altered[60..61] == "A" { "B" } else { "A" });
        assert!(verifier.verify(&altered, Timestamp::now()).is_err());
        for garbage in ["", ".", "..", "a.b.c", "🦀.🦀.🦀", &"a".repeat(MAX_TOKEN + 1)] {
            assert!(verifier.verify(garbage, Timestamp::now()).is_err());
        }
    }
}
