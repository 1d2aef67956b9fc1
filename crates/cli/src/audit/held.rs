//! What others hold of a log, ends that members were told and receipts of releases: `wanqu audit --verify --held FILE`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use query_node::audit::{Entry, Expected, Record, log_id, verify};
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;
use wanqu_identity::verify_statement_with_ca;
use wanqu_model::names::JurisdictionId;
use wanqu_model::receipt::{Checkpoint, Receipt, Signed};

use crate::args::AuditArgs;
use crate::failure::{Failure, Outcome};
use crate::receipts;

/// Longest file of them, in bytes. A year of a federation of 80 members has about 80 MiB.
const LONGEST: u64 = 1 << 30;

/// Statement of a node about its log.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// End of the log at one time.
    End(Box<Signed<Checkpoint>>),
    /// Release that has an entry in it.
    Release(Box<Signed<Receipt>>),
}

impl Told {
    /// Returns the member whose log it is, and the log's id.
    fn log(&self) -> (&JurisdictionId, Uuid) {
        match self {
            Self::End(signed) => (&signed.statement.member, signed.statement.log),
            Self::Release(signed) => (&signed.statement.owner, signed.statement.log),
        }
    }

    /// Returns the entry that the log must hold.
    fn expected(&self) -> Expected {
        match self {
            Self::End(signed) => (&signed.statement).into(),
            Self::Release(signed) => (&signed.statement).into(),
        }
    }

    /// Checks the signature.
    fn verify(&self, ca: &str) -> Result<(), String> {
        match self {
            Self::End(signed) => verify_statement_with_ca(signed, ca),
            Self::Release(signed) => verify_statement_with_ca(signed, ca),
        }
    }
}

/// Ends and releases of one log, as others hold them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Entries that the log must hold.
    pub expected: Vec<Expected>,
    /// Number of entries that others hold before the first one that is at hand.
    before: usize,
    /// Number of entries of other logs in the same files.
    others: usize,
}

