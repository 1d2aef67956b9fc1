//! Segments: where they end, what opening reads of them, what readers find of them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::super::folder::sealed_name;
use super::*;

/// Settings by which a segment has one or two of the tests' entries.
const SEGMENT_BYTES: u64 = 1700;

fn settings(folder: &Path) -> AuditSettings {
    AuditSettings { segment_bytes: SEGMENT_BYTES, ..AuditSettings::in_folder(folder) }
}

/// A log of so many entries; returns the digest of the last.
fn filled(folder: &Path, entries: u64) -> String {
    let log = Log::open(&settings(folder)).unwrap();
    (0..entries).map(|rows| log.append(now(), released(rows)).unwrap()).last().unwrap().digest
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    paths.sort();
    paths
}

/// The segments of a log elsewhere, so that they can be changed.
fn copied(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(folder) {
        let to = copy.path().join(file.file_name().unwrap());
        fs::copy(&file, &to).unwrap();
        fs::set_permissions(&to, Permissions::from_mode(0o600)).unwrap();
    }
    copy
}

fn moved(from: &Path, to: &Path, segments: std::ops::RangeInclusive<u64>) {
    for segment in segments {
        fs::rename(from.join(sealed_name(segment)), to.join(sealed_name(segment))).unwrap();
    }
}

#[test]
fn a_full_segment_is_sealed_and_the_next_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let digest = filled(folder.path(), 9);
    let files = files(folder.path());
    assert!(files.len() > 3, "{files:?}");
    for file in &files {
        let meta = fs::metadata(file).unwrap();
        let text = fs::read_to_string(file).unwrap();
        let sealed = !file.ends_with(OPEN);
        assert_eq!(meta.permissions().mode() & 0o777, if sealed { 0o400 } else { 0o600 }, "{}", file.display());
        let seal = text.lines().last().filter(|line| line.contains("\"seal\":{\"entries\":"));
        assert_eq!(seal.is_some(), sealed, "{text}");
        let entries = text.len() - seal.map_or(0, |line| line.len() + 1);
        assert!(entries as u64 <= SEGMENT_BYTES, "{entries}");
    }
    let whole = Verified {
        entries: 9,
        first_segment: 1,
        last_segment: files.len() as u64,
        entries_before: 0,
        digest,
        has_end: true,
        torn_bytes: 0,
    };
    assert_eq!(verify(&[folder.path()]).unwrap(), whole);
    let numbers: Vec<u64> =
        read(&[folder.path()], &Filter::default()).unwrap().iter().map(|record| record.sequence).collect();
    assert_eq!(numbers, (1..=9).collect::<Vec<_>>());
    let log = Log::open(&settings(folder.path())).unwrap();
    assert_eq!(log.recovery(), &Recovery { entries: 9, torn_bytes: 0 });
    assert_eq!(log.append(now(), released(1)).unwrap().sequence, 10);
    assert_eq!(verify(&[folder.path()]).unwrap().entries, 10);
}

#[test]
fn an_entry_ends_a_segment_exactly_where_it_no_longer_fits() {
    let folder = tempfile::tempdir().unwrap();
    let text = {
        open(folder.path()).unwrap().append(now(), released(1)).unwrap();
        fs::read(folder.path().join(OPEN)).unwrap()
    };
    let (one, two) = (text.len() as u64, 2 * text.len() as u64);
    for (segment_bytes, segments) in [(1, 3), (one, 3), (two - 1, 3), (two, 2), (3 * one - 1, 2), (3 * one, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(&AuditSettings { segment_bytes, ..AuditSettings::in_folder(folder.path()) }).unwrap();
        for _ in 0..3 {
            log.append(now(), released(1)).unwrap();
        }
        let verified = verify(&[folder.path()]).unwrap();
        assert_eq!((verified.entries, verified.last_segment), (3, segments), "{segment_bytes} of {one}");
    }
}

#[test]
fn a_segment_is_sealed_by_the_first_entry_that_comes_when_it_is_old_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let age = std::time::Duration::from_hours(24);
    let settings = AuditSettings { segment_age: age, ..AuditSettings::in_folder(folder.path()) };
    // Hours, and the segment that the entry stands in. A clock that was set back makes no segment old.
    for (hours, segment) in [(0, 1), (23, 1), (24, 2), (-100, 2), (47, 2), (48, 3), (200, 4)] {
        let log = Log::open(&settings).unwrap();
        let time = now() + jiff::SignedDuration::from_hours(hours);
        log.append(time, released(1)).unwrap();
        assert_eq!(verify(&[folder.path()]).unwrap().last_segment, segment, "after {hours} hours");
    }
    assert_eq!(verify(&[folder.path()]).unwrap().entries, 7);
}

#[test]
fn a_file_without_any_whole_line_is_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "no line end").unwrap();
    for places in [vec![path.clone()], vec![folder.path().join(OPEN)]] {
        fs::write(folder.path().join(OPEN), "{\"digest\"").unwrap();
        let error = verify_holds(&places, &[]).unwrap_err();
        assert!(matches!(error, AuditError::NoLine { .. }), "{error}");
    }
    fs::write(&path, "").unwrap();
    assert_eq!(verify(&[path]).unwrap().entries, 0);
}

