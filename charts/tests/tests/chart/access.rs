//! The operator's rights: which, where, and each with its reason.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wanqu_chart_tests::Rendered;

use crate::{DEFAULTS, with};

fn rules(object: &Value) -> &[Value] {
    object["rules"].as_array().unwrap()
}

/// All rules of all roles.
fn all_rules(rendered: &Rendered) -> Vec<&Value> {
    let roles = rendered.of("Role").into_iter().chain(rendered.of("ClusterRole"));
    roles.flat_map(rules).collect()
}

#[test]
fn every_rule_says_what_it_is_for() {
    for rendered in [&*DEFAULTS, &with(&["watchNamespaces={gba}"])] {
        let lines: Vec<&str> = rendered.text().lines().map(str::trim).collect();
        let mut found = 0;
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("- apiGroups:")) {
            // The rules of a role, and not those of an admission policy, have verbs.
            let rule = lines[number + 1..].iter().take_while(|line| !line.starts_with("- apiGroups:"));
            if rule.take(14).any(|line| line.starts_with("verbs:")) {
                let reason = lines[number - 1];
                assert!(reason.starts_with("# ") && reason.len() > 20, "{line} after {reason:?}");
                found += 1;
            }
        }
        assert_eq!(found, all_rules(rendered).len());
    }
}

#[test]
fn no_rule_gives_everything_or_what_nobody_needs() {
    for rule in all_rules(&DEFAULTS) {
        let text = rule.to_string();
        for forbidden in [
            "\"*\"",
            "escalate",
            "bind",
            "impersonate",
            "pods/exec",
            "pods/log",
            "serviceaccounts/token",
            "nonResourceURLs",
            "update",
            "deletecollection",
        ] {
            assert!(!text.contains(forbidden), "{forbidden} in {text}");
        }
    }
}

/// A person's resources are read. What is written is their status, and the finalizers of jurisdictions and queries.
#[test]
fn the_operator_does_not_write_what_a_person_wrote() {
    let writes: BTreeSet<String> = all_rules(&DEFAULTS)
        .into_iter()
        .filter(|rule| rule["apiGroups"] == json!(["wanqu.dev"]))
        .filter(|rule| {
            rule["verbs"].as_array().unwrap().iter().any(|v| !["get", "list", "watch"].contains(&v.as_str().unwrap()))
        })
        .flat_map(|rule| rule["resources"].as_array().unwrap())
        .map(|resource| resource.as_str().unwrap().to_owned())
        .collect();
    let whole: Vec<&String> = writes.iter().filter(|resource| !resource.contains('/')).collect();
    assert_eq!(whole, ["federatedqueries", "jurisdictions"]);
}

/// The right to list or watch Secrets, by whatever selector, is the right to read all of them.
#[test]
fn secrets_are_read_by_name_and_never_listed() {
    for rendered in [&*DEFAULTS, &with(&["watchNamespaces={gba}"])] {
        let secrets = all_rules(rendered).into_iter().filter(|rule| rule["resources"].to_string().contains("secrets"));
        let verbs: Vec<&Value> = secrets.map(|rule| &rule["verbs"]).collect();
        assert_eq!(verbs, [&json!(["get", "create", "patch", "delete"])]);
    }
}

/// What the operator's roles let it write, policies hold to objects of its own.
#[test]
fn every_object_that_the_operator_may_write_is_held_to_what_it_made() {
    let policy = DEFAULTS.named("ValidatingAdmissionPolicy", "wanqu-system-wanqu-operator-own-objects");
    let held: BTreeSet<(String, String)> = policy["spec"]["matchConstraints"]["resourceRules"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|rule| assert_eq!(rule["operations"], json!(["CREATE", "UPDATE", "DELETE"])))
        .flat_map(named)
        .collect();
    let writes = |rule: &&Value| {
        let verbs = rule["verbs"].as_array().unwrap();
        verbs.iter().any(|verb| ["create", "patch", "delete"].contains(&verb.as_str().unwrap()))
    };
    // Of its own resources it writes what the test above says; of events it makes new ones; of leases its own.
    let others = ["wanqu.dev", "events.k8s.io", "coordination.k8s.io"];
    let may: BTreeSet<(String, String)> = all_rules(&DEFAULTS)
        .into_iter()
        .filter(writes)
        .flat_map(named)
        .filter(|(group, _)| !others.contains(&group.as_str()))
        .collect();
    // The disks of its nodes have no mark of its own: the controller of StatefulSets makes them. A policy names them.
    let disks = (String::new(), "persistentvolumeclaims".to_owned());
    let claims = DEFAULTS.named("ValidatingAdmissionPolicy", "wanqu-system-wanqu-operator-own-claims");
    let rule = &claims["spec"]["matchConstraints"]["resourceRules"][0];
    assert_eq!(named(rule), std::slice::from_ref(&disks));
    assert_eq!(rule["operations"], json!(["CREATE", "UPDATE"]));
    let rights: Vec<Value> = all_rules(&DEFAULTS)
        .into_iter()
        .filter(|r| r["resources"] == json!(["persistentvolumeclaims"]))
        .map(|r| r["verbs"].clone())
        .collect();
    assert_eq!(rights, [json!(["get", "patch"])]);
    assert_eq!(held.into_iter().chain([disks]).collect::<BTreeSet<_>>(), may);

    for policy in DEFAULTS.of("ValidatingAdmissionPolicy") {
        let name = policy["metadata"]["name"].as_str().unwrap();
        let bindings = DEFAULTS.of("ValidatingAdmissionPolicyBinding");
        let bound = bindings.iter().filter(|binding| binding["spec"]["policyName"] == name).count();
        assert_eq!((bound, &policy["spec"]["failurePolicy"]), (1, &json!("Fail")), "{name}");
        if name.contains("-own-") {
            let who = &policy["spec"]["matchConditions"][0]["expression"];
            let account = "request.userInfo.username == 'system:serviceaccount:wanqu-system:wanqu-operator'";
            assert_eq!(who, account, "{name}");
        }
    }
    let given = with(&["serviceAccount.create=false", "serviceAccount.name=given"]);
    let policy = given.named("ValidatingAdmissionPolicy", "wanqu-system-wanqu-operator-own-secrets");
    assert!(policy["spec"]["matchConditions"][0]["expression"].as_str().unwrap().ends_with(":wanqu-system:given'"));
    let without = with(&["writePolicy.enabled=false"]);
    assert_eq!(without.of("ValidatingAdmissionPolicy").len(), 1, "that of the requester");
}

