//! What is written stays written; what was changed is noticed; what cannot be written is not released.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jiff::Timestamp;
use parking_lot::Mutex;
use uuid::Uuid;
use wanqu_fixtures::identity::jid;
use wanqu_model::bundle::Subject;
use wanqu_model::refusal::{Code, Refusal};

use super::medium::Medium;
use super::read::FILE;
use super::*;

fn asked(from: &str) -> Asked {
    Asked {
        query_id: Uuid::new_v4(),
        fragment: 0,
        from: jid(from),
        requester: Subject { issuer: "https://issuer.example".to_owned(), subject: "wei".to_owned() },
        project: None,
        purpose: None,
        agreement: None,
        sql: "SELECT count(*) AS n\nFROM macau.health.visits -- 澳門".to_owned(),
    }
}

fn refused(from: &str) -> Entry {
    Entry::Refused { asked: asked(from), refusal: Refusal::new(Code::ColumnClass, "“name” is sealed") }
}

fn released(rows: u64) -> Entry {
    Entry::Released {
        asked: asked("HK"),
        tables: vec!["macau.health.visits".to_owned()],
        rule: None,
        rows,
        suppressed_cells: 3,
        skipped_records: 0,
    }
}

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

#[test]
fn entries_are_numbered_chained_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path()).unwrap();
    let entries = [released(1), refused("CN-SZ"), released(2)];
    let receipts: Vec<Receipt> = entries.iter().map(|entry| log.append(now(), entry.clone()).unwrap()).collect();
    assert_eq!(receipts.iter().map(|r| r.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    let verified = verify(dir.path()).unwrap();
    assert_eq!((verified.entries, &verified.digest), (3, &receipts[2].digest));
    let records = read(dir.path(), &Filter::default()).unwrap();
    assert_eq!(records.iter().map(|r| r.entry.clone()).collect::<Vec<_>>(), entries);
    assert_eq!(records[2].previous, receipts[1].digest);

    let count = |filter: Filter| read(dir.path(), &filter).unwrap().len();
    assert_eq!(count(Filter { events: Some(&[Event::Released]), ..Filter::default() }), 2);
    assert_eq!(count(Filter { from: Some(jid("CN-SZ")), ..Filter::default() }), 1);
    assert_eq!(count(Filter { query_id: entries[0].query_id(), ..Filter::default() }), 1);
    assert_eq!(count(Filter { since: Some(Timestamp::MAX), ..Filter::default() }), 0);
    let last = read(dir.path(), &Filter { last: Some(1), ..Filter::default() }).unwrap();
    assert_eq!(last[0].sequence, 3);

    // Numbers go on after a restart.
    drop(log);
    let log = Log::open(dir.path()).unwrap();
    assert_eq!(log.recovery(), &Recovery { entries: 3, torn_bytes: 0 });
    assert_eq!(log.append(now(), released(3)).unwrap().sequence, 4);
    assert_eq!(verify(dir.path()).unwrap().entries, 4);
}

#[test]
fn lines_are_canonical_and_for_the_node_alone() {
    let dir = tempfile::tempdir().unwrap();
    Log::open(dir.path()).unwrap().append(now(), released(1)).unwrap();
    let path = dir.path().join(FILE);
    let text = fs::read_to_string(&path).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys =
        ["\"digest\"", "\"record\":{\"entry\":{\"asked\":{\"agreement\"", "\"previous\"", "\"sequence\"", "\"time\""];
    let places: Vec<usize> = keys.iter().map(|key| text.find(key).expect(key)).collect();
    assert!(places.is_sorted());
    assert_eq!(value["record"]["sequence"], 1);
    assert_eq!(text.lines().count(), 1, "a line end in the SQL text is escaped");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn every_change_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path()).unwrap();
    for rows in 1..=4 {
        log.append(now(), released(rows)).unwrap();
    }
    drop(log);
    let path = dir.path().join(FILE);
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let swapped = [lines[0], lines[2], lines[1], lines[3]];
    let twice = [lines[0], lines[1], lines[1], lines[2], lines[3]];
    let mut cases = vec![
        ("a changed value", good.replacen("\"rows\":2", "\"rows\":1", 1)),
        ("a changed digest", good.replacen(&lines[1][11..13], "zz", 1)),
        ("an entry taken out", joined(&[lines[0], lines[2], lines[3]])),
        ("the first entry taken out", joined(&lines[1..])),
        ("entries swapped", joined(&swapped)),
        ("an entry twice", joined(&twice)),
        ("an empty line", good.replacen('\n', "\n\n", 1)),
        ("a blank within a line", good.replacen("\"record\":", "\"record\": ", 1)),
        ("a line that is none", format!("hello\n{good}")),
    ];
    // A forger who makes the entry's own digest right is found out by the next entry.
    let mut record: Record =
        serde_json::from_value(serde_json::from_str::<serde_json::Value>(lines[1]).unwrap()["record"].take()).unwrap();
    record.entry = refused("HK");
    let forged = record::to_line(&record).unwrap().0;
    cases.push(("an entry forged with its digest", joined(&[lines[0], forged.trim_end(), lines[2], lines[3]])));
    for (what, text) in cases {
        fs::write(&path, text).unwrap();
        assert!(matches!(verify(dir.path()), Err(AuditError::Changed { .. })), "{what}");
        assert!(matches!(Log::open(dir.path()), Err(AuditError::Changed { .. })), "{what}");
        assert!(read(dir.path(), &Filter::default()).is_err(), "{what}");
    }
    fs::write(&path, good).unwrap();
    assert!(Log::open(dir.path()).is_ok());
}

