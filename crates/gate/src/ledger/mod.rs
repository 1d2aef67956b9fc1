//! What an owner remembers of released cells, so that a later cell tells nothing by its difference from an earlier one.
//!
//! ```text
//! cells, decided ─▶ offers    of each row, its values and a sketch of the rows that entered them
//!                ─▶ Ledger    under one lock: compare with what is remembered, write down what is new
//!                ─▶ answers   as it is, the value of an earlier cell, or withheld
//! ```
//!
//! A population that differs from a remembered one by fewer than k units, none included, counts as the same. If two functions of it
//! have an addend in common, the second is given as it was released then, or not at all. That none differ makes no difference:
//! otherwise asking anything new would tell whether anybody is in the difference. Only where words and sources are the same as then,
//! which no row decides, another function of the population is computed. `memory` decides; where the memory is kept is
//! for whoever implements [`Ledger`].

mod memory;
mod offers;
mod settle;
mod sketch;

use std::sync::Arc;

use async_trait::async_trait;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::admission;
use wanqu_rules::row::RowKey;

pub use memory::{Addition, Decision, Entry, Memory};
pub use offers::Populations;
pub use settle::settle;
pub use sketch::{BUCKETS, RowSketch, Sketch};

/// Memory of the released cells of an owner.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Returns the key of its hashes.
    ///
    /// # Errors
    /// The refusal of the release, if nothing can be compared or remembered.
    fn key(&self) -> Result<RowKey, Refusal>;

    /// Decides on offered values, one list of answers for each offer, and remembers what is new before it returns. No two calls are
    /// decided at once. What is remembered stays so, whether or not the caller is still there.
    ///
    /// # Errors
    /// The refusal of the release, if what is new cannot be remembered.
    async fn settle(&self, asked: Asked) -> Result<Settled, Refusal>;
}

/// The ledger of an owner that has none: it refuses what would have to be remembered.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLedger;

#[async_trait]
impl Ledger for NoLedger {
    fn key(&self) -> Result<RowKey, Refusal> {
        Err(Refusal::new(
            Code::OwnerUnavailable,
            "the owner has no ledger, so nothing is released that it would have to remember",
        )
        .with_rule("released cells are remembered (rememberCells)")
        .with_remedy("tell the owner's administrator"))
    }

    async fn settle(&self, _: Asked) -> Result<Settled, Refusal> {
        self.key().map(|_| Settled::default())
    }
}

/// Values that are about to be released, and the populations behind them.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Requesters who are taken to tell each other everything.
    pub circle: String,
    /// Tables of which a sketch is offered, by the datasets' own names.
    pub tables: Vec<String>,
    /// Least number of units by which populations must differ.
    pub k: u32,
    /// The values, row by row.
    pub offers: Vec<Offer>,
}

/// Values of one row that stand and fall together.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Sketches of the populations, each with the index of its table. Empty populations are left out.
    pub sketches: Vec<Drawn>,
    /// The values.
    pub values: Vec<Offered>,
}

/// Sketch of one population.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// Index of the table.
    pub table: usize,
    /// Index among the populations of the fragment.
    pub population: usize,
    /// Name of the population: of the words that it was asked for in, its group keys, and the state of the sources.
    pub name: u128,
    /// The sketch.
    pub sketch: Sketch,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Indexes of the populations that it depends on.
    pub populations: Arc<[usize]>,
    /// Name of its function.
    pub name: u128,
    /// What the function adds up.
    pub adds: Arc<[Addend]>,
    /// The value; `None` if it has no form that can be remembered.
    pub value: Option<Value>,
}

/// Quantity that is added up, by the hashes of its names: see [`admission::Addend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addend {
    /// Number of rows.
    Rows,
    /// Measure of a table.
    Measure {
        /// Hash of the dataset's name.
        table: u64,
        /// Hash of the column's name.
        column: u64,
    },
    /// Whether a condition is met.
    Condition(u64),
}

impl Addend {
    /// Hashes the names of an addend.
    #[must_use]
    pub fn of(addend: &admission::Addend, key: &RowKey) -> Self {
        match addend {
            admission::Addend::Rows => Self::Rows,
            admission::Addend::Measure { table, column } => {
                Self::Measure { table: key.text(table), column: key.text(column) }
            }
            admission::Addend::Condition(text) => Self::Condition(key.text(text)),
        }
    }

    /// Returns true if the one tells of the other. Datasets may be of the same records, so that measures of different ones are taken
    /// to be the same.
    #[must_use]
    pub fn tells_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Measure { table, column }, Self::Measure { table: other_table, column: other_column }) => {
                table != other_table || column == other_column
            }
            (one, other) => one == other,
        }
    }
}

/// A released value as it is remembered: the bits of a number, or NULL.
pub type Value = Option<i128>;

/// Answers of a ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// For each offer, the answer for each of its values.
    pub answers: Vec<Vec<Answer>>,
    /// True if any value is withheld because nothing more can be remembered.
    pub full: bool,
}

/// Decision on one offered value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is released as it is, and remembered.
    New,
    /// An earlier cell's value is given.
    Earlier(Value),
    /// It is withheld.
    Withheld,
}