/// Groups and resources of a rule.
fn named(rule: &Value) -> Vec<(String, String)> {
    let group = rule["apiGroups"][0].as_str().unwrap();
    let resources = rule["resources"].as_array().unwrap().iter();
    resources.map(|resource| (group.to_owned(), resource.as_str().unwrap().to_owned())).collect()
}

/// Each kind of the language is watched, and has its status written if it has one; nothing else of a grant is touched.
#[test]
fn every_kind_is_read_and_its_status_written() {
    let of = |verb: &str| -> BTreeSet<String> {
        let rules = all_rules(&DEFAULTS).into_iter().filter(|rule| rule["apiGroups"] == json!(["wanqu.dev"]));
        let rules = rules.filter(|rule| rule["verbs"].as_array().unwrap().contains(&json!(verb)));
        rules.flat_map(|rule| rule["resources"].as_array().unwrap()).map(|r| r.as_str().unwrap().to_owned()).collect()
    };
    for definition in wanqu_crds::kinds::definitions() {
        let plural = &definition.resource().spec.names.plural;
        assert!(of("watch").contains(plural), "{plural}");
        let reported = definition.schema().unwrap().properties.as_ref().unwrap().contains_key("status");
        assert_eq!(of("patch").contains(&format!("{plural}/status")), reported, "{plural}");
    }
    for verb in ["create", "patch", "delete"] {
        assert!(!of(verb).contains("placementgrants"), "the operator consents in nobody's name");
    }
}

#[test]
fn the_whole_cluster_by_one_role_or_some_namespaces_by_a_role_in_each() {
    let anywhere = DEFAULTS.one("ClusterRole");
    let binding = DEFAULTS.one("ClusterRoleBinding");
    assert_eq!(binding["roleRef"]["name"], anywhere["metadata"]["name"]);
    let account = json!([{"kind": "ServiceAccount", "name": "wanqu-operator", "namespace": "wanqu-system"}]);
    assert_eq!(binding["subjects"], account);

    let some = with(&["watchNamespaces={gba,gba-macau}"]);
    assert!(some.of("ClusterRole").is_empty() && some.of("ClusterRoleBinding").is_empty());
    for namespace in ["gba", "gba-macau"] {
        let here = |kind: &str| -> Value {
            some.of(kind).into_iter().find(|object| object["metadata"]["namespace"] == namespace).unwrap().clone()
        };
        assert_eq!(here("Role")["rules"], anywhere["rules"]);
        assert_eq!(here("RoleBinding")["subjects"], account);
        assert_eq!(here("RoleBinding")["roleRef"]["name"], here("Role")["metadata"]["name"]);
    }
    let environment = &some.one("Deployment")["spec"]["template"]["spec"]["containers"][0]["env"];
    let watched = json!({"name": "WANQU_WATCH_NAMESPACES", "value": "gba,gba-macau"});
    assert!(environment.as_array().unwrap().contains(&watched));
}

#[test]
fn the_lease_is_one_lease_in_one_namespace() {
    let role = DEFAULTS.named("Role", "wanqu-operator-lease");
    assert_eq!(role["metadata"]["namespace"], "wanqu-system");
    let [create, rest] = rules(role) else { panic!("{role}") };
    assert_eq!(create["verbs"], json!(["create"]));
    assert_eq!(rest["resourceNames"], json!(["wanqu-operator"]));
    let environment = &DEFAULTS.one("Deployment")["spec"]["template"]["spec"]["containers"][0]["env"];
    assert!(environment.as_array().unwrap().contains(&json!({"name": "WANQU_LEASE", "value": "wanqu-operator"})));
}

#[test]
fn roles_made_by_somebody_else_are_left_to_them() {
    let rendered = with(&["rbac.create=false", "serviceAccount.create=false", "serviceAccount.name=given"]);
    for kind in ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"] {
        assert!(rendered.of(kind).is_empty(), "{kind}");
    }
    assert_eq!(rendered.one("Deployment")["spec"]["template"]["spec"]["serviceAccountName"], "given");
}
