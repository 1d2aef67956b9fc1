//! Coefficient of determination, `regr_r2`: 1 where y does not vary, as the standard has it (SQL:2023, part 2, 10.9).
//!
//! DataFusion 55 gives NULL there.

use arrow::array::ArrayRef;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Accumulator;

/// The engine's accumulator of `regr_r2`, with the value that it leaves out.
#[derive(Debug)]
pub(super) struct Determination(pub Box<dyn Accumulator>);

impl Accumulator for Determination {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.0.evaluate()?;
        if !value.is_null() {
            return Ok(value);
        }
        let [count, _, _, ScalarValue::Float64(sxx), ScalarValue::Float64(syy), _] = &self.0.state()?[..] else {
            return plan_err!("the state of a regression is a count, two means and three sums");
        };
        let several = matches!(count, ScalarValue::UInt64(Some(count)) if *count > 1);
        let flat = several && *syy == Some(0.0) && sxx.is_some_and(|sxx| sxx > 0.0);
        Ok(if flat { ScalarValue::Float64(Some(1.0)) } else { value })
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.supports_retract_batch()
    }
}
