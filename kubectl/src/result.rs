//! `kubectl wanqu result`: the answer of a query that was asked before.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt};
use wanqu_crds::kinds::{FederatedQuery, QueryRun, RunState};

use crate::answer;
use crate::args::{ResultArgs, RowsArgs};
use crate::failure::{Failure, Outcome};
use crate::fetch;
use crate::rows::deliver;
use crate::session::{Session, refused};

/// Shows it.
///
/// # Errors
/// There is none, or it cannot be had.
pub async fn run(session: &Session, args: &ResultArgs) -> Outcome {
    let query = session.queries().get(&args.name).await;
    let query = query.map_err(|error| refused(&format!("read FederatedQuery {}", args.name), &error))?;
    let run = pick(&query, args.run)?;
    show(session, &query, &run, &args.rows).await
}

/// Brings a run's answer to where its rows are wanted.
///
/// # Errors
/// It cannot be had.
pub async fn show(session: &Session, query: &FederatedQuery, run: &QueryRun, rows: &RowsArgs) -> Outcome {
    if let Some(name) = &run.config_map {
        let maps: Api<ConfigMap> = Api::namespaced(session.client.clone(), &session.namespace);
        let map = maps.get(name).await.map_err(|error| refused(&format!("read ConfigMap {name}"), &error))?;
        return deliver(answer::of_config_map(map)?, rows).await;
    }
    let kept = run.kept.as_ref().ok_or_else(|| Failure::failed("the answer was not kept"))?;
    let id = kept.id.parse().map_err(|_| Failure::failed("the status names no result that can be fetched"))?;
    let fetched = fetch::fetch(session, query, id, rows.gateway.as_deref()).await?;
    // What leads to the node stays open until the answer has come.
    let fetch::Fetched { answer, forward: _forward } = fetched;
    deliver(answer, rows).await
}

fn pick(query: &FederatedQuery, number: Option<u32>) -> Outcome<QueryRun> {
    let runs = query.status.as_ref().map(|status| status.runs.as_slice()).unwrap_or_default();
    let wanted = |run: &&QueryRun| number.map_or(run.state == RunState::Complete, |number| run.number == number);
    let Some(run) = runs.iter().find(wanted) else {
        return Err(match runs.first() {
            Some(run) if number.is_none() => unanswered(run),
            _ => Failure::failed(format!("FederatedQuery {} has no such run", query.name_any())),
        });
    };
    if run.state == RunState::Complete { Ok(run.clone()) } else { Err(unanswered(run)) }
}

/// Why a run has no answer.
#[must_use]
pub fn unanswered(run: &QueryRun) -> Failure {
    match run.state {
        RunState::Running => Failure::failed("the query is still being asked"),
        RunState::Complete | RunState::Failed => Failure::failed(format!(
            "not answered ({}): {}",
            run.reason.as_deref().unwrap_or("Unknown"),
            run.message.as_deref().unwrap_or_default()
        )),
    }
}
