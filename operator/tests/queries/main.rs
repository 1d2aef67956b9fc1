//! Questions as resources, end to end: a real API server, the operator, and three real nodes over mutual TLS.

mod nodes;
mod plugin;
mod terminal;
mod world;

use std::time::Duration;

use arrow::csv::WriterBuilder;
use arrow::ipc::reader::StreamReader;
use bed::WITHIN;
use futures::StreamExt;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use wanqu_client::Client;
use wanqu_crds::kinds::{QueryRun, RunState};
use wanqu_identity::DeliveryKey;
use wanqu_model::answer::{Answer, Event, Question, Summary};
use wanqu_operator_bed::{bed, guard, rights};
use wanqu_testing::until;
use world::{World, query};

/// A question that each jurisdiction has a part in.
const BY_JURISDICTION: &str =
    "SELECT jurisdiction, count(*) AS visits FROM gba.health.visits GROUP BY jurisdiction ORDER BY jurisdiction";

/// A question that takes longer than anybody would wait.
const ENDLESS: &str = "SELECT count(*) AS n FROM hongkong.air.hourly a CROSS JOIN hongkong.air.hourly b CROSS JOIN hongkong.air.hourly c \
                       CROSS JOIN hongkong.air.hourly d CROSS JOIN hongkong.air.hourly e";

fn latest(query: &wanqu_crds::kinds::FederatedQuery) -> Option<QueryRun> {
    query.status.as_ref()?.runs.first().cloned()
}

