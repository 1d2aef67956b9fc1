//! Placement of nodes: in another namespace, in another cluster, under another operator.

use serde_json::{Value, json};
use wanqu_testbed::ControlPlane;
use wanqu_testing::until;

use crate::bed::{Bed, condition};
use crate::conditions::bundle;

#[tokio::test]
async fn a_node_moves_with_its_namespace_and_goes_with_its_jurisdiction() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    bed.namespace("elsewhere").await;
    bed.merge("Jurisdiction", "gba", "macau", json!({"spec": {"placement": {"namespace": "elsewhere"}}})).await;
    // It cannot go there yet, and gets no bundle where it was: so it does not run on by permissions that are withdrawn.
    let message = bed.condition("Jurisdiction", "macau", "Ready", "False", "PlacementNotGranted").await;
    bed.until_gone("StatefulSet", "gba-macau", "macau-node").await;
    assert!(bed.get("Secret", "gba-macau", "macau-ca").await.is_some(), "it may come back");
    assert!(bed.get("ServiceAccount", "elsewhere", "macau-node").await.is_none());
    bed.apply(message.split_once('\n').unwrap().1).await;
    bed.until_there("StatefulSet", "elsewhere", "macau-node").await;
    bed.until("NetworkPolicy", "gba-hongkong", "hongkong-node-exchange", |policy| {
        let namespaces = &policy["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"];
        (namespaces == &json!(["elsewhere", "gba-hongkong", "gba-shenzhen"])).then_some(())
    })
    .await;
    bed.until_gone("ServiceAccount", "gba-macau", "macau-node").await;
    for secret in ["macau-identity", "macau-ca"] {
        bed.until_gone("Secret", "gba-macau", secret).await;
    }
    bed.until("ConfigMap", "gba-hongkong", "hongkong-bundle", |map| {
        let bundle = bundle(map);
        let member = bundle.members.iter().find(|member| member.sql_name.as_str() == "macau")?;
        (member.endpoint.as_deref() == Some("macau-exchange.elsewhere.svc:7443")).then_some(())
    })
    .await;

    bed.delete("Jurisdiction", "gba", "macau").await;
    bed.until_gone("Jurisdiction", "gba", "macau").await;
    for (kind, name) in [
        ("StatefulSet", "macau-node"),
        ("Service", "macau-node"),
        ("Service", "macau-exchange"),
        ("Service", "macau-gateway"),
        ("Secret", "macau-identity"),
        ("ConfigMap", "macau-bundle"),
        ("NetworkPolicy", "macau-node-deny"),
        ("NetworkPolicy", "macau-node-egress"),
        ("PodDisruptionBudget", "macau-node"),
        ("ServiceAccount", "macau-node"),
    ] {
        assert!(bed.get(kind, "elsewhere", name).await.is_none(), "{kind} {name}");
    }
}

