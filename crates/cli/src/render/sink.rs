//! Writers of an answer's rows, batch by batch, one for each format.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, Writer as JsonWriter};
use parquet::arrow::ArrowWriter;
use tempfile::NamedTempFile;
use wanqu_client::{csv, json};

use super::table::{Screen, render};
use crate::args::Format;
use crate::escape;
use crate::failure::{Failure, Outcome};

/// Writer of the rows of one answer.
pub trait Sink {
    /// Writes a batch.
    fn write(&mut self, batch: &RecordBatch) -> Outcome;
    /// Ends a whole answer: writes what is still buffered, and gives a file its name.
    fn finish(self: Box<Self>) -> Outcome;
}

/// Returns the writer for a format; `rows_shown` bounds a table, 0 is no bound.
pub fn sink(format: Format, schema: &SchemaRef, output: Option<&Path>, rows_shown: usize) -> Outcome<Box<dyn Sink>> {
    if format == Format::Parquet {
        let path = output.ok_or_else(|| Failure::Usage("--format parquet needs --output FILE".to_owned()))?;
        return Ok(Box::new(ParquetSink::new(schema, path)?));
    }
    let screen = if output.is_some() { Screen::PLAIN } else { Screen::stdout() };
    let to = Target::open(output)?;
    Ok(match format {
        Format::Table => {
            let bound = if rows_shown == 0 { usize::MAX } else { rows_shown };
            Box::new(TableSink {
                to,
                schema: Arc::clone(schema),
                batches: Vec::new(),
                held: 0,
                total: 0,
                bound,
                screen,
            })
        }
        Format::Csv => Box::new(CsvSink::new(to, schema)?),
        Format::Json => Box::new(JsonSink::<JsonArray>::new(to)),
        Format::Ndjson => Box::new(JsonSink::<LineDelimited>::new(to)),
        Format::Parquet => unreachable!("Parquet has returned above"),
    })
}

/// Standard output, or a file that gets its name only when it is whole.
enum Target {
    Stdout(io::Stdout),
    /// Something that exists and is no regular file: a pipe, a device.
    Device(PathBuf, fs::File),
    File(PathBuf, NamedTempFile),
}

impl Target {
    fn open(output: Option<&Path>) -> Outcome<Self> {
        let Some(path) = output else { return Ok(Self::Stdout(io::stdout())) };
        let fail = |error: io::Error| Failure::file("write", path, &error);
        if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            let file = OpenOptions::new().write(true).open(path).map_err(fail)?;
            return Ok(Self::Device(path.to_owned(), file));
        }
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // The mode is cut by the umask, as for any file that a shell would make.
        let file = tempfile::Builder::new()
            .prefix(".wanqu-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(fail)?;
        Ok(Self::File(path.to_owned(), file))
    }

    fn put(&mut self, bytes: &[u8]) -> Outcome {
        match self {
            Self::Stdout(out) => {
                let mut out = out.lock();
                out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| Failure::output(&e))
            }
            Self::Device(path, file) => file.write_all(bytes).map_err(|e| Failure::file("write", path, &e)),
            Self::File(path, file) => file.write_all(bytes).map_err(|e| Failure::file("write", path, &e)),
        }
    }

    /// Writes rows of a format for programs. A terminal gets them with what would drive it written out.
    fn put_rows(&mut self, bytes: &[u8]) -> Outcome {
        match (&*self, std::str::from_utf8(bytes)) {
            (Self::Stdout(out), Ok(text)) if out.is_terminal() => self.put(escape::on_terminal(text).as_bytes()),
            _ => self.put(bytes),
        }
    }

    fn finish(self) -> Outcome {
        match self {
            Self::Stdout(_) | Self::Device(..) => Ok(()),
            Self::File(path, file) => {
                file.as_file().sync_all().map_err(|e| Failure::file("write", &path, &e))?;
                file.persist(&path).map(drop).map_err(|e| Failure::file("write", &path, &e.error))
            }
        }
    }
}

fn unwritable(error: &ArrowError) -> Failure {
    Failure::failed(format!("the rows cannot be written in this format: {error}; --format parquet writes any value"))
}

/// Writer of a table. It buffers the rows, because widths depend on all that is shown.
struct TableSink {
    to: Target,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    held: usize,
    total: u64,
    bound: usize,
    screen: Screen,
}

