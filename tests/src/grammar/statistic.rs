//! A random query over people: cells, and what is done with cells at home.

use std::collections::HashSet;
use std::fmt::Write;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::aggregates::{aggregate, key};
use super::conditions::filter;
use super::pick;
use super::vocabulary::{From, STATISTICS};

/// Form of the grouping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// One row for each group.
    Plain,
    /// And totals over the last keys.
    Rollup,
    /// And totals over any of the keys.
    Cube,
}

/// Clauses over the cells.
#[derive(Debug, Clone, PartialEq)]
pub enum Around {
    /// Nothing.
    Nothing,
    /// A CTE, read by another SELECT with a condition.
    Cte(String),
    /// Grouped once more, by the first key.
    Regroup,
    /// A window function over all of them.
    Window(&'static str),
    /// One more statistic of the same form, with another condition, below it.
    Union(String),
    /// Joined with the public list of specialties.
    Codes,
}

/// A random query over people.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistic {
    from: &'static From,
    /// Conditions go into a derived table below the aggregate.
    derived: bool,
    keys: Vec<String>,
    aggregates: Vec<String>,
    filters: Vec<String>,
    having: Vec<String>,
    grouping: Grouping,
    around: Around,
    ordered: bool,
    limit: Option<u32>,
}

const WINDOWS: &[&str] = &[
    "rank() OVER (ORDER BY n DESC)",
    "sum(n) OVER ()",
    "row_number() OVER (ORDER BY KEYS)",
    "n - lag(n) OVER (ORDER BY KEYS)",
    "max(n) OVER (PARTITION BY k0)",
];

impl Statistic {
    /// Draws one.
    pub fn random(rng: &mut ChaCha8Rng) -> Self {
        // The first source, all visits of the three cities, is what most people ask about.
        let from = if rng.random_bool(0.35) { &STATISTICS[0] } else { pick(rng, STATISTICS) };
        let mut keys: Vec<String> = (0..rng.random_range(0..=3)).map(|_| key(rng, from)).collect();
        let mut seen = HashSet::new();
        keys.retain(|key| seen.insert(key.clone()));
        let twice = !keys.is_empty() && rng.random_bool(0.05);
        let aggregates: Vec<String> = (0..rng.random_range(1..=3)).map(|_| aggregate(rng, from)).collect();
        let filters = (0..rng.random_range(0..=2)).map(|_| filter(rng, from)).collect();
        let having = if keys.is_empty() || rng.random_bool(0.8) {
            vec![]
        } else {
            vec![format!("count(*) > {}", rng.random_range(0..20))]
        };
        let grouping = match rng.random_range(0..10) {
            0 if !keys.is_empty() => Grouping::Rollup,
            1 if !keys.is_empty() => Grouping::Cube,
            _ => Grouping::Plain,
        };
        if twice && grouping == Grouping::Plain {
            // Another way to write a key that is there already; the oracle has none for it in totals.
            keys.push(format!("({})", keys[0]));
        }
        let mut aggregates = aggregates;
        if grouping != Grouping::Plain {
            // Distinct people of several cells do not add up to those of their total.
            aggregates.retain(|aggregate| !aggregate.contains("DISTINCT"));
        }
        let around = if grouping == Grouping::Plain { around(rng, from, &keys) } else { Around::Nothing };
        let orderable = grouping == Grouping::Plain && matches!(around, Around::Nothing | Around::Cte(_));
        let ordered = orderable && !keys.is_empty() && rng.random_bool(0.4);
        let limit = (ordered && rng.random_bool(0.5)).then(|| rng.random_range(1..8));
        let derived = from.tables.len() == 1 && rng.random_bool(0.15);
        Self { from, derived, keys, aggregates, filters, having, grouping, around, ordered, limit }
    }