/// Line of an export, or of a file of the log itself, which holds the same entries.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    /// Entry of an export.
    Entry { entry: Box<Entry> },
    /// Entry of a segment.
    Record { record: Box<Record> },
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
            told.extend(read(file)?);
        }
        if let Some(ca) = &args.ca {
            let pem = text(ca)?;
            for told in told.iter().filter(|told| told.log().1 == log) {
                let sequence = told.expected().sequence;
                told.verify(&pem).map_err(|why| {
                    Failure::failed(format!(
                        "what is held of entry {sequence} is not proved to be told by the log's own node: {why}"
                    ))
                })?;
            }
        }
        let first = verify(places).map_err(super::failed)?.entries_before + 1;
        Self::of(log, first, &told)
    }

    /// Returns what was told of one log, whose first entry at hand has the number `first`.
    fn of(log: Uuid, first: u64, told: &[Told]) -> Outcome<Self> {
        if told.is_empty() {
            return Err(Failure::failed(
                "these files hold nothing of any log. Nodes are told of each other's logs once an hour, and a member that has been \
                 told writes such a file with `wanqu audit --checkpoints --format ndjson`; whoever asked has one of \
                 `wanqu query --receipts FILE`"
                    .to_owned(),
            ));
        }
        let (own, others): (Vec<_>, Vec<_>) = told.iter().partition(|told| told.log().1 == log);
        if own.is_empty() {
            let known: BTreeSet<String> =
                others.iter().map(|told| told.log()).map(|(member, log)| format!("{log} of {member}")).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Failure::failed(format!(
                "nobody holds anything of this log, {log}. The logs of which something is in these files: {known}. If one of them \
                 was this node's, it was put out of the way"
            )));
        }
        let (before, expected): (Vec<_>, Vec<_>) =
            own.into_iter().map(Told::expected).partition(|end| end.sequence < first);
        Ok(Self { expected, before: before.len(), others: others.len() })
    }

    /// Returns what was found of them in a log that holds them all, in words; nothing if none were given.
    pub fn summary(&self) -> String {
        let Some(last) = self.expected.iter().map(|end| end.sequence).max() else {
            return match self.before {
                0 => String::new(),
                before => format!("All {before} entries that others hold are before these files.\n"),
            };
        };
        let mut text = format!(
            "It holds all entries that others were told of ({}); the last of them is entry {last}.\n",
            self.expected.len()
        );
        if self.before > 0 {
            text.push_str(&format!("{} more are before these files, and were not looked at.\n", self.before));
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

/// Reads what is held in an export, lines of `wanqu audit --checkpoints --format ndjson`, in files of a log, and in files of
/// receipts.
fn read(file: &Path) -> Outcome<Vec<Told>> {
    let text = text(file)?;
    // Editors and shells of Windows begin a file with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    let mut held = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match receipts::read_line(line) {
            Some(receipts::Line::Receipt(signed)) => {
                held.push(Told::Release(signed));
                continue;
            }
            Some(receipts::Line::Delivery(_)) => continue,
            None => {}
        }
        let Ok(line) = serde_json::from_str::<Line>(line) else {
            return Err(Failure::failed(format!(
                "{}: line {} is no entry of an audit log and no receipt; write the file with `wanqu audit --checkpoints --format \
                 ndjson` at the member that holds the ends, or `wanqu query --receipts FILE`",
                file.display(),
                number + 1
            )));
        };
        if let Some(Entry::Checkpoints { held: told, .. }) = line.entry() {
            held.extend(told.into_iter().map(|signed| Told::End(Box::new(signed))));
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn told(log: u128, sequence: u64) -> Signed<Checkpoint> {
        let (member, log) = ("MO".parse().unwrap(), Uuid::from_u128(log));
        let statement = Checkpoint { member, log, sequence, digest: "a".repeat(64), time: Timestamp::UNIX_EPOCH };
        Signed { statement, signature: String::new(), chain: String::new() }
    }

    fn end(log: u128, sequence: u64) -> Told {
        Told::End(Box::new(told(log, sequence)))
    }

    #[test]
    fn the_ends_of_one_log_are_expected_of_it_and_no_others() {
        let log = Uuid::from_u128(1);
        let held = Held::of(log, 5, &[end(1, 4), end(1, 7), end(2, 99), end(1, 9)]).unwrap();
        assert_eq!(held.expected.iter().map(|end| end.sequence).collect::<Vec<_>>(), [7, 9]);
        let words = "It holds all entries that others were told of (2); the last of them is entry 9.\n\
                     1 more are before these files, and were not looked at.\n1 more are of other logs.\n";
        assert_eq!(held.summary(), words);
        assert_eq!(Held::default().summary(), "");
        assert!(Held::of(log, 5, &[end(1, 4)]).unwrap().summary().contains("before these files"));

        let replaced = Held::of(log, 1, &[end(2, 99)]).unwrap_err().to_string();
        assert!(replaced.contains(&format!("{} of MO", Uuid::from_u128(2))), "{replaced}");
        assert!(Held::of(log, 1, &[]).unwrap_err().to_string().contains("once an hour"));
    }

    #[test]
    fn a_file_that_is_no_export_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("held.ndjson");
        std::fs::write(&file, "\n{\"sequence\":1}\n").unwrap();
        let fault = read(&file).unwrap_err().to_string();
        assert!(fault.contains("held.ndjson: line 2 is no entry"), "{fault}");
        assert!(read(&folder.path().join("none")).is_err());
    }

    #[test]
    fn ends_are_read_of_an_export_with_a_mark_and_of_the_log_itself() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("held.ndjson");
        let entry = Entry::Checkpoints { node: "HK".parse().unwrap(), held: vec![told(1, 7)] };
        let entry = serde_json::to_value(entry).unwrap();
        let record =
            serde_json::json!({ "entry": entry, "previous": "", "sequence": 3, "time": Timestamp::UNIX_EPOCH });
        let export = record.to_string();
        let log =
            format!("{{\"digest\":\"\",\"head\":{{}}}}\n{}", serde_json::json!({ "digest": "", "record": record }));
        for text in [export.clone(), format!("\u{feff}{export}\r\n"), log] {
            std::fs::write(&file, &text).unwrap();
            assert_eq!(read(&file).unwrap(), [end(1, 7)], "{text}");
        }
    }
}
