//! Ledger of kept results: who may fetch which, and how much room is left. It decides, and touches no file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;
use wanqu_model::bundle::Subject;

/// Divisor of the room that gives one requester's share, so that nobody can crowd out everybody else.
const SHARE: u64 = 4;

/// A result that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Subject who asked; nobody else may have it.
    pub requester: Subject,
    /// Size on disk.
    pub bytes: u64,
    /// Time from which nobody may have it.
    pub expires: Timestamp,
}

/// Error of a ledger without room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    /// All results together fill the room.
    #[error("the room for results is full")]
    Node,
    /// This requester's results fill his share.
    #[error("the results of one requester fill their share of the room")]
    Requester,
}

/// Results that are kept and drafts that are being written. Every byte is counted before it reaches the disk.
#[derive(Debug)]
pub(super) struct Ledger {
    quota: u64,
    kept: BTreeMap<Uuid, Kept>,
    writing: BTreeMap<Uuid, (Subject, u64)>,
}

impl Ledger {
    /// Returns an empty ledger with room for `quota` bytes.
    pub fn new(quota: u64) -> Self {
        Self { quota, kept: BTreeMap::new(), writing: BTreeMap::new() }
    }

    /// Begins a draft; refused where not even its first byte would fit.
    pub fn begin(&mut self, draft: Uuid, requester: &Subject) -> Result<(), Full> {
        self.room(requester, 1)?;
        self.writing.insert(draft, (requester.clone(), 0));
        Ok(())
    }

    /// Adds bytes to a draft, if they fit.
    pub fn grow(&mut self, draft: Uuid, bytes: u64) -> Result<(), Full> {
        let Some((requester, _)) = self.writing.get(&draft) else { return Err(Full::Node) };
        self.room(&requester.clone(), bytes)?;
        if let Some((_, written)) = self.writing.get_mut(&draft) {
            *written += bytes;
        }
        Ok(())
    }

    /// Turns a draft into a result.
    pub fn finish(&mut self, draft: Uuid, id: Uuid, kept: Kept) {
        self.writing.remove(&draft);
        self.kept.insert(id, kept);
    }

    /// Ends a draft that will not become a result; does nothing if there is none.
    pub fn give_up(&mut self, draft: Uuid) {
        self.writing.remove(&draft);
    }

    /// Returns a result, to the one who asked and as long as it has not expired.
    pub fn find(&self, id: Uuid, requester: &Subject, now: Timestamp) -> Option<&Kept> {
        self.kept.get(&id).filter(|kept| kept.requester == *requester && now < kept.expires)
    }

    /// Returns the results that have expired. They take room until they are forgotten.
    pub fn expired(&self, now: Timestamp) -> Vec<Uuid> {
        self.kept.iter().filter(|(_, kept)| kept.expires <= now).map(|(id, _)| *id).collect()
    }

    /// Takes out a result whose file is gone.
    pub fn forget(&mut self, id: Uuid) {
        self.kept.remove(&id);
    }

    fn room(&self, requester: &Subject, bytes: u64) -> Result<(), Full> {
        let sizes = || {
            let kept = self.kept.values().map(|kept| (&kept.requester, kept.bytes));
            kept.chain(self.writing.values().map(|(requester, bytes)| (requester, *bytes)))
        };
        let all: u64 = sizes().map(|(_, bytes)| bytes).sum();
        let own: u64 = sizes().filter(|(who, _)| *who == requester).map(|(_, bytes)| bytes).sum();
        if own.saturating_add(bytes) > self.quota / SHARE {
            return Err(Full::Requester);
        }
        if all.saturating_add(bytes) > self.quota {
            return Err(Full::Node);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(subject: &str) -> Subject {
        Subject { issuer: "https://i.example".to_owned(), subject: subject.to_owned() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn keep(ledger: &mut Ledger, subject: &str, bytes: u64, expires: i64) -> Result<Uuid, Full> {
        let (draft, id) = (Uuid::new_v4(), Uuid::new_v4());
        ledger.begin(draft, &who(subject))?;
        ledger.grow(draft, bytes).inspect_err(|_| ledger.give_up(draft))?;
        ledger.finish(draft, id, Kept { requester: who(subject), bytes, expires: at(expires) });
        Ok(id)
    }

    #[test]
    fn nobody_but_the_requester_finds_a_result_and_only_in_its_time() {
        let mut ledger = Ledger::new(400);
        let id = keep(&mut ledger, "wei", 10, 100).unwrap();
        let other_issuer = Subject { issuer: "https://j.example".to_owned(), ..who("wei") };
        for (requester, now, found) in [
            (who("wei"), 99, true),
            (who("wei"), 100, false),
            (who("mallory"), 99, false),
            (who("WEI"), 99, false),
            (other_issuer, 99, false),
        ] {
            assert_eq!(ledger.find(id, &requester, at(now)).is_some(), found, "{requester:?} at {now}");
        }
        assert!(ledger.find(Uuid::new_v4(), &who("wei"), at(0)).is_none());
    }

    #[test]
    fn results_take_a_quarter_of_the_room_for_one_requester_and_no_more_than_all_of_it() {
        let mut ledger = Ledger::new(400);
        keep(&mut ledger, "a", 100, 100).unwrap();
        assert_eq!(keep(&mut ledger, "a", 1, 100), Err(Full::Requester));
        for other in ["b", "c"] {
            assert_eq!(keep(&mut ledger, other, 101, 100), Err(Full::Requester));
            keep(&mut ledger, other, 100, 200).unwrap();
        }
        keep(&mut ledger, "d", 60, 200).unwrap();
        keep(&mut ledger, "e", 40, 200).unwrap();
        assert_eq!(keep(&mut ledger, "f", 1, 200), Err(Full::Node));
        let [expired] = ledger.expired(at(100))[..] else { panic!("one has expired") };
        assert_eq!(keep(&mut ledger, "f", 1, 200), Err(Full::Node), "it takes room until its file is gone");
        ledger.forget(expired);
        keep(&mut ledger, "f", 100, 200).unwrap();
    }

    #[test]
    fn a_result_being_written_takes_room_until_it_is_given_up() {
        let mut ledger = Ledger::new(400);
        let draft = Uuid::new_v4();
        ledger.begin(draft, &who("a")).unwrap();
        ledger.grow(draft, 100).unwrap();
        assert_eq!(ledger.begin(Uuid::new_v4(), &who("a")), Err(Full::Requester));
        ledger.give_up(draft);
        assert_eq!(ledger.grow(draft, 1), Err(Full::Node), "a draft that was given up grows no more");
        keep(&mut ledger, "a", 100, 1).unwrap();
    }
}
