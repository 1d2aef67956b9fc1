//! `kubectl wanqu result`: the answer of an earlier query.

use wanqu_crds::kinds::{FederatedQuery, QueryRun};

use super::QUERIES;
use super::answer::ConfigMap;
use super::args::{HomeGatewayArgs, ResultArgs};
use super::fetch::{Fetched, fetch};
use super::program::Kubectl;
use super::state::pick;
use crate::deliver::{Delivery, conclude, deliver};
use crate::failure::{Failure, Outcome};

/// Reads the query and writes the rows of its answer.
pub async fn run(kubectl: &Kubectl, args: &ResultArgs) -> Outcome {
    let how = Delivery::of(&args.rows)?;
    let get = ["get", QUERIES, args.name.as_str(), "--output=json"];
    let query = kubectl.read(&format!("read FederatedQuery {}", args.name), &get, Vec::new()).await?;
    let run = pick(&query, args.run)?;
    show(kubectl, &query, &run, &args.home_gateway, how).await
}

/// Writes the rows of a run's answer.
pub async fn show(
    kubectl: &Kubectl,
    query: &FederatedQuery,
    run: &QueryRun,
    gateway: &HomeGatewayArgs,
    how: Delivery<'_>,
) -> Outcome {
    // The port-forward stays open until the answer has been read.
    let Fetched { answer, forward: _open } = answer(kubectl, query, run, gateway, how.quiet).await?;
    let summary = deliver(async { Ok(answer) }, how).await?;
    conclude(&summary, how)
}

/// Returns the answer of a run, from its `ConfigMap` or else from the home node that keeps it.
pub async fn answer(
    kubectl: &Kubectl,
    query: &FederatedQuery,
    run: &QueryRun,
    gateway: &HomeGatewayArgs,
    quiet: bool,
) -> Outcome<Fetched> {
    if let Some(name) = &run.config_map {
        let get = ["get", "configmap", name, "--output=json"];
        let map: ConfigMap = kubectl.read(&format!("read ConfigMap {name}"), &get, Vec::new()).await?;
        return Ok(Fetched { answer: map.answer()?, forward: None });
    }
    let kept = run.kept.as_ref().ok_or_else(|| Failure::failed("the answer was not kept; ask again"))?;
    fetch(kubectl, query, kept, gateway, quiet).await
}
