//! The keys of cells as bytes, so that a cell of one pass is found again in another. NULL is a key like others.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

/// A cell's key, encoded.
pub type Key = Box<[u8]>;

/// Encodes the first columns of a batch.
#[derive(Debug)]
pub struct Keys {
    columns: usize,
    /// `None` where there is no group key, and so one cell, whose key is empty.
    converter: Option<RowConverter>,
}

impl Keys {
    /// Makes an encoder for the first `columns` columns of `schema`.
    pub fn new(schema: &Schema, columns: usize) -> Result<Self, ArrowError> {
        let fields: Vec<SortField> =
            schema.fields().iter().take(columns).map(|field| SortField::new(field.data_type().clone())).collect();
        let converter = if columns == 0 { None } else { Some(RowConverter::new(fields)?) };
        Ok(Self { columns, converter })
    }

    /// Returns the key of every row.
    pub fn of(&self, batch: &RecordBatch) -> Result<Vec<Key>, ArrowError> {
        let Some(converter) = &self.converter else { return Ok(vec![Key::default(); batch.num_rows()]) };
        let rows = converter.convert_columns(&batch.columns()[..self.columns])?;
        Ok(rows.iter().map(|row| row.as_ref().into()).collect())
    }
}
