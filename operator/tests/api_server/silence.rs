//! Nothing waits in silence: what keeps the operator from its work is said by a condition.

use serde_json::{Value, json};

use crate::bed::{Bed, OPERATOR};
use crate::rbac::bind_in;

#[tokio::test]
async fn a_token_issuers_secret_of_somebody_else_is_said_by_the_federation_and_by_its_queries() {
    let bed = Bed::start().await;
    let foreign = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wanqu-token-issuer"}, "stringData": {"a": "b"},
    });
    bed.apply(&foreign.to_string()).await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    let message = bed.condition("Federation", "gba", "TokenIssuerReady", "False", "NameTaken").await;
    assert_eq!(
        message,
        "Secret gba/wanqu-token-issuer exists and belongs to somebody else; remove it or rename the resource; FederatedQueries \
         wait until the operator has its key again"
    );
    bed.condition("Federation", "gba", "Ready", "False", "NameTaken").await;
    // Everything else works.
    bed.ready("Jurisdiction", "hongkong").await;
    let query = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery", "metadata": {"name": "asked"},
        "spec": {"sql": "SELECT 1", "from": "HK", "requester": "somebody"},
    });
    bed.apply(&query.to_string()).await;
    let message = bed.condition("FederatedQuery", "asked", "Ready", "False", "NameTaken").await;
    assert!(message.contains("Secret gba/wanqu-token-issuer"), "{message}");

    bed.delete("Secret", "gba", "wanqu-token-issuer").await;
    bed.merge("Federation", "gba", "gba", json!({"metadata": {"annotations": {"look": "again"}}})).await;
    bed.condition("Federation", "gba", "TokenIssuerReady", "True", "Issued").await;
    bed.ready("Federation", "gba").await;
}

/// Waits for a condition of Macau's, by its text; returns the whole.
async fn told(bed: &Bed, of: &str, says: &str) -> String {
    bed.until("Jurisdiction", "gba", "macau", |object| {
        let condition = crate::bed::condition(object, of)?;
        let message = condition["message"].as_str()?;
        (condition["status"] == "False" && message.contains(says)).then(|| message.to_owned())
    })
    .await
}

#[tokio::test]
async fn a_node_in_a_namespace_that_cannot_be_read_any_more_is_not_forgotten() {
    let bed = Bed::start().await;
    bed.namespace("elsewhere").await;
    let operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    bed.until("Jurisdiction", "gba", "macau", |object| {
        (object["metadata"]["annotations"]["wanqu.dev/placed-in"] == "gba-macau").then_some(())
    })
    .await;
    operator.stop().await;
    // The next operator has no rights there.
    let namespaces = ["gba", "gba-shenzhen", "gba-hongkong", "gba-macau", "elsewhere"];
    bind_in(&bed, &["gba", "gba-shenzhen", "gba-hongkong", "elsewhere"]).await;
    let grant = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "PlacementGrant", "metadata": {"name": "gba", "namespace": "elsewhere"},
        "spec": {"from": [{"namespace": "gba"}], "claims": ["records"]},
    });
    bed.apply(&grant.to_string()).await;
    bed.merge("Jurisdiction", "gba", "macau", json!({"spec": {"placement": {"namespace": "elsewhere"}}})).await;
    let login = bed.plane.user(OPERATOR, None).unwrap();
    let _operator = bed.operator_as(&login, "b", &["--watch-namespaces", &namespaces.join(",")]).await;
    bed.run_workload("elsewhere", "macau-node").await;
    let message = told(&bed, "Ready", "in namespace gba-macau").await;
    assert!(message.contains("it may run on by permissions that have been withdrawn"), "{message}");

    bed.delete("Jurisdiction", "gba", "macau").await;
    let message = told(&bed, "Ready", "namespace gba-macau cannot be read by this operator").await;
    assert!(message.contains("give its account the chart's Role there"), "{message}");
    assert!(bed.get("StatefulSet", "gba-macau", "macau-node").await.is_some());
    bind_in(&bed, &["gba-macau"]).await;
    bed.until_gone("Jurisdiction", "gba", "macau").await;
    assert!(bed.get("StatefulSet", "gba-macau", "macau-node").await.is_none());
}

fn certificate(secret: &Value) -> String {
    secret["data"]["node.pem"].as_str().unwrap().to_owned()
}

