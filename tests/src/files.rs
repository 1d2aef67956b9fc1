//! Raw tables and how they are written: each jurisdiction keeps its own format.

use std::fs::{File, create_dir_all};
use std::io;
use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use wanqu_model::bundle::SourceFormat;

/// A table as it lies at its owner, before any mapping.
#[derive(Debug, Clone)]
pub struct RawTable {
    /// The file below the world's data folder: `shenzhen/visits.parquet`. Its ending is its format.
    pub file: String,
    /// The rows.
    pub rows: RecordBatch,
}

impl RawTable {
    /// Puts a table together from its columns.
    ///
    /// # Errors
    /// If the columns have different lengths.
    pub fn new(file: &str, columns: Vec<(&str, ArrayRef)>) -> Result<Self, ArrowError> {
        let columns = columns.into_iter().map(|(name, array)| (name, array, true));
        Ok(Self { file: file.to_owned(), rows: RecordBatch::try_from_iter_with_nullable(columns)? })
    }

    /// Writes the table below `folder`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join(&self.file);
        if let Some(parent) = path.parent() {
            create_dir_all(parent)?;
        }
        match format_of(&self.file) {
            SourceFormat::Parquet => write_parquet(&path, std::slice::from_ref(&self.rows))?,
            SourceFormat::Csv => {
                let mut writer = arrow::csv::Writer::new(File::create(path)?);
                writer.write(&self.rows).map_err(io::Error::other)?;
            }
            SourceFormat::Ndjson => {
                let mut writer = arrow::json::LineDelimitedWriter::new(File::create(path)?);
                writer.write(&self.rows).map_err(io::Error::other)?;
                writer.finish().map_err(io::Error::other)?;
            }
        }
        Ok(())
    }
}

/// Writes batches of one schema as Parquet; there is one at least.
///
/// # Errors
/// If the file cannot be written.
pub fn write_parquet(path: &Path, batches: &[RecordBatch]) -> io::Result<()> {
    let first = batches.first().ok_or_else(|| io::Error::other("a file needs a schema"))?;
    let mut writer = ArrowWriter::try_new(File::create(path)?, first.schema(), None)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.close()?;
    Ok(())
}

/// The format that a file's ending names.
#[must_use]
pub fn format_of(file: &str) -> SourceFormat {
    match Path::new(file).extension().and_then(|e| e.to_str()) {
        Some("csv") => SourceFormat::Csv,
        Some("ndjson") => SourceFormat::Ndjson,
        _ => SourceFormat::Parquet,
    }
}
