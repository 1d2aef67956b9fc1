//! Disruption budget: a drain of machines takes one copy of a node at a time.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Node, names};

pub(super) fn budget(node: &Node<'_>) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: node.metadata(names::node(&node.name)),
        spec: Some(PodDisruptionBudgetSpec {
            // Not minAvailable: with one copy that would keep its machine from ever being drained.
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(node.pods()),
            // A copy that is not ready serves nobody: it need not keep a machine up.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
