//! `kubectl wanqu query` and `explain`: an object is made, watched to its end, and its answer shown.

use futures::StreamExt;
use kube::ResourceExt;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::runtime::watcher::watch_object;
use wanqu_crds::kinds::{ConcurrencyPolicy, FederatedQuery, FederatedQuerySpec, QueryRun, RunState};

use crate::args::{ExplainArgs, HomeArgs, QueryArgs, RowsArgs};
use crate::failure::{Failure, Outcome};
use crate::result::{show, unanswered};
use crate::session::{Session, refused};

/// How long an explanation stays, in seconds.
const EXPLAINED: u32 = 60;

/// The most rows that go into a `ConfigMap`.
const INLINE: u32 = 1000;

/// Asks.
///
/// # Errors
/// The refusal, or what kept the question from being asked.
pub async fn query(session: &Session, args: &QueryArgs) -> Outcome {
    let asked = spec(session, &args.sql, &args.home, args.ttl).await?;
    let asked = FederatedQuerySpec { partial: args.partial, mark_incomplete: args.mark_incomplete, ..asked };
    ask(session, asked, &args.rows).await
}

/// Explains. Nothing is asked of any owner.
///
/// # Errors
/// As for [`query`].
pub async fn explain(session: &Session, args: &ExplainArgs) -> Outcome {
    let sql = format!("EXPLAIN {}{}", if args.policy { "POLICY " } else { "" }, args.sql);
    let asked = spec(session, &sql, &args.home, EXPLAINED).await?;
    let rows = RowsArgs { quiet: true, ..args.rows.clone() };
    ask(session, asked, &rows).await
}

async fn spec(session: &Session, sql: &str, home: &HomeArgs, ttl: u32) -> Outcome<FederatedQuerySpec> {
    Ok(FederatedQuerySpec {
        sql: sql.to_owned(),
        project: home.project.clone(),
        purpose: home.purpose.clone(),
        from: home.from.clone(),
        requester: session.user().await?,
        partial: false,
        mark_incomplete: false,
        inline_rows: INLINE,
        ttl_seconds_after_finished: Some(ttl),
        schedule: None,
        time_zone: None,
        concurrency_policy: ConcurrencyPolicy::default(),
        suspend: false,
        starting_deadline_seconds: None,
        successful_runs_history_limit: 3,
        failed_runs_history_limit: 1,
    })
}

async fn ask(session: &Session, spec: FederatedQuerySpec, rows: &RowsArgs) -> Outcome {
    let metadata = ObjectMeta { generate_name: Some("ask-".to_owned()), ..ObjectMeta::default() };
    let object = FederatedQuery { metadata, spec, status: None };
    let made = session.queries().create(&PostParams::default(), &object).await;
    let name = made.map_err(|error| refused("create a FederatedQuery", &error))?.name_any();
    let answered = tokio::select! {
        answered = answer(session, &name, rows) => answered,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    };
    if matches!(answered, Err(Failure::Interrupted)) {
        // Deleting it is what cancels it.
        let gone = session.queries().delete(&name, &DeleteParams::default()).await;
        gone.map_err(|error| refused(&format!("delete FederatedQuery {name}"), &error))?;
    }
    answered
}

async fn answer(session: &Session, name: &str, rows: &RowsArgs) -> Outcome {
    let (query, run) = ended(session, name, rows.quiet).await?;
    if run.state == RunState::Failed {
        return Err(unanswered(&run));
    }
    show(session, &query, &run, rows).await
}

/// Watches a query until it has been answered or not.
async fn ended(session: &Session, name: &str, quiet: bool) -> Outcome<(FederatedQuery, QueryRun)> {
    let mut seen = std::pin::pin!(watch_object(session.queries(), name));
    let mut said = String::new();
    while let Some(next) = seen.next().await {
        let next = next.map_err(|error| Failure::failed(format!("cannot watch FederatedQuery {name}: {error}")))?;
        let Some(query) = next else { return Err(Failure::failed(format!("FederatedQuery {name} is gone"))) };
        let status = query.status.clone().unwrap_or_default();
        if let Some(run) = status.runs.first().filter(|run| run.state != RunState::Running) {
            return Ok((query, run.clone()));
        }
        let of = |kind: &str| status.conditions.iter().find(|condition| condition.type_ == kind);
        if let Some(accepted) = of("Accepted").filter(|accepted| accepted.status == "False") {
            return Err(Failure::failed(format!("not accepted: {}", accepted.message)));
        }
        let waits = of("Accepted").filter(|accepted| accepted.status != "True").or_else(|| of("Running"));
        let now = waits.map_or("waiting for the operator", |condition| condition.message.as_str());
        if !quiet && now != said {
            eprintln!("{name}: {now}");
            now.clone_into(&mut said);
        }
    }
    Err(Failure::failed(format!("FederatedQuery {name} could not be watched to its end")))
}
