//! In which cluster a member's node runs. Every part of the operator that has to know asks here.

use wanqu_crds::kinds::{ExternalPlacement, Jurisdiction, KubeconfigSecret};

/// Where a member's node runs.
#[derive(Debug, Clone, Copy)]
pub enum Placed<'a> {
    /// In the operator's own cluster.
    Here,
    /// In another cluster that this operator speaks to: what the node holds is what is declared here.
    There(&'a KubeconfigSecret),
    /// Wherever another operator runs it.
    Elsewhere(&'a ExternalPlacement),
}

impl<'a> Placed<'a> {
    /// Where this one's does.
    #[must_use]
    pub fn of(jurisdiction: &'a Jurisdiction) -> Self {
        let placement = &jurisdiction.spec.placement;
        match (&placement.external, &placement.kubeconfig_secret) {
            (Some(external), _) => Self::Elsewhere(external),
            (None, Some(secret)) => Self::There(secret),
            (None, None) => Self::Here,
        }
    }

    /// Whether it is in the operator's own cluster.
    #[must_use]
    pub fn is_here(self) -> bool {
        matches!(self, Self::Here)
    }

    /// The way to its exchange, as far as its placement says one.
    #[must_use]
    pub fn endpoint(self) -> Option<&'a str> {
        match self {
            Self::Here => None,
            Self::There(secret) => secret.endpoint.as_deref(),
            Self::Elsewhere(external) => Some(&external.endpoint),
        }
    }
}

/// The namespace that a node is in, in its cluster, if this operator puts it there. `home` is that of its resource.
#[must_use]
pub fn namespace(jurisdiction: &Jurisdiction, home: &str) -> Option<String> {
    match Placed::of(jurisdiction) {
        Placed::Here => Some(jurisdiction.spec.placement.namespace.clone().unwrap_or_else(|| home.to_owned())),
        Placed::There(secret) => Some(secret.namespace.clone()),
        Placed::Elsewhere(_) => None,
    }
}
