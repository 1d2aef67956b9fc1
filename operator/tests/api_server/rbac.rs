//! The rights that the chart gives are enough, and none is left over: every one of them is used on the way of one
//! federation from its first manifest to its last.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use wanqu_crds::kinds::definitions;
use wanqu_testbed::Mark;

use crate::bed::{Bed, OPERATOR};

/// The rules of the chart, which stand in their template as they are.
fn rules() -> Vec<PolicyRule> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/wanqu/templates/_rules.tpl");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rules) = text.split_once("{{- define \"wanqu.rules\" -}}").expect("the rules");
    let (rules, _) = rules.split_once("{{- end }}").expect("their end");
    serde_saphyr::from_str(rules).unwrap()
}

async fn bind(bed: &Bed) {
    let mut rules: Value = serde_json::to_value(rules()).unwrap();
    // The lease of the operator, which the chart gives by a Role of its own.
    let lease =
        json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "patch"]});
    rules.as_array_mut().unwrap().push(lease);
    let role: ClusterRole = serde_json::from_value(json!({"metadata": {"name": "operator"}, "rules": rules})).unwrap();
    let binding: ClusterRoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "operator"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}],
    }))
    .unwrap();
    Api::all(bed.client.clone()).create(&PostParams::default(), &role).await.unwrap();
    Api::all(bed.client.clone()).create(&PostParams::default(), &binding).await.unwrap();
}

/// Everything that an operator ever does.
async fn whole_life(bed: &Bed) {
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    // A copy runs, and is told of another bundle.
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "macau-node-0", "namespace": "gba-macau", "labels": {
            "app.kubernetes.io/name": "wanqu-node", "app.kubernetes.io/instance": "gba",
            "app.kubernetes.io/managed-by": "wanqu-operator", "wanqu.dev/jurisdiction": "MO",
        }, "annotations": {"wanqu.dev/made-for": "gba/macau"}},
        "spec": {"serviceAccountName": "macau-node", "automountServiceAccountToken": false, "containers": [{"name": "node", "image": "wanqu:test"}]},
    });
    bed.apply(&pod.to_string()).await;
    bed.until("Pod", "gba-macau", "macau-node-0", |pod| {
        pod["metadata"]["annotations"]["wanqu.dev/bundle-digest"].as_str().map(drop)
    })
    .await;
    // Certificates are renewed twice, which is told by one event that is counted on.
    for _ in 0..2 {
        let before = bed.get("Secret", "gba-macau", "macau-identity").await.unwrap()["data"]["node.pem"].clone();
        bed.later(60_000);
        bed.merge("Jurisdiction", "gba", "macau", json!({"metadata": {"annotations": {"look": before}}})).await;
        bed.until("Secret", "gba-macau", "macau-identity", |secret| {
            (secret["data"]["node.pem"] != before).then_some(())
        })
        .await;
    }
    bed.delete("Jurisdiction", "gba", "macau").await;
    bed.until_gone("Jurisdiction", "gba", "macau").await;
}

#[tokio::test]
async fn the_rights_of_the_chart_are_enough_and_no_more() {
    let bed = Bed::start().await;
    bind(&bed).await;
    let login = bed.plane.user(OPERATOR, None).unwrap();
    let operator = bed.operator_as(&login, "a", &[]).await;
    whole_life(&bed).await;
    // A watch is in the log when it ends.
    operator.stop().await;

    let mut requests = bed.plane.audit().since(Mark::default()).unwrap();
    requests.retain(|request| request.user.username == OPERATOR);
    let refused: Vec<_> = requests.iter().filter(|r| r.response.code == 403).map(|r| (&r.verb, &r.uri)).collect();
    assert!(refused.is_empty(), "{refused:#?}");

    let mut used = BTreeSet::new();
    for request in &requests {
        let Some(object) = &request.object else { continue };
        let resource = match object.subresource.as_str() {
            "" => object.resource.clone(),
            subresource => format!("{}/{subresource}", object.resource),
        };
        used.insert((object.api_group.clone(), resource.clone(), request.verb.clone()));
        // A server-side apply that makes an object needs the right to create it.
        if request.verb == "patch" && request.response.code == 201 {
            used.insert((object.api_group.clone(), resource, "create".to_owned()));
        }
    }
    let kinds: BTreeSet<String> = definitions().iter().map(|d| d.resource().spec.names.plural.clone()).collect();
    let mut idle = Vec::new();
    for rule in rules() {
        for resource in rule.resources.iter().flatten() {
            let group = &rule.api_groups.as_ref().unwrap()[0];
            // A kind that is not there yet cannot be used.
            if group == "wanqu.dev" && !kinds.contains(resource.split('/').next().unwrap()) {
                continue;
            }
            // Queries are asked in the suite `queries`, which has nodes that answer.
            if resource.starts_with("federatedqueries") {
                continue;
            }
            let unused = |verb: &&String| !used.contains(&(group.clone(), resource.clone(), (*verb).clone()));
            idle.extend(rule.verbs.iter().filter(unused).map(|verb| format!("{verb} {resource}")));
        }
    }
    assert!(idle.is_empty(), "rights that nothing needs: {idle:#?}");
}

/// The rules of the chart in some namespaces only, as it gives them where it is told which ones to watch.
async fn bind_in(bed: &Bed, namespaces: &[&str]) {
    let lease =
        json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "patch"]});
    for namespace in namespaces {
        let mut rules: Value = serde_json::to_value(rules()).unwrap();
        if *namespace == "gba" {
            rules.as_array_mut().unwrap().push(lease.clone());
        }
        let role = json!({"metadata": {"name": "operator"}, "rules": rules});
        let role: Role = serde_json::from_value(role).unwrap();
        let binding: RoleBinding = serde_json::from_value(json!({
            "metadata": {"name": "operator"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}],
        }))
        .unwrap();
        Api::namespaced(bed.client.clone(), namespace).create(&PostParams::default(), &role).await.unwrap();
        Api::namespaced(bed.client.clone(), namespace).create(&PostParams::default(), &binding).await.unwrap();
    }
}

#[tokio::test]
async fn in_some_namespaces_it_needs_no_right_outside_of_them() {
    let bed = Bed::start().await;
    let namespaces = ["gba", "gba-shenzhen", "gba-hongkong", "gba-macau"];
    bind_in(&bed, &namespaces).await;
    bed.namespace("other").await;
    let login = bed.plane.user(OPERATOR, None).unwrap();
    let _operator = bed.operator_as(&login, "a", &["--watch-namespaces", &namespaces.join(",")]).await;
    let elsewhere = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "DisclosurePolicy",
        "metadata": {"name": "theirs", "namespace": "other"}, "spec": {"minUnits": 3},
    });
    bed.apply(&elsewhere.to_string()).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    bed.delete("Service", "gba-macau", "macau-gateway").await;
    bed.until_there("Service", "gba-macau", "macau-gateway").await;
    let theirs = bed.get("DisclosurePolicy", "other", "theirs").await.unwrap();
    assert!(theirs.get("status").is_none(), "another namespace is none of its business");
    let mut requests = bed.plane.audit().since(Mark::default()).unwrap();
    requests.retain(|request| request.user.username == OPERATOR && request.response.code == 403);
    assert!(requests.is_empty(), "{requests:#?}");
}
