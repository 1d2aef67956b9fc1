//! Step 1: what a jurisdiction refers to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::{Client, ResourceExt};
use wanqu_crds::kinds::Jurisdiction;

use super::neighbours::{Neighbours, unsaid};
use super::pods::complaint;
use super::{Problem, home, remote};
use crate::framework::watched::{Catalogue, in_namespace};
use crate::framework::{Context, Guarded, Result};
use crate::placed::Placed;
use crate::realm::{BundleFile, Realm, Seen, Verdict};

/// What a jurisdiction refers to.
pub(super) struct Inputs {
    /// The federation of its namespace.
    pub(super) federation: FederationRef,
    /// Its bundle, of the last state that compiled, if its own authority is in it.
    pub(super) bundle: Option<Arc<BundleFile>>,
    /// How long its bundle is not to be made yet, since more changes are on their way.
    pub(super) unsettled: Option<Duration>,
    /// Whether that is the state that is declared now.
    pub(super) current: bool,
    /// Where the nodes of the other members are.
    pub(super) neighbours: Neighbours,
    /// What it does not say of its addresses and should.
    pub(super) unsaid: Option<&'static str>,
    /// What keeps copies of its node from running, as their pods say it, where they are seen.
    pub(super) complaints: Vec<String>,
    /// Where its node is placed.
    pub(super) place: Place,
    /// What is wrong with the way there.
    pub(super) astray: Option<Problem>,
}

/// What a node must know of its federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FederationRef {
    /// Its name.
    pub(super) name: String,
    /// The trust domain of its identities.
    pub(super) trust_domain: String,
    /// How long a query may run, in seconds.
    pub(super) deadline_seconds: u32,
}

/// Where a node is placed.
#[derive(Clone)]
pub(super) enum Place {
    /// In this cluster.
    Here {
        /// In this namespace.
        namespace: String,
    },
    /// In another cluster.
    There {
        /// In this namespace of it.
        namespace: String,
        /// How to speak to it; nothing if that is not known.
        client: Option<Client>,
    },
    /// Somebody else runs it.
    Elsewhere,
}

impl Place {
    /// The namespace of the node's objects.
    pub(super) fn namespace(&self) -> &str {
        match self {
            Self::Here { namespace } | Self::There { namespace, .. } => namespace,
            Self::Elsewhere => "",
        }
    }
}

/// Looks up what a jurisdiction refers to.
pub(super) async fn dereference(
    context: &Context,
    jurisdiction: &Jurisdiction,
    federation: FederationRef,
) -> Result<Inputs> {
    let namespace = home(jurisdiction);
    let realm = context.realms.get(&namespace);
    let unsettled = realm.as_ref().and_then(|realm| realm.unsettled(Instant::now()));
    let bundle = match realm.as_ref().filter(|_| unsettled.is_none()) {
        Some(realm) => realm.bundle_aside(&jurisdiction.spec.id).await.filter(|file| file.vouched),
        None => None,
    };
    let (place, astray) = place(context, jurisdiction, &namespace).await?;
    let pods = match &place {
        Place::Here { namespace } => context.children.pods_of(namespace, &federation.name, &jurisdiction.spec.id),
        Place::There { .. } | Place::Elsewhere => Vec::new(),
    };
    Ok(Inputs {
        federation,
        bundle,
        unsettled,
        current: realm.as_deref().is_some_and(Realm::is_current),
        neighbours: neighbours(&context.catalogue, jurisdiction, &namespace),
        unsaid: unsaid(jurisdiction),
        complaints: pods.iter().filter_map(|pod| complaint(pod)).collect(),
        place,
        astray,
    })
}

/// What the compiler says of it, in the state in which it is seen.
pub(super) fn verdict(context: &Context, object: &Guarded<Jurisdiction>) -> Verdict {
    let realm = context.realms.get(&object.namespace().unwrap_or_default());
    realm.map_or(Verdict::Unseen, |realm| realm.verdict(&Seen::of(object)))
}

/// The federation of a namespace.
pub(super) fn federation(catalogue: &Catalogue, namespace: &str) -> Option<FederationRef> {
    let federation = catalogue.federation(namespace)?;
    let federation = federation.read()?;
    Some(FederationRef {
        name: federation.name_any(),
        trust_domain: federation.spec.trust_domain.clone(),
        deadline_seconds: federation.spec.defaults.limits.deadline_seconds.unwrap_or(300),
    })
}

async fn place(context: &Context, jurisdiction: &Jurisdiction, home: &str) -> Result<(Place, Option<Problem>)> {
    let secret = match Placed::of(jurisdiction) {
        Placed::Elsewhere(_) => return Ok((Place::Elsewhere, None)),
        Placed::Here => {
            let namespace = jurisdiction.spec.placement.namespace.clone().unwrap_or_else(|| home.to_owned());
            return Ok((Place::Here { namespace }, None));
        }
        Placed::There(secret) => secret,
    };
    let (client, astray) = match remote::client(context, home, secret).await? {
        Ok(client) => (Some(client), None),
        Err(problem) => (None, Some(problem)),
    };
    Ok((Place::There { namespace: secret.namespace.clone(), client }, astray))
}

fn neighbours(catalogue: &Catalogue, jurisdiction: &Jurisdiction, namespace: &str) -> Neighbours {
    let all = in_namespace(&catalogue.jurisdictions, namespace);
    Neighbours::of(jurisdiction, all.iter().filter_map(|other| other.read()), namespace)
}
