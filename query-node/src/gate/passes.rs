//! The passes over the data that decide which cells of an aggregate are released.

use arrow::array::{AsArray, BooleanArray, ListArray, RecordBatch};
use datafusion::common::{Result as DfResult, internal_datafusion_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, AggregateUDF, Expr, LogicalPlan};
use futures::TryStreamExt;
use std::sync::Arc;

use super::cell::{Need, Reach, Suppressed, is_released};
use super::output::{Cells, Layout};
use super::thread::{Threaded, Unit, thread};
use super::units::UnitsReach;
use crate::admission::{Condition, GatedShape};
use crate::engine::Run;

/// One gated aggregate and where it runs.
#[derive(Debug)]
pub struct Passes<'a> {
    /// Where it runs.
    pub run: &'a Run<'a>,
    /// The aggregate that was admitted.
    pub aggregate: &'a Aggregate,
    /// What the gate must know of it.
    pub shape: &'a GatedShape,
    /// Which columns are what.
    pub layout: &'a Layout,
}

/// What the passes found.
#[derive(Debug)]
pub struct Outcome {
    /// What may leave.
    pub cells: Cells,
    /// What may not.
    pub suppressed: Suppressed,
}

impl Passes<'_> {
    /// Everything is released: the policy asks for one unit only.
    pub async fn ungated(&self, mut cells: Cells) -> DfResult<Outcome> {
        let input = self.run.bind(&self.aggregate.input)?;
        let mut batches = self.run.execute(&self.with_aggregates(input, self.asked())?).await?;
        while let Some(batch) = batches.try_next().await? {
            cells.add(self.layout, &batch, &BooleanArray::from(vec![true; batch.num_rows()]))?;
        }
        Ok(Outcome { cells, suppressed: Suppressed::new(1, 0) })
    }

    /// One pass: the aggregate, and beside it the units of every cell.
    pub async fn inline(&self, mut cells: Cells) -> DfResult<Outcome> {
        let threaded = thread(self.run, &self.aggregate.input, None)?;
        let (reaches, needs) = self.reaches(&threaded)?;
        let inputs = threaded.units.len();
        let mut suppressed = Suppressed::new(self.shape.rule.min_units, inputs);
        let mut aggregates = self.asked();
        let first = self.layout.keys + aggregates.len();
        aggregates.extend(reaches);
        let mut batches = self.run.execute(&self.with_aggregates(threaded.plan, aggregates)?).await?;
        while let Some(batch) = batches.try_next().await? {
            let lists = lists(&batch, first)?;
            let released = self.decide(&needs, &lists, batch.num_rows(), |row| suppressed.add(&lists[..inputs], row));
            cells.add(self.layout, &batch, &released)?;
        }
        Ok(Outcome { cells, suppressed })
    }

    /// Decides every row; `kept_back` is told of those that are not released.
    fn decide(
        &self,
        needs: &[Need],
        lists: &[&ListArray],
        rows: usize,
        mut kept_back: impl FnMut(usize),
    ) -> BooleanArray {
        let zeros = self.shape.rule.publish_zeros;
        let verdicts = (0..rows).map(|row| {
            let released = is_released(needs, lists.iter().map(|list| Reach::read(list, row)), zeros);
            if !released {
                kept_back(row);
            }
            released
        });
        BooleanArray::from(verdicts.collect::<Vec<bool>>())
    }

    /// The aggregates that were asked for, and the hidden counts for rounding.
    fn asked(&self) -> Vec<Expr> {
        let named = |(i, count): (usize, &Expr)| count.clone().alias(format!("__count_{i}"));
        let counts = self.layout.rounding.counts.iter().enumerate().map(named);
        self.aggregate.aggr_expr.iter().cloned().chain(counts).collect()
    }

    /// The same grouping over `input`, with these aggregates.
    fn with_aggregates(&self, input: LogicalPlan, aggregates: Vec<Expr>) -> DfResult<LogicalPlan> {
        let groups = self.aggregate.group_expr.clone();
        Ok(LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), groups, aggregates)?))
    }

    /// The aggregates that count units, and what is asked of each: of the inputs, then of the conditions.
    fn reaches(&self, threaded: &Threaded) -> DfResult<(Vec<Expr>, Vec<Need>)> {
        let function = Arc::new(AggregateUDF::from(UnitsReach::new(self.shape.rule.min_units)));
        let mut reaches = Vec::new();
        let mut needs = Vec::new();
        let mut add = |unit: &Unit, filter: Option<Expr>, need: Need| -> DfResult<()> {
            let column = Expr::Column(unit.column(&threaded.plan)?);
            let call = AggregateFunction::new_udf(
                Arc::clone(&function),
                vec![column],
                false,
                filter.map(Box::new),
                vec![],
                None,
            );
            reaches.push(Expr::AggregateFunction(call).alias(format!("__reach_{}", needs.len())));
            needs.push(need);
            Ok(())
        };
        for unit in &threaded.units {
            add(unit, None, if unit.padded { Need::PaddedInput } else { Need::Input })?;
        }
        for Condition { met, complement } in &self.shape.conditions {
            for unit in &threaded.units {
                add(unit, Some(met.clone()), Need::Condition)?;
                if *complement {
                    add(unit, Some(met.clone().is_not_true()), Need::Condition)?;
                }
            }
        }
        Ok((reaches, needs))
    }
}

/// The columns from `first` on, as `units_reach` gives them.
fn lists(batch: &RecordBatch, first: usize) -> DfResult<Vec<&ListArray>> {
    let columns = batch.columns().get(first..).unwrap_or_default();
    let lists = columns.iter().map(|column| column.as_list_opt::<i32>());
    lists.collect::<Option<Vec<_>>>().ok_or_else(|| internal_datafusion_err!("a count of units is not a list"))
}
