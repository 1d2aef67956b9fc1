//! Rules that a release meets whatever rows its owner has, and their check at home.
//!
//! An owner decides what it releases, and nobody can check its numbers. But it answers for itself alone, and what it
//! releases is the result of a known text: rows of another jurisdiction, a group twice, a group that was not asked for or
//! fewer than no records cannot be such a result. A release that breaks a rule is not merged.

mod check;
mod rule;
#[cfg(test)]
mod tests;
mod withheld;

use std::collections::BTreeSet;

use datafusion::logical_expr::Expr;
use wanqu_model::names::JurisdictionId;

pub use check::Check;
pub use withheld::Withheld;

/// Greatest length of a text in a cell of a gated release, in bytes: group keys are codes and names.
pub const MAX_CELL_TEXT: usize = 64 * 1024;

/// Greatest length of a text in a public row, in bytes.
pub const MAX_ROW_TEXT: usize = 8 * 1024 * 1024;

/// The rules of the releases of one fragment group.
#[derive(Debug, Clone, Default)]
pub struct Promise {
    /// Number of leading columns that no two rows of a release share; `None` if rows may repeat.
    pub keys: Option<usize>,
    /// True if only public tables are read.
    pub public: bool,
    /// Rules of the columns.
    pub rules: Vec<Rule>,
    /// Owners whose counts are rounded, so that a count of 0 can stand for some.
    pub rounded: BTreeSet<JurisdictionId>,
    /// Values that may be withheld.
    pub withheld: Withheld,
}

/// A rule of one or two columns, each by its number.
#[derive(Debug, Clone)]
pub enum Rule {
    /// The column names the owner.
    Jurisdiction {
        /// The column.
        column: usize,
        /// True if it can be NULL all the same, as where an outer join found no row.
        or_null: bool,
    },
    /// The column is a count: it has a value, which is not negative, unless it is withheld.
    Count(usize),
    /// The column is a sum of squares, or is made of one: no value of it is negative.
    NotNegative(usize),
    /// A count of some rows of a cell is no larger than that of all of them.
    Part {
        /// Count of some rows.
        some: usize,
        /// Count of all rows.
        all: usize,
    },
    /// An aggregate over no value has none, nor has one whose count is withheld.
    Empty {
        /// Count of the values.
        count: usize,
        /// Aggregate over them.
        value: usize,
    },
    /// A minimum is not above the maximum of the same.
    Ordered {
        /// The minimum.
        least: usize,
        /// The maximum.
        greatest: usize,
    },
    /// A condition on group keys that was asked for, over the columns of the release.
    Asked(Expr),
}
