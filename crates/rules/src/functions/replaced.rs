//! The engine's aggregates with accumulators of this folder in the places where its own are wrong.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Decimal128Type, FieldRef, Int64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::correlation::corr_udaf;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::covariance::{covar_pop_udaf, covar_samp_udaf};
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::regr;
use datafusion::functions_aggregate::stddev::{stddev_pop_udaf, stddev_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_aggregate::variance::{var_pop_udaf, var_samp_udaf};
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
    StatisticsArgs,
};
use wanqu_model::aggregates::Statistic;

use super::Overflow;
use super::determination::Determination;
use super::distinct::{DistinctTotal, distinct_state_fields};
use super::distinct_moments::{DistinctMoments, distinct_moments_fields};
use super::extreme::{Extreme, GroupExtremes, OneExtreme};
use super::quotient::{DistinctAverage, GroupAverages, OneAverage};
use super::sliding::{Best, Sliding, SumKind};
use super::sums::{GroupTotals, OneTotal};
use super::total::{Outcome, state_fields};
use crate::merge::Moments;

/// Part of an aggregate that is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    /// Sums of integers and decimals, and of floats over sliding windows.
    Sum,
    /// Averages of floats over sliding windows, and of decimals.
    Average,
    /// `min` or `max` of floats.
    Extreme(Extreme),
    /// Moments over sliding windows; correlations also in groups, where the engine subtracts sums of squares.
    Moments(Statistic),
    /// Counts, which the engine takes for never NULL. One that an owner withheld is.
    Count,
}

/// Aggregate of the engine of which a part is replaced. Name, types and all else are the engine's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replaced {
    engine: Arc<AggregateUDF>,
    part: Part,
    overflow: Overflow,
}

/// The name is enough, and all else that the engine would hash is long: the planner hashes aggregates very often.
impl Hash for Replaced {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.engine.name().hash(state);
    }
}

/// Returns every aggregate of which a part is replaced.
pub(super) fn replacements() -> Vec<Replaced> {
    let new = |engine, part| Replaced { engine, part, overflow: Overflow::Fails };
    let moments = [
        (var_pop_udaf(), Statistic::VarPop),
        (var_samp_udaf(), Statistic::VarSamp),
        (stddev_pop_udaf(), Statistic::StddevPop),
        (stddev_udaf(), Statistic::StddevSamp),
        (covar_pop_udaf(), Statistic::CovarPop),
        (covar_samp_udaf(), Statistic::CovarSamp),
        (corr_udaf(), Statistic::Corr),
        (regr::regr_slope_udaf(), Statistic::RegrSlope),
        (regr::regr_intercept_udaf(), Statistic::RegrIntercept),
        (regr::regr_r2_udaf(), Statistic::RegrR2),
        (regr::regr_avgx_udaf(), Statistic::RegrAvgX),
        (regr::regr_avgy_udaf(), Statistic::RegrAvgY),
        (regr::regr_sxx_udaf(), Statistic::RegrSxx),
        (regr::regr_syy_udaf(), Statistic::RegrSyy),
        (regr::regr_sxy_udaf(), Statistic::RegrSxy),
    ];
    let mut all = vec![
        Replaced::sum(Overflow::Fails),
        new(avg_udaf(), Part::Average),
        new(min_udaf(), Part::Extreme(Extreme::Least)),
        new(max_udaf(), Part::Extreme(Extreme::Greatest)),
        Replaced::count(),
        new(regr::regr_count_udaf(), Part::Count),
    ];
    all.extend(moments.map(|(engine, which)| new(engine, Part::Moments(which))));
    all
}

impl Replaced {
    /// Returns `sum`.
    pub fn sum(overflow: Overflow) -> Self {
        Self { engine: sum_udaf(), part: Part::Sum, overflow }
    }

    /// Returns `count`.
    pub fn count() -> Self {
        Self { engine: count_udaf(), part: Part::Count, overflow: Overflow::Fails }
    }

