//! Crashes and full disks at each step of a change of segments.

use super::super::folder::{NEXT, sealed_name};
use super::*;

/// Room for two entries and no third.
fn two_entries() -> u64 {
    let (disk, log) = with_room(None);
    log.append(now(), released(1)).unwrap();
    let one = disk.state().text(OPEN).unwrap().len() as u64;
    2 * one + one / 2
}

fn log_on(disk: &Disk) -> Result<Log, AuditError> {
    Log::in_folder(Arc::new(disk.clone()), &of_bytes(two_entries()))
}

/// Appends until the power fails; returns the receipts.
fn append_until_failure(disk: &Disk, entries: u64) -> Vec<Appended> {
    let Ok(log) = log_on(disk) else { return Vec::new() };
    (0..entries).map_while(|rows| log.append(now(), released(rows)).ok()).collect()
}

#[test]
fn a_power_failure_at_any_step_loses_no_entry_that_has_a_receipt() {
    for survives in [Survives::Written, Survives::Flushed] {
        let mut changes = 0;
        for step in 1.. {
            let disk = Disk::new();
            disk.state().power_fails_at = Some(step);
            let receipts = append_until_failure(&disk, 7);
            if receipts.len() == 7 {
                assert!(changes >= 36, "each of the twelve steps of three changes was interrupted: {changes}");
                break;
            }
            let found = disk.after_power_failure(survives);
            changes += u64::from(receipts.len() > 1 && receipts.len().is_multiple_of(2));
            let log = log_on(&found).unwrap_or_else(|error| panic!("{survives:?} at step {step}: {error}"));
            let last = receipts.last().map_or(0, |receipt| receipt.sequence);
            assert!(log.sequence() >= last, "{survives:?} at step {step}: {} of {last}", log.sequence());
            let next = log.sequence() + 1;
            for number in next..next + 3 {
                assert_eq!(log.append(now(), released(9)).unwrap().sequence, number, "{survives:?} at step {step}");
            }
            let verified = verify_disk(&found).unwrap_or_else(|error| panic!("{survives:?} at step {step}: {error}"));
            assert_eq!((verified.entries, verified.first_segment), (next + 2, 1), "{survives:?} at step {step}");
            for segment in 1..verified.last_segment {
                assert!(found.state().is_read_only(&sealed_name(segment)), "{survives:?} at step {step}: {segment}");
            }
        }
    }
}

#[test]
fn a_disk_that_fills_while_segments_change_releases_nothing_and_goes_on_when_there_is_room() {
    let full = {
        let disk = Disk::new();
        append_until_failure(&disk, 3);
        disk.state().used()
    };
    let mut interrupted = 0;
    for room in (full - 1500..full).step_by(7) {
        let disk = Disk::new();
        disk.state().room = Some(room);
        let log = log_on(&disk).unwrap();
        let receipts = (0..3).map_while(|rows| log.append(now(), released(rows)).ok()).count() as u64;
        assert!(receipts < 3);
        interrupted += u64::from(disk.state().text(NEXT).is_some());
        assert!(log.append(now(), released(9)).is_err(), "still full");
        disk.state().room = None;
        assert_eq!(log.append(now(), released(9)).unwrap().sequence, receipts + 1, "with room again, it goes on");
        assert_eq!(verify_disk(&disk).unwrap().entries, receipts + 1);
    }
    assert!(interrupted > 20, "the next segment's head did not fit: {interrupted}");
}

#[test]
fn a_log_that_was_sealed_on_a_full_disk_can_be_opened() {
    let disk = Disk::new();
    append_until_failure(&disk, 2);
    let log = log_on(&disk).unwrap();
    let used = disk.state().used();
    disk.state().room = Some(used + 310);
    assert!(log.append(now(), released(3)).is_err());
    assert!(disk.state().text(NEXT).is_some(), "the seal was written, the next head was not");
    drop(log);
    let log = log_on(&disk).unwrap();
    assert!(log.append(now(), released(3)).is_err(), "still full");
    disk.state().room = None;
    assert_eq!(log.append(now(), released(3)).unwrap().sequence, 3);
    assert_eq!(verify_disk(&disk).unwrap().entries, 3);
}

#[test]
fn a_flush_that_fails_while_segments_change_stops_the_log() {
    let disk = Disk::new();
    let log = log_on(&disk).unwrap();
    log.append(now(), released(1)).unwrap();
    log.append(now(), released(2)).unwrap();
    disk.state().sync_fails = true;
    assert!(matches!(log.append(now(), released(3)), Err(AuditError::File { .. })));
    disk.state().sync_fails = false;
    assert!(matches!(log.append(now(), released(3)), Err(AuditError::Failed(_))));
    drop(log);
    assert_eq!(log_on(&disk).unwrap().append(now(), released(3)).unwrap().sequence, 3);
    assert_eq!(verify_disk(&disk).unwrap().entries, 3);
}
