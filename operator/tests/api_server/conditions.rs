//! A federation from its first manifest to its last: what is in order runs, and what is not says so.

use std::io::Read;
use std::time::Duration;

use base64::Engine;
use flate2::read::GzDecoder;
use jiff::Timestamp;
use serde_json::{Value, json};
use wanqu_identity::{NodeIdentity, Trust};
use wanqu_model::bundle::{AgreementState, NodeBundle};
use wanqu_operator::framework::hash::sha256;

use crate::bed::{Bed, texts};

/// The bundle of a member, as its node would read it.
pub fn bundle(config_map: &Value) -> NodeBundle {
    let text = config_map["binaryData"]["bundle.json.gz"].as_str().expect("a bundle");
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let mut json = Vec::new();
    GzDecoder::new(bytes.as_slice()).read_to_end(&mut json).unwrap();
    let digest = sha256(&json);
    assert_eq!(config_map["metadata"]["annotations"]["wanqu.dev/bundle-digest"], digest);
    serde_json::from_slice(&json).unwrap()
}

#[tokio::test]
async fn the_examples_run_and_what_breaks_one_thing_stops_nothing_else() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    let message = bed.condition("Federation", "gba", "Ready", "False", "MemberNotReady").await;
    assert!(message.contains("is not ready"), "{message}");
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    for kind in
        ["Jurisdiction", "Dataset", "CommonTable", "DisclosurePolicy", "DataSharingAgreement", "ResearchProject"]
    {
        for object in bed.api(kind, "gba").list(&<_>::default()).await.unwrap() {
            bed.ready(kind, object.metadata.name.as_deref().unwrap()).await;
        }
    }
    everybody_trusts_everybody(&bed).await;
    a_dataset_that_names_no_policy(&bed).await;
    an_agreement_that_is_suspended(&bed).await;
    a_dataset_that_goes(&bed).await;
}

async fn everybody_trusts_everybody(bed: &Bed) {
    let members = [("gba-shenzhen", "shenzhen"), ("gba-hongkong", "hongkong"), ("gba-macau", "macau")];
    let mut domains = Vec::new();
    for (namespace, name) in members {
        let own = bundle(&bed.until_there("ConfigMap", namespace, &format!("{name}-bundle")).await);
        assert!(own.members.iter().all(|member| member.ca.is_some()), "{name} knows every authority");
        let endpoint = own.members.iter().find(|member| member.sql_name.as_str() == name).unwrap().endpoint.clone();
        assert_eq!(endpoint, Some(format!("{name}-exchange.{namespace}.svc:7443")));
        Trust::from_bundle(&own).unwrap();
        let secret = texts(&bed.until_there("Secret", namespace, &format!("{name}-identity")).await);
        let identity = NodeIdentity::from_pem("gba.example", &secret["node.pem"], &secret["node.key"]).unwrap();
        assert_eq!(identity.jurisdiction(), &own.jurisdiction);
        domains.push(identity.jurisdiction().to_string());
    }
    assert_eq!(domains, ["CN-SZ", "HK", "MO"]);
}

async fn a_dataset_that_names_no_policy(bed: &Bed) {
    bed.merge("Dataset", "gba", "hongkong-visits", json!({"spec": {"policies": ["no-such-policy"]}})).await;
    let message = bed.condition("Dataset", "hongkong-visits", "Valid", "False", "Invalid").await;
    assert!(message.starts_with("spec.policies[0]: there is no DisclosurePolicy no-such-policy; "), "{message}");
    let message = bed.condition("Federation", "gba", "Ready", "False", "Invalid").await;
    assert!(message.contains("Dataset hongkong-visits spec.policies[0]"), "{message}");
    bed.ready("Dataset", "shenzhen-visits").await;
    bed.condition("Federation", "gba", "BundleCurrent", "True", "AsDeclared").await;
    let message = bed.condition("DataSharingAgreement", "hongkong-to-shenzhen", "Ready", "False", "LeftOut").await;
    assert!(message.contains("spec.datasets[0]: Dataset hongkong-visits is left out, so "), "{message}");
    bed.ready("Jurisdiction", "hongkong").await;
    bed.until("ConfigMap", "gba-hongkong", "hongkong-bundle", |map| {
        let own = bundle(map).sources;
        (!own.iter().any(|source| source.table.to_string() == "hongkong.health.visits")).then_some(())
    })
    .await;
    a_revocation_beside_a_fault(bed).await;

    bed.merge("Dataset", "gba", "hongkong-visits", json!({"spec": {"policies": null}})).await;
    bed.ready("Dataset", "hongkong-visits").await;
    bed.ready("Federation", "gba").await;
}

