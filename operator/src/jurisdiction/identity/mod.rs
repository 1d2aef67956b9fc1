//! A jurisdiction's authority and the certificates of its node: made, kept in Secrets, renewed before they end.
//!
//! The decisions are pure and are given the time: [`authority`] decides on the rotation of an authority, [`leaf`] on
//! when a node's certificates are issued again. This file acts on them. Keys are in Secrets, and nowhere else.

pub mod authority;
pub mod leaf;
mod secrets;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, ResourceExt};
use wanqu_crds::kinds::Jurisdiction;
use wanqu_identity::Authority;

use super::dereference::{Inputs, Target};
use super::{Problem, finalizer, home};
use crate::context::Context;
use crate::framework::apply::{Applier, Built, display_name};
use crate::framework::conditions::{Reason, Type};
use crate::framework::labels::TRUST_DOMAIN;
use crate::framework::{Error, Result, labels};
use crate::names;
use authority::{AuthorityState, Lifetimes};
use leaf::Leaf;
use secrets::Owned;

/// State of a node's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The time at which its certificates expire.
    pub not_after: Timestamp,
    /// The time of the next renewal or rotation.
    pub due: Timestamp,
    /// True if the authority is the user's own.
    pub users_own: bool,
    /// The state of the rotation of its authority, if there is one.
    pub rotation: Option<&'static str>,
}

/// Makes or renews a jurisdiction's authority and its node's certificates, as needed.
pub(super) async fn ensure(
    context: &Context,
    jurisdiction: &Jurisdiction,
    inputs: &Inputs,
) -> Result<Result<Identity, Problem>> {
    let federation = &inputs.federation;
    let owned = Owned { jurisdiction, federation };
    let users_own = jurisdiction.spec.authority_secret.is_some();
    let (kept, change) = if users_own {
        match users_authority(context, jurisdiction).await? {
            Ok(kept) => (kept, Timestamp::MAX),
            Err(problem) => return Ok(Err(problem)),
        }
    } else {
        own_authority(context, &owned, inputs).await?
    };
    let authority = match kept.signing(&jurisdiction.spec.id, &federation.trust_domain) {
        Ok(authority) => authority,
        Err(error) if users_own => return Ok(Err(wrong(jurisdiction, &error.to_string()))),
        Err(error) => {
            let object =
                display_name::<Secret>(authority_namespace(jurisdiction, inputs), &names::authority(&owned.name()));
            return Err(Error::Unreadable { object, problem: error.to_string() });
        }
    };
    // Trust is written before the certificates that rest on it: no peer may meet one that it cannot verify.
    let at_home = Applier::here(&context.client, &context.children, jurisdiction);
    at_home.apply(Built::new(owned.trust(&names::trust(&owned.name()), &kept.trusted()))).await?;
    let leaf = node_leaf(context, &owned, inputs, &authority).await?;
    Ok(Ok(Identity {
        not_after: leaf.not_after(),
        due: leaf.renewal().min(change),
        users_own,
        rotation: kept.rotation(),
    }))
}

/// Returns the namespace of the authority's Secret. For a node in another cluster it is here: nobody there needs its
/// key.
fn authority_namespace<'a>(jurisdiction: &'a Jurisdiction, inputs: &'a Inputs) -> &'a str {
    match &inputs.target {
        Target::Here { namespace } => namespace,
        Target::Remote { .. } | Target::External => jurisdiction.metadata.namespace.as_deref().unwrap_or_default(),
    }
}

/// Returns the authority that the operator made, or makes, and the time of its next change.
async fn own_authority(context: &Context, owned: &Owned<'_>, inputs: &Inputs) -> Result<(AuthorityState, Timestamp)> {
    let (namespace, name) = (authority_namespace(owned.jurisdiction, inputs), names::authority(&owned.name()));
    let applier = Applier::here(&context.client, &context.children, owned.jurisdiction);
    let lifetimes = Lifetimes { authority: context.settings.authority_life(), leaf: context.settings.leaf_life() };
    let asked = owned.jurisdiction.annotations().get(labels::ROLL).map(String::as_str);
    let decide = |secret: Option<&Secret>| -> Result<(AuthorityState, bool)> {
        let id = &owned.jurisdiction.spec.id;
        let now = context.clock.now();
        let Some(secret) = secret else {
            let made = AuthorityState::new(id, &owned.federation.trust_domain, now, lifetimes, asked)?;
            return Ok((made, true));
        };
        let unreadable = |problem: &str| Error::Unreadable {
            object: display_name::<Secret>(namespace, &name),
            problem: problem.to_owned(),
        };
        let kept = secrets::kept(secret).map_err(unreadable)?;
        if !owned.federation.there {
            // Nobody could be told of the next authority.
            return Ok((kept, false));
        }
        let advanced = kept
            .advanced(id, &owned.federation.trust_domain, now, lifetimes, asked)
            .map_err(|error| unreadable(&error.to_string()))?;
        Ok(advanced.map_or((kept, false), |advanced| (advanced, true)))
    };
    let found = applier.get::<Secret>(namespace, &name).await?;
    let (mut kept, mut changed) = decide(found.as_ref())?;
    // One of an earlier version would be collected with its Jurisdiction.
    let mut misplaced = found.is_some_and(|secret| !secret.owner_references().is_empty());
    if changed {
        // Only the API server's state may lead to a new key: the store may not have the last one yet.
        let mut live = applier.live::<Secret>(namespace, &name).await?;
        if live.is_none() {
            live = former_authority(context, owned, &applier, namespace).await?;
            misplaced = live.is_some();
        }
        (kept, changed) = decide(live.as_ref())?;
    }
    if changed || misplaced {
        applier.apply(Built::new(owned.authority(namespace, &kept, &inputs.target))).await?;
    }
    if changed {
        let what = kept.rotation().unwrap_or("its authority stands alone");
        context.events.normal(owned.jurisdiction, "RenewAuthority", "AuthorityChanged", what.to_owned()).await;
    }
    let due = if owned.federation.there { kept.due(lifetimes, asked)? } else { Timestamp::MAX };
    Ok((kept, due))
}

