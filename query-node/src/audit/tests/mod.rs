//! Entries stay as they were written, changes to them are noticed, and nothing is released without its entry.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;
use wanqu_model::bundle::Subject;

use super::folder::{OPEN, TORN};
use super::line::Line;
use super::*;
use memory::{Disk, Survives};
use wanqu_fixtures::identity::jid;
use wanqu_model::refusal::{Code, Refusal};

mod crash;
mod memory;
mod segments;

/// A log whose segments never end. A process that another test starts holds the lock of a log that was closed until it runs its
/// own program, so that a lock is waited for.
fn open(folder: &Path) -> Result<Log, AuditError> {
    let settings = AuditSettings { segment_bytes: u64::MAX, ..AuditSettings::in_folder(folder) };
    let mut opened = Log::open(&settings);
    for _ in 0..50 {
        if !matches!(opened, Err(AuditError::InUse(_))) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        opened = Log::open(&settings);
    }
    opened
}

/// Settings of a log in memory whose segments have this size.
fn of_bytes(segment_bytes: u64) -> AuditSettings {
    AuditSettings { segment_bytes, ..AuditSettings::in_folder("") }
}

fn request(from: &str) -> FragmentRequest {
    FragmentRequest {
        query_id: Uuid::new_v4(),
        fragment: 0,
        from: jid(from),
        requester: Subject { issuer: "https://issuer.example".to_owned(), subject: "wei".to_owned() },
        project: None,
        purpose: None,
        agreement: None,
        sql: "SELECT count(*) AS n\nFROM macau.health.visits -- 澳門".to_owned(),
        sql_cut: None,
    }
}

fn refused(from: &str) -> Entry {
    Entry::Refused { request: request(from), refusal: Refusal::new(Code::ColumnClass, "“name” is sealed") }
}

