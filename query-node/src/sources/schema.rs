//! The declared columns of a source, as Arrow sees them, and which stored types a declared type can hold.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use wanqu_model::bundle::SourceColumn;
use wanqu_rules::catalog::arrow_type;

use super::fault::SourceFault;

/// Returns the columns under the names that they have in the source. Every one may be NULL.
pub fn source_schema(columns: &[SourceColumn]) -> SchemaRef {
    let fields: Vec<Field> =
        columns.iter().map(|c| Field::new(&c.source_name, arrow_type(&c.data_type), true)).collect();
    Arc::new(Schema::new(fields))
}

/// Returns the names in the source of the columns that its files may lack.
pub fn optional_columns(columns: &[SourceColumn]) -> BTreeSet<String> {
    columns.iter().filter(|c| c.optional).map(|c| c.source_name.clone()).collect()
}

/// Way in which the values of a stored type are values of the declared one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Every one is.
    Always,
    /// Those in a range are: if two are, so is what lies between them.
    ByRange,
    /// Some are; each is looked at.
    ByValue,
}

/// Column of a file whose values may be none of the declared type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Its name in the file.
    pub column: String,
    /// Its declared type.
    pub declared: DataType,
    /// Way in which its values fit.
    pub fit: Fit,
}

/// What a file's own schema says about the declared columns.
#[derive(Debug, Default)]
pub struct Checked {
    /// Columns that hold values of other types too.
    pub doubts: Vec<Doubt>,
    /// Optional columns that are not there.
    pub absent: BTreeSet<String>,
}

/// Checks a file's own schema: every declared column is there once, with a type that holds values of the declared one, or is
/// optional and not there. One of the columns at least is there.
pub fn check_file_schema(
    declared: &Schema,
    optional: &BTreeSet<String>,
    stored: &Schema,
) -> Result<Checked, SourceFault> {
    let Checked { mut doubts, mut absent } = Checked::default();
    let like = |name: &str| name.trim().to_lowercase();
    for field in declared.fields() {
        let mut named = stored.fields().iter().filter(|f| f.name() == field.name());
        let Some(found) = named.next() else {
            if stored.fields().iter().any(|other| like(other.name()) == like(field.name())) {
                return Err(SourceFault::ColumnLetters(field.name().clone()));
            }
            absent.insert(field.name().clone());
            if optional.contains(field.name()) && absent.len() < declared.fields().len() {
                continue;
            }
            return Err(SourceFault::MissingColumn(field.name().clone()));
        };
        if named.next().is_some() {
            return Err(SourceFault::AmbiguousColumn(field.name().clone()));
        }
        match fit(field.data_type(), found.data_type()) {
            Some(Fit::Always) => {}
            Some(fit) => {
                doubts.push(Doubt { column: field.name().clone(), declared: field.data_type().clone(), fit });
            }
            None => return Err(SourceFault::ColumnType(field.name().clone())),
        }
    }
    Ok(Checked { doubts, absent })
}

/// Returns the way in which values of `stored` are values of `declared`; `None` if they are something else.
///
/// Reading a value that fits loses nothing, with one exception: a point in time has microseconds, and what a file says
/// beyond them is cut.
fn fit(declared: &DataType, stored: &DataType) -> Option<Fit> {
    use DataType as T;
    use TimeUnit as U;
    // A column without any value has no type of its own.
    if declared == stored || *stored == T::Null {
        return Some(Fit::Always);
    }
    if let T::Dictionary(_, value) = stored {
        // The minima and maxima are those of the values, under another type.
        return fit(declared, value).map(|fit| if fit == Fit::ByRange { Fit::ByValue } else { fit });
    }
    match (declared, stored) {
        (T::Utf8View, T::Utf8 | T::LargeUtf8)
        | (T::Int32, T::Int8 | T::Int16 | T::UInt8 | T::UInt16)
        | (T::Int64, T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32)
        | (T::Float64, T::Float16 | T::Float32 | T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32)
        | (T::Timestamp(_, None), T::Timestamp(U::Microsecond | U::Nanosecond, _)) => Some(Fit::Always),
        (T::Int32, T::Int64 | T::UInt32 | T::UInt64)
        | (T::Int64, T::UInt64)
        | (T::Timestamp(_, None), T::Timestamp(U::Second | U::Millisecond, _)) => Some(Fit::ByRange),
        // Text without a mark that it is text; whole numbers beyond 2^53; days written as milliseconds.
        (T::Utf8View, T::Binary | T::LargeBinary | T::BinaryView)
        | (T::Float64, T::Int64 | T::UInt64)
        | (T::Date32, T::Date64) => Some(Fit::ByValue),
        (
            T::Decimal128(..),
            T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64,
        ) => Some(decimal_fit(declared, whole_digits(stored), 0)),
        (
            T::Decimal128(..),
            T::Decimal32(digits, scale)
            | T::Decimal64(digits, scale)
            | T::Decimal128(digits, scale)
            | T::Decimal256(digits, scale),
        ) => Some(decimal_fit(declared, i16::from(*digits) - i16::from(*scale), *scale)),
        (T::List(declared), T::List(stored) | T::LargeList(stored) | T::FixedSizeList(stored, _)) => {
            // The elements of lists are not looked at one by one.
            fit(declared.data_type(), stored.data_type()).filter(|fit| *fit == Fit::Always)
        }
        _ => None,
    }
}

