//! The second oracle: DuckDB over all raw rows in one place.
//!
//! The first one is DataFusion, of which the nodes are made too, so that a fault of the engine is in both. DuckDB shares no
//! line with it, and follows PostgreSQL where SQL leaves room: the logic of NULL above all.
//!
//! It runs as its Python wheel in a process of its own (`serve.py`), which gets its tables as Parquet files that the first
//! oracle writes, and answers SQL in lines of JSON.

mod dialect;
mod value;

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};

pub use dialect::{SETTINGS, translated};
pub use value::{DuckRows, Value, difference};

use crate::oracle::Oracle;

/// The wheel, pinned: another version may answer otherwise.
const WHEEL: &str = "duckdb==1.5.6";

/// A question that DuckDB does not answer, or a DuckDB that is not there.
#[derive(Debug, Clone)]
pub struct DuckError(pub(crate) String);

impl fmt::Display for DuckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DuckError {}

impl DuckError {
    /// Returns true if a value had no room in its type, or does not fit into another: the question is one that no
    /// engine can answer.
    #[must_use]
    pub fn is_about_values(&self) -> bool {
        let kinds = ["OutOfRangeException", "ConversionException", "More than one row returned by a subquery"];
        kinds.iter().any(|kind| self.0.contains(kind))
    }
}

struct Process {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A DuckDB with the same tables as an [`Oracle`].
pub struct Duck {
    process: Mutex<Process>,
    // The tables' files; they are read once, when a table is made.
    files: tempfile::TempDir,
}

impl Duck {
    /// Starts one and gives it every table of the first oracle.
    ///
    /// # Errors
    /// If there is no Python, if the wheel cannot be had, or if a table cannot be read.
    pub fn over(oracle: &Oracle) -> Result<Self, DuckError> {
        let python = crate::python::python(&[WHEEL]).map_err(|e| DuckError(e.to_string()))?;
        let wrong = |e: &dyn fmt::Display| DuckError(format!("DuckDB does not start: {e}"));
        let files = tempfile::tempdir().map_err(|e| wrong(&e))?;
        let mut command = Command::new(python);
        command.args(["-c", include_str!("serve.py")]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| wrong(&e))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(wrong(&"it has no standard input"));
        };
        let process = Mutex::new(Process { child, to, from: BufReader::new(from) });
        let duck = Self { process, files };
        for setting in SETTINGS {
            duck.answer(setting)?;
        }
        let mut catalogs = Vec::new();
        for (number, (name, batches)) in oracle.tables().enumerate() {
            if !catalogs.contains(&name.catalog) {
                duck.answer(&format!("ATTACH ':memory:' AS {}", name.catalog))?;
                catalogs.push(name.catalog.clone());
            }
            duck.answer(&format!("CREATE SCHEMA IF NOT EXISTS {}.{}", name.catalog, name.domain))?;
            let file = duck.files.path().join(format!("{number}.parquet"));
            crate::files::write_parquet(&file, batches).map_err(|e| wrong(&e))?;
            duck.answer(&format!("CREATE TABLE {name} AS SELECT * FROM read_parquet('{}')", file.display()))?;
        }
        Ok(duck)
    }

    /// The answer to a query in DuckDB's own dialect.
    ///
    /// # Errors
    /// DuckDB refuses the query or has ended.
    pub fn answer(&self, sql: &str) -> Result<DuckRows, DuckError> {
        let broken = |e: &dyn fmt::Display| DuckError(format!("DuckDB broke off: {e}"));
        let mut process = self.process.lock();
        writeln!(process.to, "{}", json!({ "sql": sql })).map_err(|e| broken(&e))?;
        let mut line = String::new();
        process.from.read_line(&mut line).map_err(|e| broken(&e))?;
        let answer: Json = serde_json::from_str(&line).map_err(|e| broken(&e))?;
        match answer["error"].as_str() {
            Some(error) => Err(DuckError(error.to_owned())),
            None => DuckRows::read(&answer).ok_or_else(|| broken(&"an answer that cannot be read")),
        }
    }
}