fn released(rows: u64) -> Entry {
    Entry::Released {
        request: request("HK"),
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
    let log = open(dir.path()).unwrap();
    let entries = [released(1), refused("CN-SZ"), released(2)];
    let receipts: Vec<Appended> = entries.iter().map(|entry| log.append(now(), entry.clone()).unwrap()).collect();
    assert_eq!(receipts.iter().map(|r| r.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    let verified = verify(&[dir.path()]).unwrap();
    assert_eq!((verified.entries, &verified.digest), (3, &receipts[2].digest));
    let records = read(&[dir.path()], &Filter::default()).unwrap();
    assert_eq!(records.iter().map(|r| r.entry.clone()).collect::<Vec<_>>(), entries);
    assert_eq!(records[2].previous, receipts[1].digest);

    let count = |filter: Filter| read(&[dir.path()], &filter).unwrap().len();
    assert_eq!(count(Filter { events: Some(&[Event::Released]), ..Filter::default() }), 2);
    assert_eq!(count(Filter { from: Some(jid("CN-SZ")), ..Filter::default() }), 1);
    assert_eq!(count(Filter { query_id: entries[0].query_id(), ..Filter::default() }), 1);
    assert_eq!(count(Filter { since: Some(Timestamp::MAX), ..Filter::default() }), 0);
    assert_eq!(count(Filter { project: Some("care".parse().unwrap()), ..Filter::default() }), 0);

    // Numbers go on after a restart.
    drop(log);
    let log = open(dir.path()).unwrap();
    assert_eq!(log.recovery(), &Recovery { entries: 3, torn_bytes: 0 });
    assert_eq!(log.append(now(), released(3)).unwrap().sequence, 4);
    assert_eq!(verify(&[dir.path()]).unwrap().entries, 4);
}

#[test]
fn lines_are_canonical_and_for_the_node_alone() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap().append(now(), released(1)).unwrap();
    let path = dir.path().join(OPEN);
    let text = fs::read_to_string(&path).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys = [
        "\"digest\"",
        "\"record\":{\"entry\":{\"asked\":{\"agreement\"",
        "\"nonce\"",
        "\"previous\"",
        "\"sequence\"",
        "\"time\"",
    ];
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

/// Whoever asked knows all of a release's entry but the exact number of cells that were kept back, and can try each number.
#[test]
fn a_digest_does_not_tell_what_is_tried_out() {
    let entry = released(1);
    let Entry::Released { request, tables, rule, rows, skipped_records, .. } = entry.clone() else {
        panic!("released")
    };
    let digest_of = |nonces| {
        let log = Log::with_nonces(Arc::new(Disk::new()), &of_bytes(u64::MAX), nonces).unwrap();
        log.append(now(), entry.clone()).unwrap().digest
    };
    let tried = |nonce: Option<Nonce>| {
        let of = |suppressed_cells| {
            let (request, tables, rule) = (request.clone(), tables.clone(), rule.clone());
            let entry = Entry::Released { request, tables, rule, rows, suppressed_cells, skipped_records };
            let record = Record { entry, nonce: nonce.clone(), previous: line::genesis(), sequence: 1, time: now() };
            Line::Record(Box::new(record)).to_text().unwrap().1
        };
        (0..100).map(of).collect::<Vec<_>>()
    };
    let one: fn() -> Nonce = || Nonce::of([1; 32]);
    assert!(tried(Some(one())).contains(&digest_of(one)), "the digest commits to the entry");
    let secret = digest_of(Nonce::random);
    assert!(!tried(None).contains(&secret) && !tried(Some(one())).contains(&secret));
    assert_ne!(secret, digest_of(Nonce::random), "no two entries have one number");
    assert!(!format!("{:?}", one()).contains("01"), "it is not printed");
}

/// An entry as it was written before there were nonces.
const WITHOUT_NONCE: &str = "{\"digest\":\"DIGEST\",\"record\":{\"entry\":{\"event\":\"turnedAway\",\"from\":\"HK\",\"refusal\":{\"code\":\"limit\",\"message\":\"m\"},\"times\":2},\"previous\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"sequence\":1,\"time\":\"2026-01-02T03:04:05Z\"}}\n";

#[test]
fn a_log_from_before_there_were_nonces_is_verified_and_goes_on() {
    use sha2::{Digest, Sha256};
    let record = WITHOUT_NONCE.split_once("\"record\":").unwrap().1.trim_end().strip_suffix('}').unwrap();
    let digest = format!("{:x}", Sha256::digest(record.as_bytes()));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(OPEN), WITHOUT_NONCE.replace("DIGEST", &digest)).unwrap();
    assert_eq!(verify(&[dir.path()]).unwrap().digest, digest);
    let log = open(dir.path()).unwrap();
    log.append(now(), released(1)).unwrap();
    let records = read(&[dir.path()], &Filter::default()).unwrap();
    assert_eq!(records.iter().map(|record| record.nonce.is_some()).collect::<Vec<_>>(), [false, true]);
    assert_eq!(verify(&[dir.path()]).unwrap().entries, 2);
}

#[test]
fn every_change_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    for rows in 1..=4 {
        log.append(now(), released(rows)).unwrap();
    }
    drop(log);
    let path = dir.path().join(OPEN);
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
    let forged = Line::Record(Box::new(record)).to_text().unwrap().0;
    cases.push(("an entry forged with its digest", joined(&[lines[0], forged.trim_end(), lines[2], lines[3]])));
    for (what, text) in cases {
        fs::write(&path, text).unwrap();
        assert!(matches!(verify(&[dir.path()]), Err(AuditError::Changed { .. })), "{what}");
        assert!(matches!(open(dir.path()), Err(AuditError::Changed { .. })), "{what}");
        assert!(read(&[dir.path()], &Filter::default()).is_err(), "{what}");
    }
    fs::write(&path, good).unwrap();
    assert!(open(dir.path()).is_ok());
}

#[test]
fn a_crash_at_any_byte_of_the_last_entry_is_recovered() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    log.append(now(), released(1)).unwrap();
    let path = dir.path().join(OPEN);
    let whole = fs::metadata(&path).unwrap().len();
    log.append(now(), released(2)).unwrap();
    drop(log);
    let text = fs::read(&path).unwrap();
    let whole = usize::try_from(whole).unwrap();
    for end in (whole..text.len()).step_by(37).chain([text.len() - 1]) {
        fs::write(&path, &text[..end]).unwrap();
        let log = open(dir.path()).unwrap();
        assert_eq!(log.recovery(), &Recovery { entries: 1, torn_bytes: (end - whole) as u64 });
        assert_eq!(log.append(now(), released(9)).unwrap().sequence, 2, "numbering goes on");
        drop(log);
        assert_eq!(verify(&[dir.path()]).unwrap().entries, 2);
        if end > whole {
            let aside = fs::read(dir.path().join(TORN)).unwrap();
            assert!(aside.ends_with(&[&text[whole..end], b"\n"].concat()));
        }
    }
}

