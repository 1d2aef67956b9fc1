//! Rules against the columns of a batch.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use datafusion::physical_plan::PhysicalExpr;
use wanqu_model::names::JurisdictionId;

use super::{Promise, Rule};

/// A rule that a release breaks: the column's number, and the rule in words.
pub(super) type Broken = (usize, &'static str);

/// Checks a rule of a promise on every row of a batch. `condition` is that of [`Rule::Asked`], ready to run.
pub(super) fn holds(
    rule: &Rule,
    batch: &RecordBatch,
    owner: &JurisdictionId,
    promise: &Promise,
    condition: Option<&Arc<dyn PhysicalExpr>>,
) -> Result<(), Broken> {
    let column =
        |index: usize| batch.columns().get(index).ok_or((index, "a release has the columns that were asked for"));
    match rule {
        Rule::Jurisdiction { column: index, or_null } => {
            let array = column(*index)?;
            let own = |row: usize| text(array, row).map_or(*or_null, |text| text == owner.as_str());
            check(batch, *index, own, "an owner releases rows of its own jurisdiction only")
        }
        Rule::Count(index) => {
            let array = column(*index)?;
            if promise.withheld.may_be_null(owner, *index) {
                let counts = |row| array.is_null(row) || integer(array, row).is_some_and(|n| n >= 0);
                return check(batch, *index, counts, "a count is 0 or more, or NULL where it is withheld");
            }
            let counts = |row| integer(array, row).is_some_and(|n| n >= 0);
            check(batch, *index, counts, "a count is 0 or more, and never NULL")
        }
        Rule::NotNegative(index) => {
            let array = column(*index)?;
            check(batch, *index, |row| !is_negative(array, row), "what is made of squares is not negative")
        }
        Rule::Part { some, all } => {
            let (part, whole) = (column(*some)?, column(*all)?);
            // The number of all rows is NULL, or an earlier cell's, where an owner remembers what it released.
            if promise.withheld.may_be_null(owner, *all) {
                return Ok(());
            }
            let within = |row| integer(part, row) <= integer(whole, row);
            check(batch, *some, within, "a count of some rows is no larger than the count of all rows")
        }
        Rule::Empty { count, value } => {
            let (number, array) = (column(*count)?, column(*value)?);
            let is_rounded = promise.rounded.contains(owner);
            let agrees = |row| match integer(number, row) {
                None => array.is_null(row),
                Some(0) => is_rounded || array.is_null(row),
                Some(_) => true,
            };
            check(batch, *value, agrees, "an aggregate over no value is NULL, and so is one whose count is withheld")
        }
        Rule::Ordered { least, greatest } => {
            let (low, high) = (column(*least)?, column(*greatest)?);
            let Ok(compare) = make_comparator(low.as_ref(), high.as_ref(), SortOptions::default()) else {
                return Ok(());
            };
            let ordered = |row| low.is_null(row) || high.is_null(row) || compare(row, row) != Ordering::Greater;
            check(batch, *least, ordered, "a minimum is not above the maximum of the same values")
        }
        Rule::Asked(_) => {
            let Some(condition) = condition else { return Ok(()) };
            let met = condition.evaluate(batch).and_then(|value| value.into_array(batch.num_rows()));
            let Ok(met) = met else { return Ok(()) };
            let Some(met) = met.as_any().downcast_ref::<BooleanArray>() else { return Ok(()) };
            let kept = |row: usize| met.is_valid(row) && met.value(row);
            check(batch, 0, kept, "an owner releases the groups that were asked for, and no others")
        }
    }
}

fn check(batch: &RecordBatch, column: usize, holds: impl Fn(usize) -> bool, rule: &'static str) -> Result<(), Broken> {
    if (0..batch.num_rows()).all(holds) { Ok(()) } else { Err((column, rule)) }
}

/// Returns the length of the longest text of a column; 0 for a column of something else.
pub(super) fn longest_text(array: &ArrayRef) -> usize {
    (0..array.len()).filter_map(|row| text(array, row)).map(str::len).max().unwrap_or(0)
}

/// Returns the text in a row; `None` for NULL, and in a column of something else.
fn text(array: &ArrayRef, row: usize) -> Option<&str> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(array.as_string_view().value(row)),
        _ => None,
    }
}

/// Returns the integer in a row; `None` for NULL, and in a column of something else.
fn integer(array: &ArrayRef, row: usize) -> Option<i128> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row).into()),
        DataType::UInt64 => Some(array.as_primitive::<UInt64Type>().value(row).into()),
        _ => None,
    }
}

fn is_negative(array: &ArrayRef, row: usize) -> bool {
    // Neither NULL nor NaN is.
    matches!(array.data_type(), DataType::Float64)
        && array.is_valid(row)
        && array.as_primitive::<Float64Type>().value(row) < 0.0
}
