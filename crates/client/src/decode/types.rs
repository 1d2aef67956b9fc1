//! Types of columns that nodes send.

use arrow::datatypes::{
    DECIMAL32_MAX_PRECISION, DECIMAL64_MAX_PRECISION, DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType,
    Field, Schema,
};

use super::Unreadable;

/// Checks that every column has a type that nodes send.
pub(super) fn known(schema: &Schema) -> Result<(), Unreadable> {
    schema.fields().iter().try_for_each(|field| known_field(field))
}

fn known_field(field: &Field) -> Result<(), Unreadable> {
    match field.data_type() {
        DataType::Dictionary(..) | DataType::RunEndEncoded(..) | DataType::Union(..) => {
            Err(Unreadable("a column has a type that nodes do not send"))
        }
        DataType::FixedSizeBinary(width) if *width < 0 => Err(Unreadable("a column has values of a negative width")),
        DataType::FixedSizeList(_, width) if *width < 0 => Err(Unreadable("a column has lists of a negative length")),
        DataType::Decimal32(digits, scale) => decimal(*digits, *scale, DECIMAL32_MAX_PRECISION),
        DataType::Decimal64(digits, scale) => decimal(*digits, *scale, DECIMAL64_MAX_PRECISION),
        DataType::Decimal128(digits, scale) => decimal(*digits, *scale, DECIMAL128_MAX_PRECISION),
        DataType::Decimal256(digits, scale) => decimal(*digits, *scale, DECIMAL256_MAX_PRECISION),
        DataType::List(child)
        | DataType::LargeList(child)
        | DataType::ListView(child)
        | DataType::LargeListView(child)
        | DataType::FixedSizeList(child, _)
        | DataType::Map(child, _) => known_field(child),
        DataType::Struct(children) => children.iter().try_for_each(|child| known_field(child)),
        _ => Ok(()),
    }
}

fn decimal(digits: u8, scale: i8, most: u8) -> Result<(), Unreadable> {
    let fits = (1..=most).contains(&digits) && i16::from(scale) <= i16::from(digits);
    if fits { Ok(()) } else { Err(Unreadable("a column has decimals of more digits than there are")) }
}
