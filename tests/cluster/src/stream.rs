//! A steady stream of questions whose answers are known, while a platform does to a federation what platforms do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use uuid::Uuid;
use wanqu_model::refusal::{Code, Refusal};

use crate::researcher::{Answered, Researcher, ask};

/// How long a client goes on asking a federation that says that a node of it ends or is away.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long it waits before it asks once more.
const BEFORE_AGAIN: Duration = Duration::from_millis(500);
/// Between two questions: a steady stream, and no flood.
const PAUSE: Duration = Duration::from_millis(200);

/// A question, and its rows as CSV.
#[derive(Debug, Clone)]
pub struct Known {
    /// The SQL.
    pub sql: String,
    /// The rows.
    pub rows: String,
}

/// What came of the questions so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many were answered rightly.
    pub right: usize,
    /// How often one was asked again, since a node said that it ends or was away.
    pub again: usize,
    /// The longest that one took, all tries together.
    pub longest: Duration,
    /// What was answered wrongly.
    pub wrong: Vec<String>,
    /// What was not answered: refused for another reason, or for too long.
    pub failed: Vec<String>,
    /// The ids of the queries that were answered.
    pub queries: Vec<Uuid>,
}

/// Questions that are asked again and again, until [`end`](Self::end).
pub struct Stream {
    tally: Arc<Mutex<Tally>>,
    over: Arc<AtomicBool>,
    askers: JoinSet<()>,
}

impl Stream {
    /// So many askers, each with every question in turn.
    #[must_use]
    pub fn start(researcher: &Arc<Researcher>, questions: &[Known], askers: usize) -> Self {
        let mut stream = Self { tally: Arc::default(), over: Arc::default(), askers: JoinSet::new() };
        for asker in 0..askers {
            let researcher = Arc::clone(researcher);
            let (tally, over) = (Arc::clone(&stream.tally), Arc::clone(&stream.over));
            let questions: Vec<Known> = questions.iter().cycle().skip(asker).take(questions.len()).cloned().collect();
            stream.askers.spawn(async move { go_on(&researcher, &questions, &tally, &over).await });
        }
        stream
    }

    /// What came of it so far.
    #[must_use]
    pub fn so_far(&self) -> Tally {
        locked(&self.tally).clone()
    }

    /// Asks no more, and waits for the last answers.
    ///
    /// # Panics
    /// If an asker did.
    pub async fn end(mut self) -> Tally {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.askers.join_next().await {
            ended.expect("an asker does not panic");
        }
        self.so_far()
    }
}

impl Tally {
    /// Counts what a try came to, so long after the first; whether it was the last.
    fn take(&mut self, known: &Known, outcome: Result<Answered, Refusal>, elapsed: Duration) -> bool {
        self.longest = self.longest.max(elapsed);
        match outcome {
            Ok(answered) if answered.rows == known.rows => {
                self.right += 1;
                self.queries.push(answered.summary.query_id);
            }
            Ok(answered) => {
                self.wrong.push(format!("{}\n{}instead of\n{}", known.sql, answered.rows, known.rows));
            }
            Err(refusal) if passes(&refusal) && elapsed < PATIENCE => {
                self.again += 1;
                return false;
            }
            Err(refusal) => self.failed.push(format!("after {:.1} s: {refusal}", elapsed.as_secs_f64())),
        }
        true
    }

    /// # Panics
    /// If any answer was wrong, or missing.
    pub fn check(&self) {
        assert!(self.wrong.is_empty(), "wrong answers: {:#?}", self.wrong);
        assert!(self.failed.is_empty(), "questions that failed: {:#?}", self.failed);
    }
}

fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn go_on(researcher: &Researcher, questions: &[Known], tally: &Mutex<Tally>, over: &AtomicBool) {
    // One connection as long as it is believed, as a program has it that runs all day.
    let (mut trusted, mut client) = (researcher.trusted(), researcher.client());
    for known in questions.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let begun = Instant::now();
        loop {
            let now = researcher.trusted();
            if now != trusted {
                (trusted, client) = (now, researcher.client());
            }
            let outcome = ask(&client, &known.sql).await;
            if locked(tally).take(known, outcome, begun.elapsed()) {
                break;
            }
            tokio::time::sleep(BEFORE_AGAIN).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a node is away or ends: it will be back.
fn passes(refusal: &Refusal) -> bool {
    matches!(refusal.code, Code::Draining | Code::OwnerUnavailable)
}

#[cfg(test)]
mod tests {
    use wanqu_model::answer::Summary;

    use super::*;

    #[test]
    fn a_wrong_row_and_a_refusal_that_stays_are_seen_and_nothing_else_is_counted_against_it() {
        let known = Known { sql: "SELECT 1".to_owned(), rows: "n\n1\n".to_owned() };
        let rows = |rows: &str| Ok(Answered { rows: rows.to_owned(), summary: Summary::default() });
        let refused = |code| Err(Refusal::new(code, "no"));
        let mut tally = Tally::default();
        assert!(tally.take(&known, rows("n\n1\n"), Duration::ZERO));
        assert!(!tally.take(&known, refused(Code::Draining), Duration::ZERO));
        assert!(!tally.take(&known, refused(Code::OwnerUnavailable), PATIENCE / 2));
        tally.check();
        assert_eq!((tally.right, tally.again, tally.longest), (1, 2, PATIENCE / 2));
        for (outcome, elapsed) in [
            (rows("n\n2\n"), Duration::ZERO),
            (rows("n\n"), Duration::ZERO),
            (refused(Code::OwnerUnavailable), PATIENCE),
            (refused(Code::Identity), Duration::ZERO),
            (refused(Code::NoAgreement), Duration::ZERO),
        ] {
            let mut tally = tally.clone();
            assert!(tally.take(&known, outcome, elapsed));
            assert!(std::panic::catch_unwind(|| tally.check()).is_err(), "it is told");
        }
    }
}
