//! The ledger across crashes, damage and restarts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use wanqu_gate::ledger::{Addend, Answer, Asked, BUCKETS, Drawn, Offer, Offered, Sketch};

use super::file::{KEY, RECORDS};
use super::*;

/// A population of 20 units, shifted by `first`, with one value.
fn asked(first: u64, value: i128) -> Asked {
    let words: Vec<u64> = (0..BUCKETS as u64).map(|bucket| u64::from(bucket >= first && bucket < first + 20)).collect();
    let sketches = vec![Drawn { table: 0, population: 0, name: 1, sketch: Sketch::read(&words).unwrap() }];
    let adds = vec![Addend::Rows, Addend::Measure { table: 1, column: 2 }].into();
    let values = vec![Offered { populations: vec![0].into(), name: 7, adds, value: Some(Some(value)) }];
    let offers = vec![Offer { sketches, values }];
    Asked { circle: "HK".to_owned(), tables: vec!["shenzhen.d.visits".to_owned()], k: 5, offers }
}

async fn answer(ledger: &DurableLedger, first: u64, value: i128) -> Result<Answer, Refusal> {
    ledger.key()?;
    ledger.settle(asked(first, value)).await.map(|settled| settled.answers[0][0])
}

/// Writes two records, and returns the length of the first.
async fn written(folder: &Path) -> u64 {
    let ledger = DurableLedger::open(folder.to_owned());
    assert_eq!(answer(&ledger, 0, 100).await, Ok(Answer::New));
    let length = fs::metadata(folder.join(RECORDS)).unwrap().len();
    assert_eq!(answer(&ledger, 60, 200).await, Ok(Answer::New));
    length
}

#[tokio::test]
async fn what_was_released_is_remembered_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("ledger");
    assert_eq!(DurableLedger::open(folder.clone()).standing(), Standing::Open);
    assert!(!folder.exists(), "nothing was remembered");
    written(&folder).await;
    let ledger = DurableLedger::open(folder.clone());
    assert_eq!((ledger.room().0, ledger.standing()), (2, Standing::Open));
    // The same, and one that differs in two units.
    assert_eq!(answer(&ledger, 0, 1).await, Ok(Answer::Earlier(Some(100))));
    assert_eq!(answer(&ledger, 61, 1).await, Ok(Answer::Earlier(Some(200))));
    assert_eq!(answer(&ledger, 30, 300).await, Ok(Answer::New));
    for (name, mode) in [(RECORDS, 0o600), (KEY, 0o600), (".", 0o700)] {
        assert_eq!(fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
    }
    // One process writes.
    assert_eq!(DurableLedger::open(folder).standing(), Standing::Closed);
}

#[tokio::test]
async fn a_record_that_a_crash_left_unfinished_is_cut_off_at_any_byte() {
    let folder = tempfile::tempdir().unwrap();
    let first = written(folder.path()).await;
    let records = folder.path().join(RECORDS);
    let whole = fs::read(&records).unwrap();
    for length in (first..whole.len() as u64).step_by(37) {
        fs::write(&records, &whole[..usize::try_from(length).unwrap()]).unwrap();
        let ledger = DurableLedger::open(folder.path().to_owned());
        assert_eq!((ledger.room().0, ledger.standing()), (1, Standing::Open), "{length}");
        assert_eq!(fs::metadata(&records).unwrap().len(), first);
        assert_eq!(answer(&ledger, 0, 1).await, Ok(Answer::Earlier(Some(100))));
        assert_eq!(answer(&ledger, 60, 201).await, Ok(Answer::New), "nothing was released for it");
    }
}

#[tokio::test]
async fn other_damage_closes_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let first = usize::try_from(written(folder.path()).await).unwrap();
    let (records, key) = (folder.path().join(RECORDS), folder.path().join(KEY));
    let (whole, secret) = (fs::read(&records).unwrap(), fs::read(&key).unwrap());
    let refused = async |what: &str| {
        let ledger = DurableLedger::open(folder.path().to_owned());
        assert_eq!(ledger.standing(), Standing::Closed, "{what}");
        let refusal = answer(&ledger, 0, 1).await.unwrap_err();
        assert_eq!(refusal.code, Code::OwnerUnavailable, "{what}");
        assert!(refusal.to_string().contains("ledger"), "{what}: {refusal}");
    };
    for place in (0..whole.len()).step_by(29) {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&records, &changed).unwrap();
        refused(&format!("byte {place}")).await;
        assert_eq!(fs::read(&records).unwrap(), changed, "nothing is cut off: byte {place}");
    }
    fs::write(&records, &whole[first..]).unwrap();
    refused("the first record was taken out").await;
    fs::write(&records, &whole).unwrap();
    fs::write(&key, [1; 32]).unwrap();
    refused("another key").await;
    fs::remove_file(&key).unwrap();
    refused("no key").await;
    fs::write(&key, secret).unwrap();
    assert_eq!(DurableLedger::open(folder.path().to_owned()).standing(), Standing::Open);
}

#[tokio::test]
async fn a_ledger_that_was_changed_while_it_is_open_remembers_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path()).await;
    let ledger = DurableLedger::open(folder.path().to_owned());
    fs::write(folder.path().join(RECORDS), "").unwrap();
    assert!(answer(&ledger, 100, 1).await.is_err());
    assert_eq!(ledger.standing(), Standing::Closed);
    assert!(answer(&ledger, 0, 1).await.is_err());
}

#[tokio::test]
async fn a_full_ledger_says_so_and_withholds() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = DurableLedger::with_room(folder.path().to_owned(), 1);
    assert_eq!(answer(&ledger, 0, 100).await, Ok(Answer::New));
    assert_eq!(ledger.standing(), Standing::Full);
    assert_eq!(answer(&ledger, 60, 200).await, Ok(Answer::Withheld));
    assert_eq!(answer(&ledger, 0, 1).await, Ok(Answer::Earlier(Some(100))));
}

/// Whoever asks for ever more populations takes nobody else's room.
#[tokio::test]
async fn a_member_that_fills_its_part_of_the_ledger_leaves_the_others_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = DurableLedger::with_room(folder.path().to_owned(), 1);
    let by = async |circle: &str, first: u64| {
        let asked = Asked { circle: circle.to_owned(), ..asked(first, 5) };
        ledger.settle(asked).await.unwrap().answers[0][0]
    };
    assert_eq!([by("HK", 0).await, by("HK", 60).await], [Answer::New, Answer::Withheld]);
    assert_eq!([by("MO", 60).await, by("MO", 0).await], [Answer::New, Answer::Withheld]);
    assert_eq!((ledger.room(), ledger.standing()), ((2, 0), Standing::Full));
    drop(ledger);
    // After a restart it is the same.
    let ledger = DurableLedger::with_room(folder.path().to_owned(), 1);
    assert_eq!((ledger.room(), ledger.standing()), ((2, 0), Standing::Full));
}

/// Two fragments of one question run at once: only one of them can be the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_run_at_once_one_is_the_earlier() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(DurableLedger::open(folder.path().to_owned()));
    ledger.key().unwrap();
    let tasks = (0..16).map(|value| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { answer(&ledger, value % 2, i128::from(value)).await.unwrap() })
    });
    let answers = futures::future::join_all(tasks.collect::<Vec<_>>()).await;
    let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
    let new: Vec<usize> = (0..16).filter(|value| answers[*value] == Answer::New).collect();
    let [first] = new[..] else { panic!("{answers:?}") };
    let others = answers.iter().filter(|answer| **answer == Answer::Earlier(Some(first as i128)));
    assert_eq!(others.count(), 15, "{answers:?}");
}
