//! Objects of nodes as they are written.

use std::collections::BTreeMap;

use serde::Serialize;

use super::*;
use crate::jurisdiction::neighbours::Outside;
use crate::settings::Settings;

fn settings() -> Settings {
    <Settings as clap::Parser>::parse_from(["x", "--node-image", "wanqu:1.0", "--operator-namespace", "wanqu-system"])
}

fn inputs(namespace: &str) -> Inputs {
    Inputs {
        federation: FederationRef {
            name: "gba".to_owned(),
            trust_domain: "gba.example".to_owned(),
            deadline_seconds: 60,
            whole: true,
            there: true,
        },
        bundle: Some(Arc::new(BundleFile {
            digest: "d1".to_owned(),
            gzip: b"bytes".to_vec(),
            names_own_authority: true,
        })),
        unsettled: None,
        current: true,
        agreements: Vec::new(),
        neighbours: Neighbours {
            namespaces: ["gba-macau", namespace].map(str::to_owned).into(),
            ..Neighbours::default()
        },
        missing_addresses: None,
        pod_problems: Vec::new(),
        target: Target::Here { namespace: namespace.to_owned() },
        access_problem: None,
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

fn built(spec: &serde_json::Value, inputs: &Inputs) -> Resources {
    build(&Node::new(&jurisdiction(spec), inputs, &settings()))
}

fn policies(spec: &serde_json::Value, inputs: &Inputs, settings: &Settings) -> Vec<String> {
    build(&Node::new(&jurisdiction(spec), inputs, settings)).policies.iter().map(|policy| yaml(policy.get())).collect()
}

fn yaml(object: &impl Serialize) -> String {
    serde_saphyr::to_string(&serde_json::to_value(object).unwrap()).unwrap()
}

fn everything(spec: &serde_json::Value, inputs: &Inputs) -> String {
    let resources = built(spec, inputs);
    let mut texts = vec![yaml(resources.account.get())];
    texts.extend(resources.services.iter().map(|service| yaml(service.get())));
    texts.extend(resources.policies.iter().map(|policy| yaml(policy.get())));
    texts.push(yaml(resources.disruption.get()));
    let bundle = bundle_alone(&Node::new(&jurisdiction(spec), inputs, &settings()));
    texts.extend(bundle.iter().map(|bundle| yaml(bundle.get())));
    texts.push(yaml(&resources.stateful_set));
    texts.join("---\n")
}

#[test]
fn a_node_in_a_namespace_of_its_own() {
    let spec = serde_json::json!({
        "replicas": 2, "dataClaim": "records",
        "resources": {"cpu": "500m", "memory": "1Gi"}, "storage": {"size": "5Gi", "className": "fast"},
    });
    insta::assert_snapshot!(everything(&spec, &inputs("gba-hongkong")));
}

#[test]
fn pods_have_what_their_jurisdiction_says_beside_what_the_operator_sets() {
    let pods = serde_json::json!({
        "image": "wanqu:next", "imagePullSecrets": ["registry"], "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "dedicated", "value": "wanqu", "effect": "NoSchedule"}, {"operator": "Exists"}],
        "spread": [{"topologyKey": "rack", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"}],
        "priorityClassName": "health", "annotations": {"scan": "no", "wanqu.dev/made-for": "evil/hongkong"},
        "labels": {"team": "health", "wanqu.dev/jurisdiction": "MO"},
        "env": [{"name": "RUST_LOG", "value": "debug"}, {"name": "WANQU_BUNDLE", "value": "/tmp/mine"}],
    });
    let spec = serde_json::json!({"pods": pods});
    // In a namespace that merely grants it, neither program nor labels are the Jurisdiction's.
    let elsewhere = built(&spec, &inputs("gba-hongkong")).stateful_set.spec.unwrap().template;
    assert!(!elsewhere.metadata.unwrap().labels.unwrap().contains_key("team"));
    let elsewhere = serde_json::to_value(elsewhere.spec.unwrap()).unwrap();
    assert_eq!(elsewhere["containers"][0]["image"], "wanqu:1.0");
    assert!(!elsewhere.to_string().contains("RUST_LOG") && elsewhere["imagePullSecrets"].is_null());
    assert_eq!(elsewhere["priorityClassName"], "health");

    let resources = built(&spec, &inputs("gba"));
    let template = resources.stateful_set.spec.clone().unwrap().template;
    let (metadata, pod) = (template.metadata.unwrap(), template.spec.unwrap());
    let (labels, annotations) = (metadata.labels.unwrap(), metadata.annotations.unwrap());
    assert_eq!((labels["team"].as_str(), labels["wanqu.dev/jurisdiction"].as_str()), ("health", "HK"));
    assert_eq!((annotations["scan"].as_str(), annotations["wanqu.dev/made-for"].as_str()), ("no", "gba/hongkong"));
    let said = |value: &serde_json::Value, field: &str| value[field].clone();
    let pod = serde_json::to_value(pod).unwrap();
    for (field, expected) in [
        ("imagePullSecrets", serde_json::json!([{"name": "registry"}])),
        ("nodeSelector", serde_json::json!({"disk": "ssd"})),
        (
            "tolerations",
            serde_json::json!([
                {"key": "dedicated", "operator": "Equal", "value": "wanqu", "effect": "NoSchedule"}, {"operator": "Exists"},
            ]),
        ),
        ("priorityClassName", serde_json::json!("health")),
    ] {
        assert_eq!(said(&pod, field), expected);
    }
    let spread = &pod["topologySpreadConstraints"];
    assert_eq!((spread.as_array().unwrap().len(), &spread[0]["maxSkew"]), (1, &serde_json::json!(2)));
    assert_eq!(
        spread[0]["labelSelector"],
        serde_json::to_value(&resources.stateful_set.spec.unwrap().selector).unwrap()
    );
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "wanqu:next");
    let values: Vec<_> = container["env"].as_array().unwrap().iter().filter(|e| e["name"] == "WANQU_BUNDLE").collect();
    assert_eq!(values, [&serde_json::json!({"name": "WANQU_BUNDLE", "value": "/etc/wanqu/bundle/bundle.json.gz"})]);
    assert!(container["env"].as_array().unwrap().contains(&serde_json::json!({"name": "RUST_LOG", "value": "debug"})));
}

#[test]
fn in_the_namespace_of_its_resource_the_resource_owns_everything() {
    let resources = built(&serde_json::json!({}), &inputs("gba"));
    let owners = |metadata: &ObjectMeta| metadata.owner_references.clone().unwrap_or_default().len();
    assert_eq!(owners(resources.stateful_set.meta()), 1);
    assert!(resources.services.iter().all(|service| owners(service.get().meta()) == 1));
    let apart = built(&serde_json::json!({}), &inputs("gba-hongkong"));
    assert_eq!(owners(apart.stateful_set.meta()), 0, "an owner in another namespace would have it collected");
}

/// A selector, and whether it selects pods with these labels.
fn selects(selector: &BTreeMap<String, String>, pod: &BTreeMap<String, String>) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| pod.get(key) == Some(value))
}

#[test]
fn of_two_federations_of_one_name_in_one_namespace_neither_takes_the_others_pods() {
    let inputs = inputs("shared");
    let resources = ["gba", "evil"].map(|home| {
        let mut jurisdiction = jurisdiction(&serde_json::json!({}));
        jurisdiction.metadata.namespace = Some(home.to_owned());
        build(&Node::new(&jurisdiction, &inputs, &settings()))
    });
    let spec = |resources: &Resources| resources.stateful_set.spec.clone().unwrap();
    let pods = |resources| spec(resources).template.metadata.unwrap().labels.unwrap();
    for (own, other) in [(0, 1), (1, 0)] {
        let (own, others_pods) = (&resources[own], pods(&resources[other]));
        let services = own.services.iter().map(|service| service.get().spec.clone().unwrap().selector.unwrap());
        let policies = own.policies.iter().map(|policy| policy.get().spec.clone().unwrap().pod_selector.unwrap());
        let budget = own.disruption.get().spec.clone().unwrap().selector.unwrap();
        let labels = policies.chain([budget]).map(|selector| selector.match_labels.unwrap());
        for selector in services.chain(labels) {
            assert!(selects(&selector, &pods(own)) && !selects(&selector, &others_pods), "{selector:?}");
        }
        // Nor may they connect to its exchange.
        let policy = own.policies[1].get().spec.clone().unwrap();
        let peers = policy.ingress.unwrap().remove(0).from.unwrap();
        let nodes = peers[0].pod_selector.clone().unwrap().match_labels.unwrap();
        assert!(selects(&nodes, &pods(own)) && !selects(&nodes, &others_pods), "{nodes:?}");
    }
}

#[test]
fn a_federation_under_another_name_changes_no_selector_and_restarts_nothing() {
    let selectors = |resources: &Resources| {
        let services = resources.services.iter().map(|service| service.get().spec.clone().unwrap().selector.unwrap());
        let policies = resources.policies.iter().map(|policy| policy.get().spec.clone().unwrap().pod_selector.unwrap());
        let budget = resources.disruption.get().spec.clone().unwrap().selector.unwrap();
        let labels = policies.chain([budget]).map(|selector| selector.match_labels.unwrap());
        services.chain(labels).collect::<Vec<_>>()
    };
    let mut inputs = inputs("gba-hongkong");
    let before = built(&serde_json::json!({}), &inputs);
    inputs.federation.name = "bay".to_owned();
    let after = built(&serde_json::json!({}), &inputs);
    assert_eq!(selectors(&before), selectors(&after));
    assert_eq!(before.stateful_set.spec, after.stateful_set.spec);
    let label =
        |resources: &Resources| resources.stateful_set.metadata.labels.clone().unwrap()["wanqu.dev/federation"].clone();
    assert_eq!((label(&before).as_str(), label(&after).as_str()), ("gba", "bay"));
    // By this label others find what belongs to a release of theirs, and remove it.
    assert!(!everything(&serde_json::json!({}), &inputs).contains("app.kubernetes.io/instance"));
}

#[test]
fn policies_have_no_owner_with_whom_they_would_go_before_the_pods() {
    let resources = built(&serde_json::json!({}), &inputs("gba"));
    assert!(resources.policies.iter().all(|policy| policy.get().metadata.owner_references.is_none()));
}

#[test]
fn members_in_other_clusters_open_one_port_each_way_to_their_addresses() {
    let mut inputs = inputs("gba-hongkong");
    let cidr = |text: &str| text.parse().unwrap();
    inputs.neighbours.outside = [
        Outside { port: 7443, address: Some(cidr("10.1.2.3/32")), cidrs: vec![] },
        Outside { port: 443, address: Some(cidr("2001:db8::1/128")), cidrs: vec![cidr("2001:db8:1::/48")] },
        Outside { port: 9443, address: None, cidrs: vec![cidr("203.0.113.0/24")] },
        Outside { port: 9444, address: None, cidrs: vec![] },
    ]
    .into();
    let policies = policies(&serde_json::json!({}), &inputs, &settings());
    insta::assert_snapshot!(format!("{}---\n{}", policies[1], policies[4]));
}

#[test]
fn network_policies_let_the_declared_clients_name_servers_and_metrics_through() {
    let mut settings = Settings { name_servers: vec!["10.96.0.10".parse().unwrap()], ..settings() };
    let spec = serde_json::json!({"network": {
        "gatewayNamespaces": ["console"], "gatewayCidrs": ["10.0.0.0/8"], "dnsCidrs": ["169.254.20.10/32"],
    }});
    let mut inputs = inputs("gba-hongkong");
    let seen = policies(&spec, &inputs, &settings);
    inputs.target = Target::Remote { namespace: "gba-hongkong".to_owned(), client: None };
    let abroad = policies(&spec, &inputs, &settings);
    assert!(seen[4].contains("10.96.0.10/32") && !abroad[4].contains("10.96.0.10/32"), "another cluster has its own");
    assert!(abroad[4].contains("169.254.20.10/32") && abroad[4].contains("kube-dns"));
    assert!(!abroad.concat().contains("wanqu-system"), "a namespace of that name there is somebody else's");
    inputs.target = Target::Here { namespace: "gba-hongkong".to_owned() };
    let peers = |cidr: &str| Some(serde_json::from_value(serde_json::json!([{"ipBlock": {"cidr": cidr}}])).unwrap());
    (settings.dns_to, settings.metrics_from) = (peers("192.0.2.53/32"), peers("192.0.2.90/32"));
    let said = policies(&spec, &inputs, &settings);
    assert!(!said[4].contains("kube-dns"), "{}", said[4]);
    insta::assert_snapshot!(said[2..].join("---\n"));
}

#[test]
fn a_collector_is_told_to_the_node_and_the_only_further_way_out() {
    let inputs = inputs("gba-hongkong");
    let rules = |spec: &serde_json::Value| {
        let policies = build(&Node::new(&jurisdiction(spec), &inputs, &settings())).policies;
        policies[4].get().spec.clone().unwrap().egress.unwrap()
    };
    let endpoint = "http://otel-collector.observability.svc:80";
    let pods = serde_json::json!({"traces": {"endpoint": endpoint, "namespace": "observability", "podPort": 4318}});
    let address = serde_json::json!({"traces": {"endpoint": "https://192.0.2.7"}});
    let without = rules(&serde_json::json!({}));
    for (spec, expected) in [
        (
            &pods,
            serde_json::json!({"ports": [{"port": 4318, "protocol": "TCP"}], "to": [{"namespaceSelector": {
                "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["observability"]}],
            }}]}),
        ),
        (
            &address,
            serde_json::json!({
                "ports": [{"port": 4318, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "192.0.2.7/32"}}],
            }),
        ),
    ] {
        let mut with = rules(spec);
        assert_eq!(serde_json::to_value(with.pop().unwrap()).unwrap(), expected);
        assert_eq!(with, without);
    }
    let told = |spec: &serde_json::Value| {
        let pod = built(spec, &inputs).stateful_set.spec.clone().unwrap().template.spec.unwrap();
        let variable = pod.containers[0].env.iter().flatten().find(|said| said.name == "OTEL_EXPORTER_OTLP_ENDPOINT");
        variable.and_then(|said| said.value.clone())
    };
    assert_eq!((told(&pods).as_deref(), told(&serde_json::json!({}))), (Some(endpoint), None));
}

#[test]
fn an_exchange_is_reached_from_outside_as_its_jurisdiction_says() {
    let exchange = serde_json::json!({
        "serviceType": "LoadBalancer", "nodePort": 30743, "externalTrafficPolicy": "Local",
        "annotations": {"lb.example/internal": "true"},
    });
    let resources = built(&serde_json::json!({"exchange": exchange}), &inputs("gba-hongkong"));
    insta::assert_snapshot!(yaml(resources.services[1].get()));
}

/// Pod Security Standard `restricted`, v1.34, as its page lists it.
#[test]
fn every_pod_meets_the_restricted_standard() {
    let resources = built(&serde_json::json!({"dataClaim": "records"}), &inputs("gba-hongkong"));
    let pod = resources.stateful_set.spec.clone().unwrap().template.spec.unwrap();
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
