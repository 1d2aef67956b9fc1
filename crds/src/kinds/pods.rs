//! Pods of a node: where they run, and what else they have.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pods of a node, beyond what the operator sets in them. A change restarts the copies, one after the other. In a namespace that a
/// PlacementGrant opens, `image`, `imagePullSecrets`, `labels` and `env` are not taken: the node there is the operator's.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "!has(self.env) || self.env.all(e, !e.name.startsWith('WANQU_') && e.name != 'OTEL_EXPORTER_OTLP_ENDPOINT')"
).message("variables that begin with WANQU_, and OTEL_EXPORTER_OTLP_ENDPOINT, are the operator's: use the fields of the Jurisdiction"))]
#[x_kube(validation = Rule::new(
    "!has(self.labels) || self.labels.all(k, !k.startsWith('wanqu.dev/') && !k.startsWith('app.kubernetes.io/'))"
).message("labels that begin with wanqu.dev/ or app.kubernetes.io/ select the node's pods, and are the operator's"))]
pub struct NodePods {
    /// Image of this node, for example while another version is tried in one jurisdiction. Default: that of the operator (the
    /// chart's value image).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Names of Secrets, in the namespace of the node, with which its image is pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 253)))]
    pub image_pull_secrets: Vec<String>,
    /// Labels of the machines that the node may run on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of machines that the node runs on all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<NodeToleration>,
    /// Spread of the copies over zones, machines and the like. Default: over zones and over machines, where that is possible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub spread: Vec<NodeSpread>,
    /// Name of a PriorityClass. Default: that of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// Labels of the pods besides those of the operator.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods besides those of the operator.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub annotations: BTreeMap<String, String>,
    /// Environment variables of the node besides those of the operator. They are no place for secrets: whoever may read the
    /// Jurisdiction or the pod reads them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub env: Vec<NodeVariable>,
}

/// Taint that a pod tolerates.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeToleration {
    /// Key of the taint. Default: every key, with the operator Exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 316))]
    pub key: Option<String>,
    /// Relation of the key to the value. Default: Equal.
    #[serde(default)]
    pub operator: TolerationOperator,
    /// Value of the taint, with the operator Equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// Effect of the taint. Default: every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// Seconds for which a pod stays on a machine that gets a taint of effect NoExecute. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub toleration_seconds: Option<i64>,
}

/// Relation of a taint's key to its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// The taint has this value.
    #[default]
    Equal,
    /// The taint has any value.
    Exists,
}

/// Effect of a taint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// No new pod is placed there.
    NoSchedule,
    /// A new pod is placed elsewhere if it can be.
    PreferNoSchedule,
    /// Pods that run there are removed.
    NoExecute,
}

/// Spread of a node's copies over one kind of places.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSpread {
    /// Label of machines by whose value places are told apart: topology.kubernetes.io/zone.
    #[schemars(length(min = 1, max = 316))]
    pub topology_key: String,
    /// Greatest difference between the numbers of copies in two places. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    pub max_skew: u32,
    /// Treatment of a copy that cannot be placed so. Default: ScheduleAnyway.
    #[serde(default)]
    pub when_unsatisfiable: Unsatisfiable,
}

fn one() -> u32 {
    1
}

/// Treatment of a copy that cannot be spread as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Unsatisfiable {
    /// It runs wherever it can.
    #[default]
    ScheduleAnyway,
    /// It waits.
    DoNotSchedule,
}

/// Environment variable of a node.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeVariable {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,
    /// Value of the variable.
    #[schemars(length(max = 4096))]
    pub value: String,
}

impl NodeVariable {
    /// Returns true if the operator sets this variable, or may in time.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.name.starts_with("WANQU_") || self.name == "OTEL_EXPORTER_OTLP_ENDPOINT"
    }
}

impl NodePods {
    /// Returns the first label by which the operator selects pods, or may in time.
    #[must_use]
    pub fn reserved_label(&self) -> Option<&str> {
        let is_reserved =
            |label: &&String| ["wanqu.dev/", "app.kubernetes.io/"].iter().any(|own| label.starts_with(own));
        self.labels.keys().find(is_reserved).map(String::as_str)
    }
}

impl TolerationOperator {
    /// Returns the value as Kubernetes writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::Exists => "Exists",
        }
    }
}

impl TaintEffect {
    /// Returns the value as Kubernetes writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

impl Unsatisfiable {
    /// Returns the value as Kubernetes writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScheduleAnyway => "ScheduleAnyway",
            Self::DoNotSchedule => "DoNotSchedule",
        }
    }
}
