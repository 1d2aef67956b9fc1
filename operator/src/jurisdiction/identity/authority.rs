//! Rotation of a certificate authority.
//!
//! ```text
//!  made            2/3 of its life           + settling             + a leaf's life
//!   ├───── alone ──────┤── the next is trusted ──┤── the old is trusted ──┤─── alone …
//!                      begins                    signs                    old one goes
//! ```
//!
//! The next authority is trusted before it signs anything, for as long as a leaf lives, so that every peer has received
//! it. Then it signs, and the old one is trusted until the last leaf that it signed has expired. A user may request the
//! next one at any time; a request during a rotation is met by another rotation after it.

use std::time::Duration;

use jiff::Timestamp;
use wanqu_identity::{Authority, IdentityError, Validity};
use wanqu_model::names::JurisdictionId;

/// Lifetimes of certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Lifetime of an authority.
    pub authority: Duration,
    /// Lifetime of a node's certificates.
    pub leaf: Duration,
}

impl Lifetimes {
    /// Returns how long the next authority is trusted before it signs; less for an authority that is short-lived.
    fn settling(self) -> Duration {
        self.leaf.min(self.authority / 6)
    }
}

/// An authority as its Secret holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorityState {
    /// The certificate that signs, PEM, and its key.
    pub signs: (String, String),
    /// The certificate that is to follow, and its key.
    pub next: Option<(String, String)>,
    /// The certificate that signed before, and when it stopped.
    pub before: Option<(String, Timestamp)>,
    /// The last request for a new authority that was met: the value of [`ROLL`](crate::framework::labels::ROLL) then.
    pub requested: Option<String>,
}

impl AuthorityState {
    /// A first authority. It meets any request for a new one.
    ///
    /// # Errors
    /// If no key or certificate can be made.
    pub fn new(
        id: &JurisdictionId,
        domain: &str,
        now: Timestamp,
        lifetimes: Lifetimes,
        requested: Option<&str>,
    ) -> Result<Self, IdentityError> {
        let signs = make(id, domain, now, lifetimes)?;
        Ok(Self { signs, next: None, before: None, requested: requested.map(str::to_owned) })
    }

    /// Returns the authority that signs.
    ///
    /// # Errors
    /// If certificate and key cannot be read, do not belong together, or are another jurisdiction's.
    pub fn signing(&self, id: &JurisdictionId, domain: &str) -> Result<Authority, IdentityError> {
        Authority::from_pem(id.clone(), domain, &self.signs.0, &self.signs.1)
    }

    /// Returns every certificate that is trusted to sign for the node, PEM.
    #[must_use]
    pub fn trusted(&self) -> String {
        let others = self.next.iter().map(|(pem, _)| pem).chain(self.before.iter().map(|(pem, _)| pem));
        let mut all: Vec<&str> = std::iter::once(&self.signs.0).chain(others).map(|pem| pem.trim_end()).collect();
        // The text ends with a newline, as each certificate in it does.
        all.push("");
        all.join("\n")
    }

    /// Returns the next state, if it is time for one. `requested` is the user's request for a new authority.
    ///
    /// # Errors
    /// If a certificate cannot be read, or no new one can be made.
    pub fn advanced(
        &self,
        id: &JurisdictionId,
        domain: &str,
        now: Timestamp,
        lifetimes: Lifetimes,
        requested: Option<&str>,
    ) -> Result<Option<Self>, IdentityError> {
        if now < self.due(lifetimes, requested)? {
            return Ok(None);
        }
        let mut advanced = self.clone();
        if let Some(next) = advanced.next.take() {
            advanced.before = Some((std::mem::replace(&mut advanced.signs, next).0, now));
        } else if advanced.before.take().is_none() {
            advanced.next = Some(make(id, domain, now, lifetimes)?);
            advanced.requested = requested.map(str::to_owned).or(advanced.requested);
        }
        Ok(Some(advanced))
    }

    /// Returns the time of the next change.
    ///
    /// # Errors
    /// If a certificate cannot be read.
    pub fn due(&self, lifetimes: Lifetimes, requested: Option<&str>) -> Result<Timestamp, IdentityError> {
        if let Some((next, _)) = &self.next {
            return Ok(after(begun(&Validity::of_certificate(next)?), lifetimes.settling()));
        }
        if let Some((_, since)) = &self.before {
            return Ok(after(*since, lifetimes.leaf));
        }
        let validity = Validity::of_certificate(&self.signs.0)?;
        if requested.is_some() && requested != self.requested.as_deref() {
            return Ok(begun(&validity));
        }
        Ok(after(begun(&validity), life(&validity) * 2 / 3))
    }

    /// Returns the state of a rotation; none if there is none.
    pub(super) fn rotation(&self) -> Option<&'static str> {
        match (&self.next, &self.before) {
            (Some(_), _) => Some("a new authority is trusted beside the one that signs"),
            (None, Some(_)) => Some("the new authority signs; the old one is trusted until its certificates are over"),
            (None, None) => None,
        }
    }
}

impl std::fmt::Debug for AuthorityState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthorityState")
            .field("next", &self.next.is_some())
            .field("before", &self.before.is_some())
            .finish_non_exhaustive()
    }
}

