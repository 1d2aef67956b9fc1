//! Values that turn parts on or off, or restrict them.

use serde_json::json;

use crate::{DEFAULTS, with};

#[test]
fn a_budget_is_kept_where_there_is_more_than_one_copy() {
    let budget = &DEFAULTS.one("PodDisruptionBudget")["spec"];
    assert_eq!(budget["maxUnavailable"], 1);
    assert_eq!(budget["selector"]["matchLabels"], DEFAULTS.one("Service")["spec"]["selector"]);
    assert!(with(&["replicas=1"]).of("PodDisruptionBudget").is_empty(), "a drain could never end");
    assert!(with(&["podDisruptionBudget.enabled=false"]).of("PodDisruptionBudget").is_empty());
}

#[test]
fn the_operator_reaches_names_api_servers_and_its_own_nodes_only() {
    let policy = &DEFAULTS.one("NetworkPolicy")["spec"];
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(policy["ingress"], json!([{"ports": [{"port": 9090, "protocol": "TCP"}]}]));
    let egress = policy["egress"].as_array().unwrap();
    let ports: Vec<_> = egress.iter().map(|rule| &rule["ports"]).collect();
    assert_eq!(
        ports,
        [
            &json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]),
            &json!([{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]),
            &json!([{"port": 8443, "protocol": "TCP"}, {"port": 9090, "protocol": "TCP"}]),
        ]
    );
    let nodes = json!([{
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {
            "app.kubernetes.io/name": "wanqu-node", "app.kubernetes.io/managed-by": "wanqu-operator",
        }},
    }]);
    assert_eq!(egress[2]["to"], nodes);
    assert!(with(&["networkPolicy.enabled=false"]).of("NetworkPolicy").is_empty());
}

