//! Reference of the node as Markdown, made from the words of the program itself. `docs/reference-node.md` is its output.

use std::fmt::Write as _;

use clap::CommandFactory;
use jiff::Timestamp;
use query_node::daemon::Settings;
use query_node::observe::{Door, InFlight, Metrics};
use wanqu_fixtures::identity::jid;
use wanqu_model::refusal::{Code, Refusal};

use crate::reference::section;

const PATHS: &str = "
## Observation port

Plain HTTP, `GET` only, one request for each connection, at most 64 connections at once, five seconds for a request and ten for all of it. A further connection takes the place of the oldest that has sent no request yet. Nothing of the data, of a question's text or of a person is in it.

| path | answer |
|---|---|
| `/livez` | 200 as long as the process serves |
| `/readyz` | a line for each check, `ok NAME` or `failed NAME: WHY`; 503 if one has failed; and a line for each own dataset that cannot be read, `unavailable dataset TABLE: WHY`, which leaves the node ready |
| `/bundle` | JSON: `jurisdiction`, `digest` (SHA-256 of the uncompressed bundle in force; with `+narrowed` after it if only a part of that bundle is left, because the one in the file cannot be used; `none` if nothing is in force), `identityNotAfter` (the earlier end of the two certificates), `leftOut` (what of it this version does not understand), `unavailable` (own datasets that could not be read when they were last looked at, every half minute: name and reason) |
| `/peers` | JSON: for each other member, `agreements`: `name`, `digest` and `state` of those that it holds with this one; or `problem`: a refusal's code, if it did not answer when it was last asked (every ten seconds) |
| `/metrics` | what the node has counted since it began, for Prometheus |

| check | it fails while |
|---|---|
| `bundle` | the bundle in the file cannot be used; what it and the one before it both grant is in force, nothing if it is not understood. If even that part cannot be put in force, the check says so, and the node refuses every question and fragment. If the file cannot be read, or is no bundle of this node, the check says until when the bundle before it stays in force (`--bundle-grace-seconds`); after that the node refuses every question and fragment, and says so, until the file can be read |
| `identity` | the certificates and keys in place cannot be used, or what is in use has expired or lost the trust of the bundle |
| `audit` | the audit log cannot be written, is not where it was, or has not the length of what was written to it; the node releases nothing then |
| `ledger` | the ledger of released cells was changed, is another process's or cannot be written; the node refuses what it would have to remember. A full one is told by `wanqu_ledger_room` and the log |
| `exchange`, `gateway` | the door is closed |
| `tasks` | a task is down or hangs, by name and since when: `file-follower` (bundle, certificates and keys), `peer-poller` (the other members' agreements), `result-expiry`, `refusal-writer` (counted refusals on their way to the audit log), `source-check` (whether the own datasets can be read) and `observation-server`. A task that ends or panics is started again, after a pause that doubles from a quarter of a second to half a minute, and is down until it works again. A door that ends by itself ends the process with code 1 |
| `drain` | the node was told to end |
";

/// Returns metrics with one of every kind.
fn metrics() -> Metrics {
    let metrics = Metrics::default();
    let refusal = Refusal::new(Code::Limit, "");
    InFlight::question(&metrics).refused(&refusal);
    InFlight::fragment(&metrics, &jid("HK")).refused(&refusal);
    metrics.asked(&jid("HK"), Code::Limit.to_string());
    metrics.sent(&jid("HK"), 0);
    metrics.received(&jid("HK")).inc_by(0);
    metrics.withholding(&jid("HK"));
    metrics.task_restarts("file-follower").inc_by(0);
    metrics.running(Door::Exchange, 0);
    metrics.peer_reachable(&jid("HK"), true);
    metrics.datasets([("hongkong.health.visits".to_owned(), true)]);
    metrics.certificate(Door::Exchange, Timestamp::now());
    metrics.audit_sequence(0);
    metrics
}

/// Returns the table of metrics: name, kind, labels and meaning.
fn table(text: &str) -> String {
    let mut rows = String::from("\n## Metrics\n\n| metric | kind | labels | what it says |\n|---|---|---|---|\n");
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) else { continue };
        let kind = lines[at..].iter().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
        let sample = lines.iter().find(|line| line.starts_with(name)).unwrap();
        let labels: Vec<&str> = sample
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'))
            .map(|(labels, _)| labels.split(',').filter_map(|label| label.split('=').next()).collect())
            .unwrap_or_default();
        let labels: Vec<String> = labels.iter().filter(|l| **l != "le").map(|label| format!("`{label}`")).collect();
        let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        let _ = writeln!(rows, "| `{name}` | {kind} | {} | {help} |", labels.join(", "));
    }
    rows + "\n`peer` is a member of the federation; `code` is `answered` or a refusal's code; `door` is `exchange` or \
            `gateway`; `table` is an own dataset's; `task` is a name as in the check `tasks`.\n"
}

fn markdown() -> String {
    let mut text = String::from(
        "# `query-node`\n\nThis page is made from the program: `UPDATE_REFERENCE=1 cargo test -p wanqu-cli --lib reference`.\n",
    );
    let mut command = Settings::command();
    command.build();
    section(&mut text, &command, "query-node");
    text.push_str(PATHS);
    text + &table(&metrics().text())
}

#[test]
fn the_reference_in_docs_is_what_the_program_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference-node.md");
    let made = markdown();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(made == committed, "run `UPDATE_REFERENCE=1 cargo test -p wanqu-cli --lib reference`");
    let metrics = made.lines().filter(|line| line.starts_with("| `wanqu_")).count();
    assert_eq!(metrics, 22, "every metric is in it");
}
