//! Forms of values and types. Text of every kind is one type: it holds the same values.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion::common::{Result as DfResult, ScalarValue, plan_err};

/// Returns true for the types of text.
pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Returns the form of a type.
pub(super) fn type_form(data_type: &DataType) -> String {
    match data_type {
        text if is_text(text) => "text".to_owned(),
        DataType::List(item) => format!("list({})", type_form(item.data_type())),
        other => format!("{other:?}"),
    }
}

/// Returns the form of a value: no two values have the same.
pub(super) fn value_form(value: &ScalarValue) -> DfResult<String> {
    let data_type = type_form(&value.data_type());
    if value.is_null() {
        return Ok(format!("null:{data_type}"));
    }
    Ok(match value {
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            format!("{text:?}")
        }
        ScalarValue::Float16(Some(number)) => format!("{:#x}:{data_type}", number.to_bits()),
        ScalarValue::Float32(Some(number)) => format!("{:#x}:{data_type}", number.to_bits()),
        ScalarValue::Float64(Some(number)) => format!("{:#x}:{data_type}", number.to_bits()),
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes))
        | ScalarValue::FixedSizeBinary(_, Some(bytes)) => format!("{bytes:?}:{data_type}"),
        ScalarValue::TimestampSecond(Some(count), _)
        | ScalarValue::TimestampMillisecond(Some(count), _)
        | ScalarValue::TimestampMicrosecond(Some(count), _)
        | ScalarValue::TimestampNanosecond(Some(count), _)
        | ScalarValue::DurationSecond(Some(count))
        | ScalarValue::DurationMillisecond(Some(count))
        | ScalarValue::DurationMicrosecond(Some(count))
        | ScalarValue::DurationNanosecond(Some(count))
        | ScalarValue::Time64Microsecond(Some(count))
        | ScalarValue::Time64Nanosecond(Some(count))
        | ScalarValue::Date64(Some(count)) => format!("{count}:{data_type}"),
        ScalarValue::Date32(Some(count))
        | ScalarValue::Time32Second(Some(count))
        | ScalarValue::Time32Millisecond(Some(count))
        | ScalarValue::IntervalYearMonth(Some(count)) => format!("{count}:{data_type}"),
        ScalarValue::IntervalDayTime(Some(interval)) => format!("{interval:?}:{data_type}"),
        ScalarValue::IntervalMonthDayNano(Some(interval)) => format!("{interval:?}:{data_type}"),
        ScalarValue::List(list) => format!("{}:{data_type}", items_form(&list.value(0))?),
        ScalarValue::LargeList(list) => format!("{}:{data_type}", items_form(&list.value(0))?),
        ScalarValue::FixedSizeList(list) => format!("{}:{data_type}", items_form(&list.value(0))?),
        ScalarValue::Boolean(_)
        | ScalarValue::Int8(_)
        | ScalarValue::Int16(_)
        | ScalarValue::Int32(_)
        | ScalarValue::Int64(_)
        | ScalarValue::UInt8(_)
        | ScalarValue::UInt16(_)
        | ScalarValue::UInt32(_)
        | ScalarValue::UInt64(_) => format!("{value}:{data_type}"),
        ScalarValue::Decimal32(Some(digits), ..) => format!("{digits}:{data_type}"),
        ScalarValue::Decimal64(Some(digits), ..) => format!("{digits}:{data_type}"),
        ScalarValue::Decimal128(Some(digits), ..) => format!("{digits}:{data_type}"),
        ScalarValue::Decimal256(Some(digits), ..) => format!("{digits}:{data_type}"),
        _ => return plan_err!("a value of type {data_type} has no normal form"),
    })
}

fn items_form(items: &ArrayRef) -> DfResult<String> {
    let forms = (0..items.len()).map(|i| value_form(&ScalarValue::try_from_array(items, i)?));
    Ok(format!("[{}]", forms.collect::<DfResult<Vec<_>>>()?.join(",")))
}
