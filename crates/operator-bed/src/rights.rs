//! The rights that the chart gives to an operator.

use std::path::Path;

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule};
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

/// The rules of the chart, which stand in their template as they are.
pub fn rules() -> Vec<PolicyRule> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/wanqu/templates/_rules.tpl");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rules) = text.split_once("{{- define \"wanqu.rules\" -}}").expect("the rules");
    let (rules, _) = rules.split_once("{{- end }}").expect("their end");
    serde_saphyr::from_str(rules).unwrap()
}

/// The same as they stand in a role, with those of the operator's lease, which the chart gives by a Role of its own.
pub fn with_lease() -> Value {
    let mut rules = serde_json::to_value(rules()).unwrap();
    let lease =
        json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "patch"]});
    rules.as_array_mut().unwrap().push(lease);
    rules
}

/// Gives them to a user, in every namespace.
pub async fn bind(client: &Client, user: &str) {
    let role: ClusterRole =
        serde_json::from_value(json!({"metadata": {"name": "operator"}, "rules": with_lease()})).unwrap();
    let binding: ClusterRoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "operator"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }))
    .unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &role).await.unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &binding).await.unwrap();
}
