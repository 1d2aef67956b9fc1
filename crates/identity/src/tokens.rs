//! Issuers of researchers' tokens: JWTs signed with Ed25519, after the best current practices of RFC 8725.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ED25519};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use wanqu_model::bundle::{Issuer, usual_token_life};

use super::{IdentityError, keys};

/// Scope of a token that fetches one kept answer, once.
pub(super) const ONE_RESULT: &str = "wanqu:result";

/// Claims of a token, as far as they are looked at.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub iss: String,
    pub sub: String,
    pub aud: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    pub nbf: i64,
    pub exp: i64,
    /// Name of this one token, by which a second use of it is recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Words, with spaces between them. Issuers have words of their own, which say nothing here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<serde_json::Value>,
}

/// Issuer of tokens for a local federation and for the operator's queries.
pub struct TokenIssuer {
    issuer: String,
    key: KeyPair,
}

impl TokenIssuer {
    /// Makes an issuer with a new key.
    pub fn new(issuer: &str) -> Result<Self, IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        Ok(Self { issuer: issuer.to_owned(), key })
    }

    /// Makes an issuer with the key in a PEM text.
    pub fn from_pem(issuer: &str, key: &str) -> Result<Self, IdentityError> {
        let key = KeyPair::from_pem(key).map_err(|_| IdentityError::Pem("the issuer's key"))?;
        Ok(Self { issuer: issuer.to_owned(), key })
    }

    /// Returns its key, PEM, to be kept in a Secret.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Returns its public key, PEM, by which gateways know its tokens.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        self.key.public_key_pem()
    }

    /// Writes `issuer.key` into a folder.
    pub fn save(&self, dir: &Path) -> Result<(), IdentityError> {
        keys::write_secret(&dir.join("issuer.key"), &self.key.serialize_pem())
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn load(dir: &Path, issuer: &str) -> Result<Self, IdentityError> {
        Self::from_pem(issuer, &keys::read(&dir.join("issuer.key"))?)
    }

    /// Returns the issuer as a member's bundle lists it, with this audience for the member's gateway.
    #[must_use]
    pub fn as_issuer(&self, audience: &str) -> Issuer {
        Issuer {
            issuer: self.issuer.clone(),
            audience: audience.to_owned(),
            public_keys: vec![self.public_key_pem()],
            max_life_seconds: usual_token_life(),
        }
    }

    /// Issues a token for `subject` at the gateway of this audience, valid from `now` on for `lifetime`.
    pub fn issue(
        &self,
        subject: &str,
        audience: &str,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<String, IdentityError> {
        self.sign(&self.claims(subject, audience, now, lifetime))
    }

    /// Issues a token by which `subject` can fetch one kept answer at the gateway of this audience, once.
    pub fn issue_for_result(
        &self,
        subject: &str,
        audience: &str,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<String, IdentityError> {
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).map_err(|_| IdentityError::Unsigned)?;
        let claims = self.claims(subject, audience, now, lifetime);
        self.sign(&Claims { jti: Some(URL_SAFE_NO_PAD.encode(id)), scope: Some(ONE_RESULT.into()), ..claims })
    }

    fn claims(&self, subject: &str, audience: &str, now: Timestamp, lifetime: Duration) -> Claims {
        let now = now.as_second();
        Claims {
            iss: self.issuer.clone(),
            sub: subject.to_owned(),
            aud: audience.into(),
            iat: Some(now),
            nbf: now,
            exp: now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
            jti: None,
            scope: None,
        }
    }

    fn sign(&self, claims: &Claims) -> Result<String, IdentityError> {
        encode(&Header::new(Algorithm::EdDSA), claims, &EncodingKey::from_ed_der(self.key.serialized_der()))
            .map_err(|_| IdentityError::Unsigned)
    }

    /// Signs any claims under any header, as a test may have a hostile or a careless issuer do.
    #[cfg(test)]
    pub(super) fn sign_as(&self, header: &Header, claims: &impl Serialize) -> String {
        encode(header, claims, &EncodingKey::from_ed_der(self.key.serialized_der())).expect("claims can be signed")
    }
}