#[test]
fn the_operators_network_policy_takes_narrower_peers_from_the_values() {
    let rendered = with(&[
        "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring",
        "networkPolicy.apiServer.cidrs={10.0.0.1/32,192.0.2.7/32}",
        "networkPolicy.apiServer.ports={6443}",
        "networkPolicy.dns.to[0].namespaceSelector.matchLabels.name=kube-system",
        "networkPolicy.extraEgress[0].ports[0].port=4317",
    ]);
    let policy = &rendered.one("NetworkPolicy")["spec"];
    let test = &rendered.one("Pod")["metadata"]["labels"];
    let from = &policy["ingress"][0]["from"];
    assert_eq!(from[0], json!({"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}));
    for (label, value) in from[1]["podSelector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&test[label], value, "`helm test` passes too");
    }
    assert_eq!(policy["egress"][0]["to"], json!([{"namespaceSelector": {"matchLabels": {"name": "kube-system"}}}]));
    assert_eq!(
        policy["egress"][1],
        json!({
            "ports": [{"port": 6443, "protocol": "TCP"}],
            "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}, {"ipBlock": {"cidr": "192.0.2.7/32"}}],
        })
    );
    assert_eq!(policy["egress"][3], json!({"ports": [{"port": 4317}]}));
    let environment = rendered.one("Deployment")["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    for (name, peers) in [("WANQU_DNS_TO", &policy["egress"][0]["to"]), ("WANQU_METRICS_FROM", &json!([from[0]]))] {
        let value = environment.as_array().unwrap().iter().find(|said| said["name"] == name).unwrap()["value"].as_str();
        assert_eq!(&serde_json::from_str::<serde_json::Value>(value.unwrap()).unwrap(), peers, "what holds for nodes");
    }
    let some = with(&["watchNamespaces={gba,gba-macau}"]);
    let nodes = &some.one("NetworkPolicy")["spec"]["egress"][2]["to"][0];
    let expected = json!([{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["gba", "gba-macau"]}]);
    assert_eq!(nodes["namespaceSelector"]["matchExpressions"], expected);
}

#[test]
fn monitors_rules_and_the_dashboard_are_made_on_request() {
    for kind in ["ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"] {
        assert!(DEFAULTS.of(kind).is_empty(), "{kind}");
    }
    let rendered = with(&[
        "metrics.serviceMonitor.enabled=true",
        "metrics.serviceMonitor.labels.release=prometheus",
        "metrics.serviceMonitor.interval=15s",
        "metrics.podMonitor.enabled=true",
        "watchNamespaces={gba,gba-macau}",
    ]);
    let monitor = rendered.one("ServiceMonitor");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    assert_eq!(monitor["spec"]["endpoints"], json!([{"port": "observe", "path": "/metrics", "interval": "15s"}]));
    assert_eq!(monitor["spec"]["selector"]["matchLabels"], rendered.one("Service")["spec"]["selector"]);
    let nodes = &rendered.one("PodMonitor")["spec"];
    assert_eq!(nodes["namespaceSelector"], json!({"matchNames": ["gba", "gba-macau"]}));
    assert_eq!(nodes["podMetricsEndpoints"][0]["portNumber"], 9090);
    let anywhere = with(&["metrics.podMonitor.enabled=true"]);
    assert_eq!(anywhere.one("PodMonitor")["spec"]["namespaceSelector"], json!({"any": true}));
}

#[test]
fn definitions_are_installed_unless_somebody_else_does_and_are_kept() {
    let definitions = DEFAULTS.of("CustomResourceDefinition");
    assert_eq!(definitions.len(), wanqu_crds::kinds::definitions().len());
    for definition in definitions {
        let annotations = &definition["metadata"]["annotations"];
        assert_eq!(annotations["helm.sh/resource-policy"], "keep", "{}", definition["metadata"]["name"]);
    }
    assert!(with(&["crds.install=false"]).of("CustomResourceDefinition").is_empty());
}

#[test]
fn the_definitions_come_out_of_the_templates_as_the_types_say() {
    for definition in wanqu_crds::kinds::definitions() {
        let mut expected = serde_json::to_value(definition.resource()).unwrap();
        let name = expected["metadata"]["name"].as_str().unwrap().to_owned();
        expected["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
        assert_eq!(DEFAULTS.named("CustomResourceDefinition", &name), &expected);
    }
}

#[test]
fn names_of_chart_objects_follow_the_release_and_stay_within_their_length() {
    let long = "a".repeat(48);
    let rendered = with(&[&format!("fullnameOverride={long}")]);
    for object in rendered.objects() {
        let name = object["metadata"]["name"].as_str().unwrap();
        // Objects without a namespace have the release's namespace in their name, and longer names.
        assert!(name.len() <= 63 || object["metadata"]["namespace"].is_null(), "{name}");
    }
    assert_eq!(rendered.one("Deployment")["metadata"]["name"], format!("{long}-operator"));
    assert_eq!(with(&["nameOverride=bay"]).one("Deployment")["metadata"]["name"], "wanqu-bay-operator");
}

#[test]
fn a_query_is_held_to_the_user_who_makes_it_unless_that_is_turned_off() {
    let name = "wanqu-system-wanqu-operator-requester";
    let policy = DEFAULTS.named("ValidatingAdmissionPolicy", name);
    assert_eq!(policy["spec"]["failurePolicy"], "Fail", "where it cannot be judged, nobody asks");
    let rule = &policy["spec"]["matchConstraints"]["resourceRules"][0];
    assert_eq!((&rule["resources"], &rule["operations"]), (&json!(["federatedqueries"]), &json!(["CREATE", "UPDATE"])));
    let binding = &DEFAULTS.named("ValidatingAdmissionPolicyBinding", name)["spec"];
    assert_eq!(
        (&binding["policyName"], &binding["validationActions"]),
        (&policy["metadata"]["name"], &json!(["Deny"]))
    );
    let without = with(&["admissionPolicy.enabled=false", "writePolicy.enabled=false"]);
    assert!(without.of("ValidatingAdmissionPolicy").is_empty());
    assert!(without.of("ValidatingAdmissionPolicyBinding").is_empty());
}
