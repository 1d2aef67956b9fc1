//! Manifests that nobody should have written: each is refused by the API server in words that name the field, or is told by a
//! condition that names object, field and remedy; and nothing else stops.
//!
//! A file of `corpus/` is a list of cases of one sort. Objects are of `wanqu.dev/v1alpha1` and in the federation's namespace.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::Request;
use kube::{Api, Resource};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bed::{Bed, Running};
use crate::guard;

/// The requester in the examples.
pub const RESEARCHER: &str = "researcher@hku.example";

/// Something wrong, and what is said of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    /// Secrets that are there before.
    #[serde(default)]
    with: Vec<Value>,
    /// An object to create.
    object: Option<Value>,
    /// Or a change of one that is there, which is taken back afterwards.
    change: Option<Value>,
    /// The message of the API server's refusal.
    refused: Option<String>,
    /// Or the condition that tells.
    told: Option<Told>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    #[serde(default = "valid")]
    of: String,
    #[serde(default = "not")]
    status: String,
    reason: Option<String>,
    says: String,
}

fn valid() -> String {
    "Valid".to_owned()
}

fn not() -> String {
    "False".to_owned()
}

/// The cases of every file, by the file's name.
fn corpus() -> Vec<(String, Vec<Case>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api_server/corpus");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &PathBuf| {
        let cases: Vec<Value> = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let cases = cases.into_iter().map(|case| serde_json::from_value(expanded(case)).unwrap()).collect();
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), cases)
    };
    files.iter().map(read).collect()
}

/// The value with what is written once and meant many times.
fn expanded(value: Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("$repeat") => {
            let times = map["$times"].as_u64().unwrap();
            match &map["$repeat"] {
                Value::String(text) if !text.contains('#') => Value::String(text.repeat(times.try_into().unwrap())),
                one => {
                    let text = one.to_string();
                    let copy = |number: u64| serde_json::from_str(&text.replace('#', &number.to_string())).unwrap();
                    Value::Array((0..times).map(copy).collect())
                }
            }
        }
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, expanded(value))).collect(),
        Value::Array(values) => values.into_iter().map(expanded).collect(),
        value => value,
    }
}