#[test]
fn a_crash_at_any_byte_of_the_last_entry_is_recovered() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path()).unwrap();
    log.append(now(), released(1)).unwrap();
    let path = dir.path().join(FILE);
    let whole = fs::metadata(&path).unwrap().len();
    log.append(now(), released(2)).unwrap();
    drop(log);
    let text = fs::read(&path).unwrap();
    let whole = usize::try_from(whole).unwrap();
    for end in (whole..text.len()).step_by(37).chain([text.len() - 1]) {
        fs::write(&path, &text[..end]).unwrap();
        let log = Log::open(dir.path()).unwrap();
        assert_eq!(log.recovery(), &Recovery { entries: 1, torn_bytes: (end - whole) as u64 });
        assert_eq!(log.append(now(), released(9)).unwrap().sequence, 2, "numbering goes on");
        drop(log);
        assert_eq!(verify(dir.path()).unwrap().entries, 2);
        if end > whole {
            let aside = fs::read(dir.path().join(format!("{FILE}.torn"))).unwrap();
            assert!(aside.ends_with(&[&text[whole..end], b"\n"].concat()));
        }
    }
}

#[test]
fn one_process_writes() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path()).unwrap();
    assert!(matches!(Log::open(dir.path()), Err(AuditError::InUse(_))));
    drop(log);
    assert!(Log::open(dir.path()).is_ok());
}

/// A medium that fails when told to, and knows what a power failure would leave.
#[derive(Default)]
struct Brittle {
    bytes: Mutex<Vec<u8>>,
    room: AtomicU64,
    sync_fails: AtomicBool,
    cut_fails: AtomicBool,
    syncs: AtomicU64,
    safe: AtomicU64,
}

impl Medium for Brittle {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let room = usize::try_from(self.room.load(Ordering::SeqCst)).unwrap();
        let mut all = self.bytes.lock();
        let fits = room.saturating_sub(all.len()).min(bytes.len());
        all.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        if self.sync_fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is gone"));
        }
        let length = self.bytes.lock().len() as u64;
        std::thread::sleep(std::time::Duration::from_millis(2));
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.safe.fetch_max(length, Ordering::SeqCst);
        Ok(())
    }

    fn is_at(&self, _path: &std::path::Path) -> io::Result<bool> {
        Ok(true)
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        if self.cut_fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is gone"));
        }
        self.bytes.lock().truncate(usize::try_from(length).unwrap());
        Ok(())
    }
}

