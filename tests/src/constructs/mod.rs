//! The constructs of SQL, each asked over public and over protected rows: what becomes of them is the page `docs/sql.md`.
//!
//! An answer is held against DuckDB's, so that the page cannot say of a wrong answer that it is one.

mod list;
mod page;

pub use list::TOPICS;
pub use page::{Language, page};

use wanqu_model::refusal::Code;

use crate::compare::Order;
use crate::duck::translated;
use crate::edges::{Outcome, Three};
use crate::federation::SHENZHEN;

/// Constructs of one topic.
#[derive(Debug)]
pub struct Topic {
    /// Its English heading.
    pub name: &'static str,
    /// Its Chinese heading.
    pub zh: &'static str,
    /// The constructs.
    pub constructs: &'static [Construct],
}

/// A construct, with an example over public rows and one over protected rows.
#[derive(Debug)]
pub struct Construct {
    /// Its English name.
    pub name: &'static str,
    /// Its Chinese name.
    pub zh: &'static str,
    /// The example over public rows.
    pub public: &'static str,
    /// The example over protected rows.
    pub protected: &'static str,
    /// DuckDB's text of the public example, where it is another.
    pub theirs: Option<&'static str>,
}

/// Support for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is answered.
    Answered,
    /// A rule refuses it.
    Refused(Code),
    /// It is not part of the dialect.
    Unsupported(Code),
    /// It fails, or its answer is not known to be right.
    Faulty,
}

/// A construct's states over public and over protected rows.
pub type States = [State; 2];

/// Names of the tables, the longer ones first, in an example and in SQL.
const TABLES: [(&str, &str); 6] = [
    ("@none", "macau.edge.none"),
    ("@one", "shenzhen.edge.one"),
    ("@t", "gba.edge.t"),
    ("@p", "gba.edge.p"),
    ("@k", "hongkong.edge.k"),
    ("@o", "hongkong.edge.o"),
];

/// An example as it is asked.
fn asked(example: &str) -> String {
    TABLES.iter().fold(example.to_owned(), |sql, (short, name)| sql.replace(short, name))
}

/// Asks every example. Gives the states in the order of [`TOPICS`], and in words whatever differs from DuckDB or fails.
pub async fn states(three: &Three) -> (Vec<States>, String) {
    let (mut all, mut wrong) = (Vec::new(), String::new());
    for construct in TOPICS.iter().flat_map(|topic| topic.constructs) {
        let mut states = [State::Answered; 2];
        let examples = [(construct.public, construct.theirs), (construct.protected, None)];
        for (state, (example, theirs)) in examples.into_iter().enumerate() {
            let theirs = translated(&asked(theirs.unwrap_or(example)));
            let outcome = three.outcome(SHENZHEN, &asked(example), &theirs, Order::Any, state == 0).await;
            states[state] = match outcome {
                Outcome::Same => State::Answered,
                Outcome::Refused(code) => refused(code),
                Outcome::NotCompared(what) | Outcome::Wrong(what) => {
                    wrong += &format!("{}: {what}\n  {example}\n", construct.name);
                    State::Faulty
                }
            };
        }
        all.push(states);
    }
    (all, wrong)
}

fn refused(code: Code) -> State {
    if matches!(code, Code::InvalidSql | Code::UnknownName) { State::Unsupported(code) } else { State::Refused(code) }
}
