//! Clients of other clusters, from kubeconfigs in Secrets.

use std::time::Duration;

use axum::http::Request;
use http_body_util::Limited;
use k8s_openapi::api::core::v1::Secret;
use kube::client::Body;
use kube::{Api, Client, Config};
use wanqu_crds::kinds::KubeconfigSecret;

use super::{Problem, kubeconfig};
use crate::context::Context;
use crate::framework::conditions::{Reason, Type};
use crate::framework::term::fenced;
use crate::framework::{Error, Result};

/// The longest that another cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer of another cluster, in bytes. A bundle in its `ConfigMap` has less than a sixth of it.
const LONGEST: usize = 8 << 20;

/// Returns a client of the other cluster, or what is wrong with the Secret.
pub(super) async fn client(
    context: &Context,
    namespace: &str,
    reference: &KubeconfigSecret,
) -> Result<Result<Client, Problem>> {
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    let name = &reference.name;
    let secret =
        secrets.get_opt(name).await.map_err(|error| Error::api(format!("get Secret {namespace}/{name}"), error))?;
    let Some(secret) = secret else {
        let problem = format!("there is no Secret {name} in namespace {namespace}");
        return Ok(Err(wrong(problem, format!("add it, with a kubeconfig under the key {}", reference.key))));
    };
    let Some(bytes) = secret.data.as_ref().and_then(|data| data.get(&reference.key)) else {
        let problem = format!("Secret {name} has no key {}", reference.key);
        return Ok(Err(wrong(problem, "put a kubeconfig there, or name the key that has it")));
    };
    let kubeconfig = match kubeconfig::read(&bytes.0) {
        Ok(kubeconfig) => kubeconfig,
        Err(fault) => {
            let problem = format!("Secret {name}, key {}: {}", reference.key, fault.problem);
            return Ok(Err(wrong(problem, fault.remedy)));
        }
    };
    let client = kubeconfig::config(kubeconfig).await.and_then(connect).map(|client| fenced(&client, &context.term));
    Ok(client.ok_or_else(|| {
        let problem = format!("Secret {name}, key {}: its current context cannot be used", reference.key);
        wrong(problem, "name a context with a cluster and a user that are both in it")
    }))
}

/// Returns a client that waits and reads within bounds: the other cluster's server need not mean well.
fn connect(mut config: Config) -> Option<Client> {
    (config.connect_timeout, config.read_timeout) = (Some(PATIENCE), Some(PATIENCE));
    Some(bounded(&Client::try_from(config).ok()?))
}

/// Returns a client that makes its calls by `client` and reads no answer that is longer than [`LONGEST`].
fn bounded(client: &Client) -> Client {
    let inner = client.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let inner = inner.clone();
        async move { inner.send(request).await.map(|answer| answer.map(|body| Limited::new(body, LONGEST))) }
    });
    Client::new(service, client.default_namespace())
}

fn wrong(problem: String, remedy: impl Into<String>) -> Problem {
    Problem {
        of: Type::WorkloadReady,
        reason: Reason::SecretInvalid,
        path: "spec.placement.kubeconfigSecret".to_owned(),
        problem,
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::Response;

    use super::*;

    /// A client of a server whose answer to everything is a Secret, followed by so many spaces.
    fn answering(spaces: usize) -> Client {
        let service = tower::service_fn(move |_: Request<Body>| async move {
            let mut text = br#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}"#.to_vec();
            text.resize(text.len() + spaces, b' ');
            Ok::<_, Infallible>(Response::new(Body::from(text)))
        });
        Client::new(service, "default")
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_not_read_to_its_end() {
        let get = async |spaces| Api::<Secret>::default_namespaced(bounded(&answering(spaces))).get("a").await;
        assert_eq!(get(LONGEST - 100).await.unwrap().metadata.name.as_deref(), Some("a"));
        let error = get(LONGEST).await.unwrap_err();
        assert!(!matches!(error, kube::Error::Api(_) | kube::Error::SerdeError(_)), "{error:?}");
    }
}
