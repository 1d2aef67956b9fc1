//! A random query over public tables: rows, or anything.

use std::fmt::Write;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::conditions::filter;
use super::pick;
use super::vocabulary::{From, PUBLIC};

/// A random query over public tables.
#[derive(Debug, Clone, PartialEq)]
pub struct RowQuery {
    from: &'static From,
    columns: Vec<String>,
    /// Aggregates; the columns are then the keys.
    aggregates: Vec<String>,
    filters: Vec<String>,
    distinct: bool,
    limit: Option<u32>,
}

impl RowQuery {
    /// Draws one.
    pub fn random(rng: &mut ChaCha8Rng) -> Self {
        let from = pick(rng, PUBLIC);
        let columns: Vec<String> = (0..rng.random_range(1..=4)).map(|_| column(rng, from)).collect();
        let aggregates: Vec<String> = if rng.random_bool(0.4) {
            (0..rng.random_range(1..=3)).map(|_| aggregate(rng, from)).collect()
        } else {
            vec![]
        };
        let filters = (0..rng.random_range(0..=2)).map(|_| filter(rng, from)).collect();
        let distinct = aggregates.is_empty() && rng.random_bool(0.3);
        // Rows that are equal in every column may come in either order.
        let limit = rng.random_bool(0.3).then(|| rng.random_range(1..20));
        Self { from, columns, aggregates, filters, distinct, limit }
    }

    /// Returns true if its rows come in one order only.
    pub fn is_ordered(&self) -> bool {
        self.limit.is_some()
    }

    /// Its text.
    pub fn sql(&self) -> String {
        let columns = self.columns.iter().enumerate().map(|(i, column)| format!("{column} AS c{i}"));
        let aggregates = self.aggregates.iter().enumerate().map(|(i, aggregate)| format!("{aggregate} AS a{i}"));
        let select: Vec<String> = columns.chain(aggregates).collect();
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        let mut sql = format!("SELECT {distinct}{} FROM {}", select.join(", "), self.from.text);
        if !self.filters.is_empty() {
            let _ = write!(sql, " WHERE {}", self.filters.join(" AND "));
        }
        if !self.aggregates.is_empty() {
            let _ = write!(sql, " GROUP BY {}", self.columns.join(", "));
        }
        if let Some(limit) = self.limit {
            let order: Vec<String> = (0..self.columns.len()).map(|i| format!("c{i} NULLS LAST")).collect();
            let _ = write!(sql, " ORDER BY {} LIMIT {limit}", order.join(", "));
        }
        sql
    }

    /// Returns the queries with one clause less.
    pub fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut query = self.clone();
            change(&mut query);
            if query != *self {
                all.push(query);
            }
        };
        add(&|q| q.limit = None);
        add(&|q| q.distinct = false);
        for i in 0..self.filters.len() {
            add(&|q| drop(q.filters.remove(i)));
        }
        for i in 0..self.aggregates.len() {
            add(&|q| drop(q.aggregates.remove(i)));
        }
        if self.columns.len() > 1 {
            for i in 0..self.columns.len() {
                add(&|q| drop(q.columns.remove(i)));
            }
        }
        all
    }
}

/// Every column of a FROM clause, with its alias, that can be compared exactly.
fn names(from: &From) -> Vec<String> {
    let of = |(alias, words): &(&'static str, &'static super::vocabulary::Vocabulary)| {
        let texts = words.texts.iter().map(|(name, _)| *name);
        let numbers = words.numbers.iter().map(|(name, _, _)| *name);
        let days = words.days.iter().chain(words.moments).copied();
        texts.chain(numbers).chain(days).map(|name| format!("{alias}.{name}")).collect::<Vec<_>>()
    };
    from.tables.iter().flat_map(of).collect()
}

fn measures(from: &From) -> Vec<String> {
    let of = |(alias, words): &(&'static str, &'static super::vocabulary::Vocabulary)| {
        words.measures.iter().chain(words.numbers).map(|(name, _, _)| format!("{alias}.{name}")).collect::<Vec<_>>()
    };
    from.tables.iter().flat_map(of).collect()
}

fn column(rng: &mut ChaCha8Rng, from: &From) -> String {
    let measures = measures(from);
    if !measures.is_empty() && rng.random_bool(0.25) {
        return pick(rng, &measures).clone();
    }
    pick(rng, &names(from)).clone()
}

fn aggregate(rng: &mut ChaCha8Rng, from: &From) -> String {
    let measures = measures(from);
    let name = pick(rng, &names(from)).clone();
    if measures.is_empty() || rng.random_bool(0.4) {
        return match rng.random_range(0..4) {
            0 => "count(*)".into(),
            1 => format!("min({name})"),
            2 => format!("max({name})"),
            _ => format!("count(DISTINCT {name})"),
        };
    }
    let measure = pick(rng, &measures);
    let function = *pick(rng, &["sum", "avg", "min", "max", "count", "stddev", "median"]);
    format!("{function}({measure})")
}
