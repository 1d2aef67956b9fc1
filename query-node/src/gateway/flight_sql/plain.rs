//! Types that every client knows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

/// Returns the schema of the same names, with text and bytes in the form that every client knows instead of views, and
/// without metadata.
pub(in crate::gateway) fn plain_schema(schema: &Schema) -> SchemaRef {
    let plain = |field: &FieldRef| Field::new(field.name(), plain_type(field.data_type()), field.is_nullable());
    Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>()))
}

/// Returns the type that stands for another on its way to clients.
pub(super) fn plain_type(data_type: &DataType) -> DataType {
    let plain =
        |field: &FieldRef| Arc::new(Field::new(field.name(), plain_type(field.data_type()), field.is_nullable()));
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) => DataType::List(plain(item)),
        DataType::Dictionary(_, values) => plain_type(values),
        other => other.clone(),
    }
}