impl Sink for TableSink {
    fn write(&mut self, batch: &RecordBatch) -> Outcome {
        self.total += batch.num_rows() as u64;
        let take = batch.num_rows().min(self.bound - self.held);
        if take > 0 {
            self.batches.push(batch.slice(0, take));
            self.held += take;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Outcome {
        let text = render(&self.schema, &self.batches, self.total, self.screen).map_err(|e| unwritable(&e))?;
        self.to.put(text.as_bytes())?;
        self.to.finish()
    }
}

/// Writer of CSV.
struct CsvSink {
    to: Target,
}

impl CsvSink {
    fn new(mut to: Target, schema: &SchemaRef) -> Outcome<Self> {
        to.put_rows(csv::header(schema).as_bytes())?;
        Ok(Self { to })
    }
}

impl Sink for CsvSink {
    fn write(&mut self, batch: &RecordBatch) -> Outcome {
        let text = csv::lines(batch).map_err(|e| unwritable(&e))?;
        self.to.put_rows(text.as_bytes())
    }

    fn finish(self: Box<Self>) -> Outcome {
        self.to.finish()
    }
}

/// Writer of JSON: an array, or a line for each row. An absent value is written as `null`, so that each object has all names.
struct JsonSink<F: JsonFormat> {
    to: Target,
    writer: JsonWriter<Vec<u8>, F>,
}

impl<F: JsonFormat> JsonSink<F> {
    fn new(to: Target) -> Self {
        Self { to, writer: json::writer() }
    }

    fn pass_on(&mut self) -> Outcome {
        self.to.put_rows(&std::mem::take(self.writer.get_mut()))
    }
}

impl<F: JsonFormat> Sink for JsonSink<F> {
    fn write(&mut self, batch: &RecordBatch) -> Outcome {
        json::has_texts(batch).and_then(|()| self.writer.write(batch)).map_err(|e| unwritable(&e))?;
        self.pass_on()
    }

    fn finish(mut self: Box<Self>) -> Outcome {
        self.writer.finish().map_err(|e| unwritable(&e))?;
        if !self.writer.get_ref().is_empty() {
            self.writer.get_mut().push(b'\n');
        }
        self.pass_on()?;
        self.to.finish()
    }
}

/// Writer of Parquet, to a regular file only.
struct ParquetSink {
    path: PathBuf,
    file: NamedTempFile,
    writer: ArrowWriter<fs::File>,
}

impl ParquetSink {
    fn new(schema: &SchemaRef, path: &Path) -> Outcome<Self> {
        let Target::File(path, file) = Target::open(Some(path))? else {
            return Err(Failure::failed(format!("cannot write {}: Parquet needs a regular file", path.display())));
        };
        let handle = file.reopen().map_err(|e| Failure::file("write", &path, &e))?;
        let writer = ArrowWriter::try_new(handle, Arc::clone(schema), None).map_err(|e| parquet_failure(&path, &e))?;
        Ok(Self { path, file, writer })
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, batch: &RecordBatch) -> Outcome {
        self.writer.write(batch).map_err(|e| parquet_failure(&self.path, &e))
    }

    fn finish(self: Box<Self>) -> Outcome {
        let Self { path, file, writer } = *self;
        writer.close().map_err(|e| parquet_failure(&path, &e))?;
        Target::File(path, file).finish()
    }
}

fn parquet_failure(path: &Path, error: &parquet::errors::ParquetError) -> Failure {
    if let parquet::errors::ParquetError::External(inner) = error
        && let Some(io) = inner.downcast_ref::<io::Error>()
    {
        return Failure::file("write", path, io);
    }
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringViewArray, TimestampMicrosecondArray,
    };
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    /// A value with everything that a table writes out and that a machine must get as it is.
    const AWKWARD: &str = "a, \"b\"\r\nc\t\u{1b}[2J\u{202e}\0\n ";

    fn batch() -> RecordBatch {
        let name: ArrayRef = Arc::new(StringViewArray::from(vec![Some(AWKWARD), Some("深圳"), None]));
        let count: ArrayRef = Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), None, Some(-1)]));
        let mean: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.1), Some(2.0), None]));
        let flag: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]));
        let day: ArrayRef = Arc::new(Date32Array::from(vec![Some(20_000), None, Some(0)]));
        RecordBatch::try_from_iter_with_nullable([
            ("name", name, true),
            ("count", count, true),
            ("mean", mean, true),
            ("flag", flag, true),
            ("day", day, true),
        ])
        .unwrap()
    }

    fn written(format: Format, batches: &[RecordBatch]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut sink = sink(format, &batch().schema(), Some(&path), 0).unwrap();
        for batch in batches {
            sink.write(batch).unwrap();
        }
        assert!(!path.exists(), "a file must not appear before it is whole");
        sink.finish().unwrap();
        (folder, path)
    }

    #[test]
    fn csv_reads_back_as_it_was_written() {
        let (_folder, path) = written(Format::Csv, &[batch(), batch()]);
        let reader = arrow::csv::ReaderBuilder::new(batch().schema())
            .with_header(true)
            .build(fs::File::open(&path).unwrap())
            .unwrap();
        let rows: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        let read = arrow::compute::concat_batches(&batch().schema(), &rows).unwrap();
        assert_eq!(read, arrow::compute::concat_batches(&batch().schema(), &[batch(), batch()]).unwrap());
    }

    #[test]
    fn json_is_one_array_with_every_name_in_every_object() {
        let (_folder, path) = written(Format::Json, &[batch(), batch()]);
        let rows: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let rows = rows.as_array().unwrap();
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[0]["count"].as_i64(), Some(9_007_199_254_740_993));
        assert_eq!(rows[0]["name"], AWKWARD);
        assert_eq!(rows[2]["flag"], serde_json::Value::Null);
        assert!(rows.iter().all(|row| row.as_object().unwrap().len() == 5));
    }

    #[test]
    fn a_line_of_ndjson_is_an_object_whatever_its_values_hold() {
        let (_folder, path) = written(Format::Ndjson, &[batch()]);
        let text = fs::read_to_string(path).unwrap();
        let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((rows.len(), &rows[0]["name"]), (3, &serde_json::Value::from(AWKWARD)));
    }

    #[test]
    fn a_table_in_a_file_has_a_line_for_each_row() {
        let (_folder, path) = written(Format::Table, &[batch()]);
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains("a, \"b\"\\r\\nc\\t\\u{1b}[2J\\u{202e}\\u{0}\\n"), "{text}");
        assert_eq!(text.lines().count(), 3 + 4, "{text}");
    }

    #[test]
    fn an_answer_without_rows_is_still_well_formed() {
        let (_folder, path) = written(Format::Json, &[]);
        assert_eq!(fs::read_to_string(path).unwrap(), "[]\n");
        let (_folder, path) = written(Format::Csv, &[]);
        assert_eq!(fs::read_to_string(path).unwrap(), "name,count,mean,flag,day\n");
        let (_folder, path) = written(Format::Ndjson, &[]);
        assert_eq!(fs::read_to_string(path).unwrap(), "");
    }

    #[test]
    fn parquet_reads_back_as_it_was_written() {
        let (_folder, path) = written(Format::Parquet, &[batch()]);
        let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap().build().unwrap();
        let rows: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        assert_eq!(rows, [batch()]);
    }

    #[test]
    fn parquet_without_a_file_is_a_misuse() {
        let failure = sink(Format::Parquet, &batch().schema(), None, 0).err().unwrap();
        assert_eq!(failure.exit_code(), 2);
    }

    #[test]
    fn an_answer_that_broke_off_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        let mut broken = sink(Format::Csv, &batch().schema(), Some(&path), 0).unwrap();
        broken.write(&batch()).unwrap();
        drop(broken);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let failure = sink(Format::Csv, &batch().schema(), Some(Path::new("/nowhere/out.csv")), 0).err().unwrap();
        assert_eq!(failure.to_string(), "wanqu: cannot write /nowhere/out.csv: there is no such file or folder");
    }

    #[test]
    fn a_value_without_a_text_is_a_failure_in_every_format_of_text() {
        let days: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, i64::MAX]));
        let batch = RecordBatch::try_from_iter([("at", days)]).unwrap();
        for format in [Format::Table, Format::Csv, Format::Json, Format::Ndjson] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("out");
            let mut sink = sink(format, &batch.schema(), Some(&path), 0).unwrap();
            let failure = sink.write(&batch).and_then(|()| sink.finish()).unwrap_err();
            assert_eq!(failure.exit_code(), 1, "{failure}");
            assert!(failure.to_string().contains("cannot be written"), "{failure}");
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_full_device_is_said_in_words() {
        let full = Path::new("/dev/full");
        if full.exists() {
            let failure = sink(Format::Csv, &batch().schema(), Some(full), 0).err().unwrap();
            assert_eq!(failure.to_string(), "wanqu: cannot write /dev/full: the disk is full");
        }
    }
}
