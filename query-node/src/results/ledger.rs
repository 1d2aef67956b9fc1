//! Who has what kept, and how much room is left: the decisions, without a file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;
use wanqu_model::bundle::Subject;

/// One requester may fill this part of the room, so that nobody can crowd out everybody else.
const SHARE: u64 = 4;

/// A result that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Who asked; nobody else may have it.
    pub requester: Subject,
    /// Its size on disk.
    pub bytes: u64,
    /// From then on it is gone.
    pub expires: Timestamp,
}

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    /// On the node.
    #[error("the room for results is full")]
    Node,
    /// For this requester.
    #[error("the results of one requester fill their share of the room")]
    Requester,
}

/// What is kept and what is being written. Every byte is counted before it reaches the disk.
#[derive(Debug)]
pub(super) struct Ledger {
    quota: u64,
    kept: BTreeMap<Uuid, Kept>,
    writing: BTreeMap<Uuid, (Subject, u64)>,
}

impl Ledger {
    /// Nothing yet, in so many bytes of room.
    pub fn new(quota: u64) -> Self {
        Self { quota, kept: BTreeMap::new(), writing: BTreeMap::new() }
    }

    /// A new file is to be written; refused where not even its first byte would fit.
    pub fn begin(&mut self, draft: Uuid, requester: &Subject) -> Result<(), Full> {
        self.room(requester, 1)?;
        self.writing.insert(draft, (requester.clone(), 0));
        Ok(())
    }

    /// The file grows by so many bytes, if they fit.
    pub fn grow(&mut self, draft: Uuid, bytes: u64) -> Result<(), Full> {
        let Some((requester, _)) = self.writing.get(&draft) else { return Err(Full::Node) };
        self.room(&requester.clone(), bytes)?;
        if let Some((_, written)) = self.writing.get_mut(&draft) {
            *written += bytes;
        }
        Ok(())
    }

    /// The file is whole, and is kept from here on.
    pub fn finish(&mut self, draft: Uuid, id: Uuid, kept: Kept) {
        self.writing.remove(&draft);
        self.kept.insert(id, kept);
    }

    /// The file will not become whole.
    pub fn give_up(&mut self, draft: Uuid) {
        self.writing.remove(&draft);
    }

    /// A result, for the one who asked and as long as it has not expired.
    pub fn find(&self, id: Uuid, requester: &Subject, now: Timestamp) -> Option<&Kept> {
        self.kept.get(&id).filter(|kept| kept.requester == *requester && now < kept.expires)
    }

    /// Takes out what has expired.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Uuid> {
        let gone: Vec<Uuid> = self.kept.iter().filter(|(_, kept)| kept.expires <= now).map(|(id, _)| *id).collect();
        for id in &gone {
            self.kept.remove(id);
        }
        gone
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
    fn room_is_bounded_for_one_and_for_all() {
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
        assert_eq!(ledger.expire(at(100)).len(), 1);
        keep(&mut ledger, "f", 100, 200).unwrap();
    }

    #[test]
    fn what_is_being_written_takes_room_until_it_is_given_up() {
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
