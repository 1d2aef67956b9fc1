//! Drift: changes by hand are undone; fields that others manage are left alone.

use serde_json::json;

use crate::bed::Bed;

#[tokio::test]
async fn a_change_by_hand_is_undone_and_what_others_manage_is_left_alone() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.until_there("StatefulSet", "gba-hongkong", "hongkong-node").await;

    bed.merge("Service", "gba-hongkong", "hongkong-exchange", json!({"spec": {"ports": [{"port": 1, "name": "x"}]}}))
        .await;
    bed.until("Service", "gba-hongkong", "hongkong-exchange", |service| {
        let ports = service["spec"]["ports"].as_array()?;
        ports.iter().any(|port| port["port"] == 7443).then_some(())
    })
    .await;
    bed.merge("StatefulSet", "gba-hongkong", "hongkong-node", json!({"spec": {"replicas": 5}})).await;
    bed.until("StatefulSet", "gba-hongkong", "hongkong-node", |set| (set["spec"]["replicas"] == 1).then_some(())).await;
    let bundle = json!({"binaryData": {"bundle.json.gz": "AAAA"}});
    bed.merge("ConfigMap", "gba-hongkong", "hongkong-bundle", bundle).await;
    bed.until("ConfigMap", "gba-hongkong", "hongkong-bundle", |map| {
        (map["binaryData"]["bundle.json.gz"] != "AAAA").then_some(())
    })
    .await;
    let uid = bed.get("NetworkPolicy", "gba-hongkong", "hongkong-node-deny").await.unwrap()["metadata"]["uid"].clone();
    bed.delete("NetworkPolicy", "gba-hongkong", "hongkong-node-deny").await;
    bed.until("NetworkPolicy", "gba-hongkong", "hongkong-node-deny", |policy| {
        (policy["metadata"]["uid"] != uid).then_some(())
    })
    .await;

    // Secrets are not watched: one that is gone is missed when its jurisdiction is looked at again, within minutes.
    let identity = bed.get("Secret", "gba-hongkong", "hongkong-identity").await.unwrap()["metadata"]["uid"].clone();
    bed.delete("Secret", "gba-hongkong", "hongkong-identity").await;
    wanqu_testing::until("another identity", std::time::Duration::from_mins(4), async || {
        let secret = bed.get("Secret", "gba-hongkong", "hongkong-identity").await.ok_or("it is gone")?;
        if secret["metadata"]["uid"] == identity { Err("it is the old one") } else { Ok(()) }
    })
    .await;

    // Another manager's label, annotation and field stay, also when the operator writes the object again.
    let theirs = "
apiVersion: v1
kind: Service
metadata: {name: hongkong-gateway, namespace: gba-hongkong, labels: {team: platform}, annotations: {dns: hk.example}}
spec: {sessionAffinity: ClientIP}
";
    bed.apply_as(theirs, "platform-team").await;
    bed.merge(
        "Service",
        "gba-hongkong",
        "hongkong-gateway",
        json!({"spec": {"selector": {"wanqu.dev/jurisdiction": "XX"}}}),
    )
    .await;
    let service = bed
        .until("Service", "gba-hongkong", "hongkong-gateway", |service| {
            (service["spec"]["selector"]["wanqu.dev/jurisdiction"] == "HK").then(|| service.clone())
        })
        .await;
    assert_eq!(service["metadata"]["labels"]["team"], "platform");
    assert_eq!(service["metadata"]["annotations"]["dns"], "hk.example");
    assert_eq!(service["spec"]["sessionAffinity"], "ClientIP");
}

#[tokio::test]
async fn an_object_that_somebody_else_made_is_never_taken_over() {
    let bed = Bed::start().await;
    let own = "
apiVersion: v1
kind: Secret
metadata: {name: hongkong-ca, namespace: gba-hongkong}
stringData: {ca.key: mine}
";
    bed.apply(own).await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    let message = bed.condition("Jurisdiction", "hongkong", "IdentityReady", "False", "NameTaken").await;
    assert!(message.contains("Secret gba-hongkong/hongkong-ca exists and belongs to somebody else"), "{message}");
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    let secret = bed.get("Secret", "gba-hongkong", "hongkong-ca").await.unwrap();
    assert_eq!(secret["data"].as_object().unwrap().len(), 1);
    assert!(bed.get("StatefulSet", "gba-hongkong", "hongkong-node").await.is_none());

    bed.delete("Secret", "gba-hongkong", "hongkong-ca").await;
    bed.merge("Jurisdiction", "gba", "hongkong", json!({"metadata": {"annotations": {"look": "again"}}})).await;
    bed.until_there("StatefulSet", "gba-hongkong", "hongkong-node").await;
}