/// While a Dataset of Hong Kong's is at fault, Macau takes an agreement back, and gives another one up.
async fn a_revocation_beside_a_fault(bed: &Bed) {
    let name = "macau-to-shenzhen";
    bed.merge("DataSharingAgreement", "gba", name, json!({"spec": {"state": "Suspended"}})).await;
    bed.condition("DataSharingAgreement", name, "InForce", "False", "Inactive").await;
    let state = |map: &Value| bundle(map).agreements.iter().find(|a| a.name.as_str() == name).map(|a| a.state);
    for (namespace, map) in [("gba-macau", "macau-bundle"), ("gba-shenzhen", "shenzhen-bundle")] {
        bed.until("ConfigMap", namespace, map, |map| (state(map)? == AgreementState::Suspended).then_some(())).await;
    }
    let spec = bed.get("DataSharingAgreement", "gba", name).await.unwrap()["spec"].clone();
    bed.delete("DataSharingAgreement", "gba", name).await;
    bed.until("ConfigMap", "gba-macau", "macau-bundle", |map| state(map).is_none().then_some(())).await;
    let message = bed.condition("ResearchProject", "bay-area-capacity", "Ready", "False", "Invalid").await;
    assert!(message.contains("there is no DataSharingAgreement macau-to-shenzhen"), "{message}");
    let mut again = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "DataSharingAgreement", "metadata": {"name": name}, "spec": spec,
    });
    again["spec"]["state"] = json!("Active");
    bed.apply(&again.to_string()).await;
    bed.condition("DataSharingAgreement", name, "InForce", "True", "Active").await;
}

async fn an_agreement_that_is_suspended(bed: &Bed) {
    let name = "macau-to-hongkong-planning";
    bed.merge("DataSharingAgreement", "gba", name, json!({"spec": {"state": "Suspended"}})).await;
    let message = bed.condition("DataSharingAgreement", name, "InForce", "False", "Inactive").await;
    assert!(message.contains("Suspended") && message.contains("sha256:"), "{message}");
    bed.until("ConfigMap", "gba-macau", "macau-bundle", |map| {
        let bundle = bundle(map);
        let agreement = bundle.agreements.iter().find(|agreement| agreement.name.as_str() == name)?;
        (agreement.state == AgreementState::Suspended).then_some(())
    })
    .await;
    let expires = Timestamp::now().saturating_add(Duration::from_secs(8)).unwrap();
    let patch = json!({"spec": {"state": "Active", "expires": expires.to_string()}});
    bed.merge("DataSharingAgreement", "gba", name, patch).await;
    bed.condition("DataSharingAgreement", name, "InForce", "True", "Active").await;
    let message = bed.condition("DataSharingAgreement", name, "InForce", "False", "Expired").await;
    assert!(Timestamp::now() >= expires && message.contains("it ended on"), "{message}");
}

async fn a_dataset_that_goes(bed: &Bed) {
    let named = |map: &Value| bundle(map).slices.iter().any(|slice| slice.dataset.as_str() == "macau-air");
    assert!(named(&bed.until_there("ConfigMap", "gba-hongkong", "hongkong-bundle").await));
    bed.delete("Dataset", "gba", "macau-air").await;
    bed.until("ConfigMap", "gba-hongkong", "hongkong-bundle", |map| (!named(map)).then_some(())).await;
    // Agreements name the table that this one served: they say what is missing.
    bed.delete("Dataset", "gba", "macau-visits").await;
    let message = bed.condition("DataSharingAgreement", "macau-to-shenzhen", "Valid", "False", "Invalid").await;
    assert!(message.starts_with("spec.commonTables[0]: MO serves nothing of health-visits"), "{message}");
}

#[tokio::test]
async fn without_a_federation_everything_waits_and_says_for_what() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.condition("Dataset", "macau-visits", "Ready", "True", "AsDeclared").await;
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    let federation = bed.get("Federation", "gba", "gba").await.unwrap();
    bed.delete("Federation", "gba", "gba").await;
    let message = bed.condition("Dataset", "macau-visits", "Ready", "False", "NoFederation").await;
    assert!(message.contains("there is no Federation in namespace gba"), "{message}");
    bed.condition("Jurisdiction", "macau", "Ready", "False", "NoFederation").await;
    assert!(bed.get("StatefulSet", "gba-macau", "macau-node").await.is_some(), "what runs goes on");

    let again = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "Federation", "metadata": {"name": "gba"},
        "spec": federation["spec"],
    });
    bed.apply(&again.to_string()).await;
    bed.condition("Dataset", "macau-visits", "Ready", "True", "AsDeclared").await;

    let rival = again.to_string().replace("\"name\":\"gba\"", "\"name\":\"rival\"");
    bed.apply(&rival).await;
    let message = bed.condition("Federation", "rival", "Valid", "False", "Invalid").await;
    assert!(message.contains("Federation gba is older, and a namespace has one Federation"), "{message}");
}
