//! `wanqu audit`: an owner's log, read and checked.

use std::collections::VecDeque;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use query_node::audit::{
    AuditError, BundleStanding, Entry, Event, Filter, FragmentRequest, Record, Verified, entries, verify_holds,
};
use serde_json::{Value, json};

use super::args::{AuditArgs, Format};
use super::catalog::text_batch;
use super::failure::{Failure, Outcome};
use super::render::sink::{Sink, sink};
use super::state::StateDir;

mod held;

use held::Held;

/// Number of entries that are written at once. An export holds no more in memory, however long the log is.
const AT_ONCE: usize = 1000;

/// Prints the entries that the arguments take, or checks the whole log.
pub fn run(state: &StateDir, args: &AuditArgs) -> Outcome {
    if args.format == Format::Parquet {
        return Err(Failure::Usage("an audit log is printed as table, csv, json or ndjson".to_owned()));
    }
    let places = [vec![place(state, args)?], args.archived.clone()].concat();
    if args.verify {
        let held = Held::read(args, &places)?;
        let expected = [args.expect.clone(), held.expected.clone()].concat();
        let found = verify_holds(&places, &expected).map_err(failed)?;
        super::put(&format!("{}{}", summary(&found), held.summary()))?;
        if found.torn_bytes > 0 {
            eprintln!(
                "note: {} bytes after the last whole entry: one that is being written, or was cut off",
                found.torn_bytes
            );
        }
        return Ok(());
    }
    let filter = Filter {
        events: match args {
            AuditArgs { checkpoints: true, .. } => Some(&[Event::Checkpoints]),
            AuditArgs { refused: true, .. } => Some(&[Event::Refused, Event::TurnedAway]),
            _ => None,
        },
        query_id: args.query,
        project: args.project.clone(),
        from: None,
        since: args.since,
    };
    let entries = entries(&places).map_err(failed)?;
    let taken = entries.filter(|record| record.as_ref().map_or(true, |record| filter.takes(record)));
    let mut printer = Printer::new(args.format)?;
    if args.limit == 0 {
        for record in taken {
            printer.print(record.map_err(failed)?)?;
        }
    } else {
        let mut last = VecDeque::new();
        for record in taken {
            last.push_back(record.map_err(failed)?);
            if last.len() > args.limit {
                last.pop_front();
            }
        }
        last.into_iter().try_for_each(|record| printer.print(record))?;
    }
    printer.finish()
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn failed(error: AuditError) -> Failure {
    Failure::failed(error.to_string())
}

/// Returns what verifying found, in words. It begins with the number of entries.
fn summary(found: &Verified) -> String {
    let Verified { entries, first_segment, last_segment, entries_before, digest, .. } = found;
    let noun = if *entries == 1 { "entry" } else { "entries" };
    let chained = "numbered without gaps, each chained to the one before";
    if *first_segment == 1 {
        return format!("{entries} {noun}, {chained}; the last digest is\n{digest}\n");
    }
    let (first, last) = (entries_before + 1, entries_before + entries);
    format!(
        "{entries} {noun}, from number {first} to {last} in segments {first_segment} to {last_segment}, {chained}; the \
         last digest is\n{digest}\nThe {entries_before} entries before them are in segments 1 to {}, which are not among \
         these files: give their paths too to check the whole log.\n",
        first_segment - 1
    )
}

/// Returns the folder or file of the log. A log can be read when its federation has ended, too.
fn place(state: &StateDir, args: &AuditArgs) -> Outcome<PathBuf> {
    if let Some(place) = &args.log {
        return Ok(place.clone());
    }
    let last = match state.last() {
        Some(last) => last,
        None => match &args.node {
            Some(node) if state.node(node).join("audit").is_dir() => return Ok(state.node(node).join("audit")),
            _ => state.running()?,
        },
    };
    Ok(last.node(args.node.as_ref())?.audit.clone())
}

/// Writes records in one format, a number of them at once.
struct Printer {
    format: Format,
    held: Vec<Record>,
    /// Sink of tables and CSV.
    rows: Option<Box<dyn Sink>>,
    /// True once a record was written.
    begun: bool,
}

impl Printer {
    fn new(format: Format) -> Outcome<Self> {
        let rows = match format {
            Format::Table | Format::Csv => Some(sink(format, &batch(&[], format)?.schema(), None, 0)?),
            Format::Json | Format::Ndjson | Format::Parquet => None,
        };
        Ok(Self { format, held: Vec::new(), rows, begun: false })
    }

    fn print(&mut self, record: Record) -> Outcome {
        self.held.push(record);
        if self.held.len() < AT_ONCE { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Outcome {
        let records = std::mem::take(&mut self.held);
        if records.is_empty() {
            return Ok(());
        }
        if let Some(rows) = &mut self.rows {
            return rows.write(&batch(&records, self.format)?);
        }
        let mut text = String::new();
        for record in &records {
            let before = match (self.format, self.begun) {
                (Format::Json, true) => ",",
                (Format::Json, false) => "[",
                _ => "",
            };
            let after = if self.format == Format::Json { "" } else { "\n" };
            text.push_str(&format!("{before}{}{after}", whole(record)));
            self.begun = true;
        }
        super::put(&text)
    }

    fn finish(mut self) -> Outcome {
        self.write()?;
        match self.rows {
            Some(rows) => rows.finish(),
            None if self.format == Format::Json => super::put(if self.begun { "]\n" } else { "[]\n" }),
            None => Ok(()),
        }
    }
}

fn batch(records: &[Record], format: Format) -> Outcome<RecordBatch> {
    text_batch(&columns(records, format))
}

fn whole(record: &Record) -> Value {
    json!({ "sequence": record.sequence, "time": record.time, "entry": record.entry, "previous": record.previous })
}

/// Returns the columns of a table: enough to see who asked, and what came of it. CSV has the issuer of the requester, who is a
/// subject of it at the jurisdiction in `by`, and the SQL text as well.
fn columns(records: &[Record], format: Format) -> Vec<(&'static str, Vec<String>)> {
    let column = |of: &dyn Fn(&Record) -> String| records.iter().map(of).collect::<Vec<_>>();
    let request = |of: &dyn Fn(&FragmentRequest) -> Option<String>| {
        column(&|record| record.entry.request().and_then(of).unwrap_or_default())
    };
    let mut columns = vec![
        ("#", column(&|record| record.sequence.to_string())),
        ("time", column(&|record| format!("{:.0}", record.time))),
        ("event", column(&|record| event(record.entry.event()).to_owned())),
        ("by", column(&|record| record.entry.from().to_string())),
        ("who", request(&|r| Some(r.requester.subject.clone()))),
        ("project", request(&|r| r.project.as_ref().map(ToString::to_string))),
        ("purpose", request(&|r| r.purpose.as_ref().map(ToString::to_string))),
        ("rows", column(&|record| rows(&record.entry))),
        ("kept back", column(&|record| kept_back(&record.entry))),
        ("of", column(&|record| subject(&record.entry))),
    ];
    if format == Format::Csv {
        let query = |record: &Record| record.entry.query_id().map(|id| id.to_string()).unwrap_or_default();
        columns.push(("query", column(&query)));
        columns.push(("issuer", request(&|r| Some(r.requester.issuer.clone()))));
        columns.push(("sql", request(&|r| Some(r.sql.clone()))));
    }
    columns
}

fn event(event: Event) -> &'static str {
    match event {
        Event::Released => "released",
        Event::Refused => "refused",
        Event::TurnedAway => "turned away",
        Event::PublicOpened => "public rows opened",
        Event::PublicClosed => "public rows closed",
        Event::Bundle => "bundle",
        Event::Checkpoints => "others' logs",
        Event::Fetched => "kept answer fetched",
    }
}

fn rows(entry: &Entry) -> String {
    match entry {
        Entry::Released { rows, .. } | Entry::PublicClosed { rows, .. } => rows.to_string(),
        _ => String::new(),
    }
}

fn kept_back(entry: &Entry) -> String {
    match entry {
        Entry::Released { suppressed_cells, .. } => suppressed_cells.to_string(),
        _ => String::new(),
    }
}

fn subject(entry: &Entry) -> String {
    match entry {
        Entry::Released { tables, .. } | Entry::PublicOpened { tables, .. } => tables.join(" "),
        Entry::Refused { refusal, .. } | Entry::TurnedAway { refusal, times: 1, .. } => {
            format!("{}: {}", refusal.code, refusal.message)
        }
        Entry::TurnedAway { refusal, times, .. } => format!("{times} times {}: {}", refusal.code, refusal.message),
        Entry::Bundle { standing, digest, .. } => {
            let standing = match standing {
                BundleStanding::InForce => "the bundle in the file is in force",
                BundleStanding::Narrowed => {
                    "the bundle in the file cannot be used; in force is what both it and the one before grant"
                }
                BundleStanding::Unread => {
                    "the bundle's file cannot be read; the one before is in force for a limited time"
                }
                BundleStanding::Closed => "no bundle is in force",
            };
            format!("{standing} ({digest})")
        }
        Entry::Checkpoints { held, .. } => {
            let ends = held.iter().map(|it| format!("{} #{}", it.statement.member, it.statement.sequence));
            ends.collect::<Vec<_>>().join(", ")
        }
        Entry::Fetched { query_id, refusal: None, .. } => format!("result {query_id}"),
        Entry::Fetched { query_id, refusal: Some(refusal), .. } => {
            format!("result {query_id}: {}: {}", refusal.code, refusal.message)
        }
        Entry::PublicClosed { opened, complete, .. } => {
            format!("#{opened}, {}", if *complete { "all of them" } else { "broken off" })
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use wanqu_model::bundle::Subject;

    use super::*;
    use wanqu_model::refusal::{Code, Refusal};

    fn refused() -> Record {
        let request = FragmentRequest {
            query_id: uuid::Uuid::nil(),
            fragment: 0,
            from: "HK".parse().unwrap(),
            requester: Subject { issuer: "https://i.example".to_owned(), subject: "wei".to_owned() },
            project: Some("care".parse().unwrap()),
            purpose: None,
            agreement: None,
            sql: "SELECT 1".to_owned(),
            sql_cut: None,
        };
        Record {
            entry: Entry::Refused { request, refusal: Refusal::new(Code::ColumnClass, "an identifier never leaves") },
            nonce: None,
            previous: String::new(),
            sequence: 7,
            time: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_entry_is_shown_with_who_asked_and_what_came_of_it() {
        let shown: Vec<String> = columns(&[refused()], Format::Table).into_iter().map(|(_, c)| c.join("")).collect();
        let expected = [
            "7",
            "1970-01-01T00:00:00Z",
            "refused",
            "HK",
            "wei",
            "care",
            "",
            "",
            "",
            "column-class: an identifier never leaves",
        ];
        assert_eq!(shown, expected);
        let csv = columns(&[refused()], Format::Csv);
        assert!(csv.contains(&("issuer", vec!["https://i.example".to_owned()])), "{csv:?}");
        assert_eq!(csv.last().map(|(name, values)| (*name, values.join(""))), Some(("sql", "SELECT 1".to_owned())));
    }

    #[test]
    fn the_verdict_on_a_log_says_which_segments_were_not_at_hand() {
        let whole = Verified {
            entries: 2,
            first_segment: 1,
            last_segment: 3,
            entries_before: 0,
            digest: "d".to_owned(),
            has_end: true,
            torn_bytes: 0,
        };
        let words = "2 entries, numbered without gaps, each chained to the one before; the last digest is\nd\n";
        assert_eq!(summary(&whole), words);
        let part = summary(&Verified { entries: 1, first_segment: 3, entries_before: 7, ..whole });
        assert!(part.starts_with("1 entry, from number 8 to 8 in segments 3 to 3, "), "{part}");
        assert!(part.contains("The 7 entries before them are in segments 1 to 2, which are not among"), "{part}");
    }

    #[test]
    fn a_log_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(folder.path())).unwrap();
        let args = AuditArgs { log: Some(folder.path().join("none")), ..AuditArgs::default() };
        assert!(run(&state, &args).unwrap_err().to_string().contains("none"));
        let args = AuditArgs { format: Format::Parquet, ..args };
        assert_eq!(run(&state, &args).unwrap_err().exit_code(), 2);
    }
}
