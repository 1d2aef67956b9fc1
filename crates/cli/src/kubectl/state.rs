//! The state of a `FederatedQuery`, from its status.

use wanqu_crds::kinds::{FederatedQuery, QueryRun, RunState};
use wanqu_model::refusal::{Code, DEADLINE};

use crate::failure::{End, Failure, Outcome};

/// State of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryState {
    /// It has no run that has ended; the reason.
    Waiting(String),
    /// The operator does not accept it; the reason.
    NotAccepted(String),
    /// Its latest run has ended.
    Ended(Box<QueryRun>),
}

/// Returns the state of a query.
#[must_use]
pub fn state_of(query: &FederatedQuery) -> QueryState {
    let waiting = || QueryState::Waiting("waiting for the operator".to_owned());
    let Some(status) = &query.status else { return waiting() };
    if let Some(run) = status.runs.first().filter(|run| run.state != RunState::Running) {
        return QueryState::Ended(Box::new(run.clone()));
    }
    let of = |kind: &str| status.conditions.iter().find(|condition| condition.type_ == kind);
    match of("Accepted") {
        Some(accepted) if accepted.status == "False" => QueryState::NotAccepted(accepted.message.clone()),
        Some(accepted) if accepted.status != "True" => QueryState::Waiting(accepted.message.clone()),
        _ => of("Running").map_or_else(waiting, |running| QueryState::Waiting(running.message.clone())),
    }
}

/// Returns the run of this number, or else the latest that was answered.
///
/// # Errors
/// If there is no such run, or it has no answer.
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
            Err(Failure::failed(format!("FederatedQuery {name} has no such run; it has {}", known.join(", "))))
        }
        (None, None) => Err(match state_of(query) {
            QueryState::NotAccepted(why) => not_accepted(&why),
            QueryState::Waiting(why) => Failure::failed(format!("FederatedQuery {name} was not asked yet: {why}")),
            QueryState::Ended(run) => unanswered(&run),
        }),
    }
}

/// Returns the failure for a query that is not accepted.
#[must_use]
pub fn not_accepted(why: &str) -> Failure {
    Failure::Told(End::Refused, format!("not accepted: {why}"))
}

/// Returns the failure for a run without an answer.
#[must_use]
pub fn unanswered(run: &QueryRun) -> Failure {
    if run.state == RunState::Running {
        return Failure::failed("the query still runs; ask for its result when it has ended");
    }
    let text = run.message.clone().unwrap_or_else(|| "the operator does not say why".to_owned());
    // A reason that is no code of a refusal is the operator's own: it stopped, or the next run replaced this one.
    let end = match run.reason.as_deref().and_then(Code::of_word) {
        // The message has the rule, which tells this limit from all others.
        Some(Code::Limit) if text.contains(DEADLINE) => End::Missing,
        code => code.map_or(End::Failed, End::from),
    };
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
            let state = state_of(&query(&status));
            assert!(matches!(&state, QueryState::Waiting(why) if why.contains(words)), "{state:?}");
        };
        waits(json!({}), "waiting for the operator");
        let (accepted, running) =
            (condition("Accepted", "True", "it may"), condition("Running", "True", "owners are asked"));
        waits(json!({"conditions": [condition("Accepted", "Unknown", "no key yet"), running]}), "no key yet");
        waits(json!({"conditions": [accepted, running], "runs": [run(1, "Running", None)]}), "owners are asked");
        let no = json!({"conditions": [condition("Accepted", "False", "spec.from: no \u{1b}[2J")]});
        let QueryState::NotAccepted(why) = state_of(&query(&no)) else { panic!("accepted") };
        let failure = not_accepted(&why);
        assert_eq!(failure.exit_code(), 3);
        assert_eq!(failure.to_string(), "refused: not accepted: spec.from: no \\u{1b}[2J");
        let ended = state_of(&query(&json!({"runs": [run(1, "Complete", None)]})));
        assert!(matches!(ended, QueryState::Ended(run) if run.state == RunState::Complete));
    }

    #[test]
    fn the_run_is_the_latest_that_was_answered_or_the_one_that_was_named() {
        let schedule = query(&json!({"runs": [
            run(4, "Running", None), run(3, "Failed", Some("ColumnClass")), run(2, "Complete", None), run(1, "Complete", None),
        ]}));
        assert_eq!(pick(&schedule, None).unwrap().number, 2);
        assert_eq!(pick(&schedule, Some(1)).unwrap().number, 1);
        for (number, exit, words) in
            [(3, 3, "refused: patient may not leave"), (4, 1, "still runs"), (9, 1, "it has 4, 3, 2, 1")]
        {
            let failure = pick(&schedule, Some(number)).unwrap_err();
            assert_eq!(failure.exit_code(), exit, "{failure}");
            assert!(failure.to_string().contains(words), "{failure}");
        }
    }

    #[test]
    fn a_run_that_was_too_late_has_no_answer_and_was_not_refused() {
        let ended = |message: &str| {
            let mut run = run(1, "Failed", Some("Limit"));
            run["message"] = json!(message);
            pick(&query(&json!({"runs": [run]})), None).unwrap_err().exit_code()
        };
        assert_eq!(ended(&wanqu_model::refusal::Refusal::too_late("x").to_string()), 4);
        assert_eq!(ended("too many rows [limit]"), 3);
    }

    #[test]
    fn a_run_without_an_answer_has_the_exit_code_of_its_reason() {
        for (reason, exit) in [("ColumnClass", 3), ("OwnerUnavailable", 4), ("Internal", 1), ("Interrupted", 1)] {
            let failure = pick(&query(&json!({"runs": [run(1, "Failed", Some(reason))]})), None).unwrap_err();
            assert_eq!(failure.exit_code(), exit, "{reason}");
            assert!(failure.to_string().contains("remedy: count"), "{failure}");
        }
        assert!(pick(&query(&json!({})), None).unwrap_err().to_string().contains("was not asked yet"));
    }
}
