//! The operator's pods, and that of `helm test`.

use serde_json::{Value, json};
use wanqu_chart_tests::Rendered;

use crate::{DEFAULTS, with};

/// The pod of the Deployment.
fn pod(rendered: &Rendered) -> &Value {
    &rendered.one("Deployment")["spec"]["template"]["spec"]
}

fn container(rendered: &Rendered) -> &Value {
    &pod(rendered)["containers"][0]
}

fn variable<'a>(rendered: &'a Rendered, name: &str) -> &'a Value {
    let variables = container(rendered)["env"].as_array().unwrap();
    variables.iter().find(|variable| variable["name"] == name).map_or(&Value::Null, |variable| &variable["value"])
}

#[test]
fn two_copies_run_and_an_upgrade_takes_none_away_before_another_is_ready() {
    let spec = &DEFAULTS.one("Deployment")["spec"];
    assert_eq!(spec["replicas"], 2);
    assert_eq!(spec["strategy"]["rollingUpdate"], json!({"maxSurge": 1, "maxUnavailable": 0}));
    assert_eq!(spec["selector"]["matchLabels"], DEFAULTS.one("Service")["spec"]["selector"]);
}

#[test]
fn ready_is_asked_apart_from_alive_on_the_port_of_observation() {
    let container = container(&DEFAULTS);
    assert_eq!(container["ports"], json!([{"name": "observe", "containerPort": 9090, "protocol": "TCP"}]));
    for (probe, path) in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "observe"}), "{probe}");
    }
    let port = &DEFAULTS.one("Service")["spec"]["ports"][0];
    assert_eq!((&port["port"], &port["targetPort"]), (&json!(9090), &json!("observe")));
}

#[test]
fn no_pod_has_more_than_the_restricted_standard_allows() {
    for pod in [pod(&DEFAULTS), &DEFAULTS.one("Pod")["spec"]] {
        assert_eq!(
            pod["securityContext"],
            json!({
                "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            })
        );
        assert_eq!(
            pod["containers"][0]["securityContext"],
            json!({
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
            })
        );
        assert_eq!(pod["enableServiceLinks"], false);
        assert!(pod["containers"][0]["resources"]["limits"]["memory"].is_string());
    }
}

#[test]
fn only_the_operators_pod_has_a_service_account_token() {
    assert_eq!(DEFAULTS.one("ServiceAccount")["automountServiceAccountToken"], false);
    assert_eq!(pod(&DEFAULTS)["automountServiceAccountToken"], true);
    assert_eq!(DEFAULTS.one("Pod")["spec"]["automountServiceAccountToken"], false);
}

#[test]
fn apparmor_is_named_only_where_it_is_asked_for() {
    assert!(!DEFAULTS.text().contains("appArmorProfile"));
    let asked = with(&["appArmorProfile.type=RuntimeDefault"]);
    for pod in [pod(&asked), &asked.one("Pod")["spec"]] {
        assert_eq!(pod["securityContext"]["appArmorProfile"], json!({"type": "RuntimeDefault"}));
        assert_eq!(pod["securityContext"]["runAsUser"], 65532);
    }
}

#[test]
fn an_image_goes_by_digest_then_tag_then_the_version_of_the_chart() {
    let digest = format!("sha256:{}", "a1".repeat(32));
    let by_digest = format!("wanqu@{digest}");
    for (sets, image) in [
        (vec![], format!("wanqu:{}", env!("CARGO_PKG_VERSION"))),
        (
            vec!["image.tag=1.2".to_owned(), "image.repository=registry.example/team/wanqu".to_owned()],
            "registry.example/team/wanqu:1.2".to_owned(),
        ),
        (vec!["image.tag=1.2".to_owned(), format!("image.digest={digest}")], by_digest),
    ] {
        let rendered = with(&sets.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(container(&rendered)["image"], image);
        assert_eq!(rendered.one("Pod")["spec"]["containers"][0]["image"], image);
        assert_eq!(variable(&rendered, "WANQU_NODE_IMAGE"), &json!(image), "nodes run the same");
    }
}

#[test]
fn pull_secrets_scheduling_and_labels_of_pods_come_from_the_values() {
    let rendered = with(&[
        "imagePullSecrets[0].name=pull",
        "nodeSelector.disk=ssd",
        "tolerations[0].key=dedicated",
        "tolerations[0].operator=Exists",
        "priorityClassName=system-cluster-critical",
        "podLabels.team=bay",
        "podAnnotations.note=x",
        "commonLabels.cost=c1",
        "extraArgs={--one,--two}",
        "extraEnv[0].name=TZ",
        "extraEnv[0].value=Asia/Hong_Kong",
        "topologySpreadConstraints[0].maxSkew=1",
        "topologySpreadConstraints[0].topologyKey=topology.kubernetes.io/zone",
        "topologySpreadConstraints[0].whenUnsatisfiable=ScheduleAnyway",
        "log.format=text",
        "log.filter=debug",
        "resources.limits.memory=1Gi",
        "image.pullPolicy=Never",
        "leaderElection.leaseSeconds=5",
        "certificates.leafSeconds=3600",
        "certificates.authoritySeconds=31536000",
    ]);
    let (pod, container) = (pod(&rendered), container(&rendered));
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "pull"}]));
    assert_eq!(pod["nodeSelector"], json!({"disk": "ssd"}));
    assert_eq!(pod["tolerations"], json!([{"key": "dedicated", "operator": "Exists"}]));
    assert_eq!(pod["priorityClassName"], "system-cluster-critical");
    let spread = &pod["topologySpreadConstraints"][0];
    assert_eq!(spread["labelSelector"]["matchLabels"], rendered.one("Service")["spec"]["selector"]);
    assert_eq!(container["args"], json!(["--one", "--two"]));
    assert_eq!(variable(&rendered, "TZ"), "Asia/Hong_Kong");
    assert_eq!(variable(&rendered, "WANQU_LOG_FORMAT"), "text");
    assert_eq!(variable(&rendered, "RUST_LOG"), "debug");
    assert_eq!(variable(&rendered, "WANQU_NODE_IMAGE_PULL_POLICY"), "Never");
    assert_eq!(variable(&rendered, "WANQU_LEASE_SECONDS"), "5");
    assert_eq!(variable(&rendered, "WANQU_LEAF_SECONDS"), "3600");
    // Not 3.1536e+07, as numbers of YAML like to become.
    assert_eq!(variable(&rendered, "WANQU_AUTHORITY_SECONDS"), "31536000");
    assert_eq!(container["resources"]["limits"]["memory"], "1Gi");
    let template = &rendered.one("Deployment")["spec"]["template"]["metadata"];
    assert_eq!((&template["labels"]["team"], &template["annotations"]["note"]), (&json!("bay"), &json!("x")));
    for object in rendered
        .objects()
        .iter()
        .filter(|object| !["Pod", "CustomResourceDefinition"].contains(&object["kind"].as_str().unwrap()))
    {
        assert_eq!(object["metadata"]["labels"]["cost"], "c1", "{}", object["kind"]);
    }
}

#[test]
fn copies_are_kept_apart_unless_something_else_is_said() {
    let rule = &pod(&DEFAULTS)["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(rule["podAffinityTerm"]["topologyKey"], "kubernetes.io/hostname");
    let own = with(&["affinity.nodeAffinity.x=y"]);
    assert_eq!(pod(&own)["affinity"], json!({"nodeAffinity": {"x": "y"}}));
}
