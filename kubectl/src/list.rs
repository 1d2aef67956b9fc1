//! `kubectl wanqu list`: what is asked here, and how it stands.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use kube::ResourceExt;
use kube::api::ListParams;
use wanqu_crds::kinds::FederatedQuery;

use crate::args::RowsArgs;
use crate::failure::{Failure, Outcome};
use crate::rows::write;
use crate::session::{Session, refused};

/// Lists them.
///
/// # Errors
/// The API server refuses.
pub async fn run(session: &Session) -> Outcome {
    let found =
        session.queries().list(&ListParams::default()).await.map_err(|error| refused("list queries", &error))?;
    let table = table(&found.items).map_err(|error| Failure::failed(error.to_string()))?;
    write(&table.schema(), &[table], &RowsArgs::default())
}

fn table(queries: &[FederatedQuery]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let text = |of: &dyn Fn(&FederatedQuery) -> Option<String>| -> ArrayRef {
        Arc::new(queries.iter().map(of).collect::<StringArray>())
    };
    let run = |query: &FederatedQuery| query.status.as_ref().and_then(|status| status.runs.first().cloned());
    let ready = |query: &FederatedQuery| {
        let conditions = query.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
        ready.message.lines().next().map(str::to_owned)
    };
    let rows: ArrayRef =
        Arc::new(queries.iter().map(|query| run(query).and_then(|run| run.rows)).collect::<UInt64Array>());
    RecordBatch::try_from_iter_with_nullable([
        ("name", text(&|query| Some(query.name_any())), true),
        ("from", text(&|query| Some(query.spec.from.to_string())), true),
        ("requester", text(&|query| Some(query.spec.requester.clone())), true),
        ("schedule", text(&|query| query.spec.schedule.clone()), true),
        ("state", text(&|query| run(query).map(|run| format!("{:?}", run.state))), true),
        ("rows", rows, true),
        ("says", text(&ready), true),
    ])
}
