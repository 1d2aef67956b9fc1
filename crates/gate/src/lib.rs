//! The gate: the disclosure control that every release passes at its owner.
//!
//! ```text
//! admitted aggregate ─▶ thread     every non-public table's privacy unit, up to the aggregate's input
//!                    ─▶ passes     units behind each cell, counted up to k
//!                    ─▶ cell       release or keep back
//!                    ─▶ withheld   values that would divide the cell too finely, or that nobody or everybody has
//!                    ─▶ spread     statistics of measures that a single unit dominates, or of few values
//!                    ─▶ rounding   counts to a base, sums to match
//!                    ─▶ ledger     values of earlier cells that differ by too few
//!                    ─▶ output     in the order of keys
//! ```
//!
//! The unit of decision is a cell: one row of the fragment's aggregate. `cell`, `withheld` and `rounding` decide, and touch
//! no data source; `passes` acts. The `ledger` sees the cells last, as they would leave.

mod cell;
mod counting;
mod decided;
mod divided;
mod engine;
mod hashes;
mod keys;
pub mod ledger;
mod output;
mod parts;
mod passes;
mod release;
mod rounding;
mod spill;
mod spread;
mod strategy;
mod tally;
mod thread;
mod units;
mod withheld;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::admission::{AdmittedFragment, Family, GatedShape, Shape, aggregate_of};
use wanqu_rules::catalog::{arrow_schema, nullable};
use wanqu_rules::row::RowKey;
use wanqu_rules::{FetchedBytes, refusal_over_public, refusal_without_values};

pub use engine::{BoundLeaf, Engine, Hidden, Run, SourcesState};
pub use ledger::{Ledger, NoLedger};
pub use release::{AuditReference, AuditedRelease, Closed, Ending, GateAccount, GatedRelease};

use ledger::{Populations, settle};
use output::{Bounds, Cells, Layout};
use passes::{Outcome, Passes};
use rounding::Rounding;
use spread::Spreads;
use strategy::{First, Next, PROBE_ROWS};
use thread::{Leaf, thread};

/// Most attempts, where the sources change while they are read.
const ATTEMPTS: usize = 2;

/// Runs an admitted fragment and lets out what its owner's rules release.
///
/// A gated release is computed in full before this returns, so that it can be recorded before a byte leaves. Rows of
/// public tables stream. Dropping the future, or the stream, stops the work.
///
/// # Errors
/// A source that cannot be read, a limit, or a fault of the engine; never a value.
pub async fn release(
    fragment: &AdmittedFragment,
    engine: &dyn Engine,
    ledger: &dyn Ledger,
) -> Result<GatedRelease, Refusal> {
    match fragment.shape() {
        Shape::Public => public(fragment, engine).await,
        Shape::Gated(shape) => {
            let bounds = Bounds { rows: fragment.max_rows(), bytes: max_bytes(fragment), memory: usize::MAX };
            // Whoever is told something by one researcher's home may be told by all of its researchers.
            let desk = Desk { engine, ledger, circle: fragment.from().as_str() };
            gated(fragment.plan(), shape, desk, bounds, fragment.deadline()).await
        }
    }
}

fn max_bytes(fragment: &AdmittedFragment) -> usize {
    usize::try_from(fragment.max_bytes()).unwrap_or(usize::MAX)
}

