//! Proof that an admission policy holds `spec.requester` to the user who creates a query.
//!
//! It is tried by dry runs: a query in a name like the operator's own is refused at admission, and the same query in the operator's
//! own name is not. The second shows that it is the requester that was refused, and not every query.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use serde_json::json;
use wanqu_crds::kinds::FederatedQuery;

use crate::context::Context;
use crate::framework::{Error, Result};

/// End of a name that no user has.
const NOBODY: &str = ":nobody";

/// Answer to the attempt to create a query.
#[derive(Debug)]
enum Tried {
    Admitted,
    /// A policy or a webhook refuses it.
    Denied,
    /// It was refused for another reason, as a right that the operator lacks.
    Failed(String),
}

/// Returns true if an admission policy keeps users from asking in another's name in a namespace. A proof is remembered for a
/// while.
///
/// # Errors
/// An API server that cannot be asked.
pub(super) async fn is_guarded(context: &Context, namespace: &str) -> Result<bool> {
    let now = context.clock.now();
    if context.runs.is_guarded(namespace, now) {
        return Ok(true);
    }
    let own = own_name(&context.client).await?;
    let in_anothers = tried(&context.client, namespace, &format!("{own}{NOBODY}")).await?;
    let in_its_own = tried(&context.client, namespace, &own).await?;
    let guarded = match (in_anothers, in_its_own) {
        (Tried::Denied, Tried::Admitted) => true,
        (Tried::Admitted, _) => false,
        (Tried::Denied, Tried::Denied) => {
            tracing::warn!(namespace, "an admission policy refuses FederatedQueries whoever their requester is");
            false
        }
        (Tried::Failed(answer), _) | (_, Tried::Failed(answer)) => {
            tracing::warn!(namespace, answer, "it cannot be tried whether an admission policy guards spec.requester");
            false
        }
    };
    if guarded {
        context.runs.guarded_at(namespace, now);
    }
    Ok(guarded)
}

/// Returns the name by which the API server knows the operator.
async fn own_name(client: &Client) -> Result<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await;
    let review = review.map_err(|error| Error::api("create a SelfSubjectReview", error))?;
    Ok(review.status.and_then(|status| status.user_info).and_then(|user| user.username).unwrap_or_default())
}

/// Tries to create a query, without leaving one.
async fn tried(client: &Client, namespace: &str, requester: &str) -> Result<Tried> {
    let probe = serde_json::from_value::<FederatedQuery>(json!({
        "apiVersion": FederatedQuery::api_version(&()), "kind": FederatedQuery::kind(&()),
        "metadata": {"name": "wanqu-probe"},
        "spec": {"sql": "SELECT 1", "from": "HK", "requester": requester},
    }));
    let probe =
        probe.map_err(|error| Error::Unreadable { object: "the probe".to_owned(), problem: error.to_string() })?;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    match Api::namespaced(client.clone(), namespace).create(&dry, &probe).await {
        Ok(_) => Ok(Tried::Admitted),
        Err(kube::Error::Api(status)) => Ok(answer(&status.message)),
        Err(error) => Err(Error::api(format!("try to create a FederatedQuery in {namespace}"), error)),
    }
}

/// Reads a refusal. Policies and webhooks refuse in these words; a right that the operator lacks is refused in others.
fn answer(message: &str) -> Tried {
    if ["denied request", "denied the request"].iter().any(|words| message.contains(words)) {
        Tried::Denied
    } else {
        Tried::Failed(message.to_owned())
    }
}
