//! Delivery of the token by which a requester fetches a kept answer.
//!
//! A kept answer is fetched from the home node with a token of the operator's issuer, and only the operator can make one.
//! It must reach the requester and nobody else, though everybody who may read the query can read its status. So the
//! requester's program makes a key pair for this one fetch and writes the public half into an annotation; the
//! `ValidatingAdmissionPolicy` lets nobody else write it. The token is sealed for that key, together with the query and the
//! gateway that it is for, holds for a few minutes, and names the requester and the gateway: it fetches one answer that is
//! kept there for the requester, once, and gives access to nothing else.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use wanqu_crds::kinds::{Delivery, FederatedQuery};
use wanqu_identity::{is_sealed_now, seal};

use super::dereference::OwnTokens;
use super::plan::seconds;
use super::validate::Accepted;
use crate::framework::Result;

/// The annotation with the public key.
pub(crate) const DELIVER_TO: &str = "wanqu.dev/deliver-to";

/// Lifetime of a token, if the gateway takes tokens that live for so long.
const LIFETIME: Duration = Duration::from_mins(5);

/// Returns the delivery for the status: the present one if it is for the key in the annotation, a new one if it is not,
/// and none if no key is given or no answer is kept.
pub(super) fn delivery(
    query: &FederatedQuery,
    accepted: Option<&Accepted>,
    now: Timestamp,
) -> Result<Option<Delivery>> {
    let there = query.status.as_ref().and_then(|status| status.delivery.clone());
    let (Some(to), Some(accepted)) = (query.annotations().get(DELIVER_TO), accepted) else { return Ok(None) };
    if let Some(there) = there.filter(|there| there.to == *to && is_sealed_now(&there.sealed_token)) {
        // A key opens one token: when that has expired, the requester asks with another key.
        return Ok(Some(there));
    }
    let runs = query.status.iter().flat_map(|status| &status.runs);
    if !runs.filter_map(|run| run.kept.as_ref()).any(|kept| now < kept.expires) {
        return Ok(None);
    }
    let OwnTokens { audience, longest } = &accepted.tokens;
    let lifetime = LIFETIME.min(*longest);
    let token = accepted.issuer.issue_for_result(&accepted.requester, audience, now, lifetime)?;
    let mut delivery = Delivery {
        to: to.clone(),
        sealed_token: String::new(),
        expires: seconds(now + SignedDuration::try_from(lifetime).unwrap_or_default()),
        namespace: accepted.namespace.clone(),
        service: accepted.service.clone(),
        server_name: accepted.server_name.clone(),
        ca: accepted.ca.clone(),
    };
    // A text that is no key gets no token; the requester's program reports that when it has waited.
    let Ok(sealed_token) = seal(&token, to, &query.sealing_context(&delivery)) else { return Ok(None) };
    delivery.sealed_token = sealed_token;
    Ok(Some(delivery))
}
