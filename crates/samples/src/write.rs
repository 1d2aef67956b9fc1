//! Files: lines of text and Parquet, with an account of how far the work is.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::error::Error;
use crate::options::Progress;

/// Rows between two reports of progress, and rows of a batch.
pub const BATCH: usize = 32_768;
/// Rows of a Parquet row group: several to a file, so that a reader can work on them at once and leave some out.
const ROW_GROUP: usize = 131_072;
/// Text is handed to the system in pieces of this size.
const BUFFER: usize = 1 << 18;

/// Counts rows and reports them.
pub struct Tally<'a> {
    report: &'a mut dyn FnMut(Progress),
    progress: Progress,
    reported: u64,
}

impl<'a> Tally<'a> {
    /// An account of `total` rows to write.
    pub fn new(total: u64, report: &'a mut dyn FnMut(Progress)) -> Self {
        Self { report, progress: Progress { what: "", done: 0, total }, reported: 0 }
    }

    /// What the next rows are.
    pub fn begin(&mut self, what: &'static str) {
        self.progress.what = what;
        self.tell();
    }

    /// One more row.
    pub fn row(&mut self) {
        self.progress.done += 1;
        if self.progress.done - self.reported >= BATCH as u64 {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.reported = self.progress.done;
        (self.report)(self.progress);
    }

    /// Everything is written.
    pub fn finish(&mut self) {
        self.progress.done = self.progress.total;
        self.tell();
    }
}

/// A new file, in a folder that is made if need be.
fn create(path: &Path) -> Result<File, Error> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
    }
    File::create(path).map_err(|error| Error::io(path, error))
}

/// A text file, written line by line.
pub struct Lines {
    path: PathBuf,
    file: File,
    /// What was written last, without what is already in the file.
    pub text: String,
}

impl Lines {
    /// A new file with a first line.
    pub fn create(path: PathBuf, header: &str) -> Result<Self, Error> {
        let file = create(&path)?;
        let mut text = String::with_capacity(BUFFER + 1024);
        text.push_str(header);
        Ok(Self { path, file, text })
    }

    /// Ends a line.
    pub fn end(&mut self) -> Result<(), Error> {
        self.text.push('\n');
        if self.text.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let written = self.file.write_all(self.text.as_bytes());
        self.text.clear();
        written.map_err(|error| Error::io(&self.path, error))
    }

    /// Writes what is left.
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()
    }
}

/// A Parquet file.
pub struct Table {
    path: PathBuf,
    writer: ArrowWriter<File>,
}

impl Table {
    /// A new file.
    pub fn create(path: PathBuf, schema: SchemaRef) -> Result<Self, Error> {
        let file = create(&path)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_created_by("wanqu-samples".to_owned())
            .build();
        let writer =
            ArrowWriter::try_new(file, schema, Some(properties)).map_err(|error| Error::parquet(&path, &error))?;
        Ok(Self { path, writer })
    }

    /// Writes a batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.writer.write(batch).map_err(|error| Error::parquet(&self.path, &error))
    }

    /// Writes what is left and the footer.
    pub fn finish(self) -> Result<(), Error> {
        self.writer.close().map(|_| ()).map_err(|error| Error::parquet(&self.path, &error))
    }
}
