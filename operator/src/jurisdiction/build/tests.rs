//! What a node is made of, as it is written.

use serde::Serialize;

use super::*;
use crate::settings::Settings;

fn settings() -> Settings {
    <Settings as clap::Parser>::parse_from(["x", "--node-image", "wanqu:1.0", "--operator-namespace", "wanqu-system"])
}

fn inputs(namespace: &str, outside: &[&str]) -> Inputs {
    Inputs {
        federation: FederationRef {
            name: "gba".to_owned(),
            trust_domain: "gba.example".to_owned(),
            deadline_seconds: 60,
        },
        bundle: Some(Arc::new(BundleFile { digest: "d1".to_owned(), gzip: b"bytes".to_vec() })),
        unsettled: None,
        current: true,
        agreements: Vec::new(),
        outside: outside.iter().map(|&endpoint| endpoint.to_owned()).collect(),
        place: Place::Here { namespace: namespace.to_owned() },
        astray: None,
    }
}

fn jurisdiction(spec: &serde_json::Value) -> Jurisdiction {
    let mut object = serde_json::json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "Jurisdiction",
        "metadata": {"name": "hongkong", "namespace": "gba", "uid": "u1"},
        "spec": {"id": "HK", "sqlName": "hongkong"},
    });
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

fn built(spec: &serde_json::Value, inputs: &Inputs) -> Resources<Prepared> {
    build(&Node::new(&jurisdiction(spec), inputs, &settings()))
}

fn yaml(object: &impl Serialize) -> String {
    serde_saphyr::to_string(&serde_json::to_value(object).unwrap()).unwrap()
}

fn everything(resources: &Resources<Prepared>) -> String {
    let mut texts = vec![yaml(resources.account.get())];
    texts.extend(resources.services.iter().map(|service| yaml(service.get())));
    texts.extend(resources.policies.iter().map(|policy| yaml(policy.get())));
    texts.push(yaml(resources.disruption.get()));
    texts.extend(resources.bundle.iter().map(|bundle| yaml(bundle.get())));
    texts.push(yaml(resources.stateful_set.get()));
    texts.join("---\n")
}

#[test]
fn a_node_in_a_namespace_of_its_own() {
    let spec = serde_json::json!({
        "replicas": 2, "dataClaim": "records",
        "resources": {"cpu": "500m", "memory": "1Gi"}, "storage": {"size": "5Gi", "className": "fast"},
    });
    insta::assert_snapshot!(everything(&built(&spec, &inputs("gba-hongkong", &[]))));
}

#[test]
fn in_the_namespace_of_its_resource_the_resource_owns_everything() {
    let resources = built(&serde_json::json!({}), &inputs("gba", &[]));
    let owners = |metadata: &ObjectMeta| metadata.owner_references.clone().unwrap_or_default().len();
    assert_eq!(owners(resources.stateful_set.get().meta()), 1);
    assert!(resources.services.iter().all(|service| owners(service.get().meta()) == 1));
    let apart = built(&serde_json::json!({}), &inputs("gba-hongkong", &[]));
    assert_eq!(owners(apart.stateful_set.get().meta()), 0, "an owner in another namespace would have it collected");
}

#[test]
fn members_outside_of_the_cluster_open_one_port_each_way() {
    let outside = ["10.1.2.3:7443", "[2001:db8::1]:443", "node.mo.example:9443"];
    let resources = built(&serde_json::json!({}), &inputs("gba-hongkong", &outside));
    let policies: Vec<String> = resources.policies.iter().map(|policy| yaml(policy.get())).collect();
    insta::assert_snapshot!(format!("{}---\n{}", policies[1], policies[4]));
}

/// Pod Security Standard `restricted`, v1.34, as its page lists it.
#[test]
fn every_pod_meets_the_restricted_standard() {
    let resources = built(&serde_json::json!({"dataClaim": "records"}), &inputs("gba-hongkong", &[]));
    let pod = resources.stateful_set.get().spec.clone().unwrap().template.spec.unwrap();
    let security = pod.security_context.unwrap();
    assert_eq!((security.run_as_non_root, security.run_as_user), (Some(true), Some(65_532)));
    assert_eq!(security.seccomp_profile.unwrap().type_, "RuntimeDefault");
    assert!(!pod.host_network.unwrap_or_default() && !pod.host_pid.unwrap_or_default());
    for container in &pod.containers {
        let own = container.security_context.clone().unwrap();
        assert_eq!(own.allow_privilege_escalation, Some(false));
        assert_eq!(own.read_only_root_filesystem, Some(true));
        assert_eq!(own.capabilities.unwrap().drop, Some(vec!["ALL".to_owned()]));
        assert!(container.ports.iter().flatten().all(|port| port.host_port.is_none()));
    }
    for volume in pod.volumes.unwrap() {
        let kinds = [
            volume.config_map.is_some(),
            volume.secret.is_some(),
            volume.empty_dir.is_some(),
            volume.persistent_volume_claim.is_some(),
        ];
        assert!(kinds.contains(&true), "{}", volume.name);
    }
    assert_eq!(pod.automount_service_account_token, Some(false));
    assert_eq!(resources.account.get().automount_service_account_token, Some(false));
}