    /// Returns the same, NULL where a result does not fit into its type; `None` if it never fails.
    pub fn lenient(&self) -> Option<Self> {
        (self.part == Part::Sum).then(|| Self { overflow: Overflow::IsNull, ..self.clone() })
    }

    fn inner(&self) -> &dyn AggregateUDFImpl {
        self.engine.inner().as_ref()
    }

    /// Returns the extreme that is asked for, of floats.
    fn float_extreme(&self, data_type: &DataType) -> Option<Extreme> {
        match self.part {
            Part::Extreme(which) if matches!(data_type, DataType::Float32 | DataType::Float64) => Some(which),
            _ => None,
        }
    }

    /// Returns true if the aggregate is a sum that is added up here.
    fn is_exact_sum(&self, data_type: &DataType) -> bool {
        self.part == Part::Sum && matches!(data_type, DataType::Int64 | DataType::UInt64 | DataType::Decimal128(..))
    }

    /// Returns true if the aggregate is an average of decimals, which is rounded here.
    fn is_decimal_average(&self, args: &AccumulatorArgs<'_>) -> bool {
        self.part == Part::Average && !args.is_distinct && matches!(args.return_type(), DataType::Decimal128(..))
    }

    /// Returns the accumulator of an average of different decimals, or of moments of different values; `None` for other
    /// aggregates.
    fn distinct(&self, args: &AccumulatorArgs<'_>) -> Option<Box<dyn Accumulator>> {
        if !args.is_distinct {
            return None;
        }
        let returns = args.return_type().clone();
        match (self.part, args.expr_fields.first().map(|field| field.data_type())) {
            (Part::Moments(which), _) => Some(Box::new(DistinctMoments::new(which, returns))),
            (Part::Average, Some(values @ DataType::Decimal128(_, scale))) => {
                let different = DistinctTotal::new(self.outcome(args), values.clone());
                Some(Box::new(DistinctAverage { different, scale: *scale, returns }))
            }
            _ => None,
        }
    }

    fn outcome(&self, args: &AccumulatorArgs<'_>) -> Outcome {
        let (name, data_type) = (args.name.to_owned(), args.return_type().clone());
        Outcome { name, data_type, overflow: self.overflow }
    }

    /// Returns the accumulator of an exact sum; `None` for other aggregates.
    fn exact_sum(&self, args: &AccumulatorArgs<'_>) -> Option<Box<dyn Accumulator>> {
        if !self.is_exact_sum(args.return_type()) {
            return None;
        }
        let (outcome, values) = (self.outcome(args), args.return_type().clone());
        Some(match (args.return_type(), args.is_distinct) {
            (DataType::Int64, false) => Box::new(OneTotal::<Int64Type>::new(outcome)),
            (DataType::Int64, true) => Box::new(DistinctTotal::<Int64Type>::new(outcome, values)),
            (DataType::UInt64, false) => Box::new(OneTotal::<UInt64Type>::new(outcome)),
            (DataType::UInt64, true) => Box::new(DistinctTotal::<UInt64Type>::new(outcome, values)),
            (_, false) => Box::new(OneTotal::<Decimal128Type>::new(outcome)),
            (_, true) => Box::new(DistinctTotal::<Decimal128Type>::new(outcome, values)),
        })
    }
}

