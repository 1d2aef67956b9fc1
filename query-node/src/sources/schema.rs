//! The declared columns of a source, as Arrow sees them, and which stored types a declared type can hold.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use wanqu_model::bundle::SourceColumn;
use wanqu_rules::catalog::arrow_type;

use super::fault::SourceFault;

/// The columns under the names they have in the source. Every one may hold NULL.
pub fn source_schema(columns: &[SourceColumn]) -> SchemaRef {
    let fields: Vec<Field> =
        columns.iter().map(|c| Field::new(&c.source_name, arrow_type(&c.data_type), true)).collect();
    Arc::new(Schema::new(fields))
}

/// Checks a file's own schema: every declared column is there once, with a type that the declared one can hold.
pub fn check_file_schema(declared: &Schema, stored: &Schema) -> Result<(), SourceFault> {
    for field in declared.fields() {
        let mut named = stored.fields().iter().filter(|f| f.name() == field.name());
        let found = named.next().ok_or_else(|| SourceFault::MissingColumn(field.name().clone()))?;
        if named.next().is_some() {
            return Err(SourceFault::AmbiguousColumn(field.name().clone()));
        }
        if !holds(field.data_type(), found.data_type()) {
            return Err(SourceFault::ColumnType(field.name().clone()));
        }
    }
    Ok(())
}

/// Whether every value of `stored` has its place in `declared`, so that reading it cannot fail on a value.
fn holds(declared: &DataType, stored: &DataType) -> bool {
    use DataType as T;
    if declared == stored {
        return true;
    }
    if let T::Dictionary(_, value) = stored {
        return holds(declared, value);
    }
    match (declared, stored) {
        (T::Utf8View, T::Utf8 | T::LargeUtf8)
        | (T::Int32, T::Int8 | T::Int16 | T::UInt8 | T::UInt16)
        | (T::Int64, T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32)
        | (T::Float64, T::Float16 | T::Float32 | T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32)
        | (T::Timestamp(_, None), T::Timestamp(_, _)) => true,
        (
            T::Decimal128(precision, scale),
            T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) | T::Decimal256(p, s),
        ) => s <= scale && i16::from(*p) - i16::from(*s) <= i16::from(*precision) - i16::from(*scale),
        (T::List(declared), T::List(stored) | T::LargeList(stored) | T::FixedSizeList(stored, _)) => {
            holds(declared.data_type(), stored.data_type())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::TimeUnit;

    #[test]
    fn a_type_holds_what_fits_it_without_loss_of_a_value() {
        use DataType as T;
        let list = |t: T| T::List(Arc::new(Field::new("element", t, true)));
        let text = T::Dictionary(Box::new(T::Int32), Box::new(T::Utf8));
        for (declared, stored, fits) in [
            (T::Utf8View, T::Utf8, true),
            (T::Utf8View, text, true),
            (T::Utf8View, T::Binary, false),
            (T::Utf8View, T::Int64, false),
            (T::Int32, T::Int64, false),
            (T::Int64, T::Int32, true),
            (T::Int64, T::UInt64, false),
            (T::Float64, T::Float32, true),
            (T::Float64, T::Utf8, false),
            (T::Decimal128(12, 2), T::Decimal128(10, 2), true),
            (T::Decimal128(12, 2), T::Decimal128(12, 3), false),
            (T::Decimal128(12, 2), T::Decimal128(13, 2), false),
            (T::Date32, T::Utf8, false),
            (T::Timestamp(TimeUnit::Microsecond, None), T::Timestamp(TimeUnit::Nanosecond, None), true),
            (list(T::Float64), list(T::Float32), true),
            (list(T::Int32), list(T::Utf8), false),
        ] {
            assert_eq!(holds(&declared, &stored), fits, "{declared} for {stored}");
        }
    }
}
