//! What becomes of an authority as time goes on.
//!
//! ```text
//!  made            2/3 of its life           + settling             + a leaf's life
//!   ├───── alone ──────┤── the next is trusted ──┤── the old is trusted ──┤─── alone …
//!                      begins                    signs                    old one goes
//! ```
//!
//! An authority that is to follow is trusted before it signs anything, for as long as a leaf lives, so that every peer has
//! heard of it. Then it signs, and the old one is trusted until the last leaf that it signed is over. A user may ask for the
//! next one at any time; if one is being rolled then, another follows it.

use std::time::Duration;

use jiff::Timestamp;
use wanqu_identity::{Authority, IdentityError, Validity};
use wanqu_model::names::JurisdictionId;

/// How long certificates hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    /// An authority's.
    pub authority: Duration,
    /// A node's.
    pub leaf: Duration,
}

impl Lives {
    /// How long the next authority is trusted before it signs. A short-lived authority has no time for more.
    fn settling(self) -> Duration {
        self.leaf.min(self.authority / 6)
    }
}

/// An authority as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// The certificate of the one that signs, PEM, and its key.
    pub signs: (String, String),
    /// The certificate of the one that is to follow, and its key.
    pub next: Option<(String, String)>,
    /// The certificate of the one before, and when it stopped signing.
    pub before: Option<(String, Timestamp)>,
    /// Which of the user's wishes for a new one was met last: what [`ROLL`](crate::framework::labels::ROLL) said then.
    pub asked: Option<String>,
}

impl Kept {
    /// A first authority. It meets any wish for a new one.
    ///
    /// # Errors
    /// When none can be made.
    pub fn new(
        id: &JurisdictionId,
        domain: &str,
        now: Timestamp,
        lives: Lives,
        asked: Option<&str>,
    ) -> Result<Self, IdentityError> {
        let signs = make(id, domain, now, lives)?;
        Ok(Self { signs, next: None, before: None, asked: asked.map(str::to_owned) })
    }

    /// The authority that signs.
    ///
    /// # Errors
    /// When certificate and key cannot be read, do not belong together, or are another jurisdiction's.
    pub fn signing(&self, id: &JurisdictionId, domain: &str) -> Result<Authority, IdentityError> {
        Authority::from_pem(id.clone(), domain, &self.signs.0, &self.signs.1)
    }

    /// Every certificate that may vouch for the node now, PEM.
    #[must_use]
    pub fn trusted(&self) -> String {
        let others = self.next.iter().map(|(pem, _)| pem).chain(self.before.iter().map(|(pem, _)| pem));
        let mut all: Vec<&str> = std::iter::once(&self.signs.0).chain(others).map(|pem| pem.trim_end()).collect();
        // The text ends with a line's end, as each certificate in it does.
        all.push("");
        all.join("\n")
    }

    /// What it becomes by now, if it changes. `asked` is the user's wish for a new one.
    ///
    /// # Errors
    /// When a certificate cannot be read, or no new one can be made.
    pub fn turned(
        &self,
        id: &JurisdictionId,
        domain: &str,
        now: Timestamp,
        lives: Lives,
        asked: Option<&str>,
    ) -> Result<Option<Self>, IdentityError> {
        if now < self.due(lives, asked)? {
            return Ok(None);
        }
        let mut turned = self.clone();
        if let Some(next) = turned.next.take() {
            turned.before = Some((std::mem::replace(&mut turned.signs, next).0, now));
        } else if turned.before.take().is_none() {
            turned.next = Some(make(id, domain, now, lives)?);
            turned.asked = asked.map(str::to_owned).or(turned.asked);
        }
        Ok(Some(turned))
    }

    /// When it changes next.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub fn due(&self, lives: Lives, asked: Option<&str>) -> Result<Timestamp, IdentityError> {
        if let Some((next, _)) = &self.next {
            return Ok(after(begun(&Validity::of_certificate(next)?), lives.settling()));
        }
        if let Some((_, since)) = &self.before {
            return Ok(after(*since, lives.leaf));
        }
        let validity = Validity::of_certificate(&self.signs.0)?;
        if asked.is_some() && asked != self.asked.as_deref() {
            return Ok(begun(&validity));
        }
        Ok(after(begun(&validity), life(&validity) * 2 / 3))
    }

    /// How far it is rolled; nothing if it stands alone.
    pub(super) fn rolled(&self) -> Option<&'static str> {
        match (&self.next, &self.before) {
            (Some(_), _) => Some("a new authority is trusted beside the one that signs"),
            (None, Some(_)) => Some("the new authority signs; the old one is trusted until its certificates are over"),
            (None, None) => None,
        }
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("next", &self.next.is_some())
            .field("before", &self.before.is_some())
            .finish_non_exhaustive()
    }
}

