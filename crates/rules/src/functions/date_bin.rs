//! `date_bin`, which has a bin for a time or says that it has none.
//!
//! The engine computes bins in nanoseconds, and gives NULL for times before 1677 and after 2262.

use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::functions::datetime::date_bin;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::out_of_range;

/// The engine's function; a time without a bin is an error in words.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DateBin {
    engine: Arc<ScalarUDF>,
}

impl Default for DateBin {
    fn default() -> Self {
        Self { engine: date_bin() }
    }
}

/// Returns true if a bin is NULL for another reason than that its time is.
fn is_lost(times: &ColumnarValue, bins: &ColumnarValue, rows: usize) -> Result<bool> {
    Ok(bins.to_array(rows)?.null_count() > times.to_array(rows)?.null_count())
}

impl ScalarUDFImpl for DateBin {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.engine.inner().return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.engine.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let no_width = matches!(args.args.first(), Some(ColumnarValue::Scalar(width)) if width.is_null());
        let (times, rows) = (args.args.get(1).cloned(), args.number_rows);
        let bins = self.engine.inner().invoke_with_args(args)?;
        match times {
            Some(times) if !no_width && is_lost(&times, &bins, rows)? => {
                Err(out_of_range("a bin of date_bin before 1677 or after 2262", &bins.data_type()))
            }
            _ => Ok(bins),
        }
    }
}
