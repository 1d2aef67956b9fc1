//! Step 1: everything that a federation is compiled of, as it is seen.

use std::collections::HashSet;

use k8s_openapi::NamespaceResourceScope;
use kube::core::object::HasStatus;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};
use wanqu_crds::kinds::{Jurisdiction, Status};
use wanqu_crds::{Placement, Placements};
use wanqu_identity::TokenIssuer;
use wanqu_model::names::JurisdictionId;

use crate::framework::hash::sha256;
use crate::framework::watched::{Children, in_namespace};
use crate::framework::{Context, Guarded, labels};
use crate::names::{self, TOKEN_ISSUER};
use crate::placed::{self, Placed};
use crate::realm::Seen;

/// Everything that a federation is compiled of.
pub(super) struct Inputs {
    /// What is known of the members that are placed.
    pub(super) placements: Placements,
    /// Which state of each resource this is.
    pub(super) seen: HashSet<Seen>,
    /// How the members stand.
    pub(super) members: Vec<Member>,
}

/// How a member stands.
pub(super) struct Member {
    /// Its id.
    pub(super) id: JurisdictionId,
    /// Its resource's name.
    pub(super) name: String,
    /// The generation of what it declares.
    pub(super) generation: Option<i64>,
    /// What its controller says of it.
    pub(super) status: Status,
    /// Which bundle lies there for its node.
    pub(super) bundle: Lying,
}

/// Which bundle lies there for a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lying {
    /// It does not run in this cluster, so that is not seen.
    Unseen,
    /// None.
    Nothing,
    /// The one with this digest.
    Digest(String),
}

impl Inputs {
    /// A hash of what they say: if it is the same, so is what they compile to.
    pub(super) fn fingerprint(&self) -> String {
        let mut seen: Vec<String> = self.seen.iter().map(|seen| format!("{seen:?}")).collect();
        seen.sort();
        let text = format!("{}\n{:?}", seen.join("\n"), self.placements);
        sha256(text)
    }
}

/// Looks up everything in a namespace.
pub(super) fn dereference(context: &Context, namespace: &str, issuer: Option<&TokenIssuer>) -> Inputs {
    let catalogue = &context.catalogue;
    let mut seen = HashSet::new();
    see(&catalogue.federations, namespace, &mut seen);
    see(&catalogue.jurisdictions, namespace, &mut seen);
    see(&catalogue.datasets, namespace, &mut seen);
    see(&catalogue.common_tables, namespace, &mut seen);
    see(&catalogue.policies, namespace, &mut seen);
    see(&catalogue.agreements, namespace, &mut seen);
    see(&catalogue.projects, namespace, &mut seen);
    let jurisdictions = in_namespace(&catalogue.jurisdictions, namespace);
    let jurisdictions: Vec<&Jurisdiction> = jurisdictions.iter().filter_map(|j| j.read()).collect();
    let placed =
        jurisdictions.iter().map(|j| (j.spec.id.clone(), placement(j, &context.children, namespace, issuer))).collect();
    let members = jurisdictions.iter().map(|j| Member {
        id: j.spec.id.clone(),
        bundle: bundle(j, &context.children, namespace),
        name: j.name_any(),
        generation: j.metadata.generation,
        status: j.status().cloned().unwrap_or_default(),
    });
    Inputs { placements: Placements { base: None, members: placed }, seen, members: members.collect() }
}

/// Notes which state each object of a kind is in.
fn see<K>(store: &Store<Guarded<K>>, namespace: &str, seen: &mut HashSet<Seen>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + 'static,
{
    seen.extend(in_namespace(store, namespace).iter().map(|object| Seen::of(&**object)));
}

/// What is known of a member once it is placed.
fn placement(
    jurisdiction: &Jurisdiction,
    children: &Children,
    namespace: &str,
    issuer: Option<&TokenIssuer>,
) -> Placement {
    let spec = &jurisdiction.spec;
    // Another operator's is as its resource says.
    let Some(place) = placed::namespace(jurisdiction, namespace) else { return Placement::default() };
    let name = jurisdiction.name_any();
    let own = format!("{name}-exchange.{place}.svc:7443");
    let accepted = spec.issuers.iter().any(|issuer| issuer.issuer == TOKEN_ISSUER);
    let key = issuer.filter(|_| accepted).map(|issuer| issuer.as_issuer().public_keys);
    Placement {
        endpoint: Some(Placed::of(jurisdiction).endpoint().map_or(own, str::to_owned)),
        ca: children
            .get("ConfigMap", namespace, &names::trust(&name))
            .and_then(|map| Some(map.data.get("data")?.get("ca.pem")?.as_str()?.to_owned())),
        issuer_keys: key.map(|keys| (TOKEN_ISSUER.to_owned(), keys)).into_iter().collect(),
        data_root: spec.data_claim.as_ref().map(|_| "/data".to_owned()),
    }
}

/// The digest of the bundle that lies in this cluster for a member, if its node runs here.
fn bundle(jurisdiction: &Jurisdiction, children: &Children, home: &str) -> Lying {
    let here = Placed::of(jurisdiction).is_here();
    let Some(namespace) = placed::namespace(jurisdiction, home).filter(|_| here) else { return Lying::Unseen };
    let map = children.get("ConfigMap", &namespace, &names::bundle(&jurisdiction.name_any()));
    let digest = map.and_then(|map| map.annotations().get(labels::BUNDLE_DIGEST).cloned());
    digest.map_or(Lying::Nothing, Lying::Digest)
}

impl Seen {
    /// The state of an object.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        Self {
            kind: K::kind(&()).into_owned(),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            generation: object.meta().generation.unwrap_or_default(),
        }
    }
}
