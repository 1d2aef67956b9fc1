//! Verification of researchers' tokens at a gateway.
//!
//! ```text
//! token ─▶ iss        an issuer that the gateway's jurisdiction lists: its keys are tried, and no others
//!       ─▶ signature  by one of them; neither algorithm nor key is the token's choice
//!       ─▶ typ        an access token, or a JWT that does not say what it is
//!       ─▶ aud        this gateway, and no other
//!       ─▶ times      from nbf to exp, and no longer than tokens of the issuer may live
//!       ─▶ sub        somebody
//! ```
//!
//! A bearer token can be shown by whoever has seen it. What limits the damage is that it is good at one gateway, for a bounded
//! time; and one that the operator hands over through an object which others can read is good for one kept answer, once.

mod fault;
mod spent;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode};
use parking_lot::{Mutex, RwLock};
use serde::Deserialize;
use serde::de::IgnoredAny;
use wanqu_model::audience::is_gateway_audience;
use wanqu_model::bundle::{Issuer, NodeBundle, Subject};

use super::tokens::{Claims, ONE_RESULT};
use super::{IdentityError, keys};
pub use fault::TokenFault;
use fault::shown;
pub use spent::SingleUse;
use spent::Spent;

/// Greatest length of a token, in bytes.
const MAX_TOKEN: usize = 8 * 1024;

/// Greatest difference between the clocks of issuer and gateway, in seconds.
const LEEWAY: i64 = 30;

/// Types of tokens that are taken, without `application/` and in lower case.
///
/// RFC 9068 has `at+jwt` for access tokens, but most issuers write `JWT`, or nothing: RFC 7519 leaves it to them. So a token
/// without a type is taken. What could be mistaken for an access token says what it is (RFC 8725, 3.11), such as `logout+jwt`.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// Verifier of tokens against the issuers that a gateway accepts. Clones share one state, which
/// [`replace`](TokenVerifier::replace) changes for every token that comes from then on.
#[derive(Clone)]
pub struct TokenVerifier {
    accepted: Arc<RwLock<Accepted>>,
    spent: Arc<Mutex<Spent>>,
}

/// Bearer of a token that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The researcher.
    pub subject: Subject,
    /// Present if the token fetches one kept answer, and nothing else, once.
    pub single_use: Option<SingleUse>,
}

/// Issuers that a gateway accepts.
struct Accepted {
    keys: Vec<Key>,
    /// Issuers of other members, each with the audience for their gateways.
    elsewhere: BTreeSet<(String, String)>,
}

/// Claim of a token by which keys are chosen, before its signature is looked at. It is believed in nothing else.
#[derive(Deserialize)]
struct Named {
    iss: String,
}

/// Key of an issuer, with the bounds of the tokens that it signs.
struct Key {
    decoding: DecodingKey,
    issuer: String,
    audience: String,
    max_life: i64,
}

impl TokenVerifier {
    /// Makes a verifier for the gateway of a bundle's own member.
    pub fn from_bundle(bundle: &NodeBundle) -> Result<Self, IdentityError> {
        Ok(Self { accepted: Arc::new(RwLock::new(Accepted::of(bundle)?)), spent: Arc::default() })
    }

    /// Makes a verifier for a gateway that knows of no other.
    pub fn new(issuers: &[Issuer]) -> Result<Self, IdentityError> {
        let accepted = Accepted { keys: keys_of(issuers)?, elsewhere: BTreeSet::new() };
        Ok(Self { accepted: Arc::new(RwLock::new(accepted)), spent: Arc::default() })
    }

    /// Replaces the issuers by those of another bundle; on an error the old ones stay.
    pub fn replace(&self, bundle: &NodeBundle) -> Result<(), IdentityError> {
        let accepted = Accepted::of(bundle)?;
        *self.accepted.write() = accepted;
        Ok(())
    }

    /// Returns the token's bearer, if the token is valid at the time `now`.
    ///
    /// # Errors
    /// The first rule that the token breaks. Until its signature has been found good, nothing of the token is repeated.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Bearer, TokenFault> {
        if token.len() > MAX_TOKEN {
            return Err(TokenFault::TooLong);
        }
        let accepted = self.accepted.read();
        let (key, header, claims) = accepted.signed(token)?;
        // No extension is understood here: neither those that have to be (RFC 7515, 4.1.11), nor those that would have the signed
        // bytes read in another way.
        let read_otherwise = header.enc.is_some() || header.zip.is_some() || header.extras.inner().contains_key("b64");
        if header.crit.is_some() || read_otherwise {
            return Err(TokenFault::Extension);
        }
        of_type(header.typ.as_deref())?;
        accepted.is_for_this_gateway(key, &claims)?;
        in_time(key, &claims, now.as_second())?;
        if claims.sub.is_empty() || claims.sub.len() > 255 || claims.sub.chars().any(char::is_control) {
            return Err(TokenFault::Bearer);
        }
        let single_use = SingleUse::of(&claims)?;
        Ok(Bearer { subject: Subject { issuer: claims.iss, subject: claims.sub }, single_use })
    }

    /// Uses up a token that is good once.
    ///
    /// # Errors
    /// [`TokenFault::Spent`] if it was used at this gateway before; [`TokenFault::Busy`] if the gateway cannot remember any more.
    pub fn spend(&self, single_use: &SingleUse, now: Timestamp) -> Result<(), TokenFault> {
        self.spent.lock().spend(single_use, now.as_second() - LEEWAY)
    }
}