    /// Returns true if its rows come in one order only.
    pub fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// Its text.
    pub fn sql(&self) -> String {
        let cells = self.cells(None);
        let keys = (0..self.keys.len()).map(|i| format!("k{i}")).collect::<Vec<_>>().join(", ");
        let mut sql = match &self.around {
            Around::Nothing => cells,
            Around::Cte(condition) => format!("WITH cells AS ({cells}) SELECT * FROM cells WHERE {condition}"),
            Around::Regroup => {
                format!("SELECT k0, sum(n) AS n, count(*) AS cells, max(n) AS most FROM ({cells}) c GROUP BY k0")
            }
            Around::Window(function) => {
                let function = function.replace("KEYS", &keys);
                format!("SELECT *, {function} AS w FROM ({cells}) c")
            }
            Around::Union(condition) => format!("{cells} UNION ALL {}", self.cells(Some(condition))),
            Around::Codes => format!(
                "SELECT c.*, t.title, t.weight FROM ({cells}) c LEFT JOIN gba.reference.specialties t ON c.k0 = t.specialty"
            ),
        };
        if self.ordered {
            let _ = write!(sql, " ORDER BY {keys}");
        }
        if let Some(limit) = self.limit {
            let _ = write!(sql, " LIMIT {limit}");
        }
        sql
    }

    /// The SELECT that makes the cells.
    fn cells(&self, more: Option<&str>) -> String {
        let keys = self.keys.iter().enumerate().map(|(i, key)| format!("{key} AS k{i}"));
        let aggregates = self.aggregates.iter().enumerate().map(|(i, aggregate)| format!("{aggregate} AS a{i}"));
        let columns: Vec<String> = keys.chain(["count(*) AS n".to_owned()]).chain(aggregates).collect();
        let mut filters: Vec<&str> = self.filters.iter().map(String::as_str).collect();
        filters.extend(more);
        let wheres = if filters.is_empty() { String::new() } else { format!(" WHERE {}", filters.join(" AND ")) };
        let mut sql = if self.derived {
            let alias = self.from.tables[0].0;
            format!("SELECT {} FROM (SELECT * FROM {}{wheres}) {alias}", columns.join(", "), self.from.text)
        } else {
            format!("SELECT {} FROM {}{wheres}", columns.join(", "), self.from.text)
        };
        if !self.keys.is_empty() {
            let keys = self.keys.join(", ");
            let _ = match self.grouping {
                Grouping::Plain => write!(sql, " GROUP BY {keys}"),
                Grouping::Rollup => write!(sql, " GROUP BY ROLLUP ({keys})"),
                Grouping::Cube => write!(sql, " GROUP BY CUBE ({keys})"),
            };
        }
        if !self.having.is_empty() {
            let _ = write!(sql, " HAVING {}", self.having.join(" AND "));
        }
        sql
    }

    /// Returns the queries with one clause less.
    pub fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut query = self.clone();
            change(&mut query);
            query.repair();
            if query != *self {
                all.push(query);
            }
        };
        add(&|q| q.around = Around::Nothing);
        add(&|q| q.grouping = Grouping::Plain);
        add(&|q| q.derived = false);
        add(&|q| q.limit = None);
        add(&|q| q.ordered = false);
        add(&|q| q.having.clear());
        for i in 0..self.filters.len() {
            add(&|q| drop(q.filters.remove(i)));
        }
        for i in 0..self.aggregates.len() {
            add(&|q| drop(q.aggregates.remove(i)));
        }
        for i in 0..self.keys.len() {
            add(&|q| drop(q.keys.remove(i)));
        }
        all
    }

    /// Leaves out what no longer makes sense without a clause that was left out.
    fn repair(&mut self) {
        if self.keys.is_empty() {
            self.grouping = Grouping::Plain;
            self.ordered = false;
            self.having.clear();
            if !matches!(self.around, Around::Cte(_) | Around::Union(_)) {
                self.around = Around::Nothing;
            }
        }
        if self.around == Around::Codes && !self.keys.first().is_some_and(|key| key.ends_with(".specialty")) {
            self.around = Around::Nothing;
        }
        if !self.ordered {
            self.limit = None;
        }
    }
}

fn around(rng: &mut ChaCha8Rng, from: &'static From, keys: &[String]) -> Around {
    match rng.random_range(0..12) {
        0 => Around::Cte(format!("n >= {}", rng.random_range(0..30))),
        1 if !keys.is_empty() => Around::Regroup,
        2 if !keys.is_empty() => Around::Window(*pick(rng, WINDOWS)),
        3 => Around::Union(filter(rng, from)),
        4 | 5 if keys.first().is_some_and(|key| key == "v.specialty") => Around::Codes,
        _ => Around::Nothing,
    }
}
