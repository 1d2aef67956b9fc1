//! Step 4: the token issuer's key, and the compilation.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};
use wanqu_identity::TokenIssuer;

use crate::compilation::Compilation;
use crate::context::Context;
use crate::framework::apply::{Applier, Built, display_name};
use crate::framework::watched::in_namespace;
use crate::framework::{Error, Result, labels};
use crate::host;
use crate::names::{TOKEN_ISSUER, TOKEN_ISSUER_KEY, TOKEN_ISSUER_SECRET};

/// Returns the operator as an issuer of tokens for the federation of a namespace. Its key is made once, when the first
/// Jurisdiction accepts it, and kept in a Secret.
pub(crate) async fn token_issuer(context: &Context, namespace: &str) -> Result<Option<TokenIssuer>> {
    let Some(federation) = context.catalogue.federation(namespace) else { return Ok(None) };
    let jurisdictions = in_namespace(&context.catalogue.jurisdictions, namespace);
    // A member that is run elsewhere lists the issuer of its own operator, which is another one of the same name.
    let run_here = jurisdictions.iter().filter_map(|j| j.read()).filter(|j| host::namespace(j, namespace).is_some());
    let issuers = run_here.flat_map(|j| &j.spec.issuers);
    if !issuers.into_iter().any(|issuer| issuer.issuer == TOKEN_ISSUER) {
        return Ok(None);
    }
    let applier = Applier::here(&context.client, &context.children, &*federation);
    let secret: Option<Secret> = applier.get(namespace, TOKEN_ISSUER_SECRET).await?;
    if let Some(secret) = secret {
        let key = secret.data.as_ref().and_then(|data| data.get(TOKEN_ISSUER_KEY));
        let key = key.and_then(|key| std::str::from_utf8(&key.0).ok()).unwrap_or_default();
        return TokenIssuer::from_pem(TOKEN_ISSUER, key).map(Some).map_err(|error| {
            let object = display_name::<Secret>(namespace, TOKEN_ISSUER_SECRET);
            Error::Unreadable { object, problem: format!("{TOKEN_ISSUER_KEY}: {error}") }
        });
    }
    if federation.read().is_none() {
        return Ok(None);
    }
    let issuer = TokenIssuer::new(TOKEN_ISSUER)?;
    let metadata = ObjectMeta {
        name: Some(TOKEN_ISSUER_SECRET.to_owned()),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels::federation(&federation.name_any())),
        owner_references: federation.owner_ref(&()).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    };
    let data = BTreeMap::from([(TOKEN_ISSUER_KEY.to_owned(), ByteString(issuer.key_pem().into_bytes()))]);
    applier.apply(Built::new(Secret { metadata, data: Some(data), ..Secret::default() })).await?;
    Ok(Some(issuer))
}

/// Publishes a compilation to the other controllers.
pub(super) fn publish(context: &Context, namespace: &str, compilation: Compilation) {
    let (problems, left_out) = (compilation.findings.len(), compilation.left_out.len());
    tracing::info!(namespace, federation = compilation.federation, problems, left_out, "compiled");
    context.compilations.publish(namespace, compilation);
    context.queues.push_all(&context.catalogue, namespace);
    // Another Federation of the namespace is told that it is one too many.
    context.queues.federations.push_all(&context.catalogue.federations, namespace);
}
