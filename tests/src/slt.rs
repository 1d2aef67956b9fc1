//! Query lists in the format of sqllogictest, without results: the oracle gives those.
//!
//! `query TIR rowsort` is a query with the kinds of its columns, whose rows may come in any order; with `nosort` the
//! query has an ORDER BY that leaves no ties. `query error CODE` is a query that is refused with that code.

use std::fmt;
use std::path::{Path, PathBuf};

use sqllogictest::{ColumnType, ExpectedError, QueryExpect, Record, SortMode};

use crate::compare::{Order, Rows};

/// The kind of a column, as a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind(char);

impl ColumnType for Kind {
    fn from_char(value: char) -> Option<Self> {
        "TIRDPBL".contains(value).then_some(Self(value))
    }

    fn to_char(&self) -> char {
        self.0
    }
}

/// The letters of an answer's columns: text, integer, real or decimal, day, point in time, boolean, list.
#[must_use]
pub fn kinds(rows: &Rows) -> String {
    let letter = |name: &String| match name.as_str() {
        "text" => 'T',
        "Date32" => 'D',
        "Boolean" => 'B',
        name if name.starts_with("Int") || name.starts_with("UInt") => 'I',
        name if name.starts_with("Timestamp") => 'P',
        name if name.starts_with("list") => 'L',
        _ => 'R',
    };
    rows.types.iter().map(letter).collect()
}

/// Expected result of a listed query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Give the oracle's answer, with columns of these kinds.
    Answer {
        /// The letters of the columns.
        kinds: String,
        /// True if the rows come in a given order.
        order: Order,
    },
    /// Be refused with this code.
    Refusal(String),
}

/// One listed query.
#[derive(Debug, Clone)]
pub struct Listed {
    /// File and line, for people.
    pub place: String,
    /// The query.
    pub sql: String,
    /// Expected result.
    pub expected: Expected,
}

/// A list that cannot be read.
#[derive(Debug)]
pub struct ListError(String);

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ListError {}

/// Every query listed in the files of a folder.
///
/// # Errors
/// If a file cannot be read or holds anything but queries.
pub fn read_folder(folder: &Path) -> Result<Vec<Listed>, ListError> {
    let error = |e: &dyn fmt::Display| ListError(format!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| error(&e))? {
        let path = entry.map_err(|e| error(&e))?.path();
        if path.extension().is_some_and(|e| e == "slt") {
            files.push(path);
        }
    }
    files.sort();
    let mut queries = Vec::new();
    for file in files {
        let records = sqllogictest::parse_file::<Kind>(&file).map_err(|e| error(&e))?;
        for record in records {
            if let Record::Query { loc, sql, expected, .. } = record {
                let place = format!("{}:{}", file.file_name().unwrap_or_default().to_string_lossy(), loc.line());
                queries.push(Listed { expected: expectation(expected, &place)?, place, sql });
            } else if matches!(record, Record::Statement { .. } | Record::System { .. } | Record::Include { .. }) {
                return Err(ListError(format!("{}: only queries belong here", file.display())));
            }
        }
    }
    Ok(queries)
}

fn expectation(expected: QueryExpect<Kind>, place: &str) -> Result<Expected, ListError> {
    match expected {
        QueryExpect::Results { types, sort_mode, .. } => {
            let order = match sort_mode {
                Some(SortMode::RowSort) => Order::Any,
                Some(SortMode::NoSort) => Order::Total,
                _ => return Err(ListError(format!("{place}: say rowsort or nosort"))),
            };
            Ok(Expected::Answer { kinds: types.iter().map(ColumnType::to_char).collect(), order })
        }
        QueryExpect::Error(ExpectedError::Inline(code)) => Ok(Expected::Refusal(code.as_str().to_owned())),
        QueryExpect::Error(_) => Err(ListError(format!("{place}: say which code the refusal has"))),
    }
}
