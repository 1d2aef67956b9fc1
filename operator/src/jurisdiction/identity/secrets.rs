//! Authorities and certificates as Secrets hold them.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};
use wanqu_crds::kinds::Jurisdiction;

use super::super::dereference::{FederationRef, Target};
use super::authority::AuthorityState;
use super::leaf::Leaf;
use crate::framework::labels;
use crate::names;

/// Builder of the objects of a jurisdiction's identity.
pub(super) struct Owned<'a> {
    pub(super) jurisdiction: &'a Jurisdiction,
    pub(super) federation: &'a FederationRef,
}

impl Owned<'_> {
    /// Returns the Secret of the authority.
    pub(super) fn authority(&self, namespace: &str, kept: &AuthorityState, target: &Target) -> Secret {
        let mut texts =
            BTreeMap::from([("ca.pem".to_owned(), kept.signs.0.clone()), ("ca.key".to_owned(), kept.signs.1.clone())]);
        if let Some((pem, key)) = &kept.next {
            texts.extend([("next.pem".to_owned(), pem.clone()), ("next.key".to_owned(), key.clone())]);
        }
        if let Some((pem, since)) = &kept.before {
            texts.extend([("before.pem".to_owned(), pem.clone()), ("before.since".to_owned(), since.to_string())]);
        }
        texts.extend(kept.requested.clone().map(|requested| ("asked".to_owned(), requested)));
        let mut metadata = match target {
            Target::Here { .. } => self.placed(&names::authority(&self.jurisdiction.name_any()), namespace),
            Target::Remote { .. } | Target::External => self.at_home(&names::authority(&self.jurisdiction.name_any())),
        };
        // It outlives its Jurisdiction, as the audit log does: one that is made again is the same to everybody who trusts it.
        metadata.owner_references = None;
        Secret { metadata, data: Some(bytes(texts)), ..Secret::default() }
    }

    /// Returns the Secret of the node's certificates.
    pub(super) fn identity(&self, namespace: &str, leaf: &Leaf, target: &Target) -> Secret {
        let mut metadata = self.placed(&names::identity(&self.jurisdiction.name_any()), namespace);
        if matches!(target, Target::Remote { .. }) {
            metadata.owner_references = None;
        }
        Secret { metadata, data: Some(bytes(leaf.texts())), ..Secret::default() }
    }

    /// Returns the metadata of an object in the namespace of the resource.
    pub(super) fn at_home(&self, name: &str) -> ObjectMeta {
        self.placed(name, &self.jurisdiction.namespace().unwrap_or_default())
    }

    fn placed(&self, name: &str, namespace: &str) -> ObjectMeta {
        let home = self.jurisdiction.namespace().unwrap_or_default();
        let same = home == namespace;
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels::node(&home, &self.federation.name, &self.jurisdiction.spec.id)),
            owner_references: same.then(|| self.jurisdiction.controller_owner_ref(&()).into_iter().collect()),
            ..ObjectMeta::default()
        }
    }
}

/// Reads the authority in the operator's own Secret; an error says what is wrong with it.
pub(super) fn kept(secret: &Secret) -> Result<AuthorityState, &'static str> {
    let mut texts = texts(secret);
    let signs = pair(&mut texts, "ca").ok_or("ca.pem or ca.key is missing or is not text")?;
    let next = pair(&mut texts, "next");
    let before = texts.remove("before.pem").map(|pem| {
        let since = texts.remove("before.since").and_then(|text| text.parse().ok());
        since.map(|since| (pem, since)).ok_or("before.since is missing or is not a time")
    });
    Ok(AuthorityState { signs, next, before: before.transpose()?, requested: texts.remove("asked") })
}

/// Reads the authority in a user's Secret; an error says what is wrong with it. Of several certificates the first
/// signs, and all are trusted.
pub(super) fn users(secret: &Secret) -> Result<AuthorityState, &'static str> {
    let signs = pair(&mut texts(secret), "ca").ok_or("it has no ca.pem or no ca.key")?;
    Ok(AuthorityState { signs, next: None, before: None, requested: None })
}

fn pair(texts: &mut BTreeMap<String, String>, name: &str) -> Option<(String, String)> {
    Some((texts.remove(&format!("{name}.pem"))?, texts.remove(&format!("{name}.key"))?))
}

/// Returns the entries of a Secret that are text.
pub(super) fn texts(secret: &Secret) -> BTreeMap<String, String> {
    let data = secret.data.iter().flatten();
    data.filter_map(|(key, value)| Some((key.clone(), String::from_utf8(value.0.clone()).ok()?))).collect()
}

fn bytes(texts: BTreeMap<String, String>) -> BTreeMap<String, ByteString> {
    texts.into_iter().map(|(key, text)| (key, ByteString(text.into_bytes()))).collect()
}