/// A whole answer as CSV, and its account.
async fn taken(mut answer: Answer) -> (String, Summary) {
    let (mut csv, mut account) = (Vec::new(), None);
    let mut writer = WriterBuilder::new().with_header(true).build(&mut csv);
    while let Some(event) = answer.next().await {
        match event.unwrap() {
            Event::Batch(batch) => writer.write(&batch).unwrap(),
            Event::Summary(summary) => account = Some(summary),
            Event::Progress(_) | Event::Schema(_) => {}
        }
    }
    drop(writer);
    (String::from_utf8(csv).unwrap(), account.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_applied_is_answered_as_the_command_line_answers() {
    let bed = World::start().await;
    let _operator = bed.operator().await;
    let wei = bed.queries(&bed.user("wei")).await;
    let spec = json!({"sql": BY_JURISDICTION});
    wei.create(&PostParams::default(), &query("visits", "wei", &spec)).await.unwrap();
    let (reason, message) = bed.condition("visits", "Complete", "True").await;
    assert!(reason == "Answered" && message.contains("3 rows"), "{reason}: {message}");
    let run = bed.until("visits", latest).await;
    assert_eq!((run.state, run.rows, run.number), (RunState::Complete, Some(3), 1));
    assert!(run.may_lack.is_some() && run.query_id.is_some() && run.kept.is_some());
    let parts: Vec<_> = run.jurisdictions.iter().map(|p| (p.jurisdiction.to_string(), p.receipts.len())).collect();
    assert_eq!(parts, [("CN-SZ".to_owned(), 1), ("HK".to_owned(), 1), ("MO".to_owned(), 1)]);
    assert!(run.jurisdictions.iter().all(|part| part.receipts[0].digest.len() == 64 && part.missing.is_none()));
    bed.until("visits", |query| query.finalizers().is_empty().then_some(())).await;

    let expected = bed.nodes.command_line(BY_JURISDICTION);
    assert_eq!(expected.lines().count(), 4, "{expected}");
    let login = bed.user("wei");
    let maps: Api<ConfigMap> = Api::namespaced(login.client().await.unwrap(), "gba");
    let map = maps.get(run.config_map.as_deref().unwrap()).await.unwrap();
    assert_eq!(map.owner_references()[0].name, "visits");
    assert_eq!(map.data.as_ref().unwrap()["rows.csv"], expected);
    let stream = &map.binary_data.as_ref().unwrap()["rows.arrow"].0;
    let mut csv = Vec::new();
    let mut writer = WriterBuilder::new().with_header(true).build(&mut csv);
    for batch in StreamReader::try_new(stream.as_slice(), None).unwrap() {
        writer.write(&batch.unwrap()).unwrap();
    }
    drop(writer);
    assert_eq!(String::from_utf8(csv).unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_copied_is_kept_at_home_and_says_why() {
    let bed = World::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(bed.client.clone(), "gba");
    let theirs = serde_json::from_value(json!({"metadata": {"name": "taken-result-1"}, "data": {"a": "b"}})).unwrap();
    maps.create(&PostParams::default(), &theirs).await.unwrap();
    let _operator = bed.operator().await;
    let wei = bed.queries(&bed.user("wei")).await;
    wei.create(&PostParams::default(), &query("taken", "wei", &json!({"sql": BY_JURISDICTION}))).await.unwrap();
    let (_, message) = bed.condition("taken", "Complete", "True").await;
    assert!(
        message.contains(
            "the answer was not copied into a ConfigMap: ConfigMap gba/taken-result-1 exists and belongs to somebody else"
        ),
        "{message}"
    );
    let run = bed.until("taken", latest).await;
    assert!(run.config_map.is_none() && run.kept.is_some() && run.state == RunState::Complete);
    assert_eq!(maps.get("taken-result-1").await.unwrap().data.unwrap()["a"], "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_answer_reaches_its_requester_and_nobody_else() {
    let bed = World::start().await;
    let _operator = bed.operator().await;
    let wei = bed.queries(&bed.user("wei")).await;
    // No row fits into a ConfigMap: the answer is at the home node alone.
    let spec = json!({"sql": BY_JURISDICTION, "inlineRows": 0});
    wei.create(&PostParams::default(), &query("kept", "wei", &spec)).await.unwrap();
    bed.condition("kept", "Complete", "True").await;
    let run = bed.until("kept", latest).await;
    let kept = run.kept.unwrap();
    assert_eq!(run.config_map, None);

    let key = DeliveryKey::new();
    let deliver = |key: &DeliveryKey| json!({"metadata": {"annotations": {"wanqu.dev/deliver-to": key.public()}}});
    let mallory = bed.queries(&bed.user("mallory")).await;
    let stolen = deliver(&DeliveryKey::new());
    let refused = mallory.patch("kept", &PatchParams::default(), &Patch::Merge(&stolen)).await.unwrap_err();
    assert!(refused.to_string().contains("only the requester of a query writes the annotation"), "{refused}");

    wei.patch("kept", &PatchParams::default(), &Patch::Merge(&deliver(&key))).await.unwrap();
    let (delivery, object) =
        bed.until("kept", |query| Some((query.status.as_ref()?.delivery.clone()?, query.clone()))).await;
    assert_eq!((delivery.to.as_str(), delivery.service.as_str()), (key.public().as_str(), "hongkong-gateway"));
    let token = key.open(&delivery.sealed_token, &object.sealing_context(&delivery)).unwrap();
    let client = Client::connect(&bed.nodes.gateway(), &delivery.ca, &token, Some(&delivery.server_name)).unwrap();
    let (csv, account) = taken(client.fetch(kept.id.parse().unwrap()).await.unwrap()).await;
    assert_eq!(csv, bed.nodes.command_line(BY_JURISDICTION));
    assert_eq!(account.result.unwrap().id.to_string(), kept.id);
    // The token has done what it was delivered for, and never did anything else.
    let again = client.fetch(kept.id.parse().unwrap()).await.err().unwrap();
    assert!(again.to_string().contains("the token was used already"), "{again}");
    let asked = client.ask(&Question { sql: "SELECT 1".to_owned(), ..Question::default() }).await.err().unwrap();
    assert!(asked.to_string().contains("good for fetching one result"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_query_has_failed_and_says_rule_and_remedy() {
    let bed = World::start().await;
    let _operator = bed.operator().await;
    let wei = bed.queries(&bed.user("wei")).await;
    let create = PostParams::default();
    for (name, spec, condition, reason, words) in [
        ("raw", json!({"sql": "SELECT * FROM gba.health.visits"}), "Failed", "", "rule:"),
        ("unknown", json!({"sql": "SELECT 1 FROM gba.health.nothing"}), "Failed", "UnknownName", "nothing"),
        (
            "project",
            json!({"project": "other"}),
            "Accepted",
            "Invalid",
            "spec.project: there is no ResearchProject other",
        ),
        ("purpose", json!({"purpose": "marketing"}), "Accepted", "Invalid", "does not ask for marketing"),
        ("nowhere", json!({"from": "TW"}), "Accepted", "Invalid", "spec.from: there is no Jurisdiction with the id TW"),
        ("clock", json!({"schedule": "0 25 * * *"}), "Accepted", "Invalid", "spec.schedule"),
        ("zone", json!({"schedule": "0 5 * * *", "timeZone": "Asia/Atlantis"}), "Accepted", "Invalid", "Atlantis"),
    ] {
        wei.create(&create, &query(name, "wei", &spec)).await.unwrap();
        let status = if condition == "Failed" { "True" } else { "False" };
        let (found, message) = bed.condition(name, condition, status).await;
        assert!(message.contains(words) && found.contains(reason), "{name}: {found}: {message}");
        assert_ne!(bed.condition(name, "Ready", "False").await.1, "");
    }
    // Mallory takes part in no project, and asks in her own name.
    let mallory = bed.queries(&bed.user("mallory")).await;
    mallory.create(&create, &query("outsider", "mallory", &json!({"sql": BY_JURISDICTION}))).await.unwrap();
    let (_, message) = bed.condition("outsider", "Accepted", "False").await;
    assert!(message.contains("mallory does not take part in ResearchProject capacity"), "{message}");
    // Without a project she gets as far as public tables, and the node refuses the rest.
    let bare = json!({"sql": BY_JURISDICTION, "project": Value::Null, "purpose": Value::Null});
    mallory.create(&create, &query("bare", "mallory", &bare)).await.unwrap();
    bed.condition("bare", "Failed", "True").await;
}

/// Installs a policy that refuses queries by their names, whoever asks. Returns what takes it away.
async fn another_policy(bed: &World) -> impl AsyncFnOnce() {
    let metadata = json!({"name": "no-probes"});
    let queries = json!({"apiGroups": ["wanqu.dev"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["federatedqueries"]});
    let policy = json!({
        "metadata": metadata,
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [queries]},
            "validations": [{"expression": "object.metadata.name != 'wanqu-probe'", "message": "not by this name"}],
        },
    });
    let binding = json!({"metadata": metadata, "spec": {"policyName": "no-probes", "validationActions": ["Deny"]}});
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(bed.client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(bed.client.clone());
    let create = PostParams::default();
    policies.create(&create, &serde_json::from_value(policy).unwrap()).await.unwrap();
    bindings.create(&create, &serde_json::from_value(binding).unwrap()).await.unwrap();
    async move || {
        bindings.delete("no-probes", &DeleteParams::default()).await.unwrap();
        policies.delete("no-probes", &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_in_anothers_name() {
    let bed = World::unguarded().await;
    let _operator = bed.operator().await;
    let (wei, mallory) = (bed.queries(&bed.user("wei")).await, bed.queries(&bed.user("mallory")).await);
    let create = PostParams::default();
    // Without an admission policy, nothing is asked at all.
    mallory.create(&create, &query("forged", "wei", &json!({"sql": BY_JURISDICTION}))).await.unwrap();
    let (reason, _) = bed.condition("forged", "Accepted", "Unknown").await;
    assert_eq!(reason, "Unguarded");
    // A policy that refuses queries for another reason guards nobody's name.
    let take_away = another_policy(&bed).await;
    let probe = |name: &str| query(name, "wei", &json!({"sql": BY_JURISDICTION}));
    until("the other policy being in force", WITHIN, async || {
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        mallory.create(&dry, &probe("wanqu-probe")).await.err().map(drop).ok_or("it was created")
    })
    .await;
    mallory.create(&create, &probe("again")).await.unwrap();
    let (reason, _) = bed.condition("again", "Accepted", "Unknown").await;
    assert_eq!(reason, "Unguarded");
    mallory.delete("again", &DeleteParams::default()).await.unwrap();
    take_away().await;
    mallory.delete("forged", &DeleteParams::default()).await.unwrap();

    bed.guard().await;
    for spec in [json!({}), json!({"schedule": "0 6 * * *"})] {
        let refused = mallory.create(&create, &query("forged", "wei", &spec)).await.unwrap_err().to_string();
        assert!(refused.contains("spec.requester must be the user who creates the query: mallory"), "{refused}");
    }
    let spec = json!({"sql": BY_JURISDICTION, "schedule": "0 6 1 1 *"});
    wei.create(&create, &query("yearly", "wei", &spec)).await.unwrap();
    let params = PatchParams::default();
    for (patch, words) in [
        (json!({"spec": {"requester": "mallory"}}), "cannot change"),
        (json!({"spec": {"schedule": "* * * * *"}}), "only the requester of a query changes its spec"),
        (json!({"spec": {"sql": "SELECT 2"}}), "the query cannot change"),
    ] {
        let refused = mallory.patch("yearly", &params, &Patch::Merge(&patch)).await.unwrap_err().to_string();
        assert!(refused.contains(words), "{patch}: {refused}");
    }
    // A label is nobody's secret, and the requester may change the schedule.
    mallory.patch("yearly", &params, &Patch::Merge(&json!({"metadata": {"labels": {"a": "b"}}}))).await.unwrap();
    wei.patch("yearly", &params, &Patch::Merge(&json!({"spec": {"suspend": true}}))).await.unwrap();
    bed.condition("yearly", "Accepted", "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_query_cancels_it_at_the_node() {
    let bed = World::start().await;
    let _operator = bed.operator().await;
    let wei = bed.queries(&bed.user("wei")).await;
    wei.create(&PostParams::default(), &query("endless", "wei", &json!({"sql": ENDLESS}))).await.unwrap();
    bed.condition("endless", "Running", "True").await;
    bed.nodes.until_questions("1").await;
    wei.delete("endless", &DeleteParams::default()).await.unwrap();
    bed.until_gone("endless").await;
    bed.nodes.until_questions("0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_stops_leaves_no_question_in_doubt_and_repeats_none() {
    let bed = World::start().await;
    let operator = bed.operator().await;
    let wei = bed.queries(&bed.user("wei")).await;
    wei.create(&PostParams::default(), &query("endless", "wei", &json!({"sql": ENDLESS}))).await.unwrap();
    bed.nodes.until_questions("1").await;
    operator.stop().await;
    bed.nodes.until_questions("0").await;
    let _next = bed.operator().await;
    let (reason, message) = bed.condition("endless", "Failed", "True").await;
    assert!(reason == "Interrupted" && message.contains("create another FederatedQuery"), "{reason}: {message}");
    assert_eq!(bed.until("endless", |query| Some(query.status.as_ref()?.runs.len())).await, 1);
    assert_eq!(bed.nodes.questions().await, "0");
    bed.until("endless", |query| query.finalizers().is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_asks_when_it_is_time_and_a_finished_query_goes() {
    let bed = World::start().await;
    let _operator = bed.operator().await;
    let wei = bed.queries(&bed.user("wei")).await;
    let spec = json!({"sql": BY_JURISDICTION, "schedule": "0 * * * *", "successfulRunsHistoryLimit": 1});
    wei.create(&PostParams::default(), &query("hourly", "wei", &spec)).await.unwrap();
    let next = bed.until("hourly", |query| query.status.as_ref()?.next_schedule_time).await;
    assert!(latest(&wei.get("hourly").await.unwrap()).is_none(), "it is not time yet");
    for hour in 1..3 {
        bed.later(3600);
        // A change of the clock is noticed at the next reconciliation.
        let poke = json!({"metadata": {"labels": {"hour": hour.to_string()}}});
        wei.patch("hourly", &PatchParams::default(), &Patch::Merge(&poke)).await.unwrap();
        let run = bed
            .until("hourly", |query| latest(query).filter(|r| r.number == hour && r.state == RunState::Complete))
            .await;
        assert_eq!(run.scheduled_time, Some(next + jiff::SignedDuration::from_hours(i64::from(hour) - 1)));
    }
    let runs = bed.until("hourly", |query| Some(query.status.as_ref()?.runs.clone())).await;
    assert_eq!(runs.len(), 1, "the history has its limit");
    let maps: Api<ConfigMap> = Api::namespaced(bed.client.clone(), "gba");
    until("the ConfigMap of the forgotten run being gone", WITHIN, async || {
        maps.get_opt("hourly-result-1").await.unwrap().map_or(Ok(()), |map| Err(map.name_any()))
    })
    .await;
    assert!(maps.get_opt("hourly-result-2").await.unwrap().is_some());

    let spec = json!({"sql": BY_JURISDICTION, "ttlSecondsAfterFinished": 1});
    wei.create(&PostParams::default(), &query("brief", "wei", &spec)).await.unwrap();
    tokio::time::timeout(Duration::from_mins(2), bed.until_gone("brief")).await.unwrap();
}