/// Streams rows of public tables.
async fn public(fragment: &AdmittedFragment, engine: &dyn Engine) -> Result<GatedRelease, Refusal> {
    let (plan, max_rows) = (fragment.plan(), fragment.max_rows());
    let run = engine.start_public(fragment.deadline())?;
    let bound = run.bind(plan).map_err(|error| refusal_over_public(&error))?;
    let batches = run.execute(&bound).await.map_err(|error| refusal_over_public(&error))?;
    // `x IS TRUE` is never NULL in a plan, and may be in the rows that the engine makes of it.
    let schema = nullable(&arrow_schema(plan));
    let declared = Arc::clone(&schema);
    let max_bytes = max_bytes(fragment);
    let (mut rows, mut bytes) = (0_u64, 0_usize);
    let batches = batches.map(move |batch| {
        let batch = batch.map_err(|error| refusal_over_public(&error))?;
        rows += batch.num_rows() as u64;
        if rows > max_rows {
            return Err(Refusal::new(Code::Limit, "the release has more rows than one query may take")
                .with_rule(format!("a release has at most {max_rows} rows (limits.releaseRows)"))
                .with_remedy("filter or aggregate first"));
        }
        // Slices of one buffer share it, and each is as large as its rows.
        bytes = bytes.saturating_add(batch.columns().iter().map(visible_bytes).sum());
        if bytes > max_bytes {
            return Err(Refusal::new(Code::Limit, "the release is larger than one query may take")
                .with_rule(format!("a release has at most {} MiB (limits.releaseMib)", max_bytes >> 20))
                .with_remedy("ask for fewer columns, or filter or aggregate first"));
        }
        batch
            .with_schema(Arc::clone(&declared))
            .map_err(|_| Refusal::new(Code::Internal, "the rows have other columns than were planned"))
    });
    Ok(GatedRelease::new(schema, batches.boxed(), GateAccount::public(), run.fetched_bytes()))
}

/// What a gated release is made with, and for whom.
#[derive(Clone, Copy)]
struct Desk<'a> {
    engine: &'a dyn Engine,
    ledger: &'a dyn Ledger,
    /// Requesters who are taken to tell each other everything.
    circle: &'a str,
}

/// Releases the cells of one aggregate over non-public tables.
async fn gated(
    plan: &LogicalPlan,
    shape: &GatedShape,
    desk: Desk<'_>,
    bounds: Bounds,
    deadline: Timestamp,
) -> Result<GatedRelease, Refusal> {
    let aggregate =
        aggregate_of(plan).ok_or_else(|| Refusal::new(Code::NotAnAggregate, "the fragment is no aggregate"))?;
    let key = if shape.rule.remembers() { Some(desk.ledger.key()?) } else { None };
    let fetched = FetchedBytes::default();
    for _ in 0..ATTEMPTS {
        let run = desk.engine.start(deadline)?;
        let before = run.fingerprint(plan).await?;
        let bounds = Bounds { memory: run.memory_bytes(), ..bounds };
        let over = Over { run: run.as_ref(), aggregate, shape, state: &before };
        let result = attempt(over, desk.circle, key, bounds).await;
        // Bytes fetched for an attempt that comes to nothing have crossed all the same.
        fetched.include(&run.fetched_bytes());
        if run.fingerprint(plan).await? != before {
            // The result may be of two states of the source; not even its failure is told.
            continue;
        }
        let attempt = result.map_err(|error| refusal_without_values(&error))?;
        let suppressed = attempt.suppressed + attempt.cells.unfit();
        let finished = attempt.finish(plan, run.as_ref(), desk.ledger).await;
        let Finished { schema, batches, earlier, held } = finished.map_err(|error| refusal_without_values(&error))?;
        let account = GateAccount {
            rule: Some(shape.rule.clone()),
            rows: Some(batches.iter().map(|batch| batch.num_rows() as u64).sum()),
            suppressed,
            earlier,
        };
        let batches = futures::stream::iter(batches).map(move |batch| {
            // The cells' part of the memory is given back when the last of them has left.
            let _ = &held;
            Ok(batch)
        });
        let batches = batches.boxed();
        return Ok(GatedRelease::new(schema, batches, account, fetched));
    }
    Err(Refusal::new(Code::Source, "a source changed while it was read").with_remedy("ask again"))
}

/// Cells that were decided, and have not met the ledger yet.
struct Attempt {
    cells: Cells,
    layout: Layout,
    populations: Option<Populations>,
    /// Number of cells that are kept back, whole or in part.
    suppressed: u64,
}

/// A release that was computed.
struct Finished {
    schema: SchemaRef,
    batches: Vec<arrow::array::RecordBatch>,
    /// True if any value may be that of an earlier cell.
    earlier: bool,
    /// The memory of the cells.
    held: MemoryReservation,
}

