//! A watch of one query.
//!
//! The watch is the API server's own, through `kubectl get --raw`, and begins at the state that is known. `kubectl get NAME
//! --watch` would not do: it prints the object, begins its watch a moment later, and keeps the first event of it to itself,
//! so that a change in that moment is lost.

use std::io::{BufReader, Read};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use wanqu_crds::kinds::FederatedQuery;

use super::program::{Kubectl, Running, unread};
use super::{COLLECTION, QUERIES};
use crate::failure::{Failure, Outcome};

/// Pause before a watch that ended is begun again.
const PAUSE: Duration = Duration::from_millis(500);

/// Code of the API server for a resource version that is too old to watch from.
const GONE: u64 = 410;

/// An event of the watch.
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: Value,
}

/// Meaning of an event.
#[derive(Debug)]
enum Seen {
    Query(Box<FederatedQuery>),
    /// The resource version is too old to watch from.
    Gone,
    /// The event says nothing of the query.
    Nothing,
}

/// A watch of one query. The API server ends each after a while, and it is begun again where it ended.
pub struct Watch<'a> {
    kubectl: &'a Kubectl,
    name: String,
    namespace: String,
    version: String,
    doing: String,
    open: Option<Open>,
}

struct Open {
    running: Running,
    events: mpsc::Receiver<serde_json::Result<Event>>,
}

impl<'a> Watch<'a> {
    /// Returns a watch of a query from this state on.
    #[must_use]
    pub fn since(kubectl: &'a Kubectl, query: &FederatedQuery) -> Self {
        let (name, namespace) = (query.metadata.name.clone(), query.metadata.namespace.clone());
        let name = name.unwrap_or_default();
        let doing = format!("watch FederatedQuery {name}");
        let version = query.metadata.resource_version.clone().unwrap_or_default();
        Self { kubectl, name, namespace: namespace.unwrap_or_default(), version, doing, open: None }
    }

