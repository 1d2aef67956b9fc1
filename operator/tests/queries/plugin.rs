//! `kubectl wanqu` as a person types it: the real kubectl runs the plugin, which runs kubectl.

use std::fs::File;

use kube::ResourceExt;
use kube::api::{ListParams, PostParams};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use wanqu_testing::until;

use crate::bed::WITHIN;
use crate::terminal::{Terminal, Typed};
use crate::world::{World, query};
use crate::{BY_JURISDICTION, ENDLESS};

/// In whose project one asks, and where.
const HOME: [&str; 6] = ["--from", "HK", "--project", "capacity", "--purpose", "health-planning"];

/// The words that even `--quiet` does not suppress.
const LACKING: &str = "note: rows may be absent: a jurisdiction may have kept whole cells back, or cells or values by which a condition, GROUP BY, LIMIT or join went\n";

fn ask<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["query"], more, &HOME].concat()
}

fn answered(typed: Typed) -> Typed {
    assert_eq!(typed.code, Some(0), "{}{}", typed.printed, typed.said);
    typed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_asked_and_its_answer_comes_to_the_terminal() {
    let bed = World::start().await;
    let _operator = bed.operator().await;
    let terminal = Terminal::of(bed.user("wei"));
    let expected = bed.nodes.command_line(BY_JURISDICTION);

    let typed = answered(terminal.wanqu(&ask(&["--format", "csv", "--name", "visits", BY_JURISDICTION])));
    assert_eq!(typed.printed, expected);
    assert!(typed.said.starts_with("FederatedQuery visits\n"), "{}", typed.said);
    assert!(typed.said.contains("3 rows, query ") && typed.said.contains("CN-SZ"), "{}", typed.said);
    let typed = answered(terminal.wanqu(&["result", "visits", "--format", "csv", "--quiet"]));
    assert_eq!((typed.printed, typed.said.as_str()), (expected.clone(), LACKING));

    // The table is the one of `wanqu query`, and the object gets a name.
    let table = answered(terminal.wanqu(&ask(&[BY_JURISDICTION])));
    assert!(table.printed.contains("3 rows, query "), "{}", table.printed);
    let list = answered(terminal.wanqu(&["list", "--format", "csv"])).printed;
    let found: Vec<&str> = list.lines().filter(|line| line.contains(",HK,wei,,Complete,3,3 rows")).collect();
    assert!(found.len() == 2 && found.iter().any(|line| line.starts_with("ask-")), "{list}");

    answered(terminal.wanqu(&ask(&["--format", "parquet", "--output", "visits.parquet", BY_JURISDICTION])));
    let file = File::open(terminal.home().join("visits.parquet")).unwrap();
    let rows = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    assert_eq!(rows.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 3);

    let plan = answered(terminal.wanqu(&[&["explain", BY_JURISDICTION][..], &HOME].concat()));
    assert!(plan.printed.contains("MO") && plan.printed.contains("GROUP BY"), "{}", plan.printed);
    assert_eq!(plan.said, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_answer_is_fetched_from_its_home_by_its_requester_alone() {
    let bed = World::start().await;
    let _operator = bed.operator().await;
    let (wei, mallory) = (Terminal::of(bed.user("wei")), Terminal::of(bed.user("mallory")));
    let expected = bed.nodes.command_line(BY_JURISDICTION);
    let gateway = bed.nodes.gateway();
    let kept = ["--name", "kept", "--inline-rows", "0", "--format", "csv", "--quiet", "--gateway", &gateway];
    let typed = answered(wei.wanqu(&ask(&[&kept[..], &[BY_JURISDICTION]].concat())));
    assert_eq!((typed.printed, typed.said.as_str()), (expected.clone(), LACKING));
    let run = bed.until("kept", |query| query.status.as_ref()?.runs.first().cloned()).await;
    assert_eq!(run.config_map, None, "it is at the home node alone");

    let fetch = ["result", "kept", "--format", "csv", "--quiet", "--gateway", &gateway];
    assert_eq!(answered(wei.wanqu(&fetch)).printed, expected);
    let stolen = mallory.wanqu(&fetch);
    assert_eq!((stolen.code, stolen.printed.as_str()), (Some(3), ""), "{}", stolen.said);
    assert!(stolen.said.contains("only the requester of a query writes the annotation"), "{}", stolen.said);

    // Nobody listens there: the answer is still to be had, and it says how.
    let away = wei.wanqu(&["result", "kept", "--gateway", "127.0.0.1:1"]);
    assert_eq!((away.code, away.printed.as_str()), (Some(4), ""), "{}", away.said);
    // Without --gateway a way through the cluster is looked for, which wei may not.
    let barred = wei.wanqu(&["result", "kept"]);
    assert_eq!(barred.code, Some(3), "{}", barred.said);
    assert!(barred.said.contains("--gateway") && barred.said.contains("pods is forbidden"), "{}", barred.said);
    assert_eq!(answered(wei.wanqu(&fetch)).printed, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_from_the_terminal_that_is_refused_has_exit_code_and_remedy() {
    let bed = World::start().await;
    let _operator = bed.operator().await;
    let terminal = Terminal::of(bed.user("wei"));
    let file = ["--format", "csv", "--output", "raw.csv"];
    let raw = ask(&[&file[..], &["SELECT * FROM gba.health.visits"]].concat());
    let project = ["query", "--from", "HK", "--project", "other", "--purpose", "health-planning", "SELECT 1 AS one"];
    let nowhere = ["query", "--from", "TW", "SELECT 1 AS one"];
    for (line, code, words) in [
        (&raw[..], 3, "remedy:"),
        (&project, 3, "spec.project: there is no ResearchProject other"),
        (&nowhere, 3, "spec.from: there is no Jurisdiction with the id TW"),
        (&["query", "--from", "HK", "--kubectl", "./none", "SELECT 1"], 1, "cannot run ./none"),
        (&["query", "--from", "HK", "--context", "none", "SELECT 1"], 1, "context \"none\" does not exist"),
        (&["query", "--from", "HK", "--as", "mallory", "SELECT 1"], 1, "you do not have permission"),
        (&["query", "--from", "HK", "--format", "parquet", "SELECT 1"], 2, "--format parquet needs --output FILE"),
        (&["query", "SELECT 1"], 2, "--from"),
        (&["result", "none"], 1, "\"none\" not found"),
    ] {
        let typed = terminal.wanqu(line);
        assert_eq!((typed.code, typed.printed.as_str()), (Some(code), ""), "{line:?}: {}", typed.said);
        assert!(typed.said.contains(words), "{line:?}: {}", typed.said);
    }
    assert!(!terminal.home().join("raw.csv").exists(), "a file appears only with a whole answer");

    // A failure is reported again by `result`, with the same exit code.
    let wei = bed.queries(&bed.user("wei")).await;
    wei.create(&PostParams::default(), &query("raw", "wei", &json!({"sql": "SELECT * FROM gba.health.visits"})))
        .await
        .unwrap();
    bed.condition("raw", "Failed", "True").await;
    let again = terminal.wanqu(&["result", "raw"]);
    assert_eq!(again.code, Some(3), "{}", again.said);
    assert!(again.said.starts_with("refused: ") && again.said.contains("remedy:"), "{}", again.said);
    let typed = terminal.wanqu(&["result", "raw", "--run", "7"]);
    assert_eq!(typed.code, Some(1), "{}", typed.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_takes_the_question_back_and_the_owner_wrote_it_down() {
    let bed = World::start().await;
    let _operator = bed.operator().await;
    let terminal = Terminal::of(bed.user("wei"));
    let started = terminal.start(&ask(&[ENDLESS]));
    bed.nodes.until_questions("1").await;
    assert_eq!(started.interrupt(), Some(130));
    bed.nodes.until_questions("0").await;
    let wei = bed.queries(&bed.user("wei")).await;
    until("the question being gone", WITHIN, async || {
        let names: Vec<String> =
            wei.list(&ListParams::default()).await.unwrap().iter().map(ResourceExt::name_any).collect();
        if names.is_empty() { Ok(()) } else { Err(names.join(", ")) }
    })
    .await;
    until("the owner's log saying that it was broken off", WITHIN, async || {
        let log = bed.nodes.audit();
        if log.contains("\"complete\":false") { Ok(()) } else { Err(log) }
    })
    .await;
}
