//! What can go wrong while sample data is made.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no sample data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be written or read.
    #[error("cannot write sample data to {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A Parquet file could not be written.
    #[error("cannot write sample data to {path}: {message}")]
    Parquet {
        /// Which.
        path: PathBuf,
        /// Why.
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
