//! Ctrl-C, and what is seen while one waits.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::up::{Ended, Up, signal, until};

/// A query over public rows that takes their owner for ever.
const ENDLESS: &str = "SELECT count(*) AS n FROM macau.air.hours a, macau.air.hours b, macau.air.hours c, macau.air.hours d WHERE a.hour + b.hour + c.hour + d.hour < 0";

/// Waits until Macau works on the query, and then until it has written down that nobody waits for it any more.
fn opened(up: &Up) {
    until("the owner works", || up.audited("MO", &["publicOpened"]).pop());
}

fn broken_off(up: &Up) {
    until("the owner stops", || up.audited("MO", &["publicClosed", "\"complete\":false"]).pop());
    assert!(up.audited("MO", &["\"complete\":true"]).is_empty());
}

#[test]
fn ctrl_c_ends_a_query_at_its_owners_too() {
    let up = Up::start();
    let file = up.world.path().join("rows.csv");
    let arguments = ["query", "--format", "csv", "--output", file.to_str().unwrap(), ENDLESS];
    let query = up.world.wanqu(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    opened(&up);
    signal(&query, "INT");
    let ended = Ended::of(&query.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.err.contains("interrupted"), "{}", ended.err);
    assert!(!file.exists(), "half an answer is left behind");
    broken_off(&up);
    assert_eq!(up.query(&["SELECT 1 AS one"]).code, Some(0));
}

/// `script` is the terminal: it shows what a person would see, and types what is written to it.
#[test]
fn on_a_terminal_progress_is_shown_and_ctrl_c_is_typed() {
    let up = Up::start();
    let command = format!("{} query \"{ENDLESS}\"", env!("CARGO_BIN_EXE_wanqu"));
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("WANQU_HOME", up.world.state())
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut screen = terminal.stdout.take().unwrap();
    let mut keyboard = terminal.stdin.take().unwrap();
    let mut seen = Vec::new();
    let mut typed = false;
    let mut buffer = [0; 4096];
    // The line that says how far it is; it is drawn again and again until the key is pressed.
    while let Ok(read @ 1..) = screen.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..read]);
        if !typed && String::from_utf8_lossy(&seen).contains("asking: 1 fragment") {
            opened(&up);
            keyboard.write_all(b"\x03").unwrap();
            typed = true;
        }
    }
    let seen = String::from_utf8_lossy(&seen);
    assert!(typed, "no progress was shown: {seen}");
    assert_eq!(terminal.wait().unwrap().code(), Some(130), "{seen}");
    assert!(seen.contains("interrupted"), "{seen}");
    broken_off(&up);
}
