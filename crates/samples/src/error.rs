//! Errors of making sample data.

use std::io;
use std::path::{Path, PathBuf};

/// Failure to write sample data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be written or read.
    #[error("cannot write sample data to {path}: {source}")]
    Io {
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A Parquet file could not be written.
    #[error("cannot write sample data to {path}: {message}")]
    Parquet {
        /// Its path.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// The folder holds something else.
    #[error("{0} exists and is not a folder of sample data; name another folder, or move it away")]
    NotOurs(PathBuf),
    /// The options cannot be met.
    #[error("{0}")]
    Options(String),
}

impl Error {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn parquet(path: &Path, error: &dyn std::fmt::Display) -> Self {
        Self::Parquet { path: path.to_owned(), message: error.to_string() }
    }
}
