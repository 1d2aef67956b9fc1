//! Holds a federation's answers against the oracle's, several at a time.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use futures::{StreamExt, stream};

use crate::compare::{Order, difference_but_cut};
use crate::federation::{Federation, HONG_KONG, MACAU, SHENZHEN};
use crate::grammar::{RandomQuery, smallest};
use crate::oracle::Oracle;
use crate::slt::{Expected, Listed};

/// Number of queries that run at once.
const AT_ONCE: usize = 4;

/// A federation, and the oracle over the same files.
pub struct Pair {
    /// The federation.
    pub federation: Federation,
    /// The oracle.
    pub oracle: Oracle,
}

impl Pair {
    /// Returns the difference of the federation's answer from the oracle's; `None` if there is none.
    pub async fn wrong(&self, home: &str, sql: &str, order: Order) -> Option<String> {
        let expected = match self.oracle.answer(sql).await {
            Ok(rows) => rows,
            Err(error) => return Some(format!("the oracle cannot answer: {error}")),
        };
        match self.federation.ask(home, sql).await {
            Ok(answer) => difference_but_cut(&expected, &answer.rows, order),
            Err(refusal) => Some(format!("refused: {refusal}")),
        }
    }

    /// Returns what is wrong with the answer to a listed query; `None` if nothing is.
    async fn wrong_listed(&self, number: usize, query: &Listed) -> Option<String> {
        let home = home_of(number as u64);
        match &query.expected {
            Expected::Answer { order, .. } => self.wrong(home, &query.sql, *order).await,
            Expected::Refusal(code) => match self.federation.ask(home, &query.sql).await {
                Ok(_) => Some(format!("answered, and should be refused with {code}")),
                Err(refusal) if refusal.code.to_string() == *code => None,
                Err(refusal) => Some(format!("should be refused with {code}, is: {refusal}")),
            },
        }
    }

    /// Everything that is wrong with listed queries, in words; empty if nothing is.
    pub async fn wrong_of_listed(&self, queries: &[Listed]) -> String {
        let checks = queries.iter().enumerate().map(|(number, query)| async move {
            let wrong = self.wrong_listed(number, query).await?;
            Some(format!("{}\n{}\n  {wrong}\n\n", query.place, query.sql))
        });
        stream::iter(checks).buffer_unordered(AT_ONCE).filter_map(|wrong| async move { wrong }).collect().await
    }

    /// Everything that is wrong with random queries, each made as small as it can be, and written to a file in a
    /// folder as well.
    pub async fn wrong_of_random(&self, seed: u64, count: u64, folder: &Path) -> String {
        let checks = (0..count).map(|number| async move {
            let query = RandomQuery::of(seed, number);
            self.wrong(home_of(number), &query.sql(), query.order()).await.map(|_| number)
        });
        let failed: Vec<u64> =
            stream::iter(checks).buffer_unordered(AT_ONCE).filter_map(|number| async move { number }).collect().await;
        let mut report = String::new();
        for number in &failed {
            // Shrinking asks dozens of queries: a few examples say enough.
            if report.len() > 20_000 {
                let _ = writeln!(report, "and more: {} of {count} in all", failed.len());
                break;
            }
            let home = home_of(*number);
            let fails =
                |query: RandomQuery| async move { self.wrong(home, &query.sql(), query.order()).await.is_some() };
            let small = smallest(RandomQuery::of(seed, *number), fails).await;
            let wrong = self.wrong(home, &small.sql(), small.order()).await.unwrap_or_else(|| "not every time".into());
            let _ = writeln!(report, "seed {seed}, query {number}, asked at {home}\n{}\n  {wrong}\n", small.sql());
        }
        if !report.is_empty() {
            let file = folder.join("failing-random-queries.txt");
            let written = fs::write(&file, &report);
            let _ = writeln!(report, "written to {}: {written:?}", file.display());
        }
        report
    }
}

/// Queries are asked at each home node in turn.
fn home_of(number: u64) -> &'static str {
    [SHENZHEN, HONG_KONG, MACAU][usize::try_from(number % 3).unwrap_or_default()]
}