/// A log of `query-node` from before logs had segments.
const ONE_FILE: &str = include_str!("one_file.ndjson");

#[test]
fn a_log_of_one_file_becomes_the_first_segment() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(OPEN), ONE_FILE).unwrap();
    let log = Log::open(&settings(folder.path())).unwrap();
    assert_eq!(log.recovery(), &Recovery { entries: 2, torn_bytes: 0 });
    for number in 3..=6 {
        assert_eq!(log.append(now(), released(1)).unwrap().sequence, number);
    }
    let verified = verify(&[folder.path()]).unwrap();
    assert_eq!((verified.entries, verified.first_segment), (6, 1));
    assert!(verified.last_segment > 1);
    let first = fs::read_to_string(folder.path().join(sealed_name(1))).unwrap();
    assert!(first.starts_with(ONE_FILE));
}

#[test]
fn opening_reads_no_more_of_a_long_history_than_of_a_short_one() {
    let bytes_read = |entries: u64| {
        let disk = Disk::new();
        let log = Log::in_folder(Arc::new(disk.clone()), &of_bytes(SEGMENT_BYTES)).unwrap();
        for rows in 0..entries {
            log.append(now(), released(rows % 10)).unwrap();
        }
        drop(log);
        disk.state().bytes_read = 0;
        let log = Log::in_folder(Arc::new(disk.clone()), &of_bytes(SEGMENT_BYTES)).unwrap();
        assert_eq!(log.sequence(), entries);
        let state = disk.state();
        (state.bytes_read, state.used() as u64)
    };
    let (short, _) = bytes_read(4);
    let (long, used) = bytes_read(400);
    assert!(used > 100 * SEGMENT_BYTES, "{used}");
    // The open segment, and the end of the one before it.
    for read in [short, long] {
        assert!(read > 0 && read <= SEGMENT_BYTES + 1024, "{read}");
    }
}

#[test]
fn a_change_in_any_line_of_any_segment_is_found() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 7);
    let files = files(folder.path());
    for (at, file) in files.iter().enumerate() {
        let text = fs::read(file).unwrap();
        let ends: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b'\n').collect();
        for (line, end) in ends.iter().enumerate() {
            let copy = copied(folder.path());
            let path = copy.path().join(file.file_name().unwrap());
            let mut changed = text.clone();
            changed[end - 3] ^= 1;
            fs::write(&path, changed).unwrap();
            let error = verify(&[copy.path()]).unwrap_err();
            let AuditError::Changed { path: named, line: number, .. } = &error else { panic!("{error}") };
            assert_eq!((named, *number), (&path, line as u64 + 1), "segment {at}");
        }
        // A segment that ends early.
        if *file != folder.path().join(OPEN) {
            let copy = copied(folder.path());
            let path = copy.path().join(file.file_name().unwrap());
            fs::write(&path, &text[..=ends[ends.len() - 2]]).unwrap();
            let error = verify(&[copy.path()]).unwrap_err();
            assert!(matches!(&error, AuditError::Unsealed { path: named, .. } if *named == path), "{error}");
        }
    }
}

#[test]
fn segments_of_another_log_do_not_fit() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(one.path(), 7);
    filled(other.path(), 7);
    let copy = copied(one.path());
    fs::copy(other.path().join(sealed_name(2)), copy.path().join(sealed_name(2))).unwrap();
    let error = verify(&[copy.path()]).unwrap_err();
    assert!(error.to_string().ends_with("line 1 does not follow the segment before it"), "{error}");
    let error = verify(&[one.path(), other.path()]).unwrap_err();
    assert!(matches!(error, AuditError::Differ { .. }), "{error}");
}

#[test]
fn a_segment_that_was_taken_out_is_named() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 11);
    let last = verify(&[folder.path()]).unwrap().last_segment;
    assert!(last > 4, "{last}");
    let archive = tempfile::tempdir().unwrap();
    moved(folder.path(), archive.path(), 2..=3);
    let error = verify(&[folder.path()]).unwrap_err().to_string();
    assert!(error.contains("segments 2 to 3 are missing between"), "{error}");
    assert!(error.contains(&sealed_name(1)) && error.contains(&sealed_name(4)), "{error}");
    assert!(read(&[folder.path()], &Filter::default()).is_err());
    let files: Vec<PathBuf> = vec![folder.path().to_owned(), archive.path().join(sealed_name(3))];
    let error = verify(&files).unwrap_err().to_string();
    assert!(error.contains("segment 2 is missing between"), "{error}");
}

