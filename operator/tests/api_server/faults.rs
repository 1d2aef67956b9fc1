//! Faults hold up nobody's revocation: what is in order goes to the nodes without what is not.

use serde_json::{Value, json};
use wanqu_model::bundle::AgreementState;

use crate::bed::{Bed, condition};
use crate::conditions::bundle;
use crate::pods::running;

const AGREEMENT: &str = "macau-to-shenzhen";

fn digest(config_map: &Value) -> Option<String> {
    Some(config_map["metadata"]["annotations"]["wanqu.dev/bundle-digest"].as_str()?.to_owned())
}

fn state(config_map: &Value) -> Option<AgreementState> {
    bundle(config_map).agreements.iter().find(|agreement| agreement.name.as_str() == AGREEMENT).map(|a| a.state)
}

#[tokio::test]
async fn a_suspension_reaches_its_owner_beside_a_faulty_dataset_and_is_said_when_the_node_runs_it() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    let copy = running(&bed, "MO", "macau", "127.77.3.31").await;
    let runs = |digest: &str| json!({"jurisdiction": "MO", "digest": digest, "identityNotAfter": null});
    let before = bed.until("ConfigMap", "gba-macau", "macau-bundle", digest).await;
    copy.say("/bundle", runs(&before));
    bed.ready("Jurisdiction", "macau").await;

    bed.merge("Dataset", "gba", "hongkong-visits", json!({"spec": {"policies": ["nope"]}})).await;
    let message = bed.condition("Dataset", "hongkong-visits", "Ready", "False", "Invalid").await;
    assert!(message.starts_with("spec.policies[0]: there is no DisclosurePolicy nope; "), "{message}");
    let told = bed.condition("Federation", "gba", "Valid", "False", "Invalid").await;
    assert!(
        told.contains("Dataset hongkong-visits spec.policies[0]") && told.contains("nodes run everything else"),
        "{told}"
    );

    bed.merge("DataSharingAgreement", "gba", AGREEMENT, json!({"spec": {"state": "Suspended"}})).await;
    bed.until("ConfigMap", "gba-macau", "macau-bundle", |map| (state(map)? == AgreementState::Suspended).then_some(()))
        .await;
    // Its node has not loaded that yet.
    let message = bed.condition("DataSharingAgreement", AGREEMENT, "InForce", "Unknown", "RollingOut").await;
    assert!(message.contains("the node of MO is not known to run what is declared here"), "{message}");
    let message = bed.condition("DataSharingAgreement", AGREEMENT, "Agreed", "Unknown", "RollingOut").await;
    assert!(message.contains("macau-node-0 runs another bundle still"), "{message}");
    // An agreement that says the same in both bundles is not doubted.
    let other = bed.get("DataSharingAgreement", "gba", "macau-to-hongkong-planning").await.unwrap();
    assert_eq!(condition(&other, "InForce").unwrap()["status"], "True");

    let after = bed.until("ConfigMap", "gba-macau", "macau-bundle", digest).await;
    copy.say("/bundle", runs(&after));
    bed.condition("DataSharingAgreement", AGREEMENT, "InForce", "False", "Inactive").await;
    bed.condition("DataSharingAgreement", AGREEMENT, "Agreed", "True", "SameTerms").await;
    // Members are ready, so that nobody's question waits for them.
    for member in ["shenzhen", "hongkong", "macau"] {
        bed.ready("Jurisdiction", member).await;
    }
}

#[tokio::test]
async fn a_member_that_is_ejected_is_out_at_every_node_and_at_its_own() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    bed.merge("Federation", "gba", "gba", json!({"spec": {"members": ["CN-SZ", "HK"]}})).await;
    bed.until("ConfigMap", "gba-hongkong", "hongkong-bundle", |map| {
        bundle(map).members.iter().all(|member| member.jurisdiction.as_str() != "MO").then_some(())
    })
    .await;
    bed.until("ConfigMap", "gba-macau", "macau-bundle", |map| {
        let own = bundle(map);
        (own.slices.is_empty() && own.agreements.is_empty() && own.projects.is_empty() && own.members.len() == 1)
            .then_some(())
    })
    .await;
    let message = bed.condition("Jurisdiction", "macau", "Ready", "False", "Invalid").await;
    assert!(message.starts_with("spec.id: MO is not a member of Federation gba"), "{message}");
    let message = bed.condition("Dataset", "macau-visits", "Ready", "False", "LeftOut").await;
    assert!(message.starts_with("spec.jurisdiction: Jurisdiction macau is left out, so "), "{message}");
    bed.condition("DataSharingAgreement", "macau-to-shenzhen", "InForce", "False", "LeftOut").await;
}
