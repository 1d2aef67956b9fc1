//! Clients of other clusters, from kubeconfigs in Secrets.
//!
//! Whoever may write the Secret need not be who runs the operator. So nothing in it may make the operator start a
//! program or read a file of its own: only credentials that the kubeconfig itself holds are used.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use wanqu_crds::kinds::KubeconfigSecret;

use super::Problem;
use crate::context::Context;
use crate::framework::conditions::{Reason, Type};
use crate::framework::{Error, Result};

/// The longest that another cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

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
    let config = match read(&bytes.0) {
        Ok(config) => config,
        Err(problem) => {
            let problem = format!("Secret {name}, key {}: {problem}", reference.key);
            return Ok(Err(wrong(problem, "put a kubeconfig there that holds its own credentials")));
        }
    };
    let options = KubeConfigOptions::default();
    let client = match Config::from_custom_kubeconfig(config, &options).await {
        Ok(mut config) => {
            (config.connect_timeout, config.read_timeout) = (Some(PATIENCE), Some(PATIENCE));
            Client::try_from(config).ok()
        }
        Err(_) => None,
    };
    Ok(client.ok_or_else(|| {
        let problem = format!("Secret {name}, key {}: its current context cannot be used", reference.key);
        wrong(problem, "name a context with a cluster and a user that are both in it")
    }))
}

/// Reads a kubeconfig that names no program and no file. An error does not quote it.
fn read(bytes: &[u8]) -> Result<Kubeconfig, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text")?;
    let config = Kubeconfig::from_yaml(text).map_err(|_| "it is not a kubeconfig")?;
    if config.current_context.as_deref().unwrap_or_default().is_empty() {
        return Err("it has no current context");
    }
    for user in config.auth_infos.iter().filter_map(|named| named.auth_info.as_ref()) {
        if user.exec.is_some() || user.auth_provider.is_some() {
            return Err("it starts a program to log in, which the operator does not do");
        }
        if user.token_file.is_some() || user.client_certificate.is_some() || user.client_key.is_some() {
            return Err("it names files, which are not here");
        }
    }
    for cluster in config.clusters.iter().filter_map(|named| named.cluster.as_ref()) {
        if cluster.certificate_authority.is_some() {
            return Err("it names files, which are not here");
        }
        if cluster.insecure_skip_tls_verify == Some(true) {
            return Err("it does not verify who the other cluster is");
        }
    }
    Ok(config)
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
    use super::*;

    fn kubeconfig(user: &str, cluster: &str) -> String {
        format!(
            "apiVersion: v1
kind: Config
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1', {cluster}}}}}]
users: [{{name: u, user: {{{user}}}}}]
"
        )
    }

    #[test]
    fn only_a_kubeconfig_that_holds_its_own_credentials_is_used() {
        assert!(read(kubeconfig("token: abc", "certificate-authority-data: eA==").as_bytes()).is_ok());
        for (user, cluster) in [
            ("exec: {command: sh, apiVersion: client.authentication.k8s.io/v1}", ""),
            ("tokenFile: /var/run/secrets/token", ""),
            ("client-key: /etc/key", ""),
            ("client-certificate: /etc/cert", ""),
            ("token: abc", "certificate-authority: /etc/ca"),
            ("token: abc", "insecure-skip-tls-verify: true"),
        ] {
            assert!(read(kubeconfig(user, cluster).as_bytes()).is_err(), "{user} {cluster}");
        }
        for garbage in [&b"\xff"[..], b"", b"{}", b"[1, 2]", b"apiVersion: v1\nkind: Config", b"a: &a [*a]"] {
            assert!(read(garbage).is_err(), "{garbage:?}");
        }
    }
}
