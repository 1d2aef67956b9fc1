//! Functions that give times in a coarser unit: down to the tick that a time is in, also before 1970.
//!
//! The engine divides and drops the rest, which is towards 1970: half a second before it would be no second before it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use super::cast::per_second;
use super::changed::{Change, changed};

/// The functions, and the unit in which each gives a time.
const FUNCTIONS: [(&str, TimeUnit); 3] = [
    ("to_unixtime", TimeUnit::Second),
    ("to_timestamp_seconds", TimeUnit::Second),
    ("to_timestamp_millis", TimeUnit::Millisecond),
];

/// Unit to which the first argument is brought before the engine sees it: that of the result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Coarser(TimeUnit);

/// Returns every function, given those of the engine by their names.
pub(super) fn all(engine: impl Fn(&str) -> Option<Arc<ScalarUDF>>) -> Vec<Arc<ScalarUDF>> {
    let found = |(name, unit)| engine(name).map(|engine| changed(engine, Coarser(unit)));
    FUNCTIONS.into_iter().filter_map(found).collect()
}

/// Returns a column of times in a coarser unit, each as the tick that it is in.
fn floored(times: &ArrayRef, step: i64, to: &DataType) -> Result<ArrayRef> {
    let ticks = cast(times, &DataType::Int64)?;
    let whole: PrimitiveArray<Int64Type> = ticks.as_primitive::<Int64Type>().unary(|tick| tick.div_euclid(step));
    let whole: ArrayRef = Arc::new(whole);
    Ok(cast(&whole, to)?)
}

impl Change for Coarser {
    fn compute(&self, engine: &ScalarUDF, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(value) = args.args.first_mut()
            && let DataType::Timestamp(from, zone) = value.data_type()
            && per_second(from) > per_second(self.0)
        {
            let to = DataType::Timestamp(self.0, zone);
            let step = per_second(from) / per_second(self.0);
            *value = match &*value {
                ColumnarValue::Array(times) => ColumnarValue::Array(floored(times, step, &to)?),
                ColumnarValue::Scalar(time) => {
                    let whole = floored(&time.to_array()?, step, &to)?;
                    ColumnarValue::Scalar(ScalarValue::try_from_array(&whole, 0)?)
                }
            };
            if let Some(field) = args.arg_fields.first_mut() {
                *field = Arc::new(field.as_ref().clone().with_data_type(to));
            }
        }
        engine.inner().invoke_with_args(args)
    }
}
