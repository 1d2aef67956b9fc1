//! Random queries from a grammar: every one of them is a query that the federation says it supports.
//!
//! A query is held as its clauses, so that a failing one can be made smaller by leaving clauses out.

mod aggregates;
mod conditions;
mod rows;
mod shrink;
mod statistic;
mod vocabulary;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub use rows::RowQuery;
pub use shrink::{Smaller, smallest};
pub use statistic::Statistic;

use crate::compare::Order;

/// A random query.
#[derive(Debug, Clone, PartialEq)]
pub enum RandomQuery {
    /// Over people: it ends in cells.
    Statistic(Statistic),
    /// Over public tables: it may end in rows.
    Rows(RowQuery),
}

impl RandomQuery {
    /// The query of a number: the same for the same seed.
    #[must_use]
    pub fn of(seed: u64, number: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        if rng.random_bool(0.2) {
            Self::Rows(RowQuery::random(&mut rng))
        } else {
            Self::Statistic(Statistic::random(&mut rng))
        }
    }

    /// Its text.
    #[must_use]
    pub fn sql(&self) -> String {
        match self {
            Self::Statistic(query) => query.sql(),
            Self::Rows(query) => query.sql(),
        }
    }

    /// Returns true if its rows come in one order only.
    #[must_use]
    pub fn order(&self) -> Order {
        let ordered = match self {
            Self::Statistic(query) => query.is_ordered(),
            Self::Rows(query) => query.is_ordered(),
        };
        if ordered { Order::Total } else { Order::Any }
    }
}

impl Smaller for RandomQuery {
    fn smaller(&self) -> Vec<Self> {
        match self {
            Self::Statistic(query) => query.smaller().into_iter().map(Self::Statistic).collect(),
            Self::Rows(query) => query.smaller().into_iter().map(Self::Rows).collect(),
        }
    }
}

/// One of several, at random. The list is not empty.
fn pick<'a, T>(rng: &mut ChaCha8Rng, from: &'a [T]) -> &'a T {
    &from[rng.random_range(0..from.len())]
}