impl AggregateUDFImpl for Replaced {
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
        self.inner().return_type(arg_types)
    }

    fn return_field(&self, arg_fields: &[FieldRef]) -> Result<FieldRef> {
        let field = self.inner().return_field(arg_fields)?;
        Ok(match self.part {
            Part::Count => Arc::new(field.as_ref().clone().with_nullable(true)),
            _ => field,
        })
    }

    fn is_nullable(&self) -> bool {
        self.part == Part::Count || self.inner().is_nullable()
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner().coerce_types(arg_types)
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.inner().default_value(data_type)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner().order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        // The engine's function in the other direction is the engine's alone, where it is not the same.
        match self.inner().reverse_expr() {
            ReversedUDAF::Identical => ReversedUDAF::Identical,
            _ => ReversedUDAF::NotSupported,
        }
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        self.inner().simplify()
    }

    fn is_descending(&self) -> Option<bool> {
        // Asked for by an optimisation of `ORDER BY min(x) LIMIT n` alone, which compares floats in its own way.
        None
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        // Statistics of a column have the engine's order of floats.
        if self.part == Part::Count { self.inner().value_from_stats(args) } else { None }
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner().set_monotonicity(data_type)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if let Some(sum) = self.exact_sum(&args) {
            return Ok(sum);
        }
        if let Some(distinct) = self.distinct(&args) {
            return Ok(distinct);
        }
        if self.is_decimal_average(&args) {
            let returns = args.return_type().clone();
            return Ok(Box::new(OneAverage { engine: self.inner().accumulator(args)?, returns }));
        }
        match self.float_extreme(args.return_type()) {
            Some(which) => Ok(Box::new(OneExtreme { which, data_type: args.return_type().clone(), best: None })),
            None if self.part == Part::Moments(Statistic::RegrR2) => {
                Ok(Box::new(Determination(self.inner().accumulator(args)?)))
            }
            None => self.inner().accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let data_type = args.return_field.data_type();
        match (self.part, args.input_fields.first().map(|field| field.data_type())) {
            (Part::Moments(_), _) if args.is_distinct => return Ok(distinct_moments_fields(args.name)),
            (Part::Average, Some(values @ DataType::Decimal128(..))) if args.is_distinct => {
                return Ok(distinct_state_fields(args.name, values));
            }
            _ => {}
        }
        if !self.is_exact_sum(data_type) {
            return self.inner().state_fields(args);
        }
        if args.is_distinct {
            return Ok(distinct_state_fields(args.name, data_type));
        }
        Ok(state_fields(args.name))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        if self.is_exact_sum(args.return_type()) {
            return !args.is_distinct;
        }
        match self.part {
            Part::Moments(Statistic::Corr | Statistic::RegrR2) => false,
            Part::Moments(_) if args.is_distinct => false,
            _ => self.inner().groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if let Some(which) = self.float_extreme(args.return_type()) {
            return Ok(Box::new(GroupExtremes::new(which, args.return_type().clone())));
        }
        if self.is_decimal_average(&args) {
            let returns = args.return_type().clone();
            return Ok(Box::new(GroupAverages { engine: self.inner().create_groups_accumulator(args)?, returns }));
        }
        if !self.is_exact_sum(args.return_type()) {
            return self.inner().create_groups_accumulator(args);
        }
        let outcome = self.outcome(&args);
        Ok(match args.return_type() {
            DataType::Int64 => Box::new(GroupTotals::<Int64Type>::new(outcome)),
            DataType::UInt64 => Box::new(GroupTotals::<UInt64Type>::new(outcome)),
            _ => Box::new(GroupTotals::<Decimal128Type>::new(outcome)),
        })
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if let Some(sum) = self.exact_sum(&args) {
            return Ok(sum);
        }
        if let Some(distinct) = self.distinct(&args) {
            return Ok(distinct);
        }
        if self.is_decimal_average(&args) {
            let returns = args.return_type().clone();
            return Ok(Box::new(OneAverage { engine: self.inner().create_sliding_accumulator(args)?, returns }));
        }
        let data_type = args.return_type();
        let float = *data_type == DataType::Float64;
        Ok(match self.part {
            Part::Sum if float && !args.is_distinct => Box::new(Sliding::<f64>::new(SumKind::Sum, data_type)),
            Part::Average if float && !args.is_distinct => Box::new(Sliding::<f64>::new(SumKind::Average, data_type)),
            Part::Moments(which) if float && !args.is_distinct => Box::new(Sliding::<Moments>::new(which, data_type)),
            Part::Extreme(which) if self.float_extreme(data_type).is_some() => {
                Box::new(Sliding::<Best>::new(which, data_type))
            }
            _ => return self.inner().create_sliding_accumulator(args),
        })
    }
}