#[test]
fn a_log_that_a_process_has_open_cannot_be_opened_by_another() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()), Err(AuditError::InUse(_))));
    drop(log);
    assert!(open(dir.path()).is_ok());
}

fn verify_disk(disk: &Disk) -> Result<Verified, AuditError> {
    let folder = tempfile::tempdir().unwrap();
    disk.save(folder.path());
    verify(&[folder.path()])
}

/// A log on a disk with so much room, in one segment.
fn with_room(room: Option<usize>) -> (Disk, Log) {
    let disk = Disk::new();
    disk.state().room = room;
    let log = Log::in_folder(Arc::new(disk.clone()), &of_bytes(u64::MAX)).unwrap();
    (disk, log)
}

#[test]
fn a_full_disk_gives_no_receipt_and_leaves_no_trace() {
    let (disk, log) = with_room(Some(1000));
    let mut receipts = 0;
    while log.append(now(), released(1)).is_ok() {
        receipts += 1;
    }
    assert!(receipts >= 1);
    let verified = verify_disk(&disk).unwrap();
    assert_eq!((verified.entries, verified.torn_bytes), (receipts, 0));
    disk.state().room = None;
    assert_eq!(log.append(now(), released(1)).unwrap().sequence, receipts + 1, "with room again, it goes on");
    // A part of a line that cannot be taken back must not be followed by anything.
    {
        let mut state = disk.state();
        state.room = Some(state.used() + 10);
        state.cut_fails = true;
    }
    assert!(log.append(now(), released(1)).is_err());
    disk.state().room = None;
    assert!(matches!(log.append(now(), released(1)), Err(AuditError::Failed(_))));
    assert_eq!(verify_disk(&disk).unwrap().torn_bytes, 10);
}

#[test]
fn after_a_failed_flush_nothing_is_taken() {
    let (disk, log) = with_room(None);
    log.append(now(), released(1)).unwrap();
    disk.state().sync_fails = true;
    assert!(matches!(log.append(now(), released(2)), Err(AuditError::File { .. })));
    disk.state().sync_fails = false;
    assert!(matches!(log.append(now(), released(3)), Err(AuditError::Failed(_))));
    assert!(matches!(log.writable(), Err(AuditError::Failed(_))));
}

