//! A source's rows by the shortest way: the whole file at once, its declared columns under their SQL names.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::{DataFusionError, Result};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use wanqu_model::bundle::{SourceFormat, SourceKind, SourceSpec};
use wanqu_rules::catalog::arrow_type;

/// All rows of a source.
pub fn rows(source: &SourceSpec) -> Result<RecordBatch> {
    let fields = source.columns.iter().map(|c| Field::new(c.name.as_str(), arrow_type(&c.data_type), true));
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let mut batches = Vec::new();
    let SourceKind::Files(spec) = &source.kind;
    for file in files(&Path::new(spec.root.as_deref().unwrap_or_default()).join(&spec.path))? {
        for batch in read(source, spec.format, &file)? {
            let columns = source.columns.iter().zip(schema.fields()).map(|(column, field)| {
                match batch.column_by_name(&column.source_name) {
                    Some(array) => Ok(cast(array, field.data_type())?),
                    None if column.optional => Ok(new_null_array(field.data_type(), batch.num_rows())),
                    None => {
                        let name = &column.source_name;
                        Err(DataFusionError::Plan(format!("{} has no column {name}", source.table)))
                    }
                }
            });
            batches.push(RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<Vec<_>>>()?)?);
        }
    }
    Ok(concat_batches(&schema, &batches)?)
}

/// A file itself, or the files of a folder.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

fn read(source: &SourceSpec, format: SourceFormat, path: &Path) -> Result<Vec<RecordBatch>> {
    let file = File::open(path)?;
    let batches: Vec<RecordBatch> = match format {
        SourceFormat::Parquet => ParquetRecordBatchReaderBuilder::try_new(file)?.build()?.collect::<Result<_, _>>()?,
        SourceFormat::Csv => {
            let header = std::fs::read_to_string(path)?;
            let header = header.lines().next().unwrap_or_default().to_owned();
            let fields: Vec<Field> = header.split(',').map(|name| field(source, name.trim_matches('"'))).collect();
            let builder = arrow::csv::ReaderBuilder::new(Arc::new(Schema::new(fields))).with_header(true);
            builder.build(file)?.collect::<Result<_, _>>()?
        }
        SourceFormat::Ndjson => {
            let fields: Vec<Field> = source.columns.iter().map(|c| field(source, &c.source_name)).collect();
            let builder = arrow::json::ReaderBuilder::new(Arc::new(Schema::new(fields)));
            builder.build(std::io::BufReader::new(file))?.collect::<Result<_, _>>()?
        }
    };
    Ok(batches)
}

/// A column of a text file: of its declared type, or text if nobody declared it.
fn field(source: &SourceSpec, name: &str) -> Field {
    let declared = source.columns.iter().find(|c| c.source_name == name);
    let data_type = declared.map_or(DataType::Utf8, |c| match arrow_type(&c.data_type) {
        DataType::Utf8View => DataType::Utf8,
        other => other,
    });
    Field::new(name, data_type, true)
}
