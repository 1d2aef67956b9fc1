//! A Parquet file filled value by value, a batch at a time.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder, RecordBatch,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::error::Error;
use crate::write::{BATCH, Table};

/// A column under construction.
pub enum Column {
    Text(StringBuilder),
    Int(Int32Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    Date(Date32Builder),
    Time(TimestampMicrosecondBuilder),
    Money(Decimal128Builder),
}

/// What a column holds.
#[derive(Clone, Copy)]
pub enum Kind {
    Text,
    Int,
    Float,
    Bool,
    Date,
    Time,
    Money,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Int => DataType::Int32,
            Self::Float => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Money => DataType::Decimal128(12, 2),
        }
    }

    fn column(self) -> Column {
        match self {
            Self::Text => Column::Text(StringBuilder::with_capacity(BATCH, BATCH * 16)),
            Self::Int => Column::Int(Int32Builder::with_capacity(BATCH)),
            Self::Float => Column::Float(Float64Builder::with_capacity(BATCH)),
            Self::Bool => Column::Bool(BooleanBuilder::with_capacity(BATCH)),
            Self::Date => Column::Date(Date32Builder::with_capacity(BATCH)),
            Self::Time => Column::Time(TimestampMicrosecondBuilder::with_capacity(BATCH)),
            Self::Money => {
                Column::Money(Decimal128Builder::with_capacity(BATCH).with_data_type(DataType::Decimal128(12, 2)))
            }
        }
    }
}

impl Column {
    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Money(builder) => Arc::new(builder.finish()),
        }
    }
}

/// A Parquet file with its batch under construction. Values are given row by row, in the order of the columns; a value of
/// the wrong kind leaves its column short, and the batch is then refused.
pub struct Frame {
    table: Table,
    path: PathBuf,
    schema: SchemaRef,
    columns: Vec<Column>,
    next: usize,
    rows: usize,
}

macro_rules! value {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $ty:ty) => {
        $(#[$doc])*
        pub fn $name(&mut self, value: $ty) -> &mut Self {
            if let Some(Column::$kind(builder)) = self.columns.get_mut(self.next) {
                builder.append_option(value);
            }
            self.next += 1;
            self
        }
    };
}

impl Frame {
    /// A new file with these columns.
    pub fn create(path: PathBuf, columns: &[(&str, Kind)]) -> Result<Self, Error> {
        let fields: Vec<Field> = columns.iter().map(|(name, kind)| Field::new(*name, kind.data_type(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let table = Table::create(path.clone(), Arc::clone(&schema))?;
        let columns = columns.iter().map(|(_, kind)| kind.column()).collect();
        Ok(Self { table, path, schema, columns, next: 0, rows: 0 })
    }

    value!(/// A text, or nothing.
        text, Text, Option<&str>);
    value!(/// A whole number, or nothing.
        int, Int, Option<i32>);
    value!(/// A number, or nothing.
        float, Float, Option<f64>);
    value!(/// True or false, or nothing.
        bool, Bool, Option<bool>);
    value!(/// A day since 1 January 1970.
        date, Date, Option<i32>);
    value!(/// Microseconds since 1 January 1970, local time.
        time, Time, Option<i64>);
    value!(/// An amount in hundredths.
        money, Money, Option<i128>);

    /// Ends a row.
    pub fn end(&mut self) -> Result<(), Error> {
        self.next = 0;
        self.rows += 1;
        if self.rows >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let arrays = self.columns.iter_mut().map(Column::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|error| Error::parquet(&self.path, &error))?;
        self.table.write(&batch)
    }

    /// Writes what is left.
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        self.table.finish()
    }
}