/// Returns how numbers with this many digits before the point and this scale fit a decimal type.
fn decimal_fit(declared: &DataType, whole: i16, scale: i8) -> Fit {
    let DataType::Decimal128(precision, declared_scale) = declared else { return Fit::ByValue };
    if scale > *declared_scale {
        Fit::ByValue
    } else if whole > i16::from(*precision) - i16::from(*declared_scale) {
        Fit::ByRange
    } else {
        Fit::Always
    }
}

/// Returns the most digits of a whole number of a type.
fn whole_digits(stored: &DataType) -> i16 {
    match stored {
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::Int64 => 19,
        _ => 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_fits_always_or_by_its_values_or_never() {
        use DataType as T;
        use TimeUnit as U;
        let list = |t: T| T::List(Arc::new(Field::new("element", t, true)));
        let dictionary = |t: T| T::Dictionary(Box::new(T::Int32), Box::new(t));
        let zoned = |unit| T::Timestamp(unit, Some("Asia/Macau".into()));
        let micros = T::Timestamp(U::Microsecond, None);
        let (always, by_range, by_value) = (Some(Fit::Always), Some(Fit::ByRange), Some(Fit::ByValue));
        for (declared, stored, expected) in [
            (T::Utf8View, T::Utf8, always),
            (T::Utf8View, T::Null, always),
            (T::Utf8View, dictionary(T::LargeUtf8), always),
            (T::Utf8View, T::Binary, by_value),
            (T::Utf8View, T::FixedSizeBinary(4), None),
            (T::Utf8View, T::Int64, None),
            (T::Int32, T::Int64, by_range),
            (T::Int32, dictionary(T::Int64), by_value),
            (T::Int32, T::Float64, None),
            (T::Int64, T::Int32, always),
            (T::Int64, T::UInt64, by_range),
            (T::Float64, T::Float16, always),
            (T::Float64, T::Int64, by_value),
            (T::Float64, T::Utf8, None),
            (T::Decimal128(12, 2), T::Decimal128(10, 2), always),
            (T::Decimal128(12, 2), T::Decimal128(12, 3), by_value),
            (T::Decimal128(12, 2), T::Decimal128(13, 2), by_range),
            (T::Decimal128(12, 2), T::Int32, always),
            (T::Decimal128(12, 2), T::Int64, by_range),
            (T::Decimal128(12, 2), T::Float64, None),
            (T::Date32, T::Date64, by_value),
            (T::Date32, T::Utf8, None),
            (T::Date32, micros.clone(), None),
            (micros.clone(), T::Timestamp(U::Nanosecond, None), always),
            (micros.clone(), zoned(U::Microsecond), always),
            (micros.clone(), zoned(U::Millisecond), by_range),
            (micros, T::Int64, None),
            (list(T::Float64), list(T::Float32), always),
            (list(T::Int32), list(T::Int64), None),
            (list(T::Int32), list(T::Utf8), None),
        ] {
            assert_eq!(fit(&declared, &stored), expected, "{declared} for {stored}");
        }
    }
}
