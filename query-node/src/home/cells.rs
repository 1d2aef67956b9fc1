//! Cells that the owners of one fragment released, by their keys: they tell if an owner that may keep cells back released
//! fewer than the others.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use arrow::row::{RowConverter, SortField};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::promise::Withheld;

/// Released cells of one fragment group.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// Encoded key of every cell that any owner released.
    all: HashSet<Vec<u8>>,
    /// For each owner that may keep cells back, the number of cells that it released with all their values.
    of_hiding: Vec<usize>,
}

impl Cells {
    /// Adds one owner's release, whose first `keys` columns tell one cell from another. `hides` has the values that the owner may
    /// withhold from rows, if its rule may keep cells back.
    ///
    /// # Errors
    /// [`Code::Internal`] if a key has a type that cannot be encoded.
    pub fn add(&mut self, release: &[RecordBatch], keys: usize, hides: Option<&Withheld>) -> Result<(), Refusal> {
        let mut whole = 0;
        for batch in release {
            let lacking =
                hides.map_or(0, |withheld| withheld.lacking(batch).into_iter().filter(|lacks| *lacks).count());
            whole += batch.num_rows() - lacking;
            self.all.extend(encoded(batch, keys)?);
        }
        if keys == 0 {
            // The one cell exists even where every owner kept it back.
            self.all.insert(Vec::new());
        }
        if hides.is_some() {
            self.of_hiding.push(whole);
        }
        Ok(())
    }

    /// Returns true if some cell lacks the part, or a value of the part, of an owner that may keep cells back.
    pub fn lack(&self) -> bool {
        self.of_hiding.iter().any(|own| *own < self.all.len())
    }
}

/// Returns the key of every row. Without a key there is one cell, whose key is empty.
fn encoded(batch: &RecordBatch, keys: usize) -> Result<Vec<Vec<u8>>, Refusal> {
    if keys == 0 {
        return Ok(vec![Vec::new(); batch.num_rows()]);
    }
    let columns = &batch.columns()[..keys.min(batch.num_columns())];
    let fields: Vec<SortField> = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let rows = RowConverter::new(fields).and_then(|converter| converter.convert_columns(columns));
    let rows = rows.map_err(|_| Refusal::new(Code::Internal, "the cells of a release cannot be compared"))?;
    Ok(rows.iter().map(|row| row.data().to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    /// A release with one row of each of these keys.
    fn release(keys: &[Option<&str>]) -> Vec<RecordBatch> {
        let count: ArrayRef = Arc::new(Int64Array::from_iter_values((0_i64..).take(keys.len())));
        let keys: ArrayRef = Arc::new(StringArray::from(keys.to_vec()));
        vec![RecordBatch::try_from_iter_with_nullable([("k", keys, true), ("n", count, true)]).unwrap()]
    }

    /// The result for releases of two owners, the first of which may keep cells back.
    fn lack(hiding: &[Option<&str>], open: &[Option<&str>], keys: usize) -> bool {
        let mut cells = Cells::default();
        cells.add(&release(hiding), keys, Some(&Withheld::default())).unwrap();
        cells.add(&release(open), keys, None).unwrap();
        cells.lack()
    }

    #[test]
    fn a_cell_from_which_a_value_is_withheld_lacks_a_part() {
        let counts = |counts: &[Option<i64>]| -> Vec<RecordBatch> {
            let keys: ArrayRef = Arc::new(StringArray::from(vec!["a"; counts.len()]));
            let all: ArrayRef = Arc::new(Int64Array::from(vec![12; counts.len()]));
            let some: ArrayRef = Arc::new(Int64Array::from(counts.to_vec()));
            vec![
                RecordBatch::try_from_iter_with_nullable([("k", keys, true), ("n", all, true), ("m", some, true)])
                    .unwrap(),
            ]
        };
        let withheld = Withheld { together: vec![vec![2]], ..Withheld::default() };
        let lack = |hiding: Option<i64>, open: Option<i64>| {
            let mut cells = Cells::default();
            cells.add(&counts(&[hiding]), 1, Some(&withheld)).unwrap();
            cells.add(&counts(&[open]), 1, None).unwrap();
            cells.lack()
        };
        assert!(!lack(Some(0), Some(4)));
        assert!(lack(None, Some(4)), "the count of the owner that may withhold it");
        assert!(!lack(Some(3), None), "NULL of an owner that withholds nothing is a value");
    }

    #[test]
    fn an_owner_that_may_hide_cells_is_compared_with_all_others() {
        let (a, b) = (Some("a"), Some("b"));
        assert!(!lack(&[a, b, None], &[None, b, a], 1), "the order does not matter");
        assert!(lack(&[a, b], &[b, a, None], 1), "NULL is a key like others");
        assert!(lack(&[a], &[b], 1), "as many, but others");
        assert!(!lack(&[a, b], &[a], 1), "an owner that hides nothing lacks nothing");
        assert!(lack(&[], &[a], 0), "no release of the only cell");
        assert!(!lack(&[a], &[a], 0) && !lack(&[], &[], 1));
        assert!(lack(&[], &[], 0), "the only cell exists although nobody released it");
    }
}
