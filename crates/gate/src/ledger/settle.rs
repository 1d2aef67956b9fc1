//! The ledger's step over the cells of a release: offers are made of them, and the answers put into their place.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::kernels::zip::zip;
use datafusion::common::{DataFusionError, Result as DfResult, internal_datafusion_err};

use super::offers::{Populations, recalled, remembered};
use super::{Answer, Asked, Drawn, Ledger, Offer, Offered, Sketch, Value};
use crate::keys::Keys;
use crate::output::{Cells, Held, Layout};

/// Place of an offer: a row of a batch, and one of its groups.
struct Place {
    batch: usize,
    row: usize,
    group: usize,
}

/// Settles the values of all cells. Returns true if any is an earlier cell's, or withheld for one.
pub async fn settle(
    cells: &mut Cells,
    layout: &Layout,
    populations: &Populations,
    ledger: &dyn Ledger,
) -> DfResult<bool> {
    let (mut places, mut offers) = (Vec::new(), Vec::new());
    let keys = Keys::new(&layout.schema, layout.keys)?;
    for (batch, held) in cells.held_batches().iter().enumerate() {
        let columns = held.batch.columns().iter().skip(layout.keys);
        let values: Vec<Vec<Option<Value>>> = columns.map(remembered).collect();
        for (row, cell) in keys.of(&held.batch)?.iter().enumerate() {
            let names = populations.names(cell);
            for group in 0..populations.groups.len() {
                if let Some(offer) = offer(held, Cell { values: &values, names: &names, row }, group, populations)? {
                    places.push(Place { batch, row, group });
                    offers.push(offer);
                }
            }
        }
    }
    if offers.is_empty() {
        return Ok(false);
    }
    let (circle, tables, k) = (populations.circle.clone(), populations.tables.clone(), populations.k);
    let count = offers.len();
    let settled = ledger.settle(Asked { circle, tables, k, offers }).await;
    let settled = settled.map_err(|refusal| DataFusionError::External(Box::new(refusal)))?;
    if settled.answers.len() != count {
        return Err(internal_datafusion_err!("a ledger answers every offer"));
    }
    let mut changes: BTreeMap<(usize, usize), BTreeMap<usize, Answer>> = BTreeMap::new();
    for (Place { batch, row, group }, answers) in places.into_iter().zip(settled.answers) {
        for (aggregate, answer) in populations.groups[group].1.iter().zip(answers) {
            if answer != Answer::New {
                changes.entry((batch, *aggregate)).or_default().insert(row, answer);
            }
        }
    }
    let any = !changes.is_empty();
    for ((batch, aggregate), answers) in changes {
        let column = layout.keys + aggregate;
        cells.replace_column(batch, column, |values| changed(values, &answers))?;
    }
    Ok(any)
}

/// One row of a batch.
#[derive(Clone, Copy)]
struct Cell<'a> {
    /// Values of all columns of the batch.
    values: &'a [Vec<Option<Value>>],
    /// Names of the row's populations.
    names: &'a [u128],
    row: usize,
}

/// Returns what a row offers for a group of values; `None` if the gate withholds them, or nobody is behind them.
fn offer(held: &Held, cell: Cell<'_>, group: usize, populations: &Populations) -> DfResult<Option<Offer>> {
    let Cell { values: of_columns, names, row } = cell;
    let (of_values, aggregates) = &populations.groups[group];
    let is_withheld = |(index, rows): &(usize, BooleanArray)| Some(*index) == *of_values && rows.value(row);
    if held.withheld.iter().any(is_withheld) {
        return Ok(None);
    }
    let offered = |aggregate: &usize| {
        let value = of_columns.get(*aggregate).and_then(|values| values.get(row).copied().flatten());
        Offered { value, ..populations.values[*aggregate].clone() }
    };
    let values: Vec<Offered> = aggregates.iter().map(offered).collect();
    let mut sketches = Vec::new();
    for (column, (table, population)) in held.sketches.iter().zip(&populations.drawn) {
        if !values.iter().any(|value| value.populations.contains(population)) {
            continue;
        }
        let sketch = column.as_binary_opt::<i32>().filter(|column| column.is_valid(row));
        let sketch = sketch.and_then(|column| Sketch::of_bytes(column.value(row)));
        let sketch = sketch.ok_or_else(|| internal_datafusion_err!("a cell without a sketch"))?;
        if !sketch.is_empty() {
            sketches.push(Drawn { table: *table, population: *population, name: names[*population], sketch });
        }
    }
    Ok((!sketches.is_empty()).then_some(Offer { sketches, values }))
}

/// Returns a column with the answers in place of its values.
fn changed(values: &ArrayRef, answers: &BTreeMap<usize, Answer>) -> DfResult<ArrayRef> {
    let mut is_changed = vec![false; values.len()];
    let mut others: Vec<Value> = vec![None; values.len()];
    for (row, answer) in answers {
        is_changed[*row] = *answer != Answer::New;
        if let Answer::Earlier(earlier) = answer {
            others[*row] = *earlier;
        }
    }
    let others = recalled(&others, values.data_type())?;
    Ok(zip(&BooleanArray::from(is_changed), &others, values)?)
}
