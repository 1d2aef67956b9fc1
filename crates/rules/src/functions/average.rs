//! `avg` of integers: their exact sum, divided once.
//!
//! The engine adds up integers as floats. Where values cancel, what is left is rounding: the average of 2^62, 1 and -2^62 is
//! a third, and the engine's is 0. The signature of its `avg` asks for floats, and with that the plan that is judged and sent;
//! so the casts that it put there are taken out again just before a plan runs.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Int64Type, UInt64Type};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, ExprSchemable, GroupsAccumulator, LogicalPlan, ReversedUDAF,
    Signature, Volatility, WindowFunctionDefinition,
};

use super::distinct::{DistinctTotal, distinct_state_fields};
use super::sums::{GroupTotals, OneTotal};
use super::total::{Outcome, state_fields};
use crate::expressions::each_expression;
use crate::range::Overflow;

/// Returns the plan in which averages of integers are made of exact sums.
///
/// # Errors
/// If a part of the plan has no type.
pub(super) fn with_exact_averages(plan: LogicalPlan) -> Result<LogicalPlan> {
    each_expression(plan, |expr, schema| expr.transform_up(|part| exact(part, schema)).map(|changed| changed.data))
}

fn exact(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match part {
        Expr::AggregateFunction(mut call) if is_average(&call.func) => match integer(&call.params.args, schema)? {
            Some(argument) => {
                (call.func, call.params.args) = (Arc::new(AverageOfIntegers::default().into()), vec![argument]);
                Ok(Transformed::yes(Expr::AggregateFunction(call)))
            }
            None => Ok(Transformed::no(Expr::AggregateFunction(call))),
        },
        Expr::WindowFunction(mut call) => {
            if let WindowFunctionDefinition::AggregateUDF(function) = &call.fun
                && is_average(function)
                && let Some(argument) = integer(&call.params.args, schema)?
            {
                let exact = Arc::new(AverageOfIntegers::default().into());
                (call.fun, call.params.args) = (WindowFunctionDefinition::AggregateUDF(exact), vec![argument]);
                return Ok(Transformed::yes(Expr::WindowFunction(call)));
            }
            Ok(Transformed::no(Expr::WindowFunction(call)))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn is_average(function: &AggregateUDF) -> bool {
    function.name() == avg_udaf().name()
}

/// Returns the integer that the argument of an average is cast from, as one of 64 bits; `None` if it is no integer.
fn integer(args: &[Expr], schema: &DFSchema) -> Result<Option<Expr>> {
    let [Expr::Cast(Cast { expr, field })] = args else { return Ok(None) };
    if *field.data_type() != DataType::Float64 {
        return Ok(None);
    }
    Ok(match expr.get_type(schema)? {
        DataType::Int64 | DataType::UInt64 => Some(expr.as_ref().clone()),
        narrow if narrow.is_integer() => Some(Expr::Cast(Cast::new(expr.clone(), DataType::Int64))),
        _ => None,
    })
}

/// `avg` over integers of 64 bits.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AverageOfIntegers {
    signature: Signature,
}

impl Default for AverageOfIntegers {
    fn default() -> Self {
        let types = vec![DataType::Int64, DataType::UInt64];
        Self { signature: Signature::uniform(1, types, Volatility::Immutable) }
    }
}

impl AverageOfIntegers {
    fn accumulator_of<T: super::total::Exact>(args: &AccumulatorArgs<'_>) -> Box<dyn Accumulator> {
        if args.is_distinct {
            Box::new(DistinctTotal::<T>::new(outcome(args), T::DATA_TYPE))
        } else {
            Box::new(OneTotal::<T>::new(outcome(args)))
        }
    }
}

fn outcome(args: &AccumulatorArgs<'_>) -> Outcome {
    Outcome { name: args.name.to_owned(), data_type: args.return_type().clone(), overflow: Overflow::Fails }
}

fn is_unsigned(args: &AccumulatorArgs<'_>) -> bool {
    args.expr_fields.first().is_some_and(|field| *field.data_type() == DataType::UInt64)
}

impl AggregateUDFImpl for AverageOfIntegers {
    fn name(&self) -> &'static str {
        "avg"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(if is_unsigned(&args) {
            Self::accumulator_of::<UInt64Type>(&args)
        } else {
            Self::accumulator_of::<Int64Type>(&args)
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        match args.input_fields.first() {
            Some(input) if args.is_distinct => Ok(distinct_state_fields(args.name, input.data_type())),
            _ => Ok(state_fields(args.name)),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(if is_unsigned(&args) {
            Box::new(GroupTotals::<UInt64Type>::new(outcome(&args)))
        } else {
            Box::new(GroupTotals::<Int64Type>::new(outcome(&args)))
        })
    }
}
