//! The released cells: collected within limits, put in the order of their keys, and given the columns that were asked
//! for.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{and_not, concat_batches, filter_record_batch, nullif, or, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult, internal_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::admission::ValueGroup;
use wanqu_rules::catalog::nullable;
use wanqu_rules::harmless_expr;

use super::decided::Decided;
use super::rounding::Rounding;
use super::spread::Spreads;

/// Rows of one batch of a release.
const BATCH_ROWS: usize = 8192;

/// Limits of one release.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Rows.
    pub rows: u64,
    /// Bytes in memory.
    pub bytes: usize,
    /// Bytes in memory, of the release and of all that is kept to decide about it.
    pub memory: usize,
}

/// Layout of the columns of the aggregate that runs: group keys, then the aggregates that were asked for, then the hidden
/// counts for rounding, then the hidden sketches; those behind them belong to the gate.
#[derive(Debug)]
pub struct Layout {
    /// Number of group keys.
    pub keys: usize,
    /// Number of aggregates that were asked for.
    pub aggregates: usize,
    /// Rounding of those aggregates, with the hidden counts.
    pub rounding: Rounding,
    /// The values that are withheld together.
    pub groups: Vec<ValueGroup>,
    /// The hidden sketches of populations, behind the counts; none where nothing is remembered.
    pub sketches: Vec<Expr>,
    /// The hidden marks of statistics that may be released, behind the sketches.
    pub spreads: Spreads,
    /// The schema of keys and aggregates, as the admitted aggregate has it.
    pub schema: SchemaRef,
}

/// Groups of values that are withheld, each with a mark for every row.
type Marked = Vec<(usize, BooleanArray)>;

/// Released rows, and what a ledger must know of them.
#[derive(Debug)]
pub struct Held {
    /// Keys and aggregates.
    pub batch: RecordBatch,
    /// Sketches of the rows' populations.
    pub sketches: Vec<ArrayRef>,
    /// Groups of values that are withheld, each with a mark for every row.
    pub withheld: Marked,
}

/// Cells that may leave.
#[derive(Debug)]
pub struct Cells {
    bounds: Bounds,
    rows: u64,
    bytes: usize,
    batches: Vec<Held>,
    /// Rows of which a value is withheld for what single units add to it, and none for another reason.
    unfit: u64,
    /// The cells' part of the query's memory.
    held: MemoryReservation,
}

impl Cells {
    /// Starts with no cell. The memory of cells is taken from `pool`.
    pub fn new(bounds: Bounds, pool: &Arc<dyn MemoryPool>) -> Self {
        let held = MemoryConsumer::new("cells of a release").register(pool);
        Self { bounds, rows: 0, bytes: 0, batches: Vec::new(), unfit: 0, held }
    }

    /// Returns the part of the query's memory that the cells have, which they no longer do then. It belongs to whoever keeps
    /// the release.
    pub fn take_held(&mut self) -> MemoryReservation {
        self.held.take()
    }

    /// Adds the rows of `batch` that are released, rounded, without hidden columns and with NULL for what is withheld.
    pub fn add(&mut self, layout: &Layout, batch: &RecordBatch, decided: &Decided) -> DfResult<()> {
        let released = decided.released();
        if released.true_count() == 0 {
            return Ok(());
        }
        let kept = filter_record_batch(batch, &released)?;
        let (keys, rest) = kept.columns().split_at(layout.keys);
        let (aggregates, rest) = rest.split_at(layout.aggregates);
        let mut columns: Vec<ArrayRef> = keys.to_vec();
        columns.extend(layout.rounding.apply(aggregates, rest)?);
        let marks = rest.iter().skip(layout.rounding.counts.len() + layout.sketches.len());
        let marks: Vec<&ArrayRef> = marks.take(layout.spreads.aggregates.len()).collect();
        let withheld = self.with_unfit(&layout.spreads, &marks, decided.withheld().collect())?;
        for (group, rows) in &withheld {
            for aggregate in &layout.groups[*group].aggregates {
                let column = &mut columns[layout.keys + aggregate];
                *column = nullif(column, rows)?;
            }
        }
        let sketches: Vec<ArrayRef> =
            rest.iter().skip(layout.rounding.counts.len()).take(layout.sketches.len()).cloned().collect();
        self.rows += kept.num_rows() as u64;
        let batch = with_rows(&layout.schema, columns, kept.num_rows())?;
        let size = batch.get_array_memory_size();
        let sketched: usize = sketches.iter().map(|column| column.get_array_memory_size()).sum();
        self.held.try_grow(size.saturating_add(sketched))?;
        self.bytes = self.bytes.saturating_add(size);
        self.batches.push(Held { batch, sketches, withheld });
        self.check_room(0)
    }