/// A federation that is ready, and an operator whose questions reach nobody.
pub async fn federation() -> (Bed, Running) {
    let bed = Bed::start().await;
    guard::install(&bed.client).await;
    let operator = bed.operator("a", &["--gateway-address", "127.0.0.1:1"]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    (bed, operator)
}

/// Creates an object as kubectl does, which takes no field that it does not know; or what the API server says.
pub async fn create(bed: &Bed, object: &Value) -> Result<(), kube::Error> {
    let mut object = object.clone();
    if object.get("apiVersion").is_none() {
        object["apiVersion"] = json!("wanqu.dev/v1alpha1");
    }
    let resource = Bed::resource(object["kind"].as_str().unwrap());
    let path = DynamicObject::url_path(&resource, Some("gba"));
    let mut request = Request::new(path).create(&PostParams::default(), serde_json::to_vec(&object).unwrap()).unwrap();
    *request.uri_mut() = format!("{}fieldValidation=Strict", request.uri()).parse().unwrap();
    let login = bed.plane.user(RESEARCHER, Some("system:masters")).unwrap();
    login.client().await.unwrap().request::<Value>(request).await.map(drop)
}

/// Everything of the examples is in order, but for these; and something new is taken up. A federation keeps its last good
/// bundle while something does not compile, so its nodes run on.
pub async fn all_else_goes_on(bed: &Bed, wave: &str, but: &[(String, String)]) {
    let fresh =
        json!({"kind": "DisclosurePolicy", "metadata": {"name": format!("fresh-{wave}")}, "spec": {"minUnits": 5}});
    create(bed, &fresh).await.unwrap();
    bed.condition("DisclosurePolicy", &format!("fresh-{wave}"), "Valid", "True", "Compiled").await;
    for kind in
        ["Dataset", "CommonTable", "DisclosurePolicy", "DataSharingAgreement", "ResearchProject", "Jurisdiction"]
    {
        for object in bed.api(kind, "gba").list(&<_>::default()).await.unwrap() {
            let name = object.metadata.name.unwrap();
            if !but.contains(&(kind.to_owned(), name.clone())) {
                bed.condition(kind, &name, "Valid", "True", "Compiled").await;
            }
        }
    }
    for name in ["shenzhen", "hongkong", "macau"] {
        bed.condition("Jurisdiction", name, "WorkloadReady", "True", "Available").await;
    }
}

async fn is_told(bed: &Bed, case: &Case, object: &Value, told: &Told) {
    let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
    let (reason, message) = bed.told(kind, name, &told.of, &told.status, &told.says).await;
    assert!(told.reason.as_ref().is_none_or(|expected| *expected == reason), "{}: {reason}", case.about);
    if told.status == "False" {
        assert!(message.contains("; "), "{}: it says what to do: {message}", case.about);
    }
}

async fn is_refused(bed: &Bed, case: &Case, object: &Value, words: &str) {
    let name = object["metadata"]["name"].as_str().unwrap();
    match create(bed, object).await {
        Err(kube::Error::Api(status)) => {
            assert!(status.message.contains(words), "{}: {:.2000}", case.about, status.message);
            assert!((400..500).contains(&status.code), "{}: {}", case.about, status.code);
        }
        other => panic!("{}: {name} is not refused: {other:?}", case.about),
    }
}

#[tokio::test]
async fn a_faulty_resource_is_told_in_its_condition_and_no_other_is_affected() {
    let (bed, _operator) = federation().await;
    for (wave, cases) in corpus() {
        let mut taken = Vec::new();
        for case in &cases {
            let Some(object) = &case.object else { continue };
            match (&case.refused, &case.told) {
                (Some(words), None) => is_refused(&bed, case, object, words).await,
                (None, Some(_)) => {
                    create(&bed, object).await.unwrap_or_else(|error| panic!("{}: {error}", case.about));
                    let text = |value: &Value| value.as_str().unwrap().to_owned();
                    taken.push((text(&object["kind"]), text(&object["metadata"]["name"])));
                }
                _ => panic!("{wave}: {}: it is refused or told of", case.about),
            }
        }
        for case in &cases {
            if let (Some(object), Some(told)) = (&case.object, &case.told) {
                is_told(&bed, case, object, told).await;
            }
        }
        all_else_goes_on(&bed, &wave, &taken).await;
        for (kind, name) in taken {
            // Nothing was made of a jurisdiction that is not in order.
            let made = format!("{name}-node");
            assert!(kind != "Jurisdiction" || bed.get("StatefulSet", "gba", &made).await.is_none(), "{made}");
            bed.delete(&kind, "gba", &name).await;
        }
        bed.ready("Federation", "gba").await;
    }
}

#[tokio::test]
async fn a_secret_that_is_missing_or_malformed_is_told_and_stops_nobody_else() {
    let (bed, _operator) = federation().await;
    let secrets: Api<Secret> = Api::namespaced(bed.client.clone(), "gba");
    let cases = corpus().into_iter().flat_map(|(_, cases)| cases).filter(|case| case.change.is_some());
    for (number, case) in cases.enumerate() {
        let (change, told) = (case.change.as_ref().unwrap(), case.told.as_ref().unwrap());
        for secret in &case.with {
            secrets.create(&PostParams::default(), &serde_json::from_value(secret.clone()).unwrap()).await.unwrap();
        }
        let (kind, name) = (change["kind"].as_str().unwrap(), change["metadata"]["name"].as_str().unwrap());
        let before = bed.get(kind, "gba", name).await.unwrap()["spec"].clone();
        bed.merge(kind, "gba", name, json!({"spec": change["spec"]})).await;
        is_told(&bed, &case, change, told).await;
        // The others are followed meanwhile.
        let units = json!({"spec": {"minUnits": 20 + number}});
        bed.merge("DisclosurePolicy", "gba", "hongkong-people", units).await;
        bed.condition("DisclosurePolicy", "hongkong-people", "Valid", "True", "Compiled").await;
        for name in ["shenzhen", "hongkong"] {
            bed.condition("Jurisdiction", name, "Ready", "True", "AsDeclared").await;
        }
        let back: Patch<()> =
            Patch::Json(serde_json::from_value(json!([{"op": "replace", "path": "/spec", "value": before}])).unwrap());
        bed.api(kind, "gba").patch(name, &PatchParams::default(), &back).await.unwrap();
        bed.run_workload("gba-macau", "macau-node").await;
        bed.ready("Federation", "gba").await;
    }
}
