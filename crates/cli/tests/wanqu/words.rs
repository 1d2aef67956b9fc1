//! Output of the command where nothing goes wrong: every format, the audit log's filters, completions of shells.

use std::fs;
use std::process::Command;

use crate::up::{Up, World};

const SQL: &str = "SELECT ward, count(*) AS n FROM gba.health.visits GROUP BY ward ORDER BY ward";

#[test]
fn every_format() {
    let up = Up::start();
    for (format, expected) in [
        ("csv", "ward,n\neyes,7\nsurgery,17\n"),
        ("json", "[{\"ward\":\"eyes\",\"n\":7},\n{\"ward\":\"surgery\",\"n\":17}]\n"),
        ("ndjson", "{\"ward\":\"eyes\",\"n\":7}\n{\"ward\":\"surgery\",\"n\":17}\n"),
    ] {
        let ended = up.query(&["--format", format, "--quiet", SQL]);
        let spaceless = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!((ended.code, spaceless(&ended.out)), (Some(0), spaceless(expected)), "{format}: {}", ended.err);
    }
    let table = up.query(&[SQL]);
    assert!(table.out.contains("surgery") && table.out.contains("at least 3 units"), "{}", table.out);
    let file = up.world.path().join("rows.parquet");
    assert_eq!(up.query(&["--format", "parquet", "--output", file.to_str().unwrap(), SQL]).code, Some(0));
    assert!(fs::read(&file).unwrap().starts_with(b"PAR1"));
    assert_eq!(up.query(&["--format", "parquet", SQL]).code, Some(2));
    for (words, part) in [
        (&["explain", SQL][..], "merge at home"),
        (&["explain", "--policy", SQL], "admitted"),
        (&["catalog"], "gba.health.visits"),
    ] {
        let ended = up.world.run(words);
        assert!(ended.code == Some(0) && ended.out.contains(part), "{ended:?}");
    }
}

#[test]
fn an_audit_log_is_read_by_what_one_looks_for() {
    let up = Up::start();
    assert_eq!(up.query(&[SQL]).code, Some(0));
    fs::remove_file(up.world.path().join("macau/visits.csv")).unwrap();
    assert_eq!(up.query(&[SQL]).code, Some(1));
    let count = |filter: &[&str]| {
        let ended = up.world.run(&[&["audit", "--node", "MO", "--format", "ndjson"], filter].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.out.lines().count()
    };
    let query = up.audited("MO", &["released"]).pop().unwrap();
    let query = query.split("\"queryId\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(count(&[]), 2);
    assert_eq!(count(&["--refused"]), 1);
    assert_eq!(count(&["--query", &query]), 1);
    assert_eq!(count(&["--project", "wards"]), 2);
    assert_eq!(count(&["--project", "other"]), 0);
    assert_eq!(count(&["--since", "2999-01-01T00:00:00Z"]), 0);
    assert_eq!(count(&["--limit", "1"]), 1);
    let verified = up.world.run(&["audit", "--node", "MO", "--verify"]);
    assert!(verified.out.starts_with("2 entries"), "{verified:?}");
}

/// Returns what bash offers for a line of words, the last of which is being typed.
fn offered(world: &World, words: &[&str]) -> Vec<String> {
    let script = r#"
        source <("$0" completions bash)
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        _wanqu wanqu "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["--norc", "-c", script, env!("CARGO_BIN_EXE_wanqu")])
        .args(words)
        .env("WANQU_HOME", world.state())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn completions_complete() {
    let world = World::new();
    assert_eq!(offered(&world, &["wanqu", "quer"]), ["query"]);
    assert_eq!(offered(&world, &["wanqu", "query", "--mark"]), ["--mark-incomplete"]);
    assert_eq!(offered(&world, &["wanqu", "query", "--format", "par"]), ["parquet"]);
    let commands = offered(&world, &["wanqu", ""]);
    for command in ["demo", "up", "check", "query", "explain", "catalog", "audit"] {
        assert!(commands.iter().any(|offer| offer == command), "{command} is not in {commands:?}");
    }
    for shell in ["zsh", "fish"] {
        assert!(world.run(&["completions", shell]).out.contains("mark-incomplete"), "{shell}");
    }
}
