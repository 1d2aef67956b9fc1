//! `kubectl wanqu result`: the answer of a query that was asked before.

use wanqu_crds::kinds::{FederatedQuery, QueryRun};

use super::QUERIES;
use super::answer::ConfigMap;
use super::args::{ResultArgs, WayArgs};
use super::fetch::{Fetched, fetch};
use super::program::Kubectl;
use super::stands::pick;
use crate::deliver::{Delivery, conclude, deliver};
use crate::failure::{Failure, Outcome};

/// Shows it.
pub async fn run(kubectl: &Kubectl, args: &ResultArgs) -> Outcome {
    let how = Delivery::of(&args.rows)?;
    let get = ["get", QUERIES, args.name.as_str(), "--output=json"];
    let query = kubectl.read(&format!("read FederatedQuery {}", args.name), &get, Vec::new()).await?;
    let run = pick(&query, args.run)?;
    show(kubectl, &query, &run, &args.way, how).await
}

/// Brings a run's answer to where its rows are wanted.
pub async fn show(
    kubectl: &Kubectl,
    query: &FederatedQuery,
    run: &QueryRun,
    way: &WayArgs,
    how: Delivery<'_>,
) -> Outcome {
    // What leads to the node stays open until the answer has come.
    let Fetched { answer, forward: _open } = answer(kubectl, query, run, way).await?;
    let summary = deliver(async { Ok(answer) }, how).await?;
    conclude(&summary, how)
}

/// The answer of a run, from wherever it lies.
pub async fn answer(kubectl: &Kubectl, query: &FederatedQuery, run: &QueryRun, way: &WayArgs) -> Outcome<Fetched> {
    if let Some(name) = &run.config_map {
        let get = ["get", "configmap", name, "--output=json"];
        let map: ConfigMap = kubectl.read(&format!("read ConfigMap {name}"), &get, Vec::new()).await?;
        return Ok(Fetched { answer: map.answer()?, forward: None });
    }
    let kept = run.kept.as_ref().ok_or_else(|| Failure::failed("the answer was not kept; ask again"))?;
    fetch(kubectl, query, kept, way).await
}