/// Appends on eight threads at once, `each` on every one; checks of each receipt that its entry would survive.
fn append_at_once(disk: &Disk, log: Log, each: usize) {
    let log = Arc::new(log);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (disk, log) = (disk.clone(), Arc::clone(&log));
            std::thread::spawn(move || {
                for _ in 0..each {
                    let receipt = log.append(now(), released(1)).unwrap();
                    let survived = disk.after_power_failure(Survives::Flushed);
                    assert!(verify_disk(&survived).unwrap().entries >= receipt.sequence);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_receipt_means_that_the_entry_is_safe() {
    for segment_bytes in [u64::MAX, 2000] {
        let disk = Disk::new();
        append_at_once(&disk, Log::in_folder(Arc::new(disk.clone()), &of_bytes(segment_bytes)).unwrap(), 10);
        let verified = verify_disk(&disk).unwrap();
        assert_eq!((verified.entries, verified.last_segment > 1), (80, segment_bytes == 2000));
    }
}

#[test]
fn appends_share_flushes() {
    let (disk, log) = with_room(None);
    let before = disk.state().syncs;
    // The first flush ends when all eight have written; the log's id is a line of the disk too.
    disk.state().sync_waits_for = 9;
    append_at_once(&disk, log, 1);
    let syncs = disk.state().syncs - before;
    assert!(syncs <= 2, "{syncs}: one for the first, one for all others");
}

#[test]
fn a_log_that_is_not_where_it_was_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    log.append(now(), released(1)).unwrap();
    assert_eq!(log.sequence(), 1);
    log.writable().unwrap();
    let (place, aside) = (dir.path().join(OPEN), dir.path().join("aside"));
    fs::rename(&place, &aside).unwrap();
    assert!(matches!(log.writable(), Err(AuditError::File { .. })));
    fs::write(&place, b"").unwrap();
    assert!(matches!(log.writable(), Err(AuditError::Replaced(_))));
    assert!(matches!(log.append(now(), released(2)), Err(AuditError::Replaced(_))));
    fs::rename(&aside, &place).unwrap();
    log.writable().unwrap();
    log.append(now(), released(3)).unwrap();
    assert_eq!(verify(&[dir.path()]).unwrap().entries, 2);
    let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["audit.id", "audit.lock", OPEN], "looking leaves nothing behind");
}

#[test]
fn a_log_keeps_its_id_and_a_damaged_one_is_no_reason_to_take_another() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    let id = log.id();
    assert_eq!(log.last().unwrap(), None, "it has no entry");
    let receipt = log.append(now(), released(1)).unwrap();
    assert_eq!(log.last().unwrap(), Some(receipt));
    drop(log);
    assert_eq!((open(dir.path()).unwrap().id(), log_id(dir.path()).unwrap()), (id, Some(id)));
    assert_eq!(log_id(&dir.path().join(OPEN)).unwrap(), None, "a file of it has none");

    let place = dir.path().join("audit.id");
    // A crash left a part.
    fs::write(&place, "0f3d").unwrap();
    assert_ne!(open(dir.path()).unwrap().id(), id);
    fs::write(&place, "x".repeat(40)).unwrap();
    assert!(matches!(open(dir.path()).unwrap_err(), AuditError::File { .. }));
    assert!(log_id(dir.path()).is_err());
}

#[test]
fn a_log_that_was_cut_or_added_to_while_in_use_takes_nothing_more_until_it_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    log.append(now(), released(1)).unwrap();
    log.append(now(), released(2)).unwrap();
    let path = folder.path().join(OPEN);
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for text in [&whole[..first], &[], &[&whole[..], b"more\n"].concat()[..]] {
        // The same file: whoever writes it does not replace it.
        fs::write(&path, text).unwrap();
        let error = log.append(now(), released(3)).unwrap_err();
        let AuditError::Length { found, written, .. } = &error else { panic!("{error}") };
        assert_eq!((*found, *written), (text.len() as u64, whole.len() as u64));
        assert!(log.writable().is_err(), "readiness says so");
        assert_eq!(fs::read(&path).unwrap(), text, "nothing is written");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(log.append(now(), released(3)).unwrap().sequence, 3);
    assert_eq!(verify(&[folder.path()]).unwrap().entries, 3);
}

#[test]
fn a_log_is_made_the_nodes_alone() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    drop(open(&audit).unwrap());
    assert_eq!((mode(&audit), mode(&audit.join(OPEN))), (0o700, 0o600));
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(&audit, 0o777);
    set(&audit.join(OPEN), 0o664);
    fs::write(audit.join("other"), "").unwrap();
    set(&audit.join("other"), 0o644);
    drop(open(&audit).unwrap());
    assert_eq!((mode(&audit), mode(&audit.join(OPEN)), mode(&audit.join("other"))), (0o700, 0o600, 0o644));
}

#[test]
fn a_log_at_a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    assert!(std::process::Command::new("mkfifo").arg(folder.path().join(OPEN)).status().unwrap().success());
    assert!(matches!(open(folder.path()), Err(AuditError::File { .. })));
    assert!(matches!(verify(&[folder.path()]), Err(AuditError::File { .. })));
}
