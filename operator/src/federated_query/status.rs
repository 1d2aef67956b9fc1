//! Step 5: the status of a query.

use jiff::Timestamp;
use wanqu_crds::kinds::{Delivery, FederatedQuery, FederatedQueryStatus, QueryRun, RunState};

use super::plan::Plan;
use super::reason::known_word;
use super::validate::Verdict;
use crate::context::Context;
use crate::framework::conditions::{Claim, Reason, Type, conditions};
use crate::framework::{Guarded, Result};

/// Returns the status to write.
pub(super) fn status(
    query: &FederatedQuery,
    verdict: &Verdict,
    plan: &Plan,
    delivery: Option<Delivery>,
    now: Timestamp,
) -> FederatedQueryStatus {
    let before = query.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let generation = query.metadata.generation;
    FederatedQueryStatus {
        observed_generation: generation,
        conditions: conditions(before, &claims(query, verdict, plan), generation, now),
        last_schedule_time: plan.last,
        next_schedule_time: plan.next,
        runs: plan.runs.clone(),
        delivery,
    }
}

fn claims(query: &FederatedQuery, verdict: &Verdict, plan: &Plan) -> Vec<Claim> {
    let accepted = match verdict {
        Verdict::Accepted(_) => Claim::yes(Type::Accepted, Reason::Accepted, "it may be asked"),
        Verdict::Not(claim) => claim.clone(),
    };
    let running = if plan.is_running() {
        Claim::yes(Type::Running, Reason::Asked, "the owners are asked")
    } else {
        Claim::no(Type::Running, Reason::Idle, idle(query, plan))
    };
    let last = plan.runs.iter().find(|run| run.state != RunState::Running);
    let mut claims = vec![accepted.clone(), running.clone()];
    match last {
        Some(run) if run.state == RunState::Complete => {
            claims.push(Claim::yes(Type::Complete, Reason::Answered, answered(run)));
            claims.push(Claim::no(Type::Failed, Reason::Answered, "there is an answer"));
            claims.push(Claim::yes(Type::Ready, Reason::Answered, answered(run)));
        }
        Some(run) => {
            let message = run.message.clone().unwrap_or_default();
            let reason = Reason::NotAnswered(known_word(run.reason.as_deref().unwrap_or_default()));
            claims.push(Claim::no(Type::Complete, reason, message.clone()));
            claims.push(Claim::yes(Type::Failed, reason, message.clone()));
            claims.push(Claim::no(Type::Ready, reason, message));
        }
        // No run has ended yet, so what keeps a run from beginning or ending is why there is no answer.
        None if accepted.holds != Some(true) => claims.push(Claim { of: Type::Ready, ..accepted }),
        None => claims.push(Claim::no(Type::Ready, running.reason, running.message)),
    }
    claims
}

fn idle(query: &FederatedQuery, plan: &Plan) -> String {
    match (&plan.next, query.spec.suspend) {
        (_, true) => "it is suspended".to_owned(),
        (Some(next), false) => format!("it is asked next at {next}"),
        (None, false) => "no run goes on".to_owned(),
    }
}

fn answered(run: &QueryRun) -> String {
    let mut text = format!("{} rows", run.rows.unwrap_or_default());
    let missing: Vec<_> = run
        .jurisdictions
        .iter()
        .filter(|part| part.missing.is_some())
        .map(|part| part.jurisdiction.to_string())
        .collect();
    if !missing.is_empty() {
        text.push_str(&format!("; missing: {}", missing.join(", ")));
    } else if run.may_lack == Some(true) {
        text.push_str("; some rows may lack the part of an owner whose disclosure rule withheld it");
    }
    let left_out: Vec<&str> = run.jurisdictions.iter().flat_map(|part| &part.left_out).map(String::as_str).collect();
    if !left_out.is_empty() {
        text.push_str(&format!("; records that cannot be read are left out of {}", left_out.join(", ")));
    }
    let parts = run.jurisdictions.iter().filter(|part| part.cut_short);
    let cut_short: Vec<&str> = parts.map(|part| part.jurisdiction.as_str()).collect();
    if !cut_short.is_empty() {
        text.push_str(&format!(
            "; not all rows of {} were read, because the answer needed no more, so records that cannot be read are not counted",
            cut_short.join(", ")
        ));
    }
    match (&run.config_map, &run.kept) {
        (Some(map), _) => text.push_str(&format!("; in ConfigMap {map}")),
        (None, Some(kept)) => text.push_str(&format!("; kept at the home node until {}", kept.expires)),
        (None, None) => {}
    }
    if let Some(message) = &run.message {
        text.push_str(&format!("; {message}"));
    }
    text
}

/// Writes the conditions of a query that this operator cannot read: they name the field at fault.
pub(super) async fn malformed(context: &Context, object: &Guarded<FederatedQuery>) -> Result<()> {
    let Err(malformed) = &object.0 else { return Ok(()) };
    let message = format!("{}: {}", malformed.path, malformed.problem);
    let claims = [Type::Accepted, Type::Ready].map(|of| Claim::no(of, Reason::Invalid, message.clone()));
    let now = context.clock.now();
    crate::framework::status::claim_of_malformed::<FederatedQuery>(&context.client, &malformed.metadata, &claims, now)
        .await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(run: &Value) -> String {
        let mut whole =
            json!({"number": 1, "state": "Complete", "startTime": "2026-01-01T00:00:00Z", "runner": "a", "rows": 5});
        whole.as_object_mut().unwrap().extend(run.as_object().unwrap().clone());
        answered(&serde_json::from_value(whole).unwrap())
    }

    #[test]
    fn an_answer_says_whose_rows_were_not_all_read_and_why_it_was_not_copied() {
        let part =
            |id: &str, cut_short: bool| json!({"jurisdiction": id, "rows": 5, "bytes": 9, "cutShort": cut_short});
        let parts = json!({"jurisdictions": [part("HK", true), part("MO", false)]});
        assert_eq!(
            told(&parts),
            "5 rows; not all rows of HK were read, because the answer needed no more, so records that cannot be read are not counted"
        );
        let kept = json!({"id": "k", "bytes": 9, "expires": "2026-01-08T00:00:00Z"});
        let message = "the answer was not copied into a ConfigMap: its name is taken";
        assert_eq!(
            told(&json!({"kept": kept, "message": message})),
            format!("5 rows; kept at the home node until 2026-01-08T00:00:00Z; {message}")
        );
        assert_eq!(told(&json!({"configMap": "q-result-1"})), "5 rows; in ConfigMap q-result-1");
    }
}
