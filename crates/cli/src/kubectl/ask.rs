//! `kubectl wanqu query` and `explain`: create a `FederatedQuery`, watch it to its end, and show its answer.

use serde::Deserialize;
use wanqu_crds::kinds::{ConcurrencyPolicy, FederatedQuery, FederatedQuerySpec, QueryRun, RunState};
use wanqu_model::names::ResourceName;

use super::QUERIES;
use super::args::{ExplainArgs, HomeArgs, QueryArgs};
use super::interrupt::Interrupt;
use super::program::Kubectl;
use super::result::{answer, show};
use super::state::{QueryState, not_accepted, state_of, unanswered};
use super::watch::Watch;
use crate::deliver::Delivery;
use crate::escape;
use crate::failure::{Failure, Outcome};
use crate::input;
use crate::query::explained;
use crate::render::progress::Waiting;
use crate::tour::answered;

/// Seconds for which an explanation is kept.
const EXPLAINED: u32 = 60;

/// Most rows of an explanation that is kept in a `ConfigMap`: it holds no row of anybody's data.
const LINES: u32 = 10_000;

/// Asks a query and writes its rows. Until there is an answer, an interruption deletes the object, which cancels the query
/// at the owners.
pub async fn query(kubectl: &Kubectl, args: &QueryArgs, interrupt: &mut Interrupt) -> Outcome {
    let how = Delivery::of(&args.rows)?;
    let asked = spec(kubectl, input::sql(&args.sql)?, &args.home).await?;
    let asked = FederatedQuerySpec {
        partial: args.partial,
        mark_incomplete: args.mark_incomplete,
        inline_rows: args.inline_rows,
        ttl_seconds_after_finished: Some(args.ttl),
        ..asked
    };
    let (query, run) = ask(kubectl, asked, args.name.as_ref(), how.quiet, interrupt).await?;
    interrupt.or(show(kubectl, &query, &run, &args.home_gateway, how)).await.inspect_err(|failure| {
        if !matches!(failure, Failure::Partial | Failure::BrokenPipe) {
            eprintln!("The answer is there: `kubectl wanqu result {}` fetches it.", escape::line(named(&query)));
        }
    })
}

/// Shows how a query would be split, or which rules admit or refuse it. No owner is asked.
pub async fn explain(kubectl: &Kubectl, args: &ExplainArgs, interrupt: &mut Interrupt) -> Outcome {
    let word = if args.policy { "EXPLAIN POLICY" } else { "EXPLAIN" };
    let asked = spec(kubectl, format!("{word} {}", input::sql(&args.sql)?), &args.home).await?;
    let (query, run) = ask(kubectl, asked, None, true, interrupt).await?;
    let found = interrupt.or(answer(kubectl, &query, &run, &args.home_gateway, false)).await?;
    let seen = interrupt.or(async { Ok(answered(async { Ok(found.answer) }).await?) }).await?;
    explained(&seen.batches, args.format, args.output.as_deref())
}

/// Returns the spec of a query, with the user that the API server knows as its requester.
async fn spec(kubectl: &Kubectl, sql: String, home: &HomeArgs) -> Outcome<FederatedQuerySpec> {
    Ok(FederatedQuerySpec {
        sql,
        project: home.project.clone(),
        purpose: home.purpose.clone(),
        from: home.from.clone(),
        requester: whoami(kubectl).await?,
        partial: false,
        mark_incomplete: false,
        inline_rows: LINES,
        ttl_seconds_after_finished: Some(EXPLAINED),
        schedule: None,
        time_zone: None,
        concurrency_policy: ConcurrencyPolicy::default(),
        suspend: false,
        starting_deadline_seconds: None,
        successful_runs_history_limit: 3,
        failed_runs_history_limit: 1,
    })
}

async fn whoami(kubectl: &Kubectl) -> Outcome<String> {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        user_info: User,
    }
    #[derive(Deserialize)]
    struct User {
        username: String,
    }
    let args = ["auth", "whoami", "--output=json"];
    let review: Review = kubectl.read("ask the API server who you are", &args, Vec::new()).await?;
    Ok(review.status.user_info.username)
}

/// Creates the object and waits for its end.
async fn ask(
    kubectl: &Kubectl,
    spec: FederatedQuerySpec,
    name: Option<&ResourceName>,
    quiet: bool,
    interrupt: &mut Interrupt,
) -> Outcome<(FederatedQuery, QueryRun)> {
    // Not to be interrupted: an object that was created must be known, to be deleted.
    let query = make(kubectl, spec, name).await?;
    let name = named(&query);
    if !quiet {
        eprintln!("FederatedQuery {}", escape::line(name));
    }
    match interrupt.or(ended(kubectl, query.clone(), quiet)).await {
        Err(Failure::Interrupted) => {
            let args = ["delete", QUERIES, name, "--ignore-not-found", "--wait=false"];
            kubectl.run(&format!("cancel FederatedQuery {name} by deleting it"), &args, Vec::new()).await?;
            Err(Failure::Interrupted)
        }
        ended => ended,
    }
}

async fn make(kubectl: &Kubectl, spec: FederatedQuerySpec, name: Option<&ResourceName>) -> Outcome<FederatedQuery> {
    let object = object(spec, name);
    let input = serde_json::to_vec(&object).map_err(|error| Failure::failed(error.to_string()))?;
    kubectl.read("create a FederatedQuery", &["create", "--filename=-", "--output=json"], input).await
}

fn object(spec: FederatedQuerySpec, name: Option<&ResourceName>) -> FederatedQuery {
    let mut object = FederatedQuery::new(name.map_or("", ResourceName::as_str), spec);
    if name.is_none() {
        object.metadata.name = None;
        object.metadata.generate_name = Some("ask-".to_owned());
    }
    object
}

fn named(query: &FederatedQuery) -> &str {
    query.metadata.name.as_deref().unwrap_or_default()
}

/// Watches a query until it has been answered.
async fn ended(kubectl: &Kubectl, mut query: FederatedQuery, quiet: bool) -> Outcome<(FederatedQuery, QueryRun)> {
    let (waiting, mut watch) = (Waiting::new(quiet), Watch::since(kubectl, &query));
    loop {
        match state_of(&query) {
            QueryState::Waiting(why) => waiting.says(&why),
            QueryState::NotAccepted(why) => return Err(not_accepted(&why)),
            QueryState::Ended(run) if run.state == RunState::Complete => return Ok((query, *run)),
            QueryState::Ended(run) => return Err(unanswered(&run)),
        }
        query = watch.next().await?;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_object_has_the_given_name_or_a_generated_one() {
        let spec = json!({"sql": "SELECT 1", "from": "HK", "requester": "wei"});
        let spec: FederatedQuerySpec = serde_json::from_value(spec).unwrap();
        let unnamed = serde_json::to_value(object(spec.clone(), None)).unwrap();
        assert_eq!(unnamed["apiVersion"], "wanqu.dev/v1alpha1");
        assert_eq!(
            (&unnamed["kind"], &unnamed["metadata"]),
            (&json!("FederatedQuery"), &json!({"generateName": "ask-"}))
        );
        let named = serde_json::to_value(object(spec, Some(&"monthly".parse().unwrap()))).unwrap();
        assert_eq!(named["metadata"], json!({"name": "monthly"}));
    }
}
