//! `wanqu audit`: an owner's log, read and checked.

use std::path::PathBuf;

use query_node::audit::{Asked, Entry, Event, Filter, Record, read, verify};
use serde_json::{Value, json};

use super::args::{AuditArgs, Format};
use super::catalog::text_batch;
use super::failure::{Failure, Outcome};
use super::render::sink::sink;
use super::state::StateDir;

/// Prints the entries that the arguments take, or checks the whole log.
pub fn run(state: &StateDir, args: &AuditArgs) -> Outcome {
    let folder = folder(state, args)?;
    let failed = |error: query_node::audit::AuditError| Failure::failed(error.to_string());
    if args.verify {
        let found = verify(&folder).map_err(failed)?;
        super::put(&format!(
            "{} {}, numbered without gaps, each chained to the one before; the last digest is\n{}\n",
            found.entries,
            if found.entries == 1 { "entry" } else { "entries" },
            found.digest
        ))?;
        if found.torn_bytes > 0 {
            eprintln!(
                "note: {} bytes after the last whole entry: one that is being written, or was cut off",
                found.torn_bytes
            );
        }
        return Ok(());
    }
    let filter = Filter {
        events: args.refused.then_some(&[Event::Refused, Event::TurnedAway]),
        query_id: args.query,
        from: None,
        since: args.since,
        // The project is not the log's to filter by, so the last entries are counted after it.
        last: (args.limit > 0 && args.project.is_none()).then_some(args.limit),
    };
    let mut records = read(&folder, &filter).map_err(failed)?;
    if let Some(project) = &args.project {
        records.retain(|record| asked(&record.entry).is_some_and(|a| a.project.as_ref() == Some(project)));
        if args.limit > 0 {
            records.drain(..records.len().saturating_sub(args.limit));
        }
    }
    print(&records, args.format)
}

/// The log's folder. A log can be read when its federation has ended, too.
fn folder(state: &StateDir, args: &AuditArgs) -> Outcome<PathBuf> {
    if let Some(folder) = &args.log {
        return Ok(folder.clone());
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

fn print(records: &[Record], format: Format) -> Outcome {
    match format {
        Format::Parquet => Err(Failure::Usage("an audit log is printed as table, csv, json or ndjson".to_owned())),
        Format::Json => {
            let all: Vec<Value> = records.iter().map(whole).collect();
            super::put(&format!("{}\n", Value::Array(all)))
        }
        Format::Ndjson => records.iter().try_for_each(|record| super::put(&format!("{}\n", whole(record)))),
        Format::Table | Format::Csv => {
            let batch = text_batch(&columns(records, format))?;
            let mut rows = sink(format, &batch.schema(), None, 0)?;
            rows.write(&batch)?;
            rows.finish()
        }
    }
}

fn whole(record: &Record) -> Value {
    json!({ "sequence": record.sequence, "time": record.time, "entry": record.entry, "previous": record.previous })
}

/// What a table shows: enough to see who asked what and what came of it. CSV has the SQL text as well.
fn columns(records: &[Record], format: Format) -> Vec<(&'static str, Vec<String>)> {
    let column = |of: &dyn Fn(&Record) -> String| records.iter().map(of).collect::<Vec<_>>();
    let ask =
        |of: &dyn Fn(&Asked) -> Option<String>| column(&|record| asked(&record.entry).and_then(of).unwrap_or_default());
    let mut columns = vec![
        ("#", column(&|record| record.sequence.to_string())),
        ("time", column(&|record| format!("{:.0}", record.time))),
        ("event", column(&|record| event(record.entry.event()).to_owned())),
        ("by", column(&|record| record.entry.from().to_string())),
        ("who", ask(&|a| Some(a.requester.subject.clone()))),
        ("project", ask(&|a| a.project.as_ref().map(ToString::to_string))),
        ("purpose", ask(&|a| a.purpose.as_ref().map(ToString::to_string))),
        ("rows", column(&|record| rows(&record.entry))),
        ("kept back", column(&|record| kept_back(&record.entry))),
        ("of", column(&|record| subject(&record.entry))),
    ];
    if format == Format::Csv {
        let query = |record: &Record| record.entry.query_id().map(|id| id.to_string()).unwrap_or_default();
        columns.push(("query", column(&query)));
        columns.push(("sql", ask(&|a| Some(a.sql.clone()))));
    }
    columns
}

fn asked(entry: &Entry) -> Option<&Asked> {
    match entry {
        Entry::Released { asked, .. } | Entry::Refused { asked, .. } | Entry::PublicOpened { asked, .. } => Some(asked),
        Entry::PublicClosed { .. } | Entry::TurnedAway { .. } => None,
    }
}

fn event(event: Event) -> &'static str {
    match event {
        Event::Released => "released",
        Event::Refused => "refused",
        Event::TurnedAway => "turned away",
        Event::PublicOpened => "public rows opened",
        Event::PublicClosed => "public rows closed",
    }
}

fn rows(entry: &Entry) -> String {
    match entry {
        Entry::Released { rows, .. } | Entry::PublicClosed { rows, .. } => rows.to_string(),
        Entry::Refused { .. } | Entry::TurnedAway { .. } | Entry::PublicOpened { .. } => String::new(),
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
        let asked = Asked {
            query_id: uuid::Uuid::nil(),
            fragment: 0,
            from: "HK".parse().unwrap(),
            requester: Subject { issuer: "https://i.example".to_owned(), subject: "wei".to_owned() },
            project: Some("care".parse().unwrap()),
            purpose: None,
            agreement: None,
            sql: "SELECT 1".to_owned(),
        };
        Record {
            entry: Entry::Refused { asked, refusal: Refusal::new(Code::ColumnClass, "an identifier never leaves") },
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
        assert_eq!(csv.last().map(|(name, values)| (*name, values.join(""))), Some(("sql", "SELECT 1".to_owned())));
    }

    #[test]
    fn a_log_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(folder.path())).unwrap();
        let args = AuditArgs { log: Some(folder.path().join("none")), ..AuditArgs::default() };
        assert!(run(&state, &args).unwrap_err().to_string().contains("none"));
        assert_eq!(print(&[], Format::Parquet).unwrap_err().exit_code(), 2);
    }
}
