//! Outcomes of runs, as their query's status records them.

use std::collections::BTreeSet;

use kube::ResourceExt;
use wanqu_crds::kinds::{FederatedQuery, JurisdictionPart, KeptAnswer, QueryRun, Receipt, RunState};
use wanqu_model::answer::{JurisdictionOutcome, Summary};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_model::report::{LeftOutRecords, ReleaseReport};

use super::plan::seconds;
use super::reason::message_of;
use crate::runs::{Answered, Runs};

/// The longest message of a run, in bytes.
const MESSAGE: usize = 8 * 1024;

/// Returns the query's runs, those completed that have ended since they were recorded, and the numbers of these.
pub(super) fn settle(query: &FederatedQuery, runs: &Runs) -> (Vec<QueryRun>, Vec<u32>) {
    let uid = query.uid().unwrap_or_default();
    let mut settled = query.status.as_ref().map(|status| status.runs.clone()).unwrap_or_default();
    let mut ended = Vec::new();
    for run in settled.iter_mut().filter(|run| run.state == RunState::Running && run.runner == runs.me()) {
        let Some(end) = runs.ended(&uid, run.number) else { continue };
        run.completion_time = Some(seconds(end.at));
        match &end.outcome {
            Ok(answered) => complete(run, answered),
            Err(refusal) => refused(run, refusal),
        }
        ended.push(run.number);
    }
    (settled, ended)
}

fn complete(run: &mut QueryRun, answered: &Answered) {
    let summary = &answered.summary;
    account(run, summary);
    if answered.inline.is_none() && summary.result.is_none() {
        let why = summary.not_kept.as_deref().cloned();
        let why = why.unwrap_or_else(|| Refusal::new(Code::Limit, "the home node does not keep it"));
        return refused(
            run,
            &Refusal { message: format!("the answer is too large for a ConfigMap, and {}", why.message), ..why },
        );
    }
    run.state = RunState::Complete;
}

fn account(run: &mut QueryRun, summary: &Summary) {
    run.query_id = Some(summary.query_id.to_string());
    run.rows = Some(summary.rows);
    run.rows_lacking = summary.rows_lacking;
    run.may_lack = Some(summary.may_lack);
    run.jurisdictions = summary.outcomes.iter().map(part).collect();
    run.kept = summary.result.as_ref().map(|kept| KeptAnswer {
        id: kept.id.to_string(),
        bytes: kept.bytes,
        expires: seconds(kept.expires),
    });
}

fn part(outcome: &JurisdictionOutcome) -> JurisdictionPart {
    let gated = outcome.releases.iter().any(|release| release.min_units.is_some());
    JurisdictionPart {
        jurisdiction: outcome.jurisdiction.clone(),
        rows: outcome.rows,
        bytes: outcome.bytes,
        may_withhold: gated.then(|| outcome.releases.iter().any(ReleaseReport::may_hide_cells)),
        left_out: left_out(outcome),
        cut_short: outcome.cut_short,
        receipts: outcome
            .releases
            .iter()
            .map(|release| Receipt { sequence: release.audit_sequence, digest: release.audit_digest.clone() })
            .collect(),
        missing: outcome.missing.as_ref().map(|refusal| shortened(message_of(refusal))),
    }
}

/// Returns the datasets of which records are left out, each once.
fn left_out(outcome: &JurisdictionOutcome) -> Vec<String> {
    let told: BTreeSet<&LeftOutRecords> = outcome.releases.iter().flat_map(|release| &release.left_out).collect();
    let text = |one: &LeftOutRecords| match one.records {
        Some(records) => format!("{}: {records}", one.table),
        None => one.table.to_string(),
    };
    told.into_iter().map(text).collect()
}

fn refused(run: &mut QueryRun, refusal: &Refusal) {
    run.state = RunState::Failed;
    run.reason = Some(refusal.code.word().to_owned());
    run.message = Some(shortened(message_of(refusal)));
}

fn shortened(mut text: String) -> String {
    if text.len() > MESSAGE {
        let end = (0..=MESSAGE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}
