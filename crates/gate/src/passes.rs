//! The passes over the data that decide which cells of an aggregate are released.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::functions_aggregate::count::{count, count_udaf};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, AggregateUDF, Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, lit};
use futures::TryStreamExt;
use hashbrown::HashSet;
use wanqu_rules::admission::{Condition, GatedShape};
use wanqu_rules::row::RowKey;
use wanqu_rules::unit::NOBODY_KNOWN;

use super::cell::{Need, Reach, Verdict, is_proved_by_prefix, is_released};
use super::counting::{Counting, mask_words, reached, row_counts};
use super::decided::Decided;
use super::hashes::Hashes;
use super::keys::{Key, Keys};
use super::output::{Cells, Layout};
use super::parts::{PartRule, Parts, masks};
use super::strategy::{ByRows, by_rows};
use super::thread::{Prefix, Threaded, Unit, thread};
use super::units::UnitsReach;
use super::withheld::{Conditions, withheld};
use crate::engine::Run;

/// Passes over the input of one gated aggregate.
#[derive(Debug)]
pub struct Passes<'a> {
    /// Run of the engine.
    pub run: &'a dyn Run,
    /// The aggregate that was admitted.
    pub aggregate: &'a Aggregate,
    /// Rule, conditions and families of the aggregate.
    pub shape: &'a GatedShape,
    /// Layout of its columns.
    pub layout: &'a Layout,
    /// Key of the hashes of records, where sketches are drawn.
    pub key: Option<RowKey>,
}

/// Cells, decided.
#[derive(Debug)]
pub struct Outcome {
    /// Cells that are released.
    pub cells: Cells,
    /// Number of cells that are kept back, whole or in part, for the owner's own log.
    pub suppressed: u64,
}