impl Attempt {
    async fn finish(self, plan: &LogicalPlan, run: &dyn Run, ledger: &dyn Ledger) -> DfResult<Finished> {
        let Self { mut cells, layout, populations, .. } = self;
        let earlier = match &populations {
            Some(populations) => settle(&mut cells, &layout, populations, ledger).await?,
            None => false,
        };
        let held = cells.take_held();
        let (schema, batches) = cells.finish(&layout, plan, run.state())?;
        Ok(Finished { schema, batches, earlier, held })
    }
}

/// Returns the size of the values that a column shows.
fn visible_bytes(column: &ArrayRef) -> usize {
    column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
}

/// An aggregate, and the run over which it is computed.
#[derive(Clone, Copy)]
struct Over<'a> {
    run: &'a dyn Run,
    aggregate: &'a Aggregate,
    shape: &'a GatedShape,
    /// State of the sources before the run.
    state: &'a SourcesState,
}

async fn attempt(over: Over<'_>, circle: &str, key: Option<RowKey>, bounds: Bounds) -> DfResult<Attempt> {
    let Over { run, aggregate, shape, state } = over;
    check_public_keys(run, shape).await?;
    let threaded = thread(run, &aggregate.input, None, key)?;
    let populations = key.map(|key| Populations::new(circle, key, shape, aggregate, &threaded, state)).transpose()?;
    let sketches = populations.as_ref().map(|populations| populations.sketches.clone()).unwrap_or_default();
    let layout = layout(aggregate, shape, sketches, Spreads::new(shape, &threaded)?)?;
    let passes = Passes { run, aggregate, shape, layout: &layout, key };
    let cells = Cells::new(bounds, &run.state().runtime_env().memory_pool);
    let Outcome { cells, suppressed } = decide(&passes, cells, &threaded.leaves).await?;
    Ok(Attempt { cells, layout, populations, suppressed })
}

fn layout(aggregate: &Aggregate, shape: &GatedShape, sketches: Vec<Expr>, spreads: Spreads) -> DfResult<Layout> {
    let unknown = |name: String| DataFusionError::NotImplemented(format!("rounding of {name}"));
    Ok(Layout {
        keys: aggregate.group_expr.len(),
        aggregates: aggregate.aggr_expr.len(),
        rounding: Rounding::new(&aggregate.aggr_expr, shape.rule.rounding).map_err(unknown)?,
        groups: shape.value_groups.clone(),
        sketches,
        spreads,
        schema: nullable(aggregate.schema.as_arrow()),
    })
}

/// Runs the passes that are likely to decide the cells at the least cost.
async fn decide(passes: &Passes<'_>, cells: Cells, leaves: &[Leaf]) -> DfResult<Outcome> {
    let conditions = passes.shape.conditions.len();
    let divided = passes.shape.families.iter().any(Family::divides);
    match strategy::first(passes.shape.rule.min_units, leaves, conditions, divided) {
        First::Ungated => passes.ungated(cells).await,
        First::Parted => passes.parted(cells).await,
        First::Inline => passes.inline(cells, &[]).await,
        First::Rows(most) => passes.rows(cells, most).await,
        First::Probe(prefix) => {
            let probe = passes.probe(prefix, PROBE_ROWS).await?;
            match strategy::next(leaves, conditions, probe.groups, probe.decided.len()) {
                Next::Main => passes.main(cells, &probe).await,
                Next::Inline => passes.inline(cells, &probe.always_met).await,
                Next::Rows(most) => passes.rows(cells, most).await,
            }
        }
    }
}

/// Refuses the fragment if a public table holds a join key twice: see [`GatedShape::must_be_empty`].
async fn check_public_keys(run: &dyn Run, shape: &GatedShape) -> DfResult<()> {
    for plan in &shape.must_be_empty {
        let mut rows = run.execute(&run.bind(plan)?).await?;
        while let Some(batch) = rows.try_next().await? {
            if batch.num_rows() > 0 {
                let refusal = Refusal::new(Code::AggregateArgument, "a public table holds a join key more than once")
                    .with_rule(
                        "a public table that joins a non-public one has at most one row for each value of the join key",
                    )
                    .with_remedy(
                        "filter the public table to one row for each key, or join it to the released aggregate",
                    );
                return Err(DataFusionError::External(Box::new(refusal)));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
