//! How a query stands, as its status says it. Pure.

use wanqu_crds::kinds::{FederatedQuery, QueryRun, RunState};
use wanqu_model::refusal::Code;

use crate::failure::{End, Failure, Outcome};
use crate::render::cells::printable;

/// How a query stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Stands {
    /// Nothing has come of it yet; this is why.
    Waiting(String),
    /// It is not asked as it is.
    NotAccepted(String),
    /// It was asked; this came of it.
    Ended(Box<QueryRun>),
}

/// How a query stands.
#[must_use]
pub fn stands(query: &FederatedQuery) -> Stands {
    let waiting = || Stands::Waiting("waiting for the operator".to_owned());
    let Some(status) = &query.status else { return waiting() };
    if let Some(run) = status.runs.first().filter(|run| run.state != RunState::Running) {
        return Stands::Ended(Box::new(run.clone()));
    }
    let of = |kind: &str| status.conditions.iter().find(|condition| condition.type_ == kind);
    match of("Accepted") {
        Some(accepted) if accepted.status == "False" => Stands::NotAccepted(printable(&accepted.message)),
        Some(accepted) if accepted.status != "True" => Stands::Waiting(printable(&accepted.message)),
        _ => of("Running").map_or_else(waiting, |running| Stands::Waiting(printable(&running.message))),
    }
}

/// The run whose answer is wanted: the one of this number, or else the latest that was answered.
pub fn pick(query: &FederatedQuery, number: Option<u32>) -> Outcome<QueryRun> {
    let name = query.metadata.name.as_deref().unwrap_or_default();
    let runs = query.status.as_ref().map(|status| status.runs.as_slice()).unwrap_or_default();
    let wanted = |run: &&QueryRun| number.map_or(run.state == RunState::Complete, |number| run.number == number);
    match (runs.iter().find(wanted), runs.first()) {
        (Some(run), _) if run.state == RunState::Complete => Ok(run.clone()),
        (Some(run), _) => Err(unanswered(run)),
        (None, Some(latest)) if number.is_none() => Err(unanswered(latest)),
        (None, Some(_)) => {
            let known: Vec<String> = runs.iter().map(|run| run.number.to_string()).collect();
            Err(Failure::failed(format!("FederatedQuery {name} remembers no such run, but {}", known.join(", "))))
        }
        (None, None) => Err(match stands(query) {
            Stands::NotAccepted(why) => not_accepted(&why),
            Stands::Waiting(why) => Failure::failed(format!("FederatedQuery {name} was not asked yet: {why}")),
            Stands::Ended(run) => unanswered(&run),
        }),
    }
}

/// Why a query is not asked.
#[must_use]
pub fn not_accepted(why: &str) -> Failure {
    Failure::Told(End::Refused, format!("not accepted: {why}"))
}

/// Why a run has no answer.
#[must_use]
pub fn unanswered(run: &QueryRun) -> Failure {
    if run.state == RunState::Running {
        return Failure::failed("it is still being asked; ask for its result again when it has ended");
    }
    let text = printable(run.message.as_deref().unwrap_or("the operator does not say why"));
    // A word that is no code of a refusal is the operator's own: it stopped, or the next run took its place.
    let end = run.reason.as_deref().and_then(Code::of_word).map_or(End::Failed, End::from);
    Failure::Told(end, text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn query(status: &Value) -> FederatedQuery {
        let spec = json!({"sql": "SELECT 1", "from": "HK", "requester": "wei"});
        let object = json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery", "metadata": {"name": "q"}, "spec": spec,
            "status": status,
        });
        serde_json::from_value(object).unwrap()
    }

    fn run(number: u32, state: &str, reason: Option<&str>) -> Value {
        json!({
            "number": number, "startTime": "2026-01-01T00:00:00Z", "runner": "a", "state": state, "reason": reason,
            "message": reason.map(|_| "patient may not leave [column-class]\n  remedy: count"),
        })
    }

    fn condition(kind: &str, status: &str, message: &str) -> Value {
        json!({
            "type": kind, "status": status, "message": message, "reason": "R", "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    }

    #[test]
    fn a_query_waits_with_a_reason_until_it_has_ended() {
        let waits = |status: Value, words: &str| {
            let stands = stands(&query(&status));
            assert!(matches!(&stands, Stands::Waiting(why) if why.contains(words)), "{stands:?}");
        };
        waits(json!({}), "waiting for the operator");
        let (accepted, running) =
            (condition("Accepted", "True", "it may"), condition("Running", "True", "owners are asked"));
        waits(json!({"conditions": [condition("Accepted", "Unknown", "no key yet"), running]}), "no key yet");
        waits(json!({"conditions": [accepted, running], "runs": [run(1, "Running", None)]}), "owners are asked");
        let no = json!({"conditions": [condition("Accepted", "False", "spec.from: no \u{1b}[2J")]});
        let Stands::NotAccepted(why) = stands(&query(&no)) else { panic!("accepted") };
        assert!(why.starts_with("spec.from") && !why.contains('\u{1b}'), "{why:?}");
        assert_eq!(not_accepted(&why).exit_code(), 3);
        let ended = stands(&query(&json!({"runs": [run(1, "Complete", None)]})));
        assert!(matches!(ended, Stands::Ended(run) if run.state == RunState::Complete));
    }

    #[test]
    fn the_run_is_the_latest_that_was_answered_or_the_one_that_was_named() {
        let schedule = query(&json!({"runs": [
            run(4, "Running", None), run(3, "Failed", Some("ColumnClass")), run(2, "Complete", None), run(1, "Complete", None),
        ]}));
        assert_eq!(pick(&schedule, None).unwrap().number, 2);
        assert_eq!(pick(&schedule, Some(1)).unwrap().number, 1);
        for (number, exit, words) in
            [(3, 3, "refused: patient may not leave"), (4, 1, "still being asked"), (9, 1, "but 4, 3, 2, 1")]
        {
            let failure = pick(&schedule, Some(number)).unwrap_err();
            assert_eq!(failure.exit_code(), exit, "{failure}");
            assert!(failure.to_string().contains(words), "{failure}");
        }
    }

    #[test]
    fn what_was_not_answered_says_why_with_the_exit_code_of_its_reason() {
        for (reason, exit) in [("ColumnClass", 3), ("OwnerUnavailable", 4), ("Internal", 1), ("Interrupted", 1)] {
            let failure = pick(&query(&json!({"runs": [run(1, "Failed", Some(reason))]})), None).unwrap_err();
            assert_eq!(failure.exit_code(), exit, "{reason}");
            assert!(failure.to_string().contains("remedy: count"), "{failure}");
        }
        assert!(pick(&query(&json!({})), None).unwrap_err().to_string().contains("was not asked yet"));
    }
}
