//! Step 1: the objects that a jurisdiction refers to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::{Client, ResourceExt};
use wanqu_crds::Compiled;
use wanqu_crds::kinds::Jurisdiction;
use wanqu_model::bundle::Agreement;

use super::neighbours::{Neighbours, missing_addresses};
use super::pods::problem_of;
use super::{Problem, home, remote};
use crate::compilation::{BundleFile, Compilation, ObjectState, Verdict};
use crate::context::Context;
use crate::framework::watched::{Catalogue, in_namespace};
use crate::framework::{Guarded, Result, labels};
use crate::host::Host;
use crate::names;

/// Objects that a jurisdiction refers to.
pub(super) struct Inputs {
    /// The federation of its namespace.
    pub(super) federation: FederationRef,
    /// Its bundle, if that names its own authority.
    pub(super) bundle: Option<Arc<BundleFile>>,
    /// The wait for more changes before bundles are written; none if there is no need.
    pub(super) unsettled: Option<Duration>,
    /// True if the bundle is of the present state.
    pub(super) current: bool,
    /// The agreements in the bundle.
    pub(super) agreements: Vec<Agreement>,
    /// The nodes of the other members.
    pub(super) neighbours: Neighbours,
    /// The consequence of addresses that it does not give.
    pub(super) missing_addresses: Option<&'static str>,
    /// Reasons for which pods of its node do not run, where pods are watched.
    pub(super) pod_problems: Vec<String>,
    /// The cluster and namespace of its node.
    pub(super) target: Target,
    /// Reason for which the cluster of its node cannot be used.
    pub(super) access_problem: Option<Problem>,
}

/// Properties of the federation that a node depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FederationRef {
    /// Its name.
    pub(super) name: String,
    /// The trust domain of its identities.
    pub(super) trust_domain: String,
    /// The longest that a query may run, in seconds.
    pub(super) deadline_seconds: u32,
    /// True if all of the Federation could be read. Else workloads stay as they are, since this is not all that it says.
    pub(super) whole: bool,
    /// False if there is none that can be read: then this is what its node was last given.
    pub(super) there: bool,
}

/// Cluster and namespace of a node.
#[derive(Clone)]
pub(super) enum Target {
    /// In this cluster.
    Here {
        /// Its namespace.
        namespace: String,
    },
    /// In another cluster.
    Remote {
        /// Its namespace there.
        namespace: String,
        /// A client of that cluster; none if there is no usable kubeconfig.
        client: Option<Client>,
    },
    /// Wherever another operator runs it.
    External,
}

impl Target {
    /// Returns the namespace of the node's objects.
    pub(super) fn namespace(&self) -> &str {
        match self {
            Self::Here { namespace } | Self::Remote { namespace, .. } => namespace,
            Self::External => "",
        }
    }

    /// Returns a client of the node's cluster; none if that cannot be reached, or is somebody else's.
    pub(super) fn client(&self, context: &Context) -> Option<Client> {
        match self {
            Self::Here { .. } => Some(context.client.clone()),
            Self::Remote { client, .. } => client.clone(),
            Self::External => None,
        }
    }
}

/// Looks up the objects that a jurisdiction refers to.
pub(super) async fn dereference(
    context: &Context,
    jurisdiction: &Jurisdiction,
    federation: FederationRef,
) -> Result<Inputs> {
    let namespace = home(jurisdiction);
    let compilation = context.compilations.get(&namespace);
    let unsettled = compilation.as_ref().and_then(|compilation| compilation.unsettled(Instant::now()));
    let (id, name) = (&jurisdiction.spec.id, jurisdiction.name_any());
    let compiled = compilation.as_ref().and_then(|compilation| compilation.compiled());
    // Of two of one id only one has the node.
    let own = compiled.is_some_and(|compiled| compiled.is_node_of(id, &name));
    let bundle = match compilation.as_ref().filter(|_| own && unsettled.is_none()) {
        Some(compilation) => compilation.bundle_aside(id).await.filter(|file| file.names_own_authority),
        None => None,
    };
    let agreements = compiled.filter(|compiled| compiled.members().any(|member| member == id));
    let agreements = agreements.into_iter().flat_map(Compiled::agreements).filter(|a| a.from == *id || a.to == *id);
    let agreements = agreements.cloned().collect();
    let (target, access_problem) = target(context, jurisdiction, &namespace).await?;
    let pods = match &target {
        Target::Here { namespace: placed } => context.children.pods_of(placed, &namespace, &name),
        Target::Remote { .. } | Target::External => Vec::new(),
    };
    Ok(Inputs {
        federation,
        bundle,
        unsettled,
        current: compilation.as_deref().is_some_and(Compilation::is_current),
        agreements,
        neighbours: neighbours(&context.catalogue, jurisdiction, &namespace),
        missing_addresses: missing_addresses(jurisdiction),
        pod_problems: pods.iter().filter_map(|pod| problem_of(pod)).collect(),
        target,
        access_problem,
    })
}

/// Returns the result of the compilation for a jurisdiction in the state in which it is seen.
pub(super) fn verdict(context: &Context, object: &Guarded<Jurisdiction>) -> Verdict {
    let compilation = context.compilations.get(&object.namespace().unwrap_or_default());
    compilation.map_or(Verdict::NotCompiled, |compilation| compilation.verdict(&ObjectState::of(object)))
}

/// Returns the federation of a namespace, as far as a node depends on it.
pub(super) fn federation(catalogue: &Catalogue, namespace: &str) -> Option<FederationRef> {
    let found = catalogue.federation(namespace)?;
    let federation = found.read_fields(&["spec.trustDomain"])?;
    Some(FederationRef {
        name: federation.name_any(),
        trust_domain: federation.spec.trust_domain.clone(),
        deadline_seconds: federation.spec.defaults.limits.deadline_seconds.unwrap_or(300),
        whole: found.read().is_some(),
        there: true,
    })
}

/// Returns the federation that a node was last given, for one whose Federation is gone or cannot be read: what renews its
/// certificates until it is taken down on purpose.
pub(super) fn remembered(context: &Context, object: &Guarded<Jurisdiction>) -> Option<FederationRef> {
    let (home, name) = (object.namespace()?, object.name_any());
    let trust = context.children.get("ConfigMap", &home, &names::trust(&name))?;
    let trust = labels::is_made_for(&*trust, &home, &name).then_some(trust)?;
    Some(FederationRef {
        name: trust.labels().get(labels::FEDERATION)?.clone(),
        trust_domain: trust.annotations().get(labels::TRUST_DOMAIN)?.clone(),
        deadline_seconds: 300,
        whole: false,
        there: false,
    })
}

async fn target(context: &Context, jurisdiction: &Jurisdiction, home: &str) -> Result<(Target, Option<Problem>)> {
    let secret = match Host::of(jurisdiction) {
        Host::External(_) => return Ok((Target::External, None)),
        Host::Here => {
            let namespace = jurisdiction.spec.placement.namespace.clone().unwrap_or_else(|| home.to_owned());
            return Ok((Target::Here { namespace }, None));
        }
        Host::Remote(secret) => secret,
    };
    let (client, access_problem) = match remote::client(context, home, secret).await? {
        Ok(client) => (Some(client), None),
        Err(problem) => (None, Some(problem)),
    };
    Ok((Target::Remote { namespace: secret.namespace.clone(), client }, access_problem))
}

fn neighbours(catalogue: &Catalogue, jurisdiction: &Jurisdiction, namespace: &str) -> Neighbours {
    let all = in_namespace(&catalogue.jurisdictions, namespace);
    Neighbours::of(jurisdiction, all.iter().filter_map(|other| other.read()), namespace)
}