impl Accepted {
    fn of(bundle: &NodeBundle) -> Result<Self, IdentityError> {
        let own: Vec<Issuer> = bundle.issuers_of(&bundle.jurisdiction).cloned().collect();
        let others = bundle.members.iter().filter(|member| member.jurisdiction != bundle.jurisdiction);
        let elsewhere = others.flat_map(|member| &member.issuers);
        let elsewhere = elsewhere.map(|issuer| (issuer.issuer.clone(), issuer.audience.clone()));
        Ok(Self { keys: keys_of(&own)?, elsewhere: elsewhere.collect() })
    }

    /// Returns the keys of an issuer: a token is tried with these, so that a stranger's token costs as few signatures as a friend's.
    fn of_issuer<'a>(&'a self, issuer: &str) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| key.issuer == issuer)
    }

    /// Returns the key that signed a token in its issuer's name, and what it signed.
    fn signed(&self, token: &str) -> Result<(&Key, Header, Claims), TokenFault> {
        let named: Named = insecure_decode_claims(token).map_err(|error| match error.kind() {
            ErrorKind::Json(_) => TokenFault::Claims,
            _ => TokenFault::Unknown,
        })?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Claims are checked by this module: by the node's own clock, and so that a refusal can say what is wrong.
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let mut fault = TokenFault::Unknown;
        for key in self.of_issuer(&named.iss) {
            match decode::<Claims>(token, &key.decoding, &validation) {
                Ok(data) if data.claims.iss == key.issuer => return Ok((key, data.header, data.claims)),
                // The signature is good, and the claims are not what they should be.
                Err(error)
                    if matches!(error.kind(), ErrorKind::Json(_))
                        && decode::<IgnoredAny>(token, &key.decoding, &validation).is_ok() =>
                {
                    fault = TokenFault::Claims;
                }
                Ok(_) | Err(_) => {}
            }
        }
        Err(fault)
    }

    /// Checks that a token names this gateway, and no other.
    fn is_for_this_gateway(&self, key: &Key, claims: &Claims) -> Result<(), TokenFault> {
        let named: Vec<&str> = match &claims.aud {
            serde_json::Value::String(one) => vec![one],
            serde_json::Value::Array(several) => {
                several.iter().map(serde_json::Value::as_str).collect::<Option<_>>().ok_or(TokenFault::Claims)?
            }
            _ => return Err(TokenFault::Claims),
        };
        let taken = key.audience.as_str();
        let is_taken_elsewhere = |audience: &str| self.elsewhere.contains(&(key.issuer.clone(), audience.to_owned()));
        if !named.contains(&taken) {
            let named = if named.is_empty() { "nobody".to_owned() } else { shown(&named.join(", ")) };
            return Err(TokenFault::Audience { named, taken: taken.to_owned() });
        }
        // An operator that knows no audiences of jurisdictions may have given the same one to several.
        if is_taken_elsewhere(taken) {
            return Err(TokenFault::Shared { issuer: key.issuer.clone(), audience: taken.to_owned() });
        }
        let is_gateway = |audience: &str| is_gateway_audience(audience) || is_taken_elsewhere(audience);
        if named.iter().any(|audience| *audience != taken && is_gateway(audience)) {
            return Err(TokenFault::Several { named: shown(&named.join(", ")), taken: taken.to_owned() });
        }
        Ok(())
    }
}

/// Checks that a token does not say that it is something else than an access token.
fn of_type(typ: Option<&str>) -> Result<(), TokenFault> {
    let Some(typ) = typ else { return Ok(()) };
    let lower = typ.to_ascii_lowercase();
    let name = lower.strip_prefix("application/").unwrap_or(&lower);
    if TYPES.contains(&name) { Ok(()) } else { Err(TokenFault::Type(shown(typ))) }
}

/// Checks that a token is in its time, and that this time is not too long.
fn in_time(key: &Key, claims: &Claims, now: i64) -> Result<(), TokenFault> {
    if claims.exp <= now - LEEWAY {
        return Err(TokenFault::Expired);
    }
    let future = now + LEEWAY;
    if claims.nbf > future || claims.iat.is_some_and(|issued| issued > future) {
        return Err(TokenFault::NotYet);
    }
    let life = claims.exp.saturating_sub(claims.iat.unwrap_or(now));
    if life > key.max_life {
        return Err(TokenFault::Life { life, most: key.max_life, issuer: key.issuer.clone() });
    }
    Ok(())
}

impl SingleUse {
    /// Returns the single use that a token is good for; `None` if it may be shown again.
    fn of(claims: &Claims) -> Result<Option<Self>, TokenFault> {
        // RFC 8693, 4.2 has one text; some issuers write a list. What narrows a token is read in both.
        let narrows = |scope: &serde_json::Value| {
            scope.as_str().is_some_and(|words| words.split_ascii_whitespace().any(|word| word == ONE_RESULT))
        };
        let scope = claims.scope.as_ref();
        if !scope.is_some_and(|scope| narrows(scope) || scope.as_array().is_some_and(|list| list.iter().any(narrows))) {
            return Ok(None);
        }
        let id =
            claims.jti.as_deref().filter(|id| (1..=spent::MAX_ID).contains(&id.len())).ok_or(TokenFault::Claims)?;
        Ok(Some(Self::new(&claims.iss, id, claims.exp)))
    }
}

fn keys_of(issuers: &[Issuer]) -> Result<Vec<Key>, IdentityError> {
    let mut keys = Vec::new();
    for issuer in issuers {
        for pem in &issuer.public_keys {
            keys.push(Key {
                decoding: DecodingKey::from_ed_der(&keys::ed25519_of_pem(pem)?),
                issuer: issuer.issuer.clone(),
                audience: issuer.audience.clone(),
                max_life: issuer.max_life_seconds.into(),
            });
        }
    }
    Ok(keys)
}

impl std::fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenVerifier").field("keys", &self.accepted.read().keys.len()).finish_non_exhaustive()
    }
}
