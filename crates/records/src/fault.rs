//! Faults of files and of records. None holds a value.

use std::borrow::Cow;
use std::fmt;

/// Fault of a whole file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be read: a fault of the disk, of the compression, or of the syntax.
    #[error("{0}")]
    Unreadable(String),
    /// It would be read with a setting that the manifest does not have.
    #[error("{problem}")]
    Setting {
        /// Evidence in the file, without a value of it.
        problem: String,
        /// YAML below `spec.source.files`.
        setting: String,
    },
    /// It ends inside a quoted field.
    #[error("it ends inside a quoted field")]
    OpenQuote,
    /// A declared column is not there.
    #[error("column {0:?} is not there; if files may lack it, its column in the Dataset says optional: true")]
    MissingColumn(String),
    /// A declared column is there under a name of other letters.
    #[error("column {0:?} is there in letters of another case, or with spaces; its sourceName is to be as in the file")]
    ColumnLetters(String),
    /// A declared column is there more than once.
    #[error("column {0:?} is there more than once")]
    AmbiguousColumn(String),
    /// The format cannot hold the declared type of a column.
    #[error("column {0:?} cannot have its declared type in this format")]
    ColumnType(String),
}

impl Fault {
    /// Returns the fault of a file that needs a setting.
    pub(crate) fn setting(problem: impl Into<String>, setting: impl Into<String>) -> Self {
        Self::Setting { problem: problem.into(), setting: setting.into() }
    }
}

/// Reason for which a record or a field cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    problem: Cow<'static, str>,
    setting: Option<String>,
}

impl Reason {
    /// Returns a reason in words that go on from "the record" or "the field".
    pub(crate) fn of(problem: impl Into<Cow<'static, str>>) -> Self {
        Self { problem: problem.into(), setting: None }
    }

    /// Returns true if there is a setting with which the field may be read.
    pub(crate) fn has_setting(&self) -> bool {
        self.setting.is_some()
    }

    /// Returns the reason with the setting that would let the field be read.
    pub(crate) fn with_setting(self, setting: Option<String>) -> Self {
        Self { setting, ..self }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        match &self.setting {
            Some(setting) => write!(f, "; under spec.source.files of the Dataset, this may be meant: {setting}"),
            None => Ok(()),
        }
    }
}

/// Record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// Its place in its block, from 0.
    pub record: usize,
    /// Declared column whose field cannot be read; `None` if the record as a whole cannot.
    pub column: Option<String>,
    /// The reason, without the value.
    pub reason: Reason,
}

/// Reason for which records cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// A record is bad; those before it are not.
    Record(BadRecord),
    /// The file is, whatever is to be done with bad records.
    File(Fault),
}