fn make(id: &JurisdictionId, domain: &str, now: Timestamp, lives: Lives) -> Result<(String, String), IdentityError> {
    let made = Authority::new(id.clone(), domain, Validity::lasting(now, lives.authority))?;
    Ok((made.certificate_pem().to_owned(), made.key_pem()))
}

/// When it was made: certificates begin five minutes early, for clocks that are a little behind.
pub(super) fn begun(validity: &Validity) -> Timestamp {
    after(validity.not_before, Duration::from_mins(5))
}

/// How long it holds from then on.
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
    const LIVES: Lives = Lives { authority: Duration::from_hours(360 * 24), leaf: Duration::from_hours(24) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn hk() -> JurisdictionId {
        "HK".parse().unwrap()
    }

    /// What it is at a time, step by step as an operator takes them, and how many certificates are trusted then.
    fn turned(kept: &Kept, second: i64) -> Option<Kept> {
        kept.turned(&hk(), "gba.example", at(second), LIVES, None).unwrap()
    }

    /// The same, with a wish for a new one.
    fn asked(kept: &Kept, second: i64, asked: &str) -> Option<Kept> {
        kept.turned(&hk(), "gba.example", at(second), LIVES, Some(asked)).unwrap()
    }

    fn first() -> Kept {
        Kept::new(&hk(), "gba.example", at(0), LIVES, None).unwrap()
    }

    #[test]
    fn the_next_authority_is_trusted_before_it_signs_and_the_old_one_after() {
        let count = |kept: &Kept| kept.trusted().matches("BEGIN CERTIFICATE").count();
        let first = first();
        assert_eq!((count(&first), turned(&first, 240 * DAY - 1)), (1, None));

        let begun = turned(&first, 240 * DAY).unwrap();
        assert_eq!((count(&begun), &begun.signs), (2, &first.signs), "trusted, but the old one signs");
        assert_eq!(turned(&begun, 241 * DAY - 1), None);

        let signs = turned(&begun, 241 * DAY).unwrap();
        assert_eq!((count(&signs), Some(&signs.signs)), (2, begun.next.as_ref()));
        assert!(signs.trusted().contains(first.signs.0.trim_end()), "leaves of the old one are out there");
        assert_eq!(turned(&signs, 242 * DAY - 1), None);

        let alone = turned(&signs, 242 * DAY).unwrap();
        assert_eq!((count(&alone), &alone.signs), (1, &signs.signs));
        assert!(!format!("{alone:?}").contains("BEGIN"), "no key is ever printed");
    }

    #[test]
    fn an_operator_that_slept_takes_the_steps_one_by_one() {
        let first = first();
        let late = 300 * DAY;
        let begun = turned(&first, late).unwrap();
        assert!(begun.next.is_some());
        assert_eq!(turned(&begun, late), None, "peers hear of it first");
    }

    #[test]
    fn a_new_authority_is_made_for_the_asking_and_once_for_each_wish() {
        let first = first();
        let begun = asked(&first, 10, "a").unwrap();
        assert_eq!((&begun.signs, begun.next.is_some()), (&first.signs, true), "trusted first, as ever");
        assert_eq!(asked(&begun, 10 + DAY - 1, "a"), None);
        let signs = asked(&begun, 10 + DAY, "a").unwrap();
        let alone = asked(&signs, 10 + 2 * DAY, "a").unwrap();
        assert_eq!((&alone.signs.0, asked(&alone, 10 + 2 * DAY, "a")), (&signs.signs.0, None), "it was met");
        assert_eq!(turned(&alone, 10 + 2 * DAY), None, "a wish that is taken back asks for nothing");
        assert!(asked(&alone, 10 + 2 * DAY, "b").unwrap().next.is_some());

        // A wish during a roll does not disturb it; another roll follows.
        assert_eq!((asked(&begun, 11, "b"), asked(&signs, 11 + DAY, "b")), (None, None));
        let again = asked(&asked(&signs, 10 + 2 * DAY, "b").unwrap(), 10 + 2 * DAY, "b").unwrap();
        assert_eq!(again.asked.as_deref(), Some("b"));

        let made = Kept::new(&hk(), "gba.example", at(0), LIVES, Some("a")).unwrap();
        assert_eq!(asked(&made, 10, "a"), None, "it could not be newer");
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_not_a_new_authority() {
        let broken = Kept { signs: ("x".to_owned(), "y".to_owned()), ..first() };
        assert!(broken.turned(&hk(), "gba.example", at(0), LIVES, None).is_err());
        assert!(broken.signing(&hk(), "gba.example").is_err());
        let other = Kept::new(&"MO".parse().unwrap(), "gba.example", at(0), LIVES, None).unwrap();
        assert!(other.signing(&hk(), "gba.example").is_err(), "another jurisdiction's");
    }
}
