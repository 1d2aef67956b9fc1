//! Values that an owner may withhold from rows that it releases.

use std::collections::BTreeSet;

use arrow::array::{Array, RecordBatch};
use datafusion::logical_expr::Expr;
use wanqu_model::names::JurisdictionId;

/// Values that an owner's gate may withhold from a row whose cell it releases. One that is withheld is NULL.
#[derive(Debug, Clone, Default)]
pub struct Withheld {
    /// Sets of columns. Those of one set are withheld from a row together: if all of them are NULL, they may have been.
    pub together: Vec<Vec<usize>>,
    /// Owners that have a rule by which they may do so.
    pub owners: BTreeSet<JurisdictionId>,
}

impl Withheld {
    /// Returns true if any owner may withhold something.
    #[must_use]
    pub fn may_lack(&self) -> bool {
        !self.owners.is_empty() && !self.together.is_empty()
    }

    /// Returns true if an owner may give NULL for a column that else has a value in every row.
    #[must_use]
    pub fn may_be_null(&self, owner: &JurisdictionId, column: usize) -> bool {
        self.owners.contains(owner) && self.together.iter().any(|set| set.contains(&column))
    }

    /// Returns for each row of a release whether a value may have been withheld from it.
    #[must_use]
    pub fn lacking(&self, release: &RecordBatch) -> Vec<bool> {
        let is_null = |column: &usize, row| release.columns().get(*column).is_none_or(|column| column.is_null(row));
        let lacks = |row| self.together.iter().any(|set| set.iter().all(|column| is_null(column, row)));
        (0..release.num_rows()).map(lacks).collect()
    }

    /// Returns the same as a condition over the columns of a release; `None` if nothing is withheld from any row.
    pub(crate) fn condition(&self, column: impl Fn(usize) -> Expr) -> Option<Expr> {
        let all_null = |set: &Vec<usize>| set.iter().map(|index| column(*index).is_null()).reduce(Expr::and);
        self.together.iter().filter_map(all_null).reduce(Expr::or)
    }
}
