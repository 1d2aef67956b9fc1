//! Types that every client knows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};

use crate::results::ACCOUNT;

/// Returns the schema of the same names, with text and bytes in the form that every client knows instead of views, and
/// with no other metadata than the account of a kept answer.
pub(in crate::gateway) fn plain_schema(schema: &Schema) -> SchemaRef {
    let plain = |field: &FieldRef| Field::new(field.name(), plain_type(field.data_type()), field.is_nullable());
    let account = schema.metadata().get_key_value(ACCOUNT).map(|(key, value)| (key.clone(), value.clone()));
    let fields = schema.fields().iter().map(plain).collect::<Vec<_>>();
    Arc::new(Schema::new(fields).with_metadata(account.into_iter().collect()))
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

/// Returns the type in which clients bind values for a parameter of a type; `None` is one that its text does not tell.
///
/// JDBC puts whatever number it was given into the type that it is told, cut to the size of that, and writes milliseconds
/// for a timestamp of any unit. So it is told types in which each value of the client's stays what it was: what
/// it is compared with decides about the rest. A type that is not known is text, as in `PostgreSQL`, because JDBC binds nothing to
/// a NULL.
pub(super) fn bound_type(data_type: Option<&DataType>) -> DataType {
    match data_type.map(plain_type) {
        None | Some(DataType::Null) => DataType::Utf8,
        Some(kind) if kind.is_integer() => DataType::Int64,
        Some(DataType::Float16 | DataType::Float32) => DataType::Float64,
        Some(DataType::Timestamp(_, zone)) => DataType::Timestamp(TimeUnit::Millisecond, zone),
        Some(kind) => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_has_a_type_that_cuts_no_value() {
        for (known, bound) in [
            (Some(DataType::Int8), DataType::Int64),
            (Some(DataType::UInt64), DataType::Int64),
            (Some(DataType::Float32), DataType::Float64),
            (Some(DataType::Utf8View), DataType::Utf8),
            (Some(DataType::Date32), DataType::Date32),
            (Some(DataType::Decimal128(12, 2)), DataType::Decimal128(12, 2)),
            (
                Some(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
                DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            ),
            (None, DataType::Utf8),
        ] {
            assert_eq!(bound_type(known.as_ref()), bound, "{known:?}");
        }
    }
}
