//! Ends of a log that other members hold: `wanqu audit --verify --held FILE`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use query_node::audit::{Entry, Expected, Record, SignedCheckpoint, log_id, verify};
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use crate::args::AuditArgs;
use crate::failure::{Failure, Outcome};

/// Longest file of them, in bytes. A year of a federation of 80 members has about 80 MiB.
const LONGEST: u64 = 1 << 30;

/// Ends of one log, as others hold them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Entries that the log must hold.
    pub expected: Vec<Expected>,
    /// Number of ends before the first entry that is at hand.
    before: usize,
    /// Number of ends of other logs in the same files.
    others: usize,
}

/// Line of an export, or of a file of the log itself, which holds the same entries.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    /// Entry of an export.
    Entry { entry: Box<Entry> },
    /// Entry of a segment.
    Record { record: Record },
    /// Head of a segment.
    Head { head: IgnoredAny },
    /// Seal of a segment.
    Seal { seal: IgnoredAny },
}

impl Line {
    fn entry(self) -> Option<Entry> {
        match self {
            Self::Entry { entry } => Some(*entry),
            Self::Record { record } => Some(record.entry),
            Self::Head { head: IgnoredAny } | Self::Seal { seal: IgnoredAny } => None,
        }
    }
}

impl Held {
    /// Reads what the arguments name about the log at these places.
    ///
    /// # Errors
    /// A file cannot be read, or holds nothing about this log; a signature does not hold; the log itself is not whole.
    pub fn read(args: &AuditArgs, places: &[PathBuf]) -> Outcome<Self> {
        if args.held.is_empty() {
            return Ok(Self::default());
        }
        let Some(log) = places.first().and_then(|place| log_id(place).transpose()) else {
            return Err(Failure::Usage(
                "--held needs the folder of the log (--log FOLDER): the file audit.id in it says which log it is"
                    .to_owned(),
            ));
        };
        let log = log.map_err(|error| Failure::failed(error.to_string()))?;
        let mut told = Vec::new();
        for file in &args.held {
            told.extend(checkpoints(file)?);
        }
        if let Some(ca) = &args.ca {
            let pem = text(ca)?;
            for signed in told.iter().filter(|signed| signed.checkpoint.log == log) {
                let sequence = signed.checkpoint.sequence;
                signed.verify_with_ca(&pem).map_err(|why| {
                    Failure::failed(format!(
                        "the end at entry {sequence} is not proved to be told by the log's own node: {why}"
                    ))
                })?;
            }
        }
        let first = verify(places).map_err(super::failed)?.entries_before + 1;
        Self::of(log, first, &told)
    }

    /// Returns what was told of one log, whose first entry at hand has the number `first`.
    fn of(log: Uuid, first: u64, told: &[SignedCheckpoint]) -> Outcome<Self> {
        if told.is_empty() {
            return Err(Failure::failed(
                "these files hold no end of any log. Nodes are told of each other's logs once an hour, and a member that has been \
                 told writes such a file with `wanqu audit --checkpoints --format ndjson`"
                    .to_owned(),
            ));
        }
        let (own, others): (Vec<_>, Vec<_>) = told.iter().partition(|signed| signed.checkpoint.log == log);
        if own.is_empty() {
            let known: BTreeSet<String> =
                others.iter().map(|it| format!("{} of {}", it.checkpoint.log, it.checkpoint.member)).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Failure::failed(format!(
                "nobody holds an end of this log, {log}. The logs whose ends are in these files: {known}. If one of them was \
                 this node's, it was put out of the way"
            )));
        }
        let (before, expected): (Vec<_>, Vec<_>) =
            own.into_iter().map(SignedCheckpoint::expected).partition(|end| end.sequence < first);
        Ok(Self { expected, before: before.len(), others: others.len() })
    }

    /// Returns what was found of them in a log that holds them all, in words; nothing if none were given.
    pub fn summary(&self) -> String {
        let Some(last) = self.expected.iter().map(|end| end.sequence).max() else {
            return match self.before {
                0 => String::new(),
                before => format!("All {before} ends that others hold are of entries before these files.\n"),
            };
        };
        let mut text = format!(
            "It holds all {} ends that others were told; the last of them is entry {last}.\n",
            self.expected.len()
        );
        if self.before > 0 {
            text.push_str(&format!(
                "{} more are of entries before these files, and were not looked at.\n",
                self.before
            ));
        }
        if self.others > 0 {
            text.push_str(&format!("{} more are of other logs.\n", self.others));
        }
        text
    }
}