fn brittle(room: u64) -> (Arc<Brittle>, Log) {
    let medium = Arc::new(Brittle { room: room.into(), ..Brittle::default() });
    (Arc::clone(&medium), Log::on_medium(medium))
}

fn verify_bytes(bytes: &[u8]) -> Result<Verified, AuditError> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), bytes).unwrap();
    verify(dir.path())
}

#[test]
fn a_full_disk_gives_no_receipt_and_leaves_no_trace() {
    let (medium, log) = brittle(1000);
    let mut receipts = 0;
    while log.append(now(), released(1)).is_ok() {
        receipts += 1;
    }
    assert!(receipts >= 1);
    let verified = verify_bytes(&medium.bytes.lock()).unwrap();
    assert_eq!((verified.entries, verified.torn_bytes), (receipts, 0));
    medium.room.store(1 << 20, Ordering::SeqCst);
    assert_eq!(log.append(now(), released(1)).unwrap().sequence, receipts + 1, "with room again, it goes on");
    // A part of a line that cannot be taken back must not be followed by anything.
    medium.room.store(medium.bytes.lock().len() as u64 + 10, Ordering::SeqCst);
    medium.cut_fails.store(true, Ordering::SeqCst);
    assert!(log.append(now(), released(1)).is_err());
    medium.room.store(1 << 20, Ordering::SeqCst);
    assert!(matches!(log.append(now(), released(1)), Err(AuditError::Failed(_))));
    assert_eq!(verify_bytes(&medium.bytes.lock()).unwrap().torn_bytes, 10);
}

#[test]
fn after_a_failed_flush_nothing_is_taken() {
    let (medium, log) = brittle(1 << 20);
    log.append(now(), released(1)).unwrap();
    medium.sync_fails.store(true, Ordering::SeqCst);
    assert!(matches!(log.append(now(), released(2)), Err(AuditError::File { .. })));
    medium.sync_fails.store(false, Ordering::SeqCst);
    assert!(matches!(log.append(now(), released(3)), Err(AuditError::Failed(_))));
}

#[test]
fn a_receipt_means_that_the_entry_is_safe() {
    let (medium, log) = brittle(1 << 24);
    let log = Arc::new(log);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (medium, log) = (Arc::clone(&medium), Arc::clone(&log));
            std::thread::spawn(move || {
                for _ in 0..25 {
                    let receipt = log.append(now(), released(1)).unwrap();
                    let safe = usize::try_from(medium.safe.load(Ordering::SeqCst)).unwrap();
                    let lines = medium.bytes.lock()[..safe].split(|byte| *byte == b'\n').count() - 1;
                    assert!(lines as u64 >= receipt.sequence);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(verify_bytes(&medium.bytes.lock()).unwrap().entries, 200);
    assert!(medium.syncs.load(Ordering::SeqCst) < 200, "appends share flushes");
}

#[test]
fn a_log_that_is_not_where_it_was_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path()).unwrap();
    log.append(now(), released(1)).unwrap();
    assert_eq!(log.sequence(), 1);
    log.writable().unwrap();
    let (place, aside) = (dir.path().join(FILE), dir.path().join("aside"));
    fs::rename(&place, &aside).unwrap();
    assert!(matches!(log.writable(), Err(AuditError::File { .. })));
    fs::write(&place, b"").unwrap();
    assert!(matches!(log.writable(), Err(AuditError::Replaced(_))));
    assert!(matches!(log.append(now(), released(2)), Err(AuditError::Replaced(_))));
    fs::rename(&aside, &place).unwrap();
    log.writable().unwrap();
    log.append(now(), released(3)).unwrap();
    assert_eq!(verify(dir.path()).unwrap().entries, 2);
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [FILE], "looking leaves nothing behind");
}