fn make(
    id: &JurisdictionId,
    domain: &str,
    now: Timestamp,
    lifetimes: Lifetimes,
) -> Result<(String, String), IdentityError> {
    let made = Authority::new(id.clone(), domain, Validity::lasting(now, lifetimes.authority))?;
    Ok((made.certificate_pem().to_owned(), made.key_pem()))
}

/// Returns the time at which a certificate was made: it is valid from five minutes earlier, for clocks that are behind.
pub(super) fn begun(validity: &Validity) -> Timestamp {
    after(validity.not_before, Duration::from_mins(5))
}

/// Returns how long a certificate is valid from then on.
pub(super) fn life(validity: &Validity) -> Duration {
    Duration::try_from(validity.not_after.duration_since(begun(validity))).unwrap_or_default()
}

pub(super) fn after(moment: Timestamp, duration: Duration) -> Timestamp {
    moment.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const LIFETIMES: Lifetimes =
        Lifetimes { authority: Duration::from_hours(360 * 24), leaf: Duration::from_hours(24) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn hk() -> JurisdictionId {
        "HK".parse().unwrap()
    }

    /// The next state at a time, without a request.
    fn advanced(kept: &AuthorityState, second: i64) -> Option<AuthorityState> {
        kept.advanced(&hk(), "gba.example", at(second), LIFETIMES, None).unwrap()
    }

    /// The next state at a time, with a request.
    fn requested(kept: &AuthorityState, second: i64, requested: &str) -> Option<AuthorityState> {
        kept.advanced(&hk(), "gba.example", at(second), LIFETIMES, Some(requested)).unwrap()
    }

    fn first() -> AuthorityState {
        AuthorityState::new(&hk(), "gba.example", at(0), LIFETIMES, None).unwrap()
    }

    #[test]
    fn the_next_authority_is_trusted_before_it_signs_and_the_old_one_after() {
        let count = |kept: &AuthorityState| kept.trusted().matches("BEGIN CERTIFICATE").count();
        let first = first();
        assert_eq!((count(&first), advanced(&first, 240 * DAY - 1)), (1, None));

        let begun = advanced(&first, 240 * DAY).unwrap();
        assert_eq!((count(&begun), &begun.signs), (2, &first.signs), "trusted, but the old one signs");
        assert_eq!(advanced(&begun, 241 * DAY - 1), None);

        let signs = advanced(&begun, 241 * DAY).unwrap();
        assert_eq!((count(&signs), Some(&signs.signs)), (2, begun.next.as_ref()));
        assert!(signs.trusted().contains(first.signs.0.trim_end()), "leaves of the old one are out there");
        assert_eq!(advanced(&signs, 242 * DAY - 1), None);

        let alone = advanced(&signs, 242 * DAY).unwrap();
        assert_eq!((count(&alone), &alone.signs), (1, &signs.signs));
        assert!(!format!("{alone:?}").contains("BEGIN"), "no key is ever printed");
    }

    #[test]
    fn an_operator_that_slept_takes_the_steps_one_by_one() {
        let first = first();
        let late = 300 * DAY;
        let begun = advanced(&first, late).unwrap();
        assert!(begun.next.is_some());
        assert_eq!(advanced(&begun, late), None, "peers hear of it first");
    }

    #[test]
    fn a_new_authority_is_made_for_the_asking_and_once_for_each_wish() {
        let first = first();
        let begun = requested(&first, 10, "a").unwrap();
        assert_eq!((&begun.signs, begun.next.is_some()), (&first.signs, true), "trusted first, as ever");
        assert_eq!(requested(&begun, 10 + DAY - 1, "a"), None);
        let signs = requested(&begun, 10 + DAY, "a").unwrap();
        let alone = requested(&signs, 10 + 2 * DAY, "a").unwrap();
        assert_eq!((&alone.signs.0, requested(&alone, 10 + 2 * DAY, "a")), (&signs.signs.0, None), "it was met");
        assert_eq!(advanced(&alone, 10 + 2 * DAY), None, "a wish that is taken back asks for nothing");
        assert!(requested(&alone, 10 + 2 * DAY, "b").unwrap().next.is_some());

        // A request during a rotation does not disturb it; another rotation follows.
        assert_eq!((requested(&begun, 11, "b"), requested(&signs, 11 + DAY, "b")), (None, None));
        let again = requested(&requested(&signs, 10 + 2 * DAY, "b").unwrap(), 10 + 2 * DAY, "b").unwrap();
        assert_eq!(again.requested.as_deref(), Some("b"));

        let made = AuthorityState::new(&hk(), "gba.example", at(0), LIFETIMES, Some("a")).unwrap();
        assert_eq!(requested(&made, 10, "a"), None, "it could not be newer");
    }

    #[test]
    fn an_authority_that_cannot_be_read_is_an_error_and_not_replaced() {
        let broken = AuthorityState { signs: ("x".to_owned(), "y".to_owned()), ..first() };
        assert!(broken.advanced(&hk(), "gba.example", at(0), LIFETIMES, None).is_err());
        assert!(broken.signing(&hk(), "gba.example").is_err());
        let other = AuthorityState::new(&"MO".parse().unwrap(), "gba.example", at(0), LIFETIMES, None).unwrap();
        assert!(other.signing(&hk(), "gba.example").is_err(), "another jurisdiction's");
    }
}
