//! Failures on a laptop: one clear message each, and a fitting exit code.

use std::fs::{self, File};
use std::net::TcpListener;
use std::process::Command;

use crate::up::{Ended, Up, World};

#[track_caller]
fn one_message(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for part in parts {
        assert!(ended.err.contains(part), "no {part:?} in: {}", ended.err);
    }
    assert!(!ended.err.contains("panicked") && !ended.err.contains("os error"), "{}", ended.err);
}

#[test]
fn a_port_in_use() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = world.path().to_str().unwrap();
    for flag in ["--gateway-port", "--exchange-port"] {
        one_message(&world.run(&["up", "-f", folder, flag, &port]), 1, &[&port, "in use"]);
    }
}

#[test]
fn files_nodes_and_federations_that_are_missing() {
    let world = World::new();
    one_message(&world.run(&["query", "SELECT 1"]), 1, &["no local federation runs", "wanqu demo"]);
    one_message(&world.run(&["query", "--file", "nowhere.sql"]), 1, &[]);
    one_message(&world.run(&["check", "-f", "nowhere"]), 1, &["nowhere", "no such file"]);
    one_message(&world.run(&["up", "-f", "nowhere"]), 1, &["nowhere", "no such file"]);
}

/// A dataset whose file is missing keeps nothing else from being asked.
#[test]
fn a_file_that_is_missing() {
    let world = World::new();
    fs::remove_file(world.path().join("macau/hours.csv")).unwrap();
    let command = world.wanqu(&["up", "-f", world.path().to_str().unwrap()]);
    let up = Up::with(world, command);
    assert!(up.said.contains("1 dataset cannot be read"), "{}", up.said);
    assert!(up.said.contains("MO: macau.air.hours: no file is there"), "{}", up.said);
    let refused = up.query(&["SELECT hour FROM macau.air.hours"]);
    one_message(&refused, 1, &["macau.air.hours cannot be read: no file is there", "[source]", "MO"]);
    let catalog = up.world.run(&["catalog", "--node", "MO", "--format", "csv"]);
    assert!(catalog.out.contains("MO (unavailable: no file is there)"), "{catalog:?}");
    let others = up.query(&["--quiet", "--format", "csv", "SELECT count(*) AS n FROM gba.health.visits"]);
    assert_eq!((others.code, others.out.as_str()), (Some(0), "n\n25\n"), "{others:?}");
    fs::write(up.world.path().join("macau/hours.csv"), "hour\n1\n2\n").unwrap();
    let back = up.query(&["--quiet", "--format", "csv", "SELECT count(*) AS n FROM macau.air.hours"]);
    assert_eq!(back.out, "n\n2\n", "{back:?}");
}

#[test]
fn two_federations_from_one_folder() {
    let up = Up::start();
    let folder = up.world.path().to_str().unwrap().to_owned();
    one_message(&up.world.run(&["up", "-f", &folder]), 1, &["already runs", "--state"]);
    one_message(&up.query(&["--node", "CN-SZ", "SELECT 1"]), 2, &["CN-SZ is no member", "HK, MO"]);
    one_message(&up.query(&["--file", "nowhere.sql"]), 1, &["nowhere.sql", "no such file"]);
    one_message(&up.query(&["SELECT ward FROM gba.health.visits"]), 3, &["not-an-aggregate", "remedy:"]);
    one_message(&up.query(&["SELEC 1"]), 3, &["invalid-sql"]);
}

#[test]
fn a_disk_that_is_full() {
    let up = Up::start();
    for format in ["csv", "table", "json"] {
        let mut query = up.world.wanqu(&["query", "--quiet", "--format", format, "SELECT hour FROM macau.air.hours"]);
        let full = File::options().write(true).open("/dev/full").unwrap();
        one_message(&Ended::of(&query.stdout(full).output().unwrap()), 1, &["standard output", "the disk is full"]);
    }
}

/// An audit log that cannot grow: a limit on the size of files does what a full disk does. Nothing is released unwritten.
#[test]
fn an_audit_log_that_cannot_be_written() {
    let world = World::new();
    let mut limited = Command::new("bash");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 48; exec \"$0\" up -f \"$1\"", env!("CARGO_BIN_EXE_wanqu")])
        .arg(world.path())
        .env("WANQU_HOME", world.state());
    let up = Up::with(world, limited);
    // Each question takes as much of the log as its text is long.
    let words: Vec<String> = (0..600).map(|n| format!("'no such ward {n}'")).collect();
    let long =
        format!("SELECT count(*) AS n FROM gba.health.visits WHERE ward = 'eyes' OR ward IN ({})", words.join(", "));
    let failed = (0..12)
        .map(|_| up.query(&["--quiet", &long]))
        .find(|ended| ended.code != Some(0))
        .expect("48 KiB are never full");
    one_message(&failed, 4, &["audit log cannot be written", "nothing is released"]);
    assert_eq!(failed.out, "", "rows came out");
    for owner in ["HK", "MO"] {
        let verified = up.world.run(&["audit", "--node", owner, "--verify"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }
}
