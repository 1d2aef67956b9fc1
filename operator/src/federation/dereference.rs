//! Step 1: the objects that a federation is compiled of.

use std::collections::HashSet;

use k8s_openapi::NamespaceResourceScope;
use kube::core::object::HasStatus;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};
use wanqu_crds::kinds::{Jurisdiction, Status};
use wanqu_crds::{Placement, Placements};
use wanqu_identity::TokenIssuer;
use wanqu_model::names::JurisdictionId;

use crate::compilation::ObjectState;
use crate::context::Context;
use crate::framework::hash::sha256;
use crate::framework::watched::{Children, in_namespace};
use crate::framework::{Guarded, labels};
use crate::host::{self, Host};
use crate::names::{self, TOKEN_ISSUER};

/// Objects that a federation is compiled of.
pub(super) struct Inputs {
    /// Endpoints, authorities and keys of the members.
    pub(super) placements: Placements,
    /// The state of each resource.
    pub(super) states: HashSet<ObjectState>,
    /// The members and their conditions.
    pub(super) members: Vec<Member>,
}

/// A member, as its Federation's conditions need it.
pub(super) struct Member {
    /// Its id.
    pub(super) id: JurisdictionId,
    /// The name of its Jurisdiction.
    pub(super) name: String,
    /// The generation of its Jurisdiction.
    pub(super) generation: Option<i64>,
    /// The status of its Jurisdiction.
    pub(super) status: Status,
    /// The bundle of its node.
    pub(super) bundle: StoredBundle,
}

/// The bundle of a node, as its `ConfigMap` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StoredBundle {
    /// The node does not run in this cluster, so its `ConfigMap` is not watched.
    NotWatched,
    /// There is no `ConfigMap` with a bundle.
    Missing,
    /// The digest of the bundle.
    Digest(String),
}

impl Inputs {
    /// Returns a hash of the inputs. The same inputs compile to the same bundles.
    pub(super) fn fingerprint(&self) -> String {
        let mut states: Vec<String> = self.states.iter().map(|state| format!("{state:?}")).collect();
        states.sort();
        let text = format!("{}\n{:?}", states.join("\n"), self.placements);
        sha256(text)
    }
}

/// Looks up the objects of a namespace.
pub(super) fn dereference(context: &Context, namespace: &str, issuer: Option<&TokenIssuer>) -> Inputs {
    let catalogue = &context.catalogue;
    let mut states = HashSet::new();
    add_states(&catalogue.federations, namespace, &mut states);
    add_states(&catalogue.jurisdictions, namespace, &mut states);
    add_states(&catalogue.datasets, namespace, &mut states);
    add_states(&catalogue.common_tables, namespace, &mut states);
    add_states(&catalogue.policies, namespace, &mut states);
    add_states(&catalogue.agreements, namespace, &mut states);
    add_states(&catalogue.projects, namespace, &mut states);
    let found = in_namespace(&catalogue.jurisdictions, namespace);
    // The node of one that cannot be read as a whole still has its place and its authority.
    let whole_or_not: Vec<&Jurisdiction> =
        found.iter().filter_map(|j| j.read_fields(&["spec.id", "spec.placement"])).collect();
    let jurisdictions: Vec<&Jurisdiction> = found.iter().filter_map(|j| j.read()).collect();
    // Of two of one id the older one has the node.
    let placed = whole_or_not
        .iter()
        .rev()
        .map(|j| (j.spec.id.clone(), placement(j, &context.children, namespace, issuer)))
        .collect();
    let members = jurisdictions.iter().map(|j| Member {
        id: j.spec.id.clone(),
        bundle: bundle(j, &context.children, namespace),
        name: j.name_any(),
        generation: j.metadata.generation,
        status: j.status().cloned().unwrap_or_default(),
    });
    Inputs { placements: Placements { base: None, members: placed }, states, members: members.collect() }
}

/// Adds the state of each object of a kind.
fn add_states<K>(store: &Store<Guarded<K>>, namespace: &str, states: &mut HashSet<ObjectState>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + 'static,
{
    states.extend(in_namespace(store, namespace).iter().map(|object| ObjectState::of(&**object)));
}

/// Returns endpoint, authority and keys of a member whose node this operator places.
fn placement(
    jurisdiction: &Jurisdiction,
    children: &Children,
    namespace: &str,
    issuer: Option<&TokenIssuer>,
) -> Placement {
    let spec = &jurisdiction.spec;
    // The resource of a member that another operator runs says these itself.
    let Some(home) = host::namespace(jurisdiction, namespace) else { return Placement::default() };
    let name = jurisdiction.name_any();
    let own = format!("{name}-exchange.{home}.svc:7443");
    let accepted = spec.issuers.iter().any(|issuer| issuer.issuer == TOKEN_ISSUER);
    let key = issuer.filter(|_| accepted).map(|issuer| vec![issuer.public_key_pem()]);
    Placement {
        endpoint: Some(Host::of(jurisdiction).endpoint().map_or(own, str::to_owned)),
        ca: children
            .get("ConfigMap", namespace, &names::trust(&name))
            .and_then(|map| Some(map.data.get("data")?.get("ca.pem")?.as_str()?.to_owned())),
        issuer_keys: key.map(|keys| (TOKEN_ISSUER.to_owned(), keys)).into_iter().collect(),
        data_root: spec.data_claim.as_ref().map(|_| "/data".to_owned()),
    }
}

/// Returns the bundle in the `ConfigMap` of a member's node, if that runs in this cluster.
fn bundle(jurisdiction: &Jurisdiction, children: &Children, home: &str) -> StoredBundle {
    let here = Host::of(jurisdiction).is_here();
    let Some(namespace) = host::namespace(jurisdiction, home).filter(|_| here) else { return StoredBundle::NotWatched };
    let name = jurisdiction.name_any();
    let map = children.get("ConfigMap", &namespace, &names::bundle(&name));
    // Where its name is taken, the bundle is another federation's.
    let map = map.filter(|map| labels::is_made_for(&**map, home, &name));
    let digest = map.and_then(|map| map.annotations().get(labels::BUNDLE_DIGEST).cloned());
    digest.map_or(StoredBundle::Missing, StoredBundle::Digest)
}

impl ObjectState {
    /// Returns the state of an object.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        Self {
            kind: K::kind(&()).into_owned(),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            generation: object.meta().generation.unwrap_or_default(),
        }
    }
}