impl Passes<'_> {
    /// Releases every cell: the policy asks for one unit only.
    pub async fn ungated(&self, mut cells: Cells) -> DfResult<Outcome> {
        let input = self.run.bind(&self.aggregate.input)?;
        let mut batches = self.run.execute(&self.with_aggregates(input, self.requested())?).await?;
        while let Some(batch) = batches.try_next().await? {
            cells.add(self.layout, &batch, &Decided::whole(batch.num_rows()))?;
        }
        Ok(Outcome { cells, suppressed: 0 })
    }

    /// Decides in one pass: the aggregate, and beside it the units of every cell.
    ///
    /// `always_met` says of each condition whether it is expected to hold in every row, as "the measure is not NULL"
    /// often does. Of such a one only the rows that do not meet it are counted: where there are none, its units are the
    /// cell's own. Where there are some after all, the cell is in doubt and settled by a second pass.
    pub async fn inline(&self, mut cells: Cells, always_met: &[bool]) -> DfResult<Outcome> {
        let threaded = thread(self.run, &self.aggregate.input, None, self.key)?;
        let by_rows = |index: usize| always_met.get(index) == Some(&true) && !self.hides(&self.shape.conditions[index]);
        let counting = self.counting(&threaded, by_rows)?;
        let mut suppressed = 0;
        let mut aggregates = self.requested();
        let first = self.layout.keys + aggregates.len();
        aggregates.extend(counting.aggregates());
        let keys = self.keys()?;
        let mut doubts = Doubts::default();
        let mut batches = self.run.execute(&self.with_aggregates(threaded.plan.clone(), aggregates)?).await?;
        while let Some(batch) = batches.try_next().await? {
            let decided = self.decide(&counting, &batch, first)?;
            suppressed += decided.suppressed();
            cells.add(self.layout, &batch, &decided)?;
            doubts.add(&batch, &decided, &keys, &cells)?;
        }
        self.settle(Outcome { cells, suppressed }, doubts).await
    }

    /// Counts the units of every cell within a prefix, and returns the cells that this decides.
    pub async fn probe(&self, prefix: Prefix, rows: usize) -> DfResult<Probe> {
        let mut threaded = thread(self.run, &self.aggregate.input, Some(prefix), None)?;
        let counting = self.counting(&threaded, |_| false)?;
        let unmet = self.unmet(|_| true);
        threaded.plan = LogicalPlanBuilder::from(threaded.plan).limit(0, Some(rows))?.build()?;
        let keys = self.keys()?;
        let first_unmet = self.layout.keys + counting.reaches.len();
        let mut probe = Probe { groups: 0, decided: HashSet::new(), always_met: vec![true; unmet.len()] };
        let aggregates = counting.reaches.iter().cloned().chain(unmet).collect();
        let mut batches = self.run.execute(&self.with_aggregates(threaded.plan, aggregates)?).await?;
        while let Some(batch) = batches.try_next().await? {
            probe.groups += batch.num_rows();
            let reached = counting.reached(&batch, self.layout.keys)?;
            for (condition, always_met) in probe.always_met.iter_mut().enumerate() {
                *always_met &= row_counts(&batch, first_unmet + condition)?.all(|unmet| unmet == 0);
            }
            for (row, key) in keys.of(&batch)?.into_iter().enumerate() {
                if is_proved_by_prefix(reached.iter().map(|column| Reach::read(column, row))) {
                    probe.decided.insert(key);
                }
            }
        }
        Ok(probe)
    }

    /// Runs the aggregate without units, then settles every cell: for conditions that divide the cells into parts.
    pub async fn parted(&self, cells: Cells) -> DfResult<Outcome> {
        self.main(cells, &Probe { groups: 0, decided: HashSet::new(), always_met: vec![] }).await
    }

    /// Runs the aggregate without units; cells that the probe did not decide are settled by a second pass.
    pub async fn main(&self, mut cells: Cells, probe: &Probe) -> DfResult<Outcome> {
        let needs_units = self.key.is_some() || !self.layout.spreads.aggregates.is_empty();
        let input = if needs_units {
            thread(self.run, &self.aggregate.input, None, self.key)?.plan
        } else {
            self.run.bind(&self.aggregate.input)?
        };
        let keys = self.keys()?;
        let mut doubts = Doubts::default();
        let mut batches = self.run.execute(&self.with_aggregates(input, self.requested())?).await?;
        while let Some(batch) = batches.try_next().await? {
            let verdict = |key| probe.decided.contains(key).then_some(Verdict::WHOLE);
            let decided: Decided = keys.of(&batch)?.iter().map(verdict).collect();
            cells.add(self.layout, &batch, &decided)?;
            doubts.add(&batch, &decided, &keys, &cells)?;
        }
        self.settle(Outcome { cells, suppressed: 0 }, doubts).await
    }

    /// Runs the aggregate with the number of rows beside it; no unit has more than `most`.
    pub async fn rows(&self, mut cells: Cells, most: u64) -> DfResult<Outcome> {
        let threaded = thread(self.run, &self.aggregate.input, None, self.key)?;
        let min_units = self.shape.rule.min_units;
        let [unit] = threaded.units.as_slice() else {
            return internal_err!("rows stand for units in one table only");
        };
        let unit = Expr::Column(unit.column(&threaded.plan)?);
        let known = count(unit.clone()).filter(unit.not_eq(lit(NOBODY_KNOWN))).build()?;
        let mut aggregates = self.requested();
        let first = self.layout.keys + aggregates.len();
        aggregates.extend([known.alias("__rows_known"), count(lit(1)).alias("__rows_all")]);
        let plan = self.with_aggregates(threaded.plan, aggregates)?;
        let keys = self.keys()?;
        let mut suppressed = 0;
        let mut doubts = Doubts::default();
        let mut batches = self.run.execute(&plan).await?;
        while let Some(batch) = batches.try_next().await? {
            let (known, all) = (row_counts(&batch, first)?, row_counts(&batch, first + 1)?);
            let verdict = |(known, all)| match by_rows(known, all, most, min_units) {
                ByRows::Enough => Some(Verdict::WHOLE),
                ByRows::Nobody if self.shape.rule.publish_zeros => Some(Verdict::WHOLE),
                ByRows::Nobody | ByRows::Few => Some(Verdict::KeptBack),
                ByRows::Doubt => None,
            };
            let decided: Decided = known.zip(all).map(verdict).collect();
            suppressed += decided.suppressed();
            cells.add(self.layout, &batch, &decided)?;
            doubts.add(&batch, &decided, &keys, &cells)?;
        }
        self.settle(Outcome { cells, suppressed }, doubts).await
    }

    /// Counts the units of the cells in doubt, part by part, in a pass of its own, if there are any.
    async fn settle(&self, mut outcome: Outcome, doubts: Doubts) -> DfResult<Outcome> {
        if doubts.keys.is_empty() {
            return Ok(outcome);
        }
        let threaded = thread(self.run, &self.aggregate.input, None, None)?;
        let inputs = self.inputs(&threaded)?;
        let count = inputs.reaches.len();
        let keys = self.keys()?;
        let mut parts = Parts::new(PartRule {
            inputs: inputs.needs,
            conditions: &self.shape.conditions,
            families: &self.shape.families,
            groups: &self.shape.value_groups,
            k: self.shape.rule.min_units as usize,
            publish_zeros: self.shape.rule.publish_zeros,
        });
        let masks = masks(&self.shape.conditions)?;
        let first = self.layout.keys + masks.len();
        let groups = self.aggregate.group_expr.iter().cloned().chain(masks).collect();
        let plan = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(threaded.plan), groups, inputs.reaches)?);
        let mut batches = self.run.execute(&plan).await?;
        while let Some(batch) = batches.try_next().await? {
            let units = reached(&batch, first, count)?;
            let words = (self.layout.keys..first).map(|column| mask_words(&batch, column));
            let words = words.collect::<DfResult<Vec<_>>>()?;
            for (row, key) in keys.of(&batch)?.into_iter().enumerate() {
                if doubts.keys.contains(&key) {
                    let mask = Conditions::of_words(words.iter().map(|word| word[row].unsigned_abs()).collect());
                    parts.add(key, &mask, &units.iter().map(|column| Hashes::read(column, row)));
                }
            }
            outcome.cells.check_room(doubts.bytes.saturating_add(parts.bytes()))?;
        }
        for batch in &doubts.batches {
            let decided: Decided = keys.of(batch)?.iter().map(|key| Some(parts.decide(key))).collect();
            outcome.suppressed += decided.suppressed();
            outcome.cells.add(self.layout, batch, &decided)?;
            // Deciding is work of its own where many conditions divide a cell.
            tokio::task::yield_now().await;
        }
        Ok(outcome)
    }

    /// Returns true if it is not told of a condition that nobody meets it, or everybody.
    fn hides(&self, condition: &Condition) -> bool {
        condition.common && !self.shape.rule.publish_zeros
    }

    fn keys(&self) -> DfResult<Keys> {
        Ok(Keys::new(&self.layout.schema, self.layout.keys)?)
    }

    /// Decides on every row of a batch whose hidden columns begin at `first`, where no two conditions are set against each
    /// other. A row that does not meet a condition which is counted by rows is in doubt.
    fn decide(&self, counting: &Counting, batch: &RecordBatch, first: usize) -> DfResult<Decided> {
        let (reached, all_met) = (counting.reached(batch, first)?, counting.all_met(batch, first)?);
        let (inputs, parts) = reached.split_at(counting.needs.len());
        let zeros = self.shape.rule.publish_zeros;
        let verdict = |row: usize| {
            if !is_released(&counting.needs, inputs.iter().map(|column| Reach::read(column, row)), zeros) {
                return Some(Verdict::KeptBack);
            }
            if all_met.as_ref().is_some_and(|met| !met.value(row)) {
                return None;
            }
            let mut few = Conditions::default();
            for (part, condition) in counting.conditions.iter().enumerate() {
                let reaches =
                    parts[part * inputs.len()..].iter().take(inputs.len()).map(|column| Reach::read(column, row));
                let may_be_told = if self.hides(&self.shape.conditions[*condition]) {
                    is_released(&counting.needs, reaches, false)
                } else {
                    reaches.into_iter().all(Reach::may_be_told)
                };
                if !may_be_told {
                    few.insert(*condition);
                }
            }
            if few.is_empty() {
                return Some(Verdict::WHOLE);
            }
            let fits = |_: &Conditions, own: &Conditions| few.is_disjoint(own);
            Some(Verdict::Released { withheld: withheld(&self.shape.value_groups, fits) })
        };
        Ok((0..batch.num_rows()).map(verdict).collect())
    }

    /// Returns the aggregates that were asked for, the hidden counts for rounding, the sketches, and the marks of contributions.
    fn requested(&self) -> Vec<Expr> {
        let named = |(i, count): (usize, &Expr)| count.clone().alias(format!("__count_{i}"));
        let counts = self.layout.rounding.counts.iter().enumerate().map(named);
        let hidden = self.layout.sketches.iter().chain(&self.layout.spreads.aggregates);
        self.aggregate.aggr_expr.iter().cloned().chain(counts).chain(hidden.cloned()).collect()
    }

    /// Returns the same grouping over `input`, with these aggregates.
    fn with_aggregates(&self, input: LogicalPlan, aggregates: Vec<Expr>) -> DfResult<LogicalPlan> {
        let groups = self.aggregate.group_expr.clone();
        Ok(LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), groups, aggregates)?))
    }

    /// Returns the aggregates that count units: of the inputs, then of the conditions. Of conditions for which
    /// `by_rows` is true only the rows that do not meet them are counted.
    fn counting(&self, threaded: &Threaded, by_rows: impl Fn(usize) -> bool) -> DfResult<Counting> {
        if threaded.units.is_empty() {
            return internal_err!("a gated aggregate whose input has no privacy unit");
        }
        let function = Arc::new(AggregateUDF::from(UnitsReach::new(self.shape.rule.min_units)));
        let unmet = self.unmet(&by_rows);
        let mut counting = Counting { reaches: Vec::new(), needs: Vec::new(), conditions: Vec::new(), unmet };
        let reach = |unit: &Unit, filter: Option<Expr>, index: usize| -> DfResult<Expr> {
            let column = Expr::Column(unit.column(&threaded.plan)?);
            let filter = filter.map(Box::new);
            let call = AggregateFunction::new_udf(Arc::clone(&function), vec![column], false, filter, vec![], None);
            Ok(Expr::AggregateFunction(call).alias(format!("__reach_{index}")))
        };
        for unit in &threaded.units {
            counting.reaches.push(reach(unit, None, counting.reaches.len())?);
            counting.needs.push(if unit.padded { Need::PaddedInput } else { Need::Input });
        }
        for (index, Condition { met, complement, .. }) in self.shape.conditions.iter().enumerate() {
            let unmet = complement.then(|| met.clone().is_not_true());
            for filter in [Some(met.clone()), unmet].into_iter().flatten() {
                if by_rows(index) {
                    continue;
                }
                for unit in &threaded.units {
                    counting.reaches.push(reach(unit, Some(filter.clone()), counting.reaches.len())?);
                }
                counting.conditions.push(index);
            }
        }
        Ok(counting)
    }

    /// Returns the aggregates that count units of the inputs alone.
    fn inputs(&self, threaded: &Threaded) -> DfResult<Counting> {
        let mut counting = self.counting(threaded, |_| true)?;
        counting.unmet.clear();
        Ok(counting)
    }

    /// Returns the aggregates that count the rows which do not meet a condition, for the conditions that are chosen.
    fn unmet(&self, chosen: impl Fn(usize) -> bool) -> Vec<Expr> {
        let conditions = self.shape.conditions.iter().enumerate().filter(|(index, _)| chosen(*index));
        let call = |filter: Expr| {
            AggregateFunction::new_udf(count_udaf(), vec![lit(1)], false, Some(Box::new(filter)), vec![], None)
        };
        let unmet = |(index, condition): (usize, &Condition)| {
            Expr::AggregateFunction(call(condition.met.clone().is_not_true())).alias(format!("__unmet_{index}"))
        };
        conditions.map(unmet).collect()
    }
}

/// Findings of a pass over a prefix.
#[derive(Debug)]
pub struct Probe {
    /// Number of cells that occur in it.
    pub groups: usize,
    /// Cells that it decided: they are released.
    pub decided: HashSet<Key>,
    /// For each condition, whether every row of the prefix meets it.
    pub always_met: Vec<bool>,
}

/// Cells of which it is not known yet whether they are released.
#[derive(Debug, Default)]
struct Doubts {
    batches: Vec<RecordBatch>,
    keys: HashSet<Key>,
    bytes: usize,
}

impl Doubts {
    /// Adds the rows of `batch` that are in doubt.
    fn add(&mut self, batch: &RecordBatch, decided: &Decided, keys: &Keys, beside: &Cells) -> DfResult<()> {
        let doubtful = decided.doubtful();
        if doubtful.true_count() == 0 {
            return Ok(());
        }
        let batch = filter_record_batch(batch, &doubtful)?;
        self.bytes = self.bytes.saturating_add(batch.get_array_memory_size());
        beside.check_room(self.bytes)?;
        self.keys.extend(keys.of(&batch)?);
        self.batches.push(batch);
        Ok(())
    }
}