/// Returns the authority of a node that was placed elsewhere before: it moves with the node, so that nobody has to be told of
/// another one.
async fn former_authority(
    context: &Context,
    owned: &Owned<'_>,
    applier: &Applier<'_>,
    namespace: &str,
) -> Result<Option<Secret>> {
    let mut former = finalizer::placed_in(owned.jurisdiction);
    former.insert(home(owned.jurisdiction));
    for former in former.iter().filter(|former| *former != namespace && context.children.are_read(former)) {
        match applier.live::<Secret>(former, &names::authority(&owned.name())).await {
            Ok(Some(secret)) => return Ok(Some(secret)),
            Ok(None) | Err(Error::Taken { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Returns the authority in the user's own Secret.
async fn users_authority(context: &Context, jurisdiction: &Jurisdiction) -> Result<Result<AuthorityState, Problem>> {
    let Some(reference) = &jurisdiction.spec.authority_secret else {
        return Ok(Err(wrong(jurisdiction, "it names no Secret")));
    };
    let namespace = home(jurisdiction);
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &namespace);
    let doing = format!("get Secret {namespace}/{}", reference.name);
    let Some(secret) = secrets.get_opt(&reference.name).await.map_err(|error| Error::api(doing, error))? else {
        return Ok(Err(wrong(jurisdiction, "it is not there")));
    };
    Ok(secrets::users(&secret).map_err(|problem| wrong(jurisdiction, problem)))
}

fn wrong(jurisdiction: &Jurisdiction, problem: &str) -> Problem {
    let name = jurisdiction.spec.authority_secret.as_ref().map(|secret| secret.name.clone()).unwrap_or_default();
    Problem {
        of: Type::IdentityReady,
        reason: Reason::SecretInvalid,
        path: "spec.authoritySecret".to_owned(),
        problem: format!("Secret {name}: {problem}"),
        remedy: "put the authority's certificate under ca.pem and its key (P-256 or Ed25519) under ca.key, both PEM"
            .to_owned(),
    }
}

/// Returns the node's certificates: those in its Secret if they can stay, or new ones.
async fn node_leaf(context: &Context, owned: &Owned<'_>, inputs: &Inputs, authority: &Authority) -> Result<Leaf> {
    let (namespace, name) = (inputs.target.namespace(), names::identity(&owned.name()));
    let applier = applier(context, owned.jurisdiction, &inputs.target);
    let trust_domain = &owned.federation.trust_domain;
    let good = |secret: Option<Secret>| {
        let leaf = Leaf::read(&secrets::texts(&secret?), trust_domain)?;
        leaf.holds(authority, context.clock.now(), context.settings.leaf_life()).then_some(leaf)
    };
    if let Some(leaf) = good(applier.get::<Secret>(namespace, &name).await?) {
        return Ok(leaf);
    }
    if let Some(leaf) = good(applier.live::<Secret>(namespace, &name).await?) {
        return Ok(leaf);
    }
    let leaf = Leaf::issue(authority, context.clock.now(), context.settings.leaf_life())?;
    applier.apply(Built::new(owned.identity(namespace, &leaf, &inputs.target))).await?;
    let note = format!("the node's certificates hold until {}", leaf.not_after());
    context.events.normal(owned.jurisdiction, "IssueCertificates", "CertificatesIssued", note).await;
    Ok(leaf)
}

/// Returns the writer for the cluster of the node.
pub(super) fn applier<'a>(context: &'a Context, jurisdiction: &Jurisdiction, target: &Target) -> Applier<'a> {
    match target {
        Target::Remote { client: Some(client), .. } => Applier::there(client.clone(), jurisdiction),
        Target::Remote { client: None, .. } | Target::Here { .. } | Target::External => {
            Applier::here(&context.client, &context.children, jurisdiction)
        }
    }
}

impl Owned<'_> {
    fn trust(&self, name: &str, certificates: &str) -> ConfigMap {
        let mut metadata = self.at_home(name);
        // By it certificates are renewed without a Federation.
        metadata.annotations = Some([(TRUST_DOMAIN.to_owned(), self.federation.trust_domain.clone())].into());
        ConfigMap {
            metadata,
            data: Some([("ca.pem".to_owned(), certificates.to_owned())].into()),
            ..ConfigMap::default()
        }
    }

    fn name(&self) -> String {
        self.jurisdiction.name_any()
    }
}
