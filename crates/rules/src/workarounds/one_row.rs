//! The function that fails where a scalar subquery has several rows (apache/datafusion#16134).
//!
//! Subqueries are run as joins, so that one mechanism places them; DataFusion's own check needs its other mechanism
//! (`enable_physical_uncorrelated_scalar_subquery`), which keeps the subquery inside an expression, where it cannot be
//! placed. As a join, a subquery of several rows would multiply the outer rows. So the one value is taken by an
//! aggregate function, which fails on the second.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::{DataFusionError, Result as DfResult, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility};
use wanqu_model::refusal::{Code, Refusal};

/// Name of the function. It is none of SQL's: no text of a query or fragment holds it.
const NAME: &str = "__only_value";

/// Returns the only value of an expression over all rows: NULL if there is no row, an error if there are several.
pub fn only_value(value: Expr) -> Expr {
    static FUNCTION: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
        Arc::new(AggregateUDF::from(OnlyValue { signature: Signature::any(1, Volatility::Immutable) }))
    });
    FUNCTION.call(vec![value])
}

/// Returns true if an expression is a call of [`only_value`].
pub fn is_only_value(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => is_only_value(&alias.expr),
        Expr::AggregateFunction(function) => function.func.name() == NAME,
        _ => false,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OnlyValue {
    signature: Signature,
}

impl AggregateUDFImpl for OnlyValue {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> DfResult<Box<dyn Accumulator>> {
        let value = ScalarValue::try_new_null(args.return_field.data_type())?;
        Ok(Box::new(OnlyValueAccumulator { value, seen: false }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> DfResult<Vec<FieldRef>> {
        let value = Field::new(format!("{}[value]", args.name), args.return_field.data_type().clone(), true);
        let seen = Field::new(format!("{}[seen]", args.name), DataType::Boolean, true);
        Ok(vec![Arc::new(value), Arc::new(seen)])
    }
}

#[derive(Debug)]
struct OnlyValueAccumulator {
    value: ScalarValue,
    seen: bool,
}

impl OnlyValueAccumulator {
    fn take(&mut self, values: &dyn Array, row: usize) -> DfResult<()> {
        if self.seen {
            let several = Refusal::new(Code::InvalidSql, "a subquery that stands for one value gives several rows")
                .with_rule("a subquery inside an expression gives at most one row")
                .with_remedy("aggregate it, add LIMIT 1 with an ORDER BY, or compare with IN");
            return Err(DataFusionError::External(Box::new(several)));
        }
        self.seen = true;
        self.value = ScalarValue::try_from_array(values, row)?;
        Ok(())
    }
}

impl Accumulator for OnlyValueAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let Some(values) = values.first() else { return Ok(()) };
        // The second row is the last that is looked at.
        (0..values.len()).try_for_each(|row| self.take(values, row))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let [values, seen] = states else { return Ok(()) };
        let seen: &BooleanArray = as_boolean_array(seen)?;
        let rows = seen.iter().enumerate().filter(|(_, seen)| *seen == Some(true));
        rows.map(|(row, _)| row).try_for_each(|row| self.take(values, row))
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(self.value.clone())
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::from(self.seen)])
    }

    fn size(&self) -> usize {
        size_of_val(self) - size_of_val(&self.value) + self.value.size()
    }
}
