//! Holds a federation's answers against DuckDB's over the same files.

use std::fmt::{self, Write};

use futures::{StreamExt, stream};
use wanqu_model::refusal::Code;

use super::{EdgeQuery, numbers, world_of};
use crate::compare::Order;
use crate::duck::{Duck, DuckError, difference};
use crate::federation::{Federation, HONG_KONG, MACAU, SHENZHEN};
use crate::grammar::smallest;
use crate::oracle::Oracle;
use crate::world::World;

/// Number of queries that run at once.
const AT_ONCE: usize = 4;

/// A federation, and DuckDB over the same files.
pub struct Three {
    /// The federation.
    pub federation: Federation,
    /// DuckDB.
    pub duck: Duck,
}

/// Result of comparing one query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Both gave the same answer.
    Same,
    /// Refused, in words.
    Refused(Code),
    /// Neither can be held against the other: DuckDB does not answer.
    NotCompared(String),
    /// They differ.
    Wrong(String),
}

/// Numbers of outcomes, and a report of what is wrong.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answered, and the same.
    pub same: u64,
    /// Refused.
    pub refused: u64,
    /// Not compared, since DuckDB does not answer.
    pub not_compared: u64,
    /// Wrong ones.
    pub wrong: u64,
    /// Each wrong one as small as it can be; empty if there is none.
    pub report: String,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { same, refused, not_compared, wrong, .. } = self;
        write!(f, "{same} the same, {refused} refused, {not_compared} not compared, {wrong} wrong")
    }
}

impl Tally {
    /// The share of queries that were answered and compared.
    #[must_use]
    pub fn answered(&self) -> f64 {
        let all = self.same + self.refused + self.not_compared + self.wrong;
        (self.same + self.wrong) as f64 / all.max(1) as f64
    }

    /// The share of queries that DuckDB does not answer.
    #[must_use]
    pub fn lost(&self) -> f64 {
        self.not_compared as f64 / (self.same + self.refused + self.not_compared + self.wrong).max(1) as f64
    }
}

impl Three {
    /// Starts both over a world.
    ///
    /// # Panics
    /// If one does not start.
    pub async fn over(world: World) -> Self {
        let oracle = Oracle::over(&world.bundles().expect("bundles")).await.expect("the first oracle");
        let duck = Duck::over(&oracle).unwrap_or_else(|e| panic!("{e}"));
        Self { federation: Federation::start(world).await.expect("a federation"), duck }
    }

    /// Holds one query's answers against each other. `must_fail` says that a value without room in its type has to fail
    /// the query; behind the gate it is NULL, and DuckDB cannot say so.
    pub async fn outcome(&self, home: &str, ours: &str, theirs: &str, order: Order, must_fail: bool) -> Outcome {
        // What is refused is not asked of DuckDB: it may be no query at all.
        let got = match self.federation.ask(home, ours).await {
            Ok(answer) => answer.rows,
            Err(refusal) if refusal.code == Code::Internal => return Outcome::Wrong(format!("failed: {refusal}")),
            Err(refusal) => return Outcome::Refused(refusal.code),
        };
        match self.duck.answer(theirs) {
            Ok(expected) => difference(&expected, &got, order).map_or(Outcome::Same, Outcome::Wrong),
            Err(error) if must_fail && error.is_about_values() => {
                Outcome::Wrong(format!("answered, and DuckDB says: {}", first_line(&error)))
            }
            Err(error) => Outcome::NotCompared(first_line(&error)),
        }
    }

    async fn outcome_of(&self, query: &EdgeQuery, number: u64, protected: bool) -> Outcome {
        let order = if query.is_ordered() { Order::Total } else { Order::Any };
        self.outcome(home_of(number), &query.ours(), &query.theirs(), order, !protected && query.computes_all()).await
    }

    /// Asks random queries, and makes each that goes wrong as small as it can be.
    pub async fn random(&self, seed: u64, count: u64, protected: bool) -> Tally {
        let checks = (0..count).map(|number| async move {
            let query = EdgeQuery::of(seed, number, protected);
            (number, self.outcome_of(&query, number, protected).await)
        });
        let outcomes: Vec<(u64, Outcome)> = stream::iter(checks).buffer_unordered(AT_ONCE).collect().await;
        let mut tally = Tally::default();
        for (number, outcome) in outcomes {
            match outcome {
                Outcome::Same => tally.same += 1,
                Outcome::Refused(_) => tally.refused += 1,
                Outcome::NotCompared(why) => {
                    tally.not_compared += 1;
                    if std::env::var_os("WANQU_SHOW_LOST").is_some() {
                        println!("{why}\n  {}", EdgeQuery::of(seed, number, protected).theirs());
                    }
                }
                Outcome::Wrong(_) => {
                    tally.wrong += 1;
                    // Shrinking asks hundreds of queries: a few examples say enough.
                    if tally.report.len() < 40_000 {
                        // Each row left out is a federation started anew.
                        let rows = tally.wrong <= 3;
                        tally.report += &self.shrunk(seed, number, protected, rows).await;
                    }
                }
            }
        }
        tally
    }

    async fn shrunk(&self, seed: u64, number: u64, protected: bool, rows: bool) -> String {
        let fails = |query: EdgeQuery| async move {
            matches!(self.outcome_of(&query, number, protected).await, Outcome::Wrong(_))
        };
        let small = smallest(EdgeQuery::of(seed, number, protected), fails).await;
        let outcome = self.outcome_of(&small, number, protected).await;
        let what = if let Outcome::Wrong(what) = outcome { what } else { "not every time".into() };
        let mut report = format!("seed {seed}, query {number}, asked at {}\n{}\n", home_of(number), small.ours());
        if rows {
            let _ = writeln!(report, "over the rows {:?}", fewest(&small, number, protected).await);
        }
        if small.theirs() != small.ours() {
            let _ = writeln!(report, "DuckDB: {}", small.theirs());
        }
        let _ = writeln!(report, "  {what}\n");
        report
    }
}

/// The numbers of the fewest rows over which a query still goes wrong, found by leaving out halves, then quarters, then less.
async fn fewest(query: &EdgeQuery, number: u64, protected: bool) -> Vec<i64> {
    let mut kept = numbers();
    let mut size = kept.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(start..(start + size).min(kept.len()));
            let Ok(world) = world_of(&fewer) else { return kept };
            match Three::over(world).await.outcome_of(query, number, protected).await {
                Outcome::Wrong(_) => kept = fewer,
                _ => start += size,
            }
        }
        size /= 2;
    }
    kept
}

fn first_line(error: &DuckError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Queries are asked at each home node in turn.
fn home_of(number: u64) -> &'static str {
    [SHENZHEN, HONG_KONG, MACAU][usize::try_from(number % 3).unwrap_or_default()]
}
