//! `date_bin`, which has a bin for a time or says that it has none.
//!
//! The engine computes bins in nanoseconds, and gives NULL for times before 1677 and after 2262.

use std::sync::Arc;

use arrow::array::Array;
use datafusion::common::Result;
use datafusion::functions::datetime;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use super::changed::{Change, changed};
use super::out_of_range;

/// Error in words for a time without a bin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct NoBinIsAnError;

/// Returns the function.
pub(super) fn date_bin() -> Arc<ScalarUDF> {
    changed(datetime::date_bin(), NoBinIsAnError)
}

/// Returns true if a bin is NULL for another reason than that its time is.
fn is_lost(times: &ColumnarValue, bins: &ColumnarValue, rows: usize) -> Result<bool> {
    Ok(bins.to_array(rows)?.null_count() > times.to_array(rows)?.null_count())
}

impl Change for NoBinIsAnError {
    fn compute(&self, engine: &ScalarUDF, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let no_width = matches!(args.args.first(), Some(ColumnarValue::Scalar(width)) if width.is_null());
        let (times, rows) = (args.args.get(1).cloned(), args.number_rows);
        let bins = engine.inner().invoke_with_args(args)?;
        match times {
            Some(times) if !no_width && is_lost(&times, &bins, rows)? => {
                Err(out_of_range("a bin of date_bin before 1677 or after 2262", &bins.data_type()))
            }
            _ => Ok(bins),
        }
    }
}
