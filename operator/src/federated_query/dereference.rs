//! Step 1: the objects that a query refers to.

use std::sync::Arc;

use kube::api::PostParams;
use kube::core::object::HasStatus;
use kube::{Api, Resource, ResourceExt};
use serde_json::json;
use wanqu_crds::kinds::{FederatedQuery, Federation, Jurisdiction, ResearchProject};
use wanqu_identity::TokenIssuer;

use crate::context::Context;
use crate::federation::token_issuer;
use crate::framework::conditions::{Type, holds};
use crate::framework::watched::in_namespace;
use crate::framework::{Error, Result};
use crate::names;

/// A requester that no user can be.
const NOBODY: &str = "wanqu:nobody";

/// Objects that a query refers to.
pub(super) struct References {
    /// The federation of its namespace.
    pub(super) federation: Option<Federation>,
    /// The jurisdiction that it is asked from.
    pub(super) home: Option<Home>,
    /// Its project.
    pub(super) project: Option<ResearchProject>,
    /// The operator's own key as an issuer of tokens.
    pub(super) issuer: Option<Arc<TokenIssuer>>,
    /// True if an admission policy holds `spec.requester` to the user who creates the query.
    pub(super) guarded: bool,
}

/// A home jurisdiction.
pub(super) struct Home {
    /// Its resource.
    pub(super) jurisdiction: Jurisdiction,
    /// True if its node can be asked.
    pub(super) ready: bool,
    /// The reason for which it cannot, as its Jurisdiction says it.
    pub(super) why: Option<String>,
    /// The certificate authority that vouches for its gateway.
    pub(super) ca: Option<String>,
}

/// Looks up the objects that a query refers to.
pub(super) async fn dereference(context: &Context, query: &FederatedQuery) -> Result<References> {
    let namespace = query.namespace().unwrap_or_default();
    let federation = context.catalogue.federation(&namespace);
    let jurisdictions = in_namespace(&context.catalogue.jurisdictions, &namespace);
    let home = jurisdictions.iter().filter_map(|j| j.read()).find(|j| j.spec.id == query.spec.from);
    let projects = in_namespace(&context.catalogue.projects, &namespace);
    let project = query.spec.project.as_ref().and_then(|name| {
        projects.iter().filter_map(|project| project.read()).find(|project| project.name_any() == name.as_str())
    });
    Ok(References {
        federation: federation.and_then(|federation| federation.read().cloned()),
        home: home.map(|jurisdiction| home_of(context, &namespace, jurisdiction)),
        project: project.cloned(),
        issuer: token_issuer(context, &namespace).await?.map(Arc::new),
        guarded: is_guarded(context, &namespace).await?,
    })
}

fn home_of(context: &Context, namespace: &str, jurisdiction: &Jurisdiction) -> Home {
    let conditions = jurisdiction.status().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let trust = context.children.get("ConfigMap", namespace, &names::trust(&jurisdiction.name_any()));
    Home {
        ready: holds(conditions, Type::Ready, jurisdiction.metadata.generation),
        why: conditions
            .iter()
            .find(|c| c.type_ == Type::Ready.as_str() && c.status != "True")
            .and_then(|condition| condition.message.lines().next().map(str::to_owned)),
        ca: trust.and_then(|map| Some(map.data.get("data")?.get("ca.pem")?.as_str()?.to_owned())),
        jurisdiction: jurisdiction.clone(),
    }
}

/// Returns true if an admission policy keeps users from asking in another's name. It is tried by a dry run: a query in
/// the name of a user who cannot exist must be refused at admission. A refusal is remembered for a while.
async fn is_guarded(context: &Context, namespace: &str) -> Result<bool> {
    let now = context.clock.now();
    if context.runs.is_guarded(namespace, now) {
        return Ok(true);
    }
    let probe = serde_json::from_value::<FederatedQuery>(json!({
        "apiVersion": FederatedQuery::api_version(&()), "kind": FederatedQuery::kind(&()),
        "metadata": {"name": "wanqu-probe"},
        "spec": {"sql": "SELECT 1", "from": "HK", "requester": NOBODY},
    }));
    let probe =
        probe.map_err(|error| Error::Unreadable { object: "the probe".to_owned(), problem: error.to_string() })?;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let guarded = match Api::namespaced(context.client.clone(), namespace).create(&dry, &probe).await {
        Ok(_) => false,
        Err(kube::Error::Api(status)) => {
            // Policies and webhooks refuse in these words; a right that the operator lacks is refused in others.
            let denied = ["denied request", "denied the request"].iter().any(|words| status.message.contains(words));
            if !denied {
                tracing::warn!(
                    namespace,
                    answer = status.message,
                    "it cannot be tried whether an admission policy guards spec.requester"
                );
            }
            denied
        }
        Err(error) => return Err(Error::api(format!("try to create a FederatedQuery in {namespace}"), error)),
    };
    if guarded {
        context.runs.guarded_at(namespace, now);
    }
    Ok(guarded)
}