    /// Adds to the groups of values that are withheld those whose marks are not all true.
    fn with_unfit(&mut self, spreads: &Spreads, marks: &[&ArrayRef], withheld: Marked) -> DfResult<Marked> {
        let mut groups: BTreeMap<usize, BooleanArray> = withheld.into_iter().collect();
        let mut before: Option<BooleanArray> = None;
        for rows in groups.values() {
            before = Some(before.map_or_else(|| Ok(rows.clone()), |before| or(&before, rows))?);
        }
        let mut unfit: Option<BooleanArray> = None;
        for (group, indexes) in &spreads.of_groups {
            for index in indexes {
                let mark = marks.get(*index).and_then(|mark| mark.as_boolean_opt());
                let mark = mark.ok_or_else(|| internal_datafusion_err!("a mark of contributions is not a boolean"))?;
                let rows: BooleanArray = mark.iter().map(|mark| Some(mark != Some(true))).collect();
                if rows.true_count() > 0 {
                    unfit = Some(unfit.map_or_else(|| Ok(rows.clone()), |unfit| or(&unfit, &rows))?);
                    let all = groups.remove(group).map_or_else(|| Ok(rows.clone()), |known| or(&known, &rows))?;
                    groups.insert(*group, all);
                }
            }
        }
        if let Some(unfit) = unfit {
            let alone = before.map_or_else(|| Ok(unfit.clone()), |before| and_not(&unfit, &before))?;
            self.unfit += alone.true_count() as u64;
        }
        Ok(groups.into_iter().collect())
    }

    /// Returns the number of rows of which a value is withheld only for what single units add to it.
    pub fn unfit(&self) -> u64 {
        self.unfit
    }

    /// Returns the rows that are released, batch by batch.
    pub fn held_batches(&self) -> &[Held] {
        &self.batches
    }

    /// Replaces a column of a batch by what `change` makes of it.
    pub fn replace_column(
        &mut self,
        batch: usize,
        column: usize,
        change: impl FnOnce(&ArrayRef) -> DfResult<ArrayRef>,
    ) -> DfResult<()> {
        let held = &mut self.batches[batch].batch;
        let mut columns = held.columns().to_vec();
        columns[column] = change(&columns[column])?;
        *held = with_rows(&held.schema(), columns, held.num_rows())?;
        Ok(())
    }

    /// Checks that all cells, and `others` bytes beside them, are within the bounds.
    pub fn check_room(&self, others: usize) -> DfResult<()> {
        let rule = if self.rows > self.bounds.rows {
            format!("a release has at most {} rows (limits.releaseRows)", self.bounds.rows)
        } else if self.bytes > self.bounds.bytes {
            format!("a release has at most {} MiB (limits.releaseMib)", self.bounds.bytes >> 20)
        } else if self.bytes.saturating_add(others) > self.bounds.memory {
            format!("a query has at most {} MiB of memory (limits.memoryMib)", self.bounds.memory >> 20)
        } else {
            return Ok(());
        };
        let refusal = Refusal::new(Code::Limit, "the release has more cells than one query may take")
            .with_rule(rule)
            .with_remedy("group by fewer or coarser keys");
        Err(DataFusionError::External(Box::new(refusal)))
    }

    /// Returns the rows of the release, in the order of their keys, through the projection on top of the aggregate.
    ///
    /// The engine's own order is the order in which groups were first met, which tells of the order of the records. The
    /// order of the keys tells nothing that the keys do not.
    pub fn finish(
        self,
        layout: &Layout,
        top: &LogicalPlan,
        state: &SessionState,
    ) -> DfResult<(SchemaRef, Vec<RecordBatch>)> {
        let whole = concat_batches(&layout.schema, self.batches.iter().map(|held| &held.batch))?;
        let whole = sorted(&whole, layout.keys)?;
        drop(self.batches);
        let whole = project(&whole, top, state)?;
        let mut parts = Vec::new();
        let mut start = 0;
        while start < whole.num_rows() {
            let rows = BATCH_ROWS.min(whole.num_rows() - start);
            parts.push(whole.slice(start, rows));
            start += rows;
        }
        Ok((whole.schema(), parts))
    }
}

/// Sorts the rows by their first `keys` columns.
fn sorted(batch: &RecordBatch, keys: usize) -> Result<RecordBatch, ArrowError> {
    if keys == 0 || batch.num_rows() < 2 {
        return Ok(batch.clone());
    }
    let columns = &batch.columns()[..keys];
    let fields = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
    let encoded = RowConverter::new(fields)?.convert_columns(columns)?;
    let rows = u32::try_from(batch.num_rows()).map_err(|_| ArrowError::ComputeError("too many rows".to_owned()))?;
    let mut order: Vec<u32> = (0..rows).collect();
    order.sort_unstable_by(|a, b| encoded.row(*a as usize).cmp(&encoded.row(*b as usize)));
    take_record_batch(batch, &UInt32Array::from(order))
}

/// Evaluates the projection on top of the aggregate, if there is one.
fn project(cells: &RecordBatch, top: &LogicalPlan, state: &SessionState) -> DfResult<RecordBatch> {
    let LogicalPlan::Projection(projection) = top else { return Ok(cells.clone()) };
    let input: &DFSchema = projection.input.schema();
    let columns = projection.expr.iter().map(|expression: &Expr| {
        let physical = state.create_physical_expr(harmless_expr(expression.clone(), input)?, input)?;
        physical.evaluate(cells)?.into_array(cells.num_rows())
    });
    let columns = columns.collect::<DfResult<Vec<_>>>()?;
    let schema = nullable(projection.schema.as_arrow());
    Ok(with_rows(&schema, columns, cells.num_rows())?)
}

/// Makes a batch whose number of rows is known even without a column.
fn with_rows(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}
