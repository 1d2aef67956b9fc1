//! Clusters of members' nodes, as their placement names them.

use wanqu_crds::kinds::{ExternalPlacement, Jurisdiction, KubeconfigSecret};

/// Cluster of a member's node.
#[derive(Debug, Clone, Copy)]
pub enum Host<'a> {
    /// The operator's own.
    Here,
    /// Another one, to which this operator has a kubeconfig.
    Remote(&'a KubeconfigSecret),
    /// Wherever another operator runs it.
    External(&'a ExternalPlacement),
}

impl<'a> Host<'a> {
    /// Returns the cluster that a Jurisdiction's placement names.
    #[must_use]
    pub fn of(jurisdiction: &'a Jurisdiction) -> Self {
        let placement = &jurisdiction.spec.placement;
        match (&placement.external, &placement.kubeconfig_secret) {
            (Some(external), _) => Self::External(external),
            (None, Some(secret)) => Self::Remote(secret),
            (None, None) => Self::Here,
        }
    }

    /// Returns true for the operator's own cluster.
    #[must_use]
    pub fn is_here(self) -> bool {
        matches!(self, Self::Here)
    }

    /// Returns the endpoint of the exchange, if the placement gives one.
    #[must_use]
    pub fn endpoint(self) -> Option<&'a str> {
        match self {
            Self::Here => None,
            Self::Remote(secret) => secret.endpoint.as_deref(),
            Self::External(external) => Some(&external.endpoint),
        }
    }
}

/// Returns the namespace of a node in its cluster, if this operator places it. `home` is the namespace of its
/// Jurisdiction.
#[must_use]
pub fn namespace(jurisdiction: &Jurisdiction, home: &str) -> Option<String> {
    match Host::of(jurisdiction) {
        Host::Here => Some(jurisdiction.spec.placement.namespace.clone().unwrap_or_else(|| home.to_owned())),
        Host::Remote(secret) => Some(secret.namespace.clone()),
        Host::External(_) => None,
    }
}
