//! Arrow types of the column types of manifests.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use wanqu_model::columns::ColumnType;

/// Returns the Arrow type of a declared column type. Text is `Utf8View`, as the engine's readers give it.
#[must_use]
pub fn arrow_type(column: &ColumnType) -> DataType {
    match column {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
        ColumnType::String => DataType::Utf8View,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::List(item) => DataType::List(Arc::new(Field::new("item", arrow_type(item), true))),
    }
}
