//! `kubectl wanqu list`: what is asked here, and how it stands.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use serde::Deserialize;
use wanqu_crds::kinds::{FederatedQuery, QueryRun};

use super::QUERIES;
use super::args::ListArgs;
use super::program::Kubectl;
use crate::failure::{Failure, Outcome};
use crate::render::sink::sink;

/// Lists them.
pub async fn run(kubectl: &Kubectl, args: &ListArgs) -> Outcome {
    #[derive(Deserialize)]
    struct List {
        items: Vec<FederatedQuery>,
    }
    let list: List = kubectl.read("list FederatedQueries", &["get", QUERIES, "--output=json"], Vec::new()).await?;
    let table = table(&list.items)?;
    let mut rows = sink(args.format, &table.schema(), args.output.as_deref(), 0)?;
    rows.write(&table)?;
    rows.finish()
}

fn table(queries: &[FederatedQuery]) -> Outcome<RecordBatch> {
    let text = |of: &dyn Fn(&FederatedQuery) -> Option<String>| -> ArrayRef {
        Arc::new(queries.iter().map(of).collect::<StringArray>())
    };
    let rows: ArrayRef = Arc::new(queries.iter().map(|query| latest(query)?.rows).collect::<UInt64Array>());
    let columns = [
        ("name", text(&|query| query.metadata.name.clone())),
        ("from", text(&|query| Some(query.spec.from.to_string()))),
        ("requester", text(&|query| Some(query.spec.requester.clone()))),
        ("schedule", text(&|query| query.spec.schedule.clone())),
        ("state", text(&|query| Some(format!("{:?}", latest(query)?.state)))),
        ("rows", rows),
        ("says", text(&says)),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| Failure::failed(error.to_string()))
}

fn latest(query: &FederatedQuery) -> Option<&QueryRun> {
    query.status.as_ref()?.runs.first()
}

/// The first line of what the condition says that tells whether there is an answer.
fn says(query: &FederatedQuery) -> Option<String> {
    let conditions = &query.status.as_ref()?.conditions;
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
    ready.message.lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_has_a_line_also_before_anything_came_of_it() {
        let query = |name: &str, status: serde_json::Value| -> FederatedQuery {
            serde_json::from_value(json!({
                "apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery", "metadata": {"name": name},
                "spec": {"sql": "SELECT 1", "from": "HK", "requester": "wei"}, "status": status,
            }))
            .unwrap()
        };
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Answered", "message": "3 rows\nmore",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let run = json!({
            "number": 1, "startTime": "2026-01-01T00:00:00Z", "runner": "a", "state": "Complete", "rows": 3,
        });
        let queries = [query("new", json!(null)), query("old", json!({"conditions": [ready], "runs": [run]}))];
        let text = pretty_format_batches(&[table(&queries).unwrap()]).unwrap().to_string();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
        assert_eq!(lines[3], ["", "new", "HK", "wei", "", "", "", "", ""]);
        assert_eq!(lines[4], ["", "old", "HK", "wei", "", "Complete", "3", "3 rows", ""]);
    }
}