/// Makes the operator look at Macau a while later, and returns its new certificate.
async fn renewed(bed: &Bed, look: &str) -> String {
    let before = certificate(&bed.until_there("Secret", "gba-macau", "macau-identity").await);
    bed.later(3000);
    bed.merge("Jurisdiction", "gba", "macau", json!({"metadata": {"annotations": {"look": look}}})).await;
    bed.until("Secret", "gba-macau", "macau-identity", |secret| {
        let now = certificate(secret);
        (now != before).then_some(now)
    })
    .await
}

#[tokio::test]
async fn certificates_are_renewed_without_a_federation_and_no_authority_is_rolled() {
    let bed = Bed::start().await;
    // Two thirds of the authority's life are over while there is no Federation.
    let arguments = ["--leaf-seconds", "3600", "--authority-seconds", "12000"];
    let _operator = bed.operator("a", &arguments).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    let authority = bed.until_there("Secret", "gba-macau", "macau-ca").await["data"].clone();
    let bundle = bed.until_there("ConfigMap", "gba-macau", "macau-bundle").await["binaryData"].clone();
    bed.loosen("federations").await;
    wanqu_testing::until("a trust domain that is none being accepted", crate::bed::WITHIN, async || {
        let wrong = kube::api::Patch::Merge(json!({"spec": {"trustDomain": {"newer": true}}}));
        bed.api("Federation", "gba").patch("gba", &kube::api::PatchParams::default(), &wrong).await.map(drop)
    })
    .await;
    bed.condition("Jurisdiction", "macau", "BundleCurrent", "False", "NoFederation").await;
    renewed(&bed, "first").await;
    for of in ["Valid", "Ready"] {
        let (_, message) =
            bed.told("Federation", "gba", of, "False", "Federation gba spec.trustDomain: invalid type").await;
        assert!(message.contains("install operator and definitions of the same version"), "{message}");
    }

    bed.delete("Federation", "gba", "gba").await;
    for look in ["second", "third"] {
        renewed(&bed, look).await;
    }
    bed.condition("Jurisdiction", "macau", "IdentityReady", "True", "Issued").await;
    bed.condition("Jurisdiction", "macau", "Ready", "False", "NoFederation").await;
    assert_eq!(bed.get("Secret", "gba-macau", "macau-ca").await.unwrap()["data"], authority, "nobody would be told");
    assert_eq!(bed.get("ConfigMap", "gba-macau", "macau-bundle").await.unwrap()["binaryData"], bundle);
}

#[tokio::test]
async fn what_cannot_be_written_is_said_by_its_own_condition_and_holds_up_neither_certificates_nor_revocations() {
    let bed = Bed::start().await;
    // Somebody has a Service of the name of Macau's, and a ConfigMap of the name of Hong Kong's bundle.
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "macau-exchange", "namespace": "gba-macau"},
        "spec": {"ports": [{"port": 80}]},
    });
    bed.apply(&service.to_string()).await;
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hongkong-bundle", "namespace": "gba-hongkong"},
    });
    bed.apply(&map.to_string()).await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    let message = bed.condition("Jurisdiction", "hongkong", "BundleCurrent", "False", "NameTaken").await;
    assert!(
        message.starts_with("ConfigMap gba-hongkong/hongkong-bundle exists and belongs to somebody else"),
        "{message}"
    );
    bed.condition("Jurisdiction", "hongkong", "IdentityReady", "True", "Issued").await;
    bed.condition("Jurisdiction", "hongkong", "Ready", "False", "NameTaken").await;

    let message = bed.condition("Jurisdiction", "macau", "Ready", "False", "NameTaken").await;
    assert!(message.starts_with("Service gba-macau/macau-exchange exists and belongs to somebody else"), "{message}");
    bed.condition("Jurisdiction", "macau", "WorkloadReady", "False", "NameTaken").await;
    let suspended = json!({"spec": {"state": "Suspended"}});
    bed.merge("DataSharingAgreement", "gba", "macau-to-shenzhen", suspended).await;
    bed.until("ConfigMap", "gba-macau", "macau-bundle", |map| {
        let bundle = crate::conditions::bundle(map);
        let agreement = bundle.agreements.iter().find(|agreement| agreement.name.as_str() == "macau-to-shenzhen")?;
        (agreement.state == wanqu_model::bundle::AgreementState::Suspended).then_some(())
    })
    .await;
}