#[tokio::test]
async fn an_exchange_is_opened_to_other_clusters_and_closed_again() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    let service = ["Service", "gba-hongkong", "hongkong-exchange"];
    bed.until_there(service[0], service[1], service[2]).await;
    for (exchange, kind, port, policy) in [
        (
            json!({"serviceType": "NodePort", "nodePort": 30_743, "externalTrafficPolicy": "Local"}),
            "NodePort",
            json!(30_743),
            json!("Local"),
        ),
        (Value::Null, "ClusterIP", Value::Null, Value::Null),
    ] {
        bed.merge("Jurisdiction", "gba", "hongkong", json!({"spec": {"exchange": exchange}})).await;
        bed.until(service[0], service[1], service[2], |service| {
            let spec = &service["spec"];
            let so = spec["type"] == kind && spec["ports"][0]["nodePort"] == port;
            (so && spec["externalTrafficPolicy"] == policy && spec["ports"][0]["port"] == 7443).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_jurisdiction_that_was_deleted_while_no_operator_ran_goes_when_one_is_back() {
    let bed = Bed::start().await;
    let operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    operator.stop().await;
    bed.delete("Jurisdiction", "gba", "macau").await;
    let waiting = bed.get("Jurisdiction", "gba", "macau").await.expect("it waits for an operator");
    assert!(waiting["metadata"]["deletionTimestamp"].is_string());
    let _operator = bed.operator("b", &[]).await;
    bed.until_gone("Jurisdiction", "gba", "macau").await;
    assert!(bed.get("StatefulSet", "gba-macau", "macau-node").await.is_none());
}

#[tokio::test]
async fn a_member_that_another_operator_runs_is_known_and_not_run() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    let trust = bed.until_there("ConfigMap", "gba", "macau-trust").await;
    let external = json!({"endpoint": "node.mo.example:7443", "ca": trust["data"]["ca.pem"]});
    let placement = json!({"spec": {"dataClaim": null, "placement": {"namespace": null, "external": external}}});
    bed.merge("Jurisdiction", "gba", "macau", placement).await;
    let message = bed.condition("Jurisdiction", "macau", "Ready", "True", "External").await;
    assert!(
        message.contains("the condition Agreed of each agreement with it says whether both hold the same terms"),
        "{message}"
    );
    bed.until_gone("StatefulSet", "gba-macau", "macau-node").await;
    let endpoint = |map: &Value| {
        let bundle = bundle(map);
        bundle.members.iter().find(|member| member.sql_name.as_str() == "macau")?.endpoint.clone()
    };
    bed.until("ConfigMap", "gba-hongkong", "hongkong-bundle", |map| {
        (endpoint(map)? == "node.mo.example:7443").then_some(())
    })
    .await;
    assert!(bed.get("ConfigMap", "gba", "macau-bundle").await.is_none());
    // It gives no addresses, so policies admit no connection of it, and its condition says so.
    assert!(message.contains("neither reach it nor accept its connections; add its addresses there"), "{message}");
    let addresses = |policy: &Value, rule: &str, way: &str| -> Vec<Value> {
        let rules = policy["spec"][rule].as_array().unwrap().iter();
        rules
            .filter_map(|rule| rule[way].as_array())
            .flatten()
            .filter_map(|peer| peer.get("ipBlock").cloned())
            .collect()
    };
    let exchange = bed.get("NetworkPolicy", "gba-hongkong", "hongkong-node-exchange").await.unwrap();
    assert!(exchange["spec"]["ingress"][0].get("from").is_some() && addresses(&exchange, "ingress", "from").is_empty());
    let network = json!({"spec": {"network": {"cidrs": ["203.0.113.0/24"]}}});
    bed.merge("Jurisdiction", "gba", "macau", network).await;
    for (policy, rule, way) in [("exchange", "ingress", "from"), ("egress", "egress", "to")] {
        bed.until("NetworkPolicy", "gba-hongkong", &format!("hongkong-node-{policy}"), |policy| {
            addresses(policy, rule, way).contains(&json!({"cidr": "203.0.113.0/24"})).then_some(())
        })
        .await;
    }
    bed.until("Jurisdiction", "gba", "macau", |object| {
        (!condition(object, "Ready")?["message"].as_str()?.contains("spec.network")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_node_in_another_cluster_comes_and_goes_and_a_lost_way_there_says_so() {
    let bed = Bed::start().await;
    let far = ControlPlane::start().await.unwrap();
    let there = far.client().await.unwrap();
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    let placement = json!({"namespace": null, "kubeconfigSecret": {"name": "far", "namespace": "wanqu-mo"}});
    bed.merge("Jurisdiction", "gba", "macau", json!({"spec": {"placement": placement}})).await;
    let message = bed.condition("Jurisdiction", "macau", "WorkloadReady", "False", "SecretInvalid").await;
    assert!(
        message.starts_with("spec.placement.kubeconfigSecret: there is no Secret far in namespace gba"),
        "{message}"
    );

    let secret = |text: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "far", "namespace": "gba"},
            "stringData": {"kubeconfig": text},
        })
        .to_string()
    };
    for (text, told) in [("][", "it is not a kubeconfig"), ("{}", "it has no current context")] {
        bed.apply(&secret(text)).await;
        bed.until("Jurisdiction", "gba", "macau", |object| {
            condition(object, "WorkloadReady")?["message"].as_str()?.contains(told).then_some(())
        })
        .await;
    }
    let nowhere = serde_json::to_string(far.admin().kubeconfig()).unwrap();
    let server = far.admin().kubeconfig().clusters[0].cluster.as_ref().unwrap().server.clone().unwrap();
    // Whoever answers there would get the credentials; and so would a proxy's.
    let proxied = format!("\"server\":\"{server}\",\"proxy-url\":\"http://127.0.0.1:1\"");
    for (text, told) in [
        (nowhere.replace(&server, "http://127.0.0.1:1"), "clusters[0].cluster.server is not an https address"),
        (nowhere.replace(&format!("\"server\":\"{server}\""), &proxied), "clusters[0].cluster.proxy-url names a proxy"),
    ] {
        bed.apply(&secret(&text)).await;
        bed.until("Jurisdiction", "gba", "macau", |object| {
            let condition = condition(object, "WorkloadReady").filter(|said| said["reason"] == "SecretInvalid")?;
            condition["message"].as_str()?.contains(told).then_some(())
        })
        .await;
    }
    // Nobody listens there.
    bed.apply(&secret(&nowhere.replace(&server, "https://127.0.0.1:1"))).await;
    bed.until("Jurisdiction", "gba", "macau", |object| {
        (condition(object, "Ready")?["reason"] == "ClusterUnreachable").then_some(())
    })
    .await;
    bed.until_there("StatefulSet", "gba-hongkong", "hongkong-node").await;

    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "wanqu-mo"}});
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(there.clone());
    namespaces.create(&<_>::default(), &serde_json::from_value(namespace).unwrap()).await.unwrap();
    bed.apply(&secret(&serde_json::to_string(far.admin().kubeconfig()).unwrap())).await;
    let sets: kube::Api<k8s_openapi::api::apps::v1::StatefulSet> = kube::Api::namespaced(there.clone(), "wanqu-mo");
    let limit = std::time::Duration::from_mins(1);
    until("the node in the other cluster", limit, async || {
        sets.get_opt("macau-node").await.unwrap().map(drop).ok_or("it is not there")
    })
    .await;
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> = kube::Api::namespaced(there, "wanqu-mo");
    assert!(secrets.get_opt("macau-identity").await.unwrap().is_some());
    assert!(secrets.get_opt("macau-ca").await.unwrap().is_none(), "the authority's key stays at home");
    assert!(bed.get("Secret", "gba", "macau-ca").await.is_some());

    bed.delete("Jurisdiction", "gba", "macau").await;
    bed.until_gone("Jurisdiction", "gba", "macau").await;
    assert!(sets.get_opt("macau-node").await.unwrap().is_none());
    assert!(secrets.get_opt("macau-identity").await.unwrap().is_none());
}