fn text(file: &Path) -> Outcome<String> {
    wanqu_file::read_text(file, LONGEST).map_err(|error| Failure::file("read", file, &error))
}

/// Reads the checkpoints of an export, lines of `wanqu audit --checkpoints --format ndjson`, or of files of a log.
fn checkpoints(file: &Path) -> Outcome<Vec<SignedCheckpoint>> {
    let text = text(file)?;
    // Editors and shells of Windows begin a file with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    let mut held = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Ok(line) = serde_json::from_str::<Line>(line) else {
            return Err(Failure::failed(format!(
                "{}: line {} is no entry of an audit log; write the file with `wanqu audit --checkpoints --format ndjson` \
                 at the member that holds them",
                file.display(),
                number + 1
            )));
        };
        if let Some(Entry::Checkpoints { held: told, .. }) = line.entry() {
            held.extend(told);
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use query_node::audit::Checkpoint;

    use super::*;

    fn told(log: u128, sequence: u64) -> SignedCheckpoint {
        let (member, log) = ("MO".parse().unwrap(), Uuid::from_u128(log));
        let checkpoint = Checkpoint { member, log, sequence, digest: "a".repeat(64), time: Timestamp::UNIX_EPOCH };
        SignedCheckpoint { checkpoint, signature: String::new(), chain: String::new() }
    }

    #[test]
    fn the_ends_of_one_log_are_expected_of_it_and_no_others() {
        let log = Uuid::from_u128(1);
        let held = Held::of(log, 5, &[told(1, 4), told(1, 7), told(2, 99), told(1, 9)]).unwrap();
        assert_eq!(held.expected.iter().map(|end| end.sequence).collect::<Vec<_>>(), [7, 9]);
        let words = "It holds all 2 ends that others were told; the last of them is entry 9.\n\
                     1 more are of entries before these files, and were not looked at.\n1 more are of other logs.\n";
        assert_eq!(held.summary(), words);
        assert_eq!(Held::default().summary(), "");
        assert!(Held::of(log, 5, &[told(1, 4)]).unwrap().summary().contains("before these files"));

        let replaced = Held::of(log, 1, &[told(2, 99)]).unwrap_err().to_string();
        assert!(replaced.contains(&format!("{} of MO", Uuid::from_u128(2))), "{replaced}");
        assert!(Held::of(log, 1, &[]).unwrap_err().to_string().contains("once an hour"));
    }

    #[test]
    fn a_file_that_is_no_export_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("held.ndjson");
        std::fs::write(&file, "\n{\"sequence\":1}\n").unwrap();
        let fault = checkpoints(&file).unwrap_err().to_string();
        assert!(fault.contains("held.ndjson: line 2 is no entry"), "{fault}");
        assert!(checkpoints(&folder.path().join("none")).is_err());
    }

    #[test]
    fn ends_are_read_of_an_export_with_a_mark_and_of_the_log_itself() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("held.ndjson");
        let entry = Entry::Checkpoints { node: "HK".parse().unwrap(), held: vec![told(1, 7)] };
        let entry = serde_json::to_value(entry).unwrap();
        let record = serde_json::json!({ "entry": entry, "previous": "", "sequence": 3, "time": Timestamp::UNIX_EPOCH });
        let export = record.to_string();
        let log = format!("{{\"digest\":\"\",\"head\":{{}}}}\n{}", serde_json::json!({ "digest": "", "record": record }));
        for text in [export.clone(), format!("\u{feff}{export}\r\n"), log] {
            std::fs::write(&file, &text).unwrap();
            assert_eq!(checkpoints(&file).unwrap(), [told(1, 7)], "{text}");
        }
    }
}
