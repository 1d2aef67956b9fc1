//! A random query over the world of edges, held as its clauses.

use std::fmt::Write;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::forms::{KINDS, Kind, Tongue, aggregates, statistics, windows};
use super::from::{From, PUBLIC, SECRET};
use super::node::Node;
use crate::grammar::Smaller;

/// A set operation, and the second query.
#[derive(Debug, Clone, PartialEq)]
struct Combined {
    operator: &'static str,
    with: Box<Select>,
}

/// A random query.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeQuery {
    first: Select,
    combined: Option<Combined>,
    limit: Option<(u32, u32)>,
}

/// One SELECT.
#[derive(Debug, Clone, PartialEq)]
struct Select {
    from: &'static From,
    on: Option<Node>,
    /// Columns; group keys if there are aggregates.
    columns: Vec<Node>,
    aggregates: Vec<Node>,
    filter: Option<Node>,
    having: Option<Node>,
    distinct: bool,
    rollup: bool,
    /// Read through a derived table.
    derived: bool,
}

const OPERATORS: &[&str] = &["UNION ALL", "UNION", "EXCEPT", "EXCEPT ALL", "INTERSECT", "INTERSECT ALL"];

impl EdgeQuery {
    /// The query of a number, over public rows or over protected ones: the same for the same seed.
    #[must_use]
    pub fn of(seed: u64, number: u64, protected: bool) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ u64::from(protected));
        rng.set_stream(number);
        let rng = &mut rng;
        if protected {
            return Self { first: Select::statistic(rng), combined: None, limit: None };
        }
        let kinds: Vec<Kind> = (0..rng.random_range(1..=3)).filter_map(|_| KINDS.choose(rng).copied()).collect();
        let first = Select::random(rng, &kinds);
        let combined = rng.random_bool(0.12).then(|| Combined {
            operator: OPERATORS.choose(rng).copied().unwrap_or("UNION"),
            with: Box::new(Select::plain(rng, &kinds)),
        });
        let first = if combined.is_some() { Select::plain(rng, &kinds) } else { first };
        let limit = rng.random_bool(0.15).then(|| (rng.random_range(0..8), rng.random_range(0..3)));
        Self { first, combined, limit }
    }

    /// Its text for the federation.
    #[must_use]
    pub fn ours(&self) -> String {
        self.text(Tongue::Ours)
    }

    /// Its text for DuckDB.
    #[must_use]
    pub fn theirs(&self) -> String {
        self.text(Tongue::Theirs)
    }

    /// Returns true if its rows come in one order only.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.limit.is_some()
    }

    /// Returns true if every engine must compute every expression for every row, so that what fails in one has to fail in the
    /// other: with a condition, a join or a CASE an engine may not come to it.
    #[must_use]
    pub fn computes_all(&self) -> bool {
        let Self { first, combined: None, limit: None } = self else { return false };
        let text = first.text(Tongue::Ours);
        let choices = ["CASE", "coalesce", "AND", "OR ", "FILTER"];
        // DuckDB compares within 38 digits, and fails where those of both sides are more.
        if text.contains("t.w") && ["t.m", "DECIMAL", "0.5", "1.5"].iter().any(|other| text.contains(other)) {
            return false;
        }
        first.from.has_windows && first.filter.is_none() && !choices.iter().any(|word| text.contains(word))
    }

    fn text(&self, tongue: Tongue) -> String {
        let mut sql = self.first.text(tongue);
        if let Some(Combined { operator, with }) = &self.combined {
            let _ = write!(sql, " {operator} {}", with.text(tongue));
        }
        if let Some((rows, skipped)) = self.limit {
            // By every column, so that only equal rows can come in either order.
            let order: Vec<String> = (1..=self.first.width()).map(|column| format!("c{column}")).collect();
            let _ = write!(sql, " ORDER BY {} LIMIT {rows} OFFSET {skipped}", order.join(", "));
        }
        sql
    }
}

impl Select {
    fn empty(from: &'static From) -> Self {
        Self {
            from,
            on: None,
            columns: Vec::new(),
            aggregates: Vec::new(),
            filter: None,
            having: None,
            distinct: false,
            rollup: false,
            derived: false,
        }
    }

    /// Columns of these kinds and a condition.
    fn plain(rng: &mut ChaCha8Rng, kinds: &[Kind]) -> Self {
        let from = PUBLIC.choose(rng).unwrap_or(&PUBLIC[0]);
        let scope = from.scope;
        let mut select = Self::empty(from);
        if from.text.contains("{on}") {
            select.on = Some(Node::random(rng, scope, Kind::Truth, 2));
        }
        select.columns = kinds.iter().map(|kind| Node::random(rng, scope, *kind, 2)).collect();
        select.filter = rng.random_bool(0.6).then(|| Node::random(rng, scope, Kind::Truth, 3));
        select
    }

    fn random(rng: &mut ChaCha8Rng, kinds: &[Kind]) -> Self {
        let mut select = Self::plain(rng, kinds);
        let scope = select.from.scope;
        match rng.random_range(0..10) {
            0..=3 => {
                let count = rng.random_range(1..=3);
                let drawn = (0..count).filter_map(|_| aggregates().choose(rng));
                let drawn: Vec<_> = drawn.collect();
                select.aggregates = drawn.into_iter().map(|form| Node::of(rng, scope, form, 1)).collect();
                let keys = rng.random_range(0..=2);
                select.columns.truncate(keys);
                select.having = rng.random_bool(0.15).then(|| Node::Leaf(Kind::Truth, "count(*) > 1".into()));
                select.rollup = select.has_keys() && rng.random_bool(0.08);
            }
            4 | 5 if select.from.has_windows => {
                if let Some(form) = windows().choose(rng) {
                    select.columns.push(Node::of(rng, scope, form, 1));
                }
            }
            6 => select.distinct = true,
            _ => {}
        }
        select.derived = rng.random_bool(0.1);
        select
    }

