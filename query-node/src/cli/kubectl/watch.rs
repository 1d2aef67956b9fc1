//! A query as it changes: the events of `kubectl get --watch`, one after the other.

use std::io::{BufReader, Read};

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use wanqu_crds::kinds::FederatedQuery;

use super::QUERIES;
use super::program::{Kubectl, Running, refused, unread};
use crate::cli::failure::{Failure, Outcome};

/// What is seen of an object.
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: Value,
}

/// A watch of one query. The API server ends each after a while, and it is begun again.
pub struct Watch<'a> {
    kubectl: &'a Kubectl,
    name: &'a str,
    doing: String,
    open: Option<Open>,
}

struct Open {
    running: Running,
    events: mpsc::Receiver<serde_json::Result<Event>>,
}

impl<'a> Watch<'a> {
    /// Of the query with this name.
    #[must_use]
    pub fn new(kubectl: &'a Kubectl, name: &'a str) -> Self {
        Self { kubectl, name, doing: format!("watch FederatedQuery {name}"), open: None }
    }

    /// The query as it is next; first of all as it is now.
    pub async fn next(&mut self) -> Outcome<FederatedQuery> {
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                None => self.open.insert(open(self.kubectl, &self.doing, self.name)?),
            };
            match open.events.recv().await {
                Some(Ok(event)) => return seen(event, &self.doing, self.name),
                Some(Err(error)) => return Err(unread(&self.doing, &error)),
                None => {}
            }
            // What it has printed is read to its end, so it ends.
            let complaint = open.running.complaint();
            self.open = None;
            let complaint = complaint.map_err(|error| Failure::failed(format!("cannot {}: {error}", self.doing)))?;
            if let Some(complaint) = complaint {
                return Err(refused(&self.doing, &complaint));
            }
        }
    }
}

fn open(kubectl: &Kubectl, doing: &str, name: &str) -> Outcome<Open> {
    let args = ["get", QUERIES, name, "--output=json", "--watch", "--output-watch-events"];
    let (running, stdout) = kubectl.start(doing, &args)?;
    let (say, events) = mpsc::channel(1);
    // It ends with what it reads, or when nobody listens.
    std::thread::spawn(move || read(stdout).all(|event| say.blocking_send(event).is_ok()));
    Ok(Open { running, events })
}

/// The events of a stream, as they come.
fn read(stream: impl Read) -> impl Iterator<Item = serde_json::Result<Event>> {
    serde_json::Deserializer::from_reader(BufReader::new(stream)).into_iter()
}

fn seen(event: Event, doing: &str, name: &str) -> Outcome<FederatedQuery> {
    if event.kind == "DELETED" {
        return Err(Failure::failed(format!("FederatedQuery {name} was deleted")));
    }
    serde_json::from_value(event.object).map_err(|error| unread(doing, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, rows: u32) -> String {
        format!(
            r#"{{
    "type": "{kind}",
    "object": {{
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery", "metadata": {{"name": "q"}},
        "spec": {{"sql": "SELECT {rows}", "from": "HK", "requester": "wei"}}
    }}
}}
"#
        )
    }

    fn all(stream: &str) -> Vec<Result<String, String>> {
        let one = |event: serde_json::Result<Event>| {
            let event = event.map_err(|error| error.to_string())?;
            seen(event, "watch", "q").map(|query| query.spec.sql).map_err(|failure| failure.to_string())
        };
        read(stream.as_bytes()).map(one).collect()
    }

    #[test]
    fn events_follow_each_other_without_anything_between() {
        let stream = event("ADDED", 1) + &event("MODIFIED", 2);
        assert_eq!(all(&stream), [Ok("SELECT 1".to_owned()), Ok("SELECT 2".to_owned())]);
    }

    #[test]
    fn what_was_deleted_is_said_and_what_is_cut_short_is_no_event() {
        assert_eq!(all(&event("DELETED", 1)), [Err("wanqu: FederatedQuery q was deleted".to_owned())]);
        let whole = event("ADDED", 1);
        let cut = all(&whole[..whole.len() / 2]);
        assert!(matches!(&cut[..], [Err(error)] if error.contains("EOF")), "{cut:?}");
        let other = all(r#"{"type": "ADDED", "object": {"kind": "Status"}}"#);
        assert!(matches!(&other[..], [Err(error)] if error.contains("cannot be read")), "{other:?}");
    }
}
