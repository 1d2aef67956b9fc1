//! Values that make no sense are refused, by name, before anything is rendered.

use serde_json::Value;
use wanqu_chart_tests::{Helm, chart};

/// A value, and the words of its refusal.
const BAD: &[(&str, &str)] = &[
    ("replica=2", "replica"),
    ("replicas=two", "replicas"),
    ("replicas=-1", "replicas"),
    ("replicas=17", "replicas"),
    ("image.digest=sha256:abc", "digest"),
    ("image.pullPolicy=Sometimes", "pullPolicy"),
    ("image.repository=", "repository"),
    ("image.tag=a b", "tag"),
    ("image.name=wanqu", "name"),
    ("log.format=xml", "format"),
    ("log.filter=", "filter"),
    ("crds.keep=false", "keep"),
    ("crds.install=yes-please", "install"),
    ("watchNamespaces={Gba}", "watchNamespaces"),
    ("watchNamespaces={gba,gba}", "watchNamespaces"),
    ("watchNamespaces=gba", "watchNamespaces"),
    ("leaderElection.leaseSeconds=1", "leaseSeconds"),
    ("certificates.leafSeconds=1", "leafSeconds"),
    ("serviceAccount.create=false", "serviceAccount"),
    ("rbac.enabled=true", "enabled"),
    ("podDisruptionBudget.maxUnavailable=half", "maxUnavailable"),
    ("networkPolicy.apiServer.ports={70000}", "ports"),
    ("networkPolicy.apiServer.cidrs={everywhere}", "cidrs"),
    ("networkPolicy.egress={}", "egress"),
    ("appArmorProfile.type=Strict", "appArmorProfile"),
    ("resources.limits.memory=plenty", "memory"),
    ("resources.memory=1Gi", "memory"),
    ("extraEnv[0].value=x", "extraEnv"),
    ("imagePullSecrets[0]=regcred", "imagePullSecrets"),
    ("topologySpreadConstraints[0].maxSkew=1", "topologySpreadConstraints"),
    ("podLabels.team=a team", "team"),
    ("admissionPolicy.enable=false", "enable"),
    ("metrics.serviceMonitor.interval=often", "interval"),
    ("metrics.prometheusRule.runbookBase=nowhere", "runbookBase"),
    ("metrics.dashboard.folder=x", "folder"),
];

#[test]
fn bad_values_are_refused_by_name() {
    let helm = Helm::new();
    for (set, named) in BAD {
        let output = helm.try_template(&["--set", set]);
        assert!(!output.success, "{set} is taken");
        assert!(output.stderr.contains("values don't meet the specifications"), "{set}: {}", output.stderr);
        assert!(output.stderr.contains(named), "{set}: {}", output.stderr);
    }
}

/// Every value is in the schema, every value of the schema is in the file, and objects refuse unknown fields.
#[test]
fn values_and_schema_speak_of_the_same() {
    let values: Value = serde_saphyr::from_str(&std::fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap();
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(chart().join("values.schema.json")).unwrap()).unwrap();
    compare(&values, &schema, &schema, "");
}

/// Values that Helm itself adds to the chart's own.
const OF_HELM: [&str; 2] = ["global", "wanqu-crds"];

fn compare(values: &Value, schema: &Value, root: &Value, path: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    // A map of the user's own, or a part of a Kubernetes object.
    let Some(properties) = schema["properties"].as_object() else { return };
    assert_eq!(schema["additionalProperties"], false, "{path} takes anything");
    let Some(values) = values.as_object() else { return };
    // The user may fill an empty object.
    if values.is_empty() {
        return;
    }
    for (name, value) in values {
        let schema = properties.get(name).unwrap_or_else(|| panic!("{path}.{name} is not in the schema"));
        compare(value, schema, root, &format!("{path}.{name}"));
    }
    for name in properties.keys().filter(|name| !OF_HELM.contains(&name.as_str())) {
        assert!(values.contains_key(name) || path == ".resources", "{path}.{name} is not in values.yaml");
    }
}
