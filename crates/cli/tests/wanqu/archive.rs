//! An audit log of several segments, some of them archived: read, checked and exported by the command.

use std::fs;
use std::path::{Path, PathBuf};

use query_node::audit::{AuditSettings, Entry, Log};
use wanqu_model::refusal::{Code, Refusal};

use crate::up::{Ended, World};

const ENTRIES: u64 = 12;

/// A log of many segments; returns its folder.
fn log(world: &World) -> PathBuf {
    let folder = world.path().join("log");
    let log = Log::open(&AuditSettings { segment_bytes: 800, ..AuditSettings::in_folder(&folder) }).unwrap();
    for times in 1..=ENTRIES {
        let refusal = Refusal::new(Code::Envelope, "the envelope was used before, \"twice\"");
        let entry = Entry::TurnedAway { from: "HK".parse().unwrap(), refusal, times };
        log.append("2026-01-02T03:04:05Z".parse().unwrap(), entry).unwrap();
    }
    folder
}

fn sealed(folder: &Path, segment: u64) -> PathBuf {
    folder.join(format!("audit-{segment:06}.ndjson"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn archived_segments_are_followed_and_missing_ones_named() {
    let world = World::new();
    let folder = log(&world);
    let archive = world.path().join("archive");
    fs::create_dir(&archive).unwrap();
    let verify = |places: &[&Path]| -> Ended {
        let paths = places.iter().map(|path| text(path));
        world.run(&["audit", "--verify", "--log"].into_iter().chain(paths).collect::<Vec<_>>())
    };
    let whole = verify(&[&folder]);
    assert!(whole.code == Some(0) && whole.out.starts_with("12 entries, numbered without gaps"), "{whole:?}");

    for segment in 1..=2 {
        fs::rename(sealed(&folder, segment), sealed(&archive, segment)).unwrap();
    }
    let rest = verify(&[&folder]);
    assert!(rest.code == Some(0) && rest.out.contains("in segments 1 to 2, which are not among"), "{rest:?}");
    assert_eq!(verify(&[&folder, &archive]).out, whole.out);
    assert_eq!(verify(&[&sealed(&archive, 2), &folder, &sealed(&archive, 1)]).out, whole.out);
    let gap = verify(&[&folder, &sealed(&archive, 1)]);
    assert!(gap.code == Some(1) && gap.err.contains("segment 2 is missing between"), "{gap:?}");
    assert!(gap.err.contains("give the path where it is archived"), "{gap:?}");
    // Without the open segment nobody can tell where the log ends, unless somebody knows its last entry.
    let open = folder.join("audit.ndjson");
    fs::rename(&open, world.path().join("aside")).unwrap();
    let cut = verify(&[&folder, &archive]);
    assert!(cut.code == Some(1) && cut.err.contains("has no file audit.ndjson"), "{cut:?}");
    let held = format!("12:{}", "0".repeat(64));
    let expecting_it = || world.run(&["audit", "--verify", "--expect", &held, "--log", text(&folder), text(&archive)]);
    let lacking = expecting_it();
    assert!(
        lacking.code == Some(1) && lacking.err.contains("and not entry 12, which somebody was given"),
        "{lacking:?}"
    );
    fs::rename(world.path().join("aside"), &open).unwrap();
    let another = expecting_it();
    assert!(another.code == Some(1) && another.err.contains("the log was written anew"), "{another:?}");
    let digest = whole.out.lines().nth(1).unwrap();
    let held =
        world.run(&["audit", "--verify", "--expect", &format!("12:{digest}"), "--log", text(&folder), text(&archive)]);
    assert_eq!((held.code, &held.out), (Some(0), &whole.out));
    // One file alone can be looked at.
    let one = verify(&[&sealed(&archive, 2)]);
    assert!(one.code == Some(0) && one.out.contains("in segments 2 to 2"), "{one:?}");
}

#[test]
fn a_log_is_exported_with_its_archive() {
    let world = World::new();
    let folder = log(&world);
    let archive = world.path().join("archive");
    fs::create_dir(&archive).unwrap();
    fs::rename(sealed(&folder, 1), sealed(&archive, 1)).unwrap();
    let export = |format: &str, more: &[&str]| {
        let ended = world.run(&[&["audit", "--log", text(&folder), text(&archive), "--format", format], more].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.out
    };
    let numbers = |objects: &[serde_json::Value]| -> Vec<u64> {
        objects.iter().map(|object| object["sequence"].as_u64().unwrap()).collect()
    };
    let all: Vec<u64> = (1..=ENTRIES).collect();
    let lines: Vec<serde_json::Value> =
        export("ndjson", &[]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(numbers(&lines), all);
    let array: Vec<serde_json::Value> = serde_json::from_str(&export("json", &[])).unwrap();
    assert_eq!(array, lines);
    let last: Vec<serde_json::Value> = serde_json::from_str(&export("json", &["--limit", "2"])).unwrap();
    assert_eq!(numbers(&last), [11, 12]);
    assert_eq!(export("json", &["--project", "none"]), "[]\n");
    let csv = export("csv", &[]);
    assert_eq!(csv.lines().count() as u64, 1 + ENTRIES, "{csv}");
    assert!(csv.starts_with("#,time,event,by,"), "{csv}");
    assert!(csv.contains("12 times envelope: the envelope was used before, \"\"twice\"\""), "{csv}");
}

#[test]
fn an_export_of_a_log_that_was_changed_fails() {
    let world = World::new();
    let folder = log(&world);
    let path = sealed(&folder, 2);
    let changed = fs::read_to_string(&path).unwrap().replacen("\"times\":", "\"times\":1", 1);
    fs::remove_file(&path).unwrap();
    fs::write(&path, changed).unwrap();
    for format in ["ndjson", "csv", "json", "table"] {
        let ended = world.run(&["audit", "--log", text(&folder), "--format", format]);
        assert!(ended.code == Some(1) && ended.err.contains("audit-000002.ndjson was changed: line "), "{ended:?}");
    }
}