    /// Waits for the query's next state and returns it.
    ///
    /// # Errors
    /// If the query is deleted, or the API server refuses.
    pub async fn next(&mut self) -> Outcome<FederatedQuery> {
        loop {
            let open = match self.open.take() {
                Some(open) => open,
                None => self.begin()?,
            };
            let open = self.open.insert(open);
            match open.events.recv().await {
                Some(Ok(event)) => match seen(event, &self.doing, &self.name)? {
                    Seen::Query(query) => return Ok(self.at(*query)),
                    Seen::Nothing => continue,
                    Seen::Gone => {
                        self.open = None;
                        let args = ["get", QUERIES, &self.name, "--output=json"];
                        let query = self.kubectl.within(&self.namespace).read(&self.doing, &args, Vec::new()).await?;
                        return Ok(self.at(query));
                    }
                },
                Some(Err(error)) => return Err(unread(&self.doing, &error)),
                None => {}
            }
            // It has closed its output.
            let succeeded = open.running.succeeded(&self.doing).await;
            self.open = None;
            succeeded?;
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn at(&mut self, query: FederatedQuery) -> FederatedQuery {
        self.version = query.metadata.resource_version.clone().unwrap_or_default();
        query
    }

    fn begin(&self) -> Outcome<Open> {
        let (running, stdout) = self.kubectl.start(&self.doing, &["get", "--raw", &self.path()])?;
        let (say, events) = mpsc::channel(1);
        // The thread ends with the output of kubectl, or when the receiver is dropped.
        std::thread::spawn(move || read(stdout).all(|event| say.blocking_send(event).is_ok()));
        Ok(Open { running, events })
    }

    fn path(&self) -> String {
        let Self { name, namespace, version, .. } = self;
        format!(
            "{COLLECTION}/namespaces/{namespace}/federatedqueries?watch=true&fieldSelector=metadata.name%3D{name}\
             &resourceVersion={version}"
        )
    }
}

/// Returns the events of a stream, as they come.
fn read(stream: impl Read) -> impl Iterator<Item = serde_json::Result<Event>> {
    serde_json::Deserializer::from_reader(BufReader::new(stream)).into_iter()
}

fn seen(event: Event, doing: &str, name: &str) -> Outcome<Seen> {
    match event.kind.as_str() {
        "ADDED" | "MODIFIED" => serde_json::from_value(event.object).map(Seen::Query),
        "DELETED" => return Err(Failure::failed(format!("FederatedQuery {name} was deleted"))),
        "ERROR" if event.object["code"] == GONE => Ok(Seen::Gone),
        "ERROR" => {
            let why = event.object["message"].as_str().unwrap_or("the API server does not say why");
            return Err(Failure::failed(format!("cannot {doing}: {why}")));
        }
        _ => Ok(Seen::Nothing),
    }
    .map_err(|error| unread(doing, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::args::TargetArgs;

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
            match seen(event, "watch", "q").map_err(|failure| failure.to_string())? {
                Seen::Query(query) => Ok(query.spec.sql),
                other => Ok(format!("{other:?}")),
            }
        };
        read(stream.as_bytes()).map(one).collect()
    }

    #[test]
    fn events_follow_each_other_without_anything_between() {
        let stream = event("ADDED", 1) + &event("MODIFIED", 2);
        assert_eq!(all(&stream), [Ok("SELECT 1".to_owned()), Ok("SELECT 2".to_owned())]);
    }

    #[test]
    fn a_deleted_query_is_said_and_a_cut_event_of_a_watch_is_an_error() {
        assert_eq!(all(&event("DELETED", 1)), [Err("wanqu: FederatedQuery q was deleted".to_owned())]);
        let whole = event("ADDED", 1);
        let cut = all(&whole[..whole.len() / 2]);
        assert!(matches!(&cut[..], [Err(error)] if error.contains("EOF")), "{cut:?}");
        let other = all(r#"{"type": "ADDED", "object": {"kind": "FederatedQuery"}}"#);
        assert!(matches!(&other[..], [Err(error)] if error.contains("cannot be read")), "{other:?}");
    }

    #[test]
    fn a_state_that_is_forgotten_is_asked_for_anew_and_other_errors_are_told() {
        let error = |code: u32| {
            let status = r#""object": {"kind": "Status", "message": "too old", "code": "#;
            format!(r#"{{"type": "ERROR", {status}{code}}}}}"#)
        };
        assert_eq!(all(&error(410)), [Ok("Gone".to_owned())]);
        assert_eq!(all(&error(500)), [Err("wanqu: cannot watch: too old".to_owned())]);
        assert_eq!(all(r#"{"type": "BOOKMARK", "object": {}}"#), [Ok("Nothing".to_owned())]);
    }

    /// An API server whose query changes once; then its watch is too old, the query is read anew, and is deleted.
    const SERVER: &str = r#"#!/bin/sh
query() { printf '{"apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery",
 "metadata": {"name": "q", "namespace": "gba", "resourceVersion": "%s"},
 "spec": {"sql": "SELECT %s", "from": "HK", "requester": "wei"}}' "$1" "$1"; }
event() { printf '{"type": "%s", "object": %s}\n' "$1" "$2"; }
from=/apis/wanqu.dev/v1alpha1/namespaces/gba/federatedqueries
from="$from?watch=true&fieldSelector=metadata.name%3Dq&resourceVersion="
case "$1 $2 $3" in
  "get --raw ${from}5"*) event MODIFIED "$(query 6)";;
  "get --raw ${from}6"*) event ERROR '{"kind": "Status", "code": 410}';;
  "get federatedqueries.wanqu.dev q"*) query 9;;
  "get --raw ${from}9"*) event DELETED "$(query 10)";;
  *) echo "error: $*" >&2; exit 1;;
esac
"#;

    #[tokio::test]
    async fn a_watch_goes_on_from_the_state_that_was_seen_last_and_misses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubectl");
        std::fs::write(&path, SERVER).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let kubectl = Kubectl::new(&TargetArgs { kubectl: path.into(), ..TargetArgs::default() });
        let mut known: FederatedQuery =
            serde_json::from_value(serde_json::from_str::<Event>(&event("ADDED", 5)).unwrap().object).unwrap();
        (known.metadata.namespace, known.metadata.resource_version) = (Some("gba".to_owned()), Some("5".to_owned()));
        let mut watch = Watch::since(&kubectl, &known);
        assert_eq!(watch.next().await.unwrap().spec.sql, "SELECT 6");
        assert_eq!(watch.next().await.unwrap().spec.sql, "SELECT 9");
        assert_eq!(watch.next().await.unwrap_err().to_string(), "wanqu: FederatedQuery q was deleted");
    }
}
