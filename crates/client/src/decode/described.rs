//! Columns as a message describes them, before Arrow makes types of them: its decoder panics at widths and units that no type has.

use arrow::ipc::{self, DateUnit, Field, IntervalUnit, Precision, TimeUnit, Type};

use super::Unreadable;

/// Checks that each column is described as one of a type that nodes send.
pub(super) fn described(schema: ipc::Schema<'_>) -> Result<(), Unreadable> {
    schema.fields().iter().flatten().try_for_each(field)
}

fn field(field: Field<'_>) -> Result<(), Unreadable> {
    if field.dictionary().is_some() {
        return Err(Unreadable("a column has a type that nodes do not send"));
    }
    if !is_type(field) {
        return Err(Unreadable("a column has a type of a width or unit that there is not"));
    }
    let children = field.children().map_or(0, |children| children.len());
    let fits = match field.type_type() {
        Type::List | Type::LargeList | Type::ListView | Type::LargeListView | Type::FixedSizeList | Type::Map => {
            children == 1
        }
        Type::Struct_ => true,
        _ => children == 0,
    };
    if !fits {
        return Err(Unreadable("a column has another number of children than its type"));
    }
    field.children().iter().flatten().try_for_each(self::field)
}

/// Returns true if Arrow has a type of the field's parameters.
fn is_type(field: Field<'_>) -> bool {
    let is_unit =
        |unit| matches!(unit, TimeUnit::SECOND | TimeUnit::MILLISECOND | TimeUnit::MICROSECOND | TimeUnit::NANOSECOND);
    let is = match field.type_type() {
        Type::Null
        | Type::Bool
        | Type::Binary
        | Type::BinaryView
        | Type::LargeBinary
        | Type::Utf8
        | Type::Utf8View
        | Type::LargeUtf8
        | Type::List
        | Type::LargeList
        | Type::ListView
        | Type::LargeListView
        | Type::Struct_ => Some(true),
        Type::Int => field.type_as_int().map(|int| matches!(int.bitWidth(), 8 | 16 | 32 | 64)),
        Type::FloatingPoint => field
            .type_as_floating_point()
            .map(|float| matches!(float.precision(), Precision::HALF | Precision::SINGLE | Precision::DOUBLE)),
        Type::Date => field.type_as_date().map(|date| matches!(date.unit(), DateUnit::DAY | DateUnit::MILLISECOND)),
        Type::Time => field.type_as_time().map(|time| match time.bitWidth() {
            32 => matches!(time.unit(), TimeUnit::SECOND | TimeUnit::MILLISECOND),
            64 => matches!(time.unit(), TimeUnit::MICROSECOND | TimeUnit::NANOSECOND),
            _ => false,
        }),
        Type::Timestamp => field.type_as_timestamp().map(|timestamp| is_unit(timestamp.unit())),
        Type::Duration => field.type_as_duration().map(|duration| is_unit(duration.unit())),
        Type::Interval => field.type_as_interval().map(|interval| {
            matches!(interval.unit(), IntervalUnit::YEAR_MONTH | IntervalUnit::DAY_TIME | IntervalUnit::MONTH_DAY_NANO)
        }),
        Type::Decimal => field.type_as_decimal().map(|decimal| {
            matches!(decimal.bitWidth(), 32 | 64 | 128 | 256)
                && u8::try_from(decimal.precision()).is_ok()
                && i8::try_from(decimal.scale()).is_ok()
        }),
        Type::FixedSizeBinary => field.type_as_fixed_size_binary().map(|_| true),
        Type::FixedSizeList => field.type_as_fixed_size_list().map(|_| true),
        Type::Map => field.type_as_map().map(|_| true),
        // Unions, run-end encoded columns, and whatever comes after this version of the format.
        _ => None,
    };
    is.unwrap_or(false)
}
