//! The rights that the chart gives are enough, and none is left over: every one of them is used on the way of one
//! federation from its first manifest to its last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, PostParams};
use serde_json::json;
use wanqu_crds::kinds::FederatedQuery;
use wanqu_testbed::Mark;
use wanqu_testing::until;

use crate::bed::{Bed, OPERATOR};
use crate::disks::{class, disk, let_go};
use crate::guard;
use crate::pods::pod;
use crate::rights::{bind, rules, with_lease};

/// Everything that an operator ever does.
async fn whole_life(bed: &Bed) {
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    a_question(bed).await;
    // A copy runs, and is told of another bundle.
    bed.apply(&pod("MO", "macau").to_string()).await;
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
    // Its disk grows, for which its workload is made anew.
    class(bed, "grows", true).await;
    disk(bed, 0, "grows").await;
    bed.merge("Jurisdiction", "gba", "macau", json!({"spec": {"storage": {"size": "2Gi"}}})).await;
    let_go(bed, "gba-macau", "macau-node").await;
    bed.until("StatefulSet", "gba-macau", "macau-node", |set| {
        set["metadata"].get("deletionTimestamp").is_none().then_some(())
    })
    .await;
    bed.delete("Jurisdiction", "gba", "macau").await;
    bed.until_gone("StatefulSet", "gba-macau", "macau-node").await;
    bed.delete("Pod", "gba-macau", "macau-node-0").await;
    bed.until_gone("Jurisdiction", "gba", "macau").await;
}

/// A question that is held, asked, told of, and forgotten when its time is over.
async fn a_question(bed: &Bed) {
    let researcher = bed.plane.user("researcher@hku.example", Some("system:masters")).unwrap();
    let query: FederatedQuery = serde_json::from_value(json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery", "metadata": {"name": "visits"},
        "spec": {
            "sql": "SELECT count(*) AS visits FROM gba.health.visits", "from": "HK", "requester": "researcher@hku.example",
            "project": "cross-border-care", "purpose": "health-planning", "ttlSecondsAfterFinished": 60,
        },
    }))
    .unwrap();
    let queries = Api::namespaced(researcher.client().await.unwrap(), "gba");
    queries.create(&PostParams::default(), &query).await.unwrap();
    bed.until("FederatedQuery", "gba", "visits", |query| {
        let held = query["metadata"]["finalizers"].as_array().is_some_and(|held| held == &["wanqu.dev/cancel"]);
        held.then_some(())
    })
    .await;
    bed.condition("FederatedQuery", "visits", "Failed", "True", "OwnerUnavailable").await;
    bed.later(61);
    bed.merge("FederatedQuery", "gba", "visits", json!({"metadata": {"labels": {"look": "again"}}})).await;
    bed.until_gone("FederatedQuery", "gba", "visits").await;
    // One that cannot be read is told so, over whatever its status says.
    bed.loosen("federatedqueries").await;
    let mut garbled = serde_json::to_value(&query).unwrap();
    garbled["spec"]["sql"] = json!(7);
    let queries: Api<DynamicObject> =
        Api::namespaced_with(researcher.client().await.unwrap(), "gba", &ApiResource::erase::<FederatedQuery>(&()));
    until("an unreadable query being taken", Duration::from_mins(1), async || {
        let garbled = serde_json::from_value(garbled.clone()).unwrap();
        queries.create(&PostParams::default(), &garbled).await.map(drop)
    })
    .await;
    let message = bed.condition("FederatedQuery", "visits", "Accepted", "False", "Invalid").await;
    assert!(message.starts_with("spec.sql: invalid type"), "{message}");
    bed.delete("FederatedQuery", "gba", "visits").await;
}

#[tokio::test]
async fn the_rights_of_the_chart_are_enough_and_no_more() {
    let bed = Bed::start().await;
    bind(&bed.client, OPERATOR).await;
    guard::install(&bed.client).await;
    let login = bed.plane.user(OPERATOR, None).unwrap();
    // Nobody listens at its gateway: what is asked fails, which takes every right that an answer takes.
    let operator = bed.operator_as(&login, "a", &["--gateway-address", "127.0.0.1:1"]).await;
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
    let mut idle = Vec::new();
    for rule in rules() {
        for resource in rule.resources.iter().flatten() {
            let group = &rule.api_groups.as_ref().unwrap()[0];
            let unused = |verb: &&String| !used.contains(&(group.clone(), resource.clone(), (*verb).clone()));
            idle.extend(rule.verbs.iter().filter(unused).map(|verb| format!("{verb} {resource}")));
        }
    }
    assert!(idle.is_empty(), "rights that nothing needs: {idle:#?}");
}

/// The rules of the chart in some namespaces only, as it gives them where it is told which ones to watch.
pub async fn bind_in(bed: &Bed, namespaces: &[&str]) {
    for namespace in namespaces {
        let rules = if *namespace == "gba" { with_lease() } else { serde_json::to_value(rules()).unwrap() };
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

#[tokio::test]
async fn a_namespace_that_cannot_be_read_holds_up_no_other() {
    let bed = Bed::start().await;
    let namespaces = ["gba", "gba-shenzhen", "gba-hongkong", "gba-macau"];
    bind_in(&bed, &namespaces[..3]).await;
    let login = bed.plane.user(OPERATOR, None).unwrap();
    let _operator = bed.operator_as(&login, "a", &["--watch-namespaces", &namespaces.join(",")]).await;
    bed.apply_examples().await;
    for (namespace, name) in [("gba-shenzhen", "shenzhen-node"), ("gba-hongkong", "hongkong-node")] {
        bed.run_workload(namespace, name).await;
    }
    bed.condition("Jurisdiction", "macau", "WorkloadReady", "False", "NamespaceUnreadable").await;
    assert!(bed.get("StatefulSet", "gba-macau", "macau-node").await.is_none());

    // Each kind of a namespace is watched once, whoever reads it: a watch begins with a list.
    let mut lists = bed.plane.audit().since(Mark::default()).unwrap();
    lists.retain(|request| request.user.username == OPERATOR && request.verb == "list" && request.response.code == 200);
    let mut begun: BTreeMap<&str, usize> = BTreeMap::new();
    for list in &lists {
        *begun.entry(list.uri.split('?').next().unwrap_or_default()).or_default() += 1;
    }
    assert!(begun.keys().any(|path| path.ends_with("/gba-shenzhen/statefulsets")), "{begun:#?}");
    assert!(begun.values().all(|count| *count == 1), "{begun:#?}");

    // It joins as soon as it can be read.
    bind_in(&bed, &namespaces[3..]).await;
    bed.run_workload("gba-macau", "macau-node").await;
    bed.ready("Federation", "gba").await;
}
