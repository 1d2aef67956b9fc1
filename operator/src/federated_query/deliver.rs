//! The means to fetch a kept answer, for who may have it.
//!
//! A kept answer is fetched from the home node with a token of the operator's issuer, and only the operator can make one.
//! It must reach the requester and nobody else, though whoever may read the query can read its status. So the requester's
//! program makes a key pair for this one time and writes the public half into an annotation; the `ValidatingAdmissionPolicy`
//! lets nobody else write there. The token is sealed for that key, holds for a few minutes, and names the requester: what it
//! opens is what its owner may ask for anyway.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use wanqu_crds::kinds::{Delivery, FederatedQuery};
use wanqu_identity::seal;

use super::plan::seconds;
use super::validate::Accepted;
use crate::framework::Result;

/// The annotation with the public key.
pub(crate) const DELIVER_TO: &str = "wanqu.dev/deliver-to";

/// How long a token holds.
const LIFETIME: Duration = Duration::from_mins(5);

/// What stands in the status: what is there, as long as it is for the key that is asked for and holds; or a new one; or
/// nothing, where nobody asks.
pub(super) fn delivery(
    query: &FederatedQuery,
    accepted: Option<&Accepted>,
    now: Timestamp,
) -> Result<Option<Delivery>> {
    let there = query.status.as_ref().and_then(|status| status.delivery.clone());
    let (Some(to), Some(accepted)) = (query.annotations().get(DELIVER_TO), accepted) else { return Ok(None) };
    if let Some(there) = there.filter(|there| there.to == *to) {
        // One key opens one token: when that has ended, the requester asks with another.
        return Ok(Some(there));
    }
    let runs = query.status.iter().flat_map(|status| &status.runs);
    if !runs.filter_map(|run| run.kept.as_ref()).any(|kept| now < kept.expires) {
        return Ok(None);
    }
    let token = accepted.issuer.issue(&accepted.requester, now, LIFETIME)?;
    // What is no key gets nothing; the requester's program says so when it has waited.
    let Ok(sealed_token) = seal(&token, to, &context_of(query)) else { return Ok(None) };
    Ok(Some(Delivery {
        to: to.clone(),
        sealed_token,
        expires: seconds(now + SignedDuration::try_from(LIFETIME).unwrap_or_default()),
        namespace: accepted.namespace.clone(),
        service: accepted.service.clone(),
        server_name: accepted.server_name.clone(),
        ca: accepted.ca.clone(),
    }))
}

/// What a sealed token is bound to: this very object.
fn context_of(query: &FederatedQuery) -> String {
    format!("{}/{}/{}", query.namespace().unwrap_or_default(), query.name_any(), query.uid().unwrap_or_default())
}
