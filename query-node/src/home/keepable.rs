//! Types of columns that an answer which is kept can have. It is judged before anybody is asked: a release whose answer is lost would
//! be one for nothing.

use arrow::datatypes::{DataType, IntervalUnit, Schema};
use wanqu_model::refusal::{Code, Refusal};

/// Checks that an answer of these columns can be kept.
///
/// # Errors
/// [`Code::InvalidSql`] for a column whose type Parquet does not hold.
pub(super) fn keepable(columns: &Schema) -> Result<(), Refusal> {
    let lost = columns.fields().iter().find(|field| !is_held(field.data_type()));
    lost.map_or(Ok(()), |field| {
        let (name, kind) = (field.name(), field.data_type());
        Err(Refusal::new(Code::InvalidSql, format!("the column {name} has the type {kind}, which cannot be kept"))
            .with_rule("an answer that is fetched later is kept as Parquet, which has no values of this type")
            .with_remedy("convert the column in the query: CAST(… AS VARCHAR)"))
    })
}

/// Returns true if Parquet holds values of a type.
fn is_held(kind: &DataType) -> bool {
    match kind {
        DataType::Interval(IntervalUnit::MonthDayNano) | DataType::Union(..) | DataType::RunEndEncoded(..) => false,
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale >= 0,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => is_held(item.data_type()),
        DataType::Struct(children) => children.iter().all(|child| is_held(child.data_type())),
        DataType::Dictionary(_, values) => is_held(values),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::RecordBatch;
    use arrow::array::new_null_array;
    use arrow::datatypes::{Field, TimeUnit};
    use parquet::arrow::ArrowWriter;

    use super::*;

    /// Whatever is said to be kept, Parquet writes.
    #[test]
    fn what_is_kept_can_be_written() {
        let mut kinds = vec![
            DataType::Null,
            DataType::Boolean,
            DataType::Int8,
            DataType::UInt64,
            DataType::Float16,
            DataType::Float64,
            DataType::Utf8View,
            DataType::BinaryView,
            DataType::FixedSizeBinary(3),
            DataType::Date32,
            DataType::Date64,
            DataType::Time32(TimeUnit::Second),
            DataType::Time64(TimeUnit::Nanosecond),
            DataType::Timestamp(TimeUnit::Second, None),
            DataType::Timestamp(TimeUnit::Microsecond, Some("Asia/Macau".into())),
            DataType::Duration(TimeUnit::Millisecond),
            DataType::Interval(IntervalUnit::YearMonth),
            DataType::Interval(IntervalUnit::DayTime),
            DataType::Interval(IntervalUnit::MonthDayNano),
            DataType::Decimal128(38, 2),
            DataType::Decimal128(38, -2),
            DataType::Decimal256(76, 0),
            DataType::Decimal256(76, -1),
        ];
        kinds.extend(kinds.clone().into_iter().map(|kind| DataType::new_list(kind, true)));
        let mut refused = 0;
        for kind in kinds {
            let columns = Arc::new(Schema::new(vec![Field::new("c", kind.clone(), true)]));
            let batch = RecordBatch::try_new(Arc::clone(&columns), vec![new_null_array(&kind, 2)]).unwrap();
            let written = ArrowWriter::try_new(Vec::new(), Arc::clone(&columns), None)
                .and_then(|mut writer| writer.write(&batch).and_then(|()| writer.close()));
            match keepable(&columns) {
                Ok(()) => assert!(written.is_ok(), "{kind}: {written:?}"),
                Err(refusal) => {
                    refused += 1;
                    assert!(refusal.remedy.unwrap().contains("CAST"), "{kind}");
                }
            }
        }
        assert_eq!(refused, 6);
    }
}