#[test]
fn the_chain_goes_through_segments_that_were_archived() {
    let folder = tempfile::tempdir().unwrap();
    let digest = filled(folder.path(), 11);
    let whole = verify(&[folder.path()]).unwrap();
    let archive = tempfile::tempdir().unwrap();
    let archived = whole.last_segment - 1;
    moved(folder.path(), archive.path(), 1..=archived);

    // The node needs none of them.
    let log = Log::open(&settings(folder.path())).unwrap();
    assert_eq!(log.sequence(), 11);
    drop(log);
    let rest = verify(&[folder.path()]).unwrap();
    assert_eq!((rest.first_segment, rest.entries + rest.entries_before), (whole.last_segment, 11));
    assert_eq!(rest.digest, digest);
    // The archive can be checked by itself, and with the rest, in any order, file by file too.
    let old = verify(&[archive.path()]).unwrap();
    assert_eq!((old.entries, old.first_segment, old.last_segment), (rest.entries_before, 1, archived));
    assert_eq!(verify(&[folder.path(), archive.path()]).unwrap(), whole);
    let mut places = files(archive.path());
    places.reverse();
    places.push(folder.path().to_owned());
    assert_eq!(verify(&places).unwrap(), whole);

    // A copy that was not removed yet does not count twice, and is verified too.
    let copy = copied(archive.path());
    assert_eq!(verify(&[folder.path(), archive.path(), copy.path()]).unwrap(), whole);
    let path = copy.path().join(sealed_name(1));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"rows\":0", "\"rows\":1", 1)).unwrap();
    let error = verify(&[folder.path(), archive.path(), copy.path()]).unwrap_err();
    assert!(matches!(&error, AuditError::Changed { path: named, .. } if *named == path), "{error}");
}

#[test]
fn a_log_that_was_cut_or_written_anew_lacks_an_entry_that_somebody_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let digest = filled(folder.path(), 11);
    let head = Expected { sequence: 11, digest: digest.clone() };
    let text = format!("11:{digest}");
    assert_eq!(text.parse(), Ok(head.clone()));
    let (zero, word, short) = (format!("0:{digest}"), format!("x:{digest}"), format!("11:{}", &digest[1..]));
    for wrong in ["", "11", "0:x", zero.as_str(), word.as_str(), short.as_str()] {
        assert!(wrong.parse::<Expected>().is_err(), "{wrong}");
    }
    assert_eq!(verify_holds(&[folder.path()], std::slice::from_ref(&head)).unwrap().entries, 11);

    // The last entry is cut off: what is left is a whole chain.
    let copy = copied(folder.path());
    let path = copy.path().join(OPEN);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    fs::write(&path, lines[..lines.len() - 1].concat()).unwrap();
    assert_eq!(verify_holds(&[copy.path()], &[]).unwrap().entries, 10);
    let error = verify_holds(&[copy.path()], std::slice::from_ref(&head)).unwrap_err();
    assert!(matches!(error, AuditError::Lacking { first: 1, last: 10, expected: 11 }), "{error}");

    // Another log of as many entries.
    let other = tempfile::tempdir().unwrap();
    filled(other.path(), 11);
    let error = verify_holds(&[other.path()], std::slice::from_ref(&head)).unwrap_err();
    assert!(matches!(error, AuditError::Another { sequence: 11, .. }), "{error}");

    // The open segment is taken away.
    let copy = copied(folder.path());
    fs::remove_file(copy.path().join(OPEN)).unwrap();
    let error = verify_holds(&[copy.path()], &[]).unwrap_err();
    assert!(matches!(&error, AuditError::NoEnd(place) if *place == copy.path()), "{error}");
    let last = verify(&[copy.path()]).unwrap();
    let end = Expected { sequence: last.entries, digest: last.digest };
    assert!(verify_holds(&[copy.path()], &[end]).is_ok(), "an archive, as far as it is known to go");
    assert!(matches!(verify_holds(&[copy.path()], &[head]), Err(AuditError::Lacking { .. })));
}

#[test]
fn a_log_whose_open_segment_is_not_its_own_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 7);
    let open = folder.path().join(OPEN);
    let own = fs::read(&open).unwrap();
    fs::remove_file(&open).unwrap();
    let error = Log::open(&settings(folder.path())).unwrap_err();
    assert!(matches!(error, AuditError::OpenMissing(_)), "{error}");
    let other = tempfile::tempdir().unwrap();
    filled(other.path(), 7);
    for text in [Vec::new(), fs::read(other.path().join(OPEN)).unwrap(), ONE_FILE.into()] {
        fs::write(&open, text).unwrap();
        let error = Log::open(&settings(folder.path())).unwrap_err();
        assert!(matches!(error, AuditError::NotFollowing { .. }), "{error}");
    }
    fs::write(&open, own).unwrap();
    assert_eq!(Log::open(&settings(folder.path())).unwrap().sequence(), 7);
}

#[test]
fn a_place_without_a_log_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for place in [folder.path().to_owned(), folder.path().join("absent")] {
        let error = verify(&[&place]).unwrap_err().to_string();
        assert!(error.contains(place.to_str().unwrap()), "{error}");
    }
    let empty = folder.path().join(OPEN);
    fs::write(&empty, "").unwrap();
    assert_eq!(verify(&[&empty]).unwrap().entries, 0);
}
