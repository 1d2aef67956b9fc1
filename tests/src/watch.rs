//! Watching everything at once: what crosses, what the researcher sees, and what is logged.

use wanqu_model::refusal::Refusal;

use crate::federation::{Answered, Federation};
use crate::health::Canaries;
use crate::logs::Logs;
use crate::tap::{Needle, found, needles};

/// Looks for planted values everywhere.
pub struct Watch {
    needles: Vec<Needle>,
    logs: &'static Logs,
}

impl Default for Watch {
    fn default() -> Self {
        Self { needles: needles(&Canaries::planted()), logs: Logs::keep() }
    }
}

impl Watch {
    /// Where planted values were seen since this was last asked: in crossings, in logs, and in what the researcher got.
    /// Nothing is named but the place and the kind of value.
    #[must_use]
    pub fn seen(&self, federation: &Federation, answer: &Result<Answered, Refusal>) -> Vec<String> {
        let mut seen = self.crossed(federation);
        let text = match answer {
            Ok(answered) => answered.seen(),
            Err(refusal) => format!("{refusal:?} {refusal}"),
        };
        seen.extend(found(&self.needles, text.as_bytes()).into_iter().map(|name| format!("the researcher saw {name}")));
        seen
    }

    /// Where planted values were seen in crossings and in logs.
    #[must_use]
    pub fn crossed(&self, federation: &Federation) -> Vec<String> {
        let mut seen = Vec::new();
        for crossing in federation.tap.take() {
            let names = found(&self.needles, &crossing.bytes).into_iter();
            seen.extend(names.map(|name| format!("from {} to {} crossed {name}", crossing.from, crossing.to)));
        }
        for line in self.logs.take().split(|byte| *byte == b'\n') {
            let names = found(&self.needles, line);
            if !names.is_empty() {
                let line = String::from_utf8_lossy(line);
                let whose: Vec<&str> = line.split_whitespace().skip(1).take(2).collect();
                seen.push(format!("the log has {} in a line of {}", names.join(", "), whose.join(" ")));
            }
        }
        seen
    }
}