    fn statistic(rng: &mut ChaCha8Rng) -> Self {
        let from = SECRET.choose(rng).unwrap_or(&SECRET[0]);
        let scope = from.scope;
        let mut select = Self::empty(from);
        let keys = [0, 1, 1, 2].choose(rng).copied().unwrap_or(0);
        let kinds: Vec<Kind> = (0..keys).filter_map(|_| KINDS.choose(rng).copied()).collect();
        select.columns = kinds.into_iter().map(|kind| Node::random(rng, scope, kind, 1)).collect();
        let drawn: Vec<_> = (0..rng.random_range(1..=3)).filter_map(|_| statistics().choose(rng)).collect();
        select.aggregates = drawn.into_iter().map(|form| Node::of(rng, scope, form, 1)).collect();
        select.filter = rng.random_bool(0.6).then(|| Node::random(rng, scope, Kind::Truth, 2));
        select.having = rng.random_bool(0.1).then(|| Node::Leaf(Kind::Truth, "count(*) > 1".into()));
        select.rollup = select.has_keys() && rng.random_bool(0.05);
        select
    }

    /// Returns true if there are keys, and none of them is a constant.
    fn has_keys(&self) -> bool {
        // A column has a table's name, in small letters.
        let names = |text: &str| text.contains('.') && text.starts_with(|c: char| c.is_ascii_lowercase());
        let is_column = |node: &Node| !matches!(node, Node::Leaf(_, text) if !names(text));
        !self.columns.is_empty() && self.columns.iter().all(is_column)
    }

    fn width(&self) -> usize {
        self.columns.len() + self.aggregates.len()
    }

    fn text(&self, tongue: Tongue) -> String {
        let all = self.columns.iter().chain(&self.aggregates).enumerate();
        let items: Vec<String> = all.map(|(i, node)| format!("{} AS c{}", node.text(tongue), i + 1)).collect();
        let on = self.on.as_ref().map_or_else(String::new, |on| on.text(tongue));
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        let mut sql = format!("SELECT {distinct}{} FROM {}", items.join(", "), self.from.text.replace("{on}", &on));
        if let Some(filter) = &self.filter {
            let _ = write!(sql, " WHERE {}", filter.text(tongue));
        }
        if !self.aggregates.is_empty() && !self.columns.is_empty() {
            // By place: a constant key written out would be read as a place. DataFusion reads no places in ROLLUP.
            let places = (1..=self.columns.len()).map(|place| place.to_string());
            let _ = if self.rollup {
                let keys: Vec<String> = self.columns.iter().map(|key| key.text(tongue)).collect();
                write!(sql, " GROUP BY ROLLUP ({})", keys.join(", "))
            } else {
                write!(sql, " GROUP BY {}", places.collect::<Vec<_>>().join(", "))
            };
        }
        if let Some(having) = &self.having {
            let _ = write!(sql, " HAVING {}", having.text(tongue));
        }
        if self.derived { format!("SELECT * FROM ({sql}) AS derived") } else { sql }
    }

    fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut select = self.clone();
            change(&mut select);
            if select != *self {
                all.push(select);
            }
        };
        add(&|s| s.derived = false);
        add(&|s| s.distinct = false);
        add(&|s| s.rollup = false);
        add(&|s| s.having = None);
        add(&|s| s.filter = None);
        if self.width() > 1 {
            for i in 0..self.columns.len() {
                add(&|s| drop(s.columns.remove(i)));
            }
            if self.aggregates.len() > 1 {
                for i in 0..self.aggregates.len() {
                    add(&|s| drop(s.aggregates.remove(i)));
                }
            }
        }
        for (i, node) in self.columns.iter().enumerate() {
            for smaller in node.smaller() {
                add(&|s| {
                    s.columns[i] = smaller.clone();
                    s.rollup &= s.has_keys();
                });
            }
        }
        for (i, node) in self.aggregates.iter().enumerate() {
            node.smaller()
                .iter()
                .filter(|n| is_aggregate(n))
                .for_each(|smaller| add(&|s| s.aggregates[i] = smaller.clone()));
        }
        for filter in self.filter.iter().flat_map(Node::smaller) {
            add(&|s| s.filter = Some(filter.clone()));
        }
        for on in self.on.iter().flat_map(Node::smaller) {
            add(&|s| s.on = Some(on.clone()));
        }
        all
    }
}

/// Returns true if an expression is still an aggregate of its own, and not the argument of one.
fn is_aggregate(node: &Node) -> bool {
    let Node::Call(form, _) = node else { return false };
    aggregates().iter().chain(statistics()).any(|aggregate| aggregate == *form)
}

impl Smaller for EdgeQuery {
    fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        if self.limit.is_some() {
            all.push(Self { limit: None, ..self.clone() });
        }
        if let Some(Combined { operator, with }) = &self.combined {
            all.push(Self { combined: None, ..self.clone() });
            all.push(Self { combined: None, first: (**with).clone(), ..self.clone() });
            // Both sides must keep their columns: only their conditions shrink.
            let kept = |smaller: &Select, of: &Select| smaller.columns == of.columns;
            for first in self.first.smaller().into_iter().filter(|s| kept(s, &self.first)) {
                all.push(Self { first, ..self.clone() });
            }
            for second in with.smaller().into_iter().filter(|s| kept(s, with)) {
                let combined = Some(Combined { operator, with: Box::new(second) });
                all.push(Self { combined, ..self.clone() });
            }
        } else {
            all.extend(self.first.smaller().into_iter().map(|first| Self { first, ..self.clone() }));
        }
        all
    }
}
