//! A jurisdiction's authority and the certificates of its node: made, kept in Secrets, renewed before they end.
//!
//! The decisions are pure and know no clock of their own: [`authority`] says what becomes of an authority as time goes on,
//! [`leaf`] when a node's certificates are to be issued anew. This file acts on them. Keys are in Secrets, and nowhere else.

pub mod authority;
pub mod leaf;
mod secrets;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, ResourceExt};
use wanqu_crds::kinds::Jurisdiction;
use wanqu_identity::Authority;

use super::dereference::{Inputs, Place};
use super::{Problem, home};
use crate::framework::apply::{Applier, Built, called};
use crate::framework::conditions::{Reason, Type};
use crate::framework::{Context, Error, Result, labels};
use crate::names;
use authority::{Kept, Lives};
use leaf::Leaf;
use secrets::Owned;

/// The identity of a node, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Until when its certificates hold.
    pub not_after: Timestamp,
    /// When something is to be renewed next.
    pub due: Timestamp,
    /// Whether the authority is the user's own.
    pub users_own: bool,
    /// How far its authority is rolled, if it is.
    pub rolled: Option<&'static str>,
}

/// Sees to it that a jurisdiction has an authority that others trust, and its node certificates that hold.
pub(super) async fn ensure(
    context: &Context,
    jurisdiction: &Jurisdiction,
    inputs: &Inputs,
) -> Result<Result<Identity, Problem>> {
    let federation = &inputs.federation;
    let owned = Owned { jurisdiction, federation };
    let users_own = jurisdiction.spec.authority_secret.is_some();
    let (kept, turn) = if users_own {
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
            let object = called::<Secret>(authority_namespace(jurisdiction, inputs), &names::authority(&owned.name()));
            return Err(Error::Unreadable { object, problem: error.to_string() });
        }
    };
    // First the trust, then what rests on it: nobody is to meet a certificate that they cannot check.
    let at_home = Applier::here(&context.client, &context.children, jurisdiction);
    at_home.apply(Built::new(owned.trust(&names::trust(&owned.name()), &kept.trusted()))).await?;
    let leaf = node_leaf(context, &owned, inputs, &authority).await?;
    Ok(Ok(Identity { not_after: leaf.not_after(), due: leaf.renewal().min(turn), users_own, rolled: kept.rolled() }))
}

/// Where an authority is kept. That of a node in another cluster stays at home: nobody there needs its key.
fn authority_namespace<'a>(jurisdiction: &'a Jurisdiction, inputs: &'a Inputs) -> &'a str {
    match &inputs.place {
        Place::Here { namespace } => namespace,
        Place::There { .. } | Place::Elsewhere => jurisdiction.metadata.namespace.as_deref().unwrap_or_default(),
    }
}

/// The authority that the operator made, or makes, and when it changes next.
async fn own_authority(context: &Context, owned: &Owned<'_>, inputs: &Inputs) -> Result<(Kept, Timestamp)> {
    let (namespace, name) = (authority_namespace(owned.jurisdiction, inputs), names::authority(&owned.name()));
    let applier = Applier::here(&context.client, &context.children, owned.jurisdiction);
    let lives = Lives { authority: context.settings.authority_life(), leaf: context.settings.leaf_life() };
    let asked = owned.jurisdiction.annotations().get(labels::ROLL).map(String::as_str);
    let decide = |secret: Option<&Secret>| -> Result<(Kept, bool)> {
        let id = &owned.jurisdiction.spec.id;
        let now = context.clock.now();
        let Some(secret) = secret else {
            let made = Kept::new(id, &owned.federation.trust_domain, now, lives, asked)?;
            return Ok((made, true));
        };
        let unreadable = |problem: &str| Error::Unreadable {
            object: called::<Secret>(namespace, &name),
            problem: problem.to_owned(),
        };
        let kept = secrets::kept(secret).map_err(unreadable)?;
        let turned = kept
            .turned(id, &owned.federation.trust_domain, now, lives, asked)
            .map_err(|error| unreadable(&error.to_string()))?;
        Ok(turned.map_or((kept, false), |turned| (turned, true)))
    };
    let (mut kept, mut changed) = decide(applier.get::<Secret>(namespace, &name).await?.as_ref())?;
    if changed {
        // Only what lives decides that a key is made: the store may not have seen the last one yet.
        let live = applier.live::<Secret>(namespace, &name).await?;
        (kept, changed) = decide(live.as_ref())?;
    }
    if changed {
        let what = kept.rolled().unwrap_or("its authority stands alone");
        applier.apply(Built::new(owned.authority(namespace, &kept, &inputs.place))).await?;
        context.events.normal(owned.jurisdiction, "RenewAuthority", "AuthorityChanged", what.to_owned()).await;
    }
    let due = kept.due(lives, asked)?;
    Ok((kept, due))
}

/// The authority in the user's own Secret.
async fn users_authority(context: &Context, jurisdiction: &Jurisdiction) -> Result<Result<Kept, Problem>> {
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
        remedy: "put the authority's certificate under ca.pem and its Ed25519 key under ca.key, both PEM".to_owned(),
    }
}

/// The node's certificates: those that are kept, or new ones.
async fn node_leaf(context: &Context, owned: &Owned<'_>, inputs: &Inputs, authority: &Authority) -> Result<Leaf> {
    let (namespace, name) = (inputs.place.namespace(), names::identity(&owned.name()));
    let applier = applier(context, owned.jurisdiction, &inputs.place);
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
    applier.apply(Built::new(owned.identity(namespace, &leaf, &inputs.place))).await?;
    let note = format!("the node's certificates hold until {}", leaf.not_after());
    context.events.normal(owned.jurisdiction, "IssueCertificates", "CertificatesIssued", note).await;
    Ok(leaf)
}

/// Writes where the node is placed.
pub(super) fn applier<'a>(context: &'a Context, jurisdiction: &Jurisdiction, place: &Place) -> Applier<'a> {
    match place {
        Place::There { client: Some(client), .. } => Applier::there(client.clone(), jurisdiction),
        Place::There { client: None, .. } | Place::Here { .. } | Place::Elsewhere => {
            Applier::here(&context.client, &context.children, jurisdiction)
        }
    }
}

impl Owned<'_> {
    fn trust(&self, name: &str, certificates: &str) -> ConfigMap {
        ConfigMap {
            metadata: self.at_home(name),
            data: Some([("ca.pem".to_owned(), certificates.to_owned())].into()),
            ..ConfigMap::default()
        }
    }

    fn name(&self) -> String {
        self.jurisdiction.name_any()
    }
}
