//! Kubeconfigs in Secrets: which of them the operator uses.
//!
//! Whoever may write the Secret need not be who runs the operator. So nothing in it may make the operator start a
//! program, read a file of its own, or talk to a server that did not prove who it is: only a server by https is used,
//! that is reached without a proxy and verified, and only credentials that the kubeconfig itself holds.

use axum::http::Uri;
use kube::Config;
use kube::config::{AuthInfo, Cluster, KubeConfigOptions, Kubeconfig};

/// Fault of a kubeconfig. It quotes nothing of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The field and what is wrong with it.
    pub(super) problem: String,
    /// The remedy.
    pub(super) remedy: &'static str,
}

/// The remedy for a field that must not be there.
const LEAVE_OUT: &str = "put a kubeconfig there that holds its own credentials, and nothing else";

/// Reads a kubeconfig that names no program, no file, no proxy and only servers by https.
pub(super) fn read(bytes: &[u8]) -> Result<Kubeconfig, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| fault("it is not text", LEAVE_OUT))?;
    let config = Kubeconfig::from_yaml(text).map_err(|_| fault("it is not a kubeconfig", LEAVE_OUT))?;
    if config.current_context.as_deref().unwrap_or_default().is_empty() {
        return Err(fault("it has no current context", "name one in current-context"));
    }
    for (index, named) in config.auth_infos.iter().enumerate() {
        named.auth_info.as_ref().map_or(Ok(()), |user| check_user(index, user))?;
    }
    for (index, named) in config.clusters.iter().enumerate() {
        named.cluster.as_ref().map_or(Ok(()), |cluster| check_cluster(index, cluster))?;
    }
    Ok(config)
}

fn check_user(index: usize, user: &AuthInfo) -> Result<(), Fault> {
    let programs = [("exec", user.exec.is_some()), ("auth-provider", user.auth_provider.is_some())];
    let files = [
        ("tokenFile", user.token_file.is_some()),
        ("client-certificate", user.client_certificate.is_some()),
        ("client-key", user.client_key.is_some()),
    ];
    let of = |field: &str, problem: &str| Err(fault(format!("users[{index}].user.{field} {problem}"), LEAVE_OUT));
    if let Some((field, _)) = programs.iter().find(|(_, there)| *there) {
        return of(field, "starts a program to log in, which the operator does not do");
    }
    match files.iter().find(|(_, there)| *there) {
        Some((field, _)) => of(field, "names a file, which is not here"),
        None => Ok(()),
    }
}

fn check_cluster(index: usize, cluster: &Cluster) -> Result<(), Fault> {
    let of = |field: &str, problem: &str, remedy: &'static str| {
        Err(fault(format!("clusters[{index}].cluster.{field} {problem}"), remedy))
    };
    if cluster.certificate_authority.is_some() {
        return of("certificate-authority", "names a file, which is not here", LEAVE_OUT);
    }
    if cluster.insecure_skip_tls_verify == Some(true) {
        let remedy = "leave it out, and put the certificate of the cluster's authority into certificate-authority-data";
        return of("insecure-skip-tls-verify", "is true: the operator would not know who the other cluster is", remedy);
    }
    if cluster.proxy_url.as_ref().is_some_and(|proxy| !proxy.is_empty()) {
        let remedy = "leave it out, and give in server an address that the operator itself reaches";
        return of("proxy-url", "names a proxy, and the operator uses none", remedy);
    }
    let https = "give the address of the other cluster's API server there, as https://host:port";
    let server = cluster.server.as_deref().unwrap_or_default().parse::<Uri>().unwrap_or_default();
    if server.scheme_str() != Some("https") {
        return of("server", "is not an https address: credentials would be sent to whoever answers", https);
    }
    if server.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return of("server", "holds a user or a password", https);
    }
    Ok(())
}

/// Returns the configuration of a client by a kubeconfig that [`read`] returned; none if its current context cannot be
/// used. It has no proxy, whatever the environment of the operator says.
pub(super) async fn config(mut kubeconfig: Kubeconfig) -> Option<Config> {
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        // The environment is asked only where no proxy is given: so one is given, and removed below.
        cluster.proxy_url.clone_from(&cluster.server);
    }
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.ok()?;
    config.proxy_url = None;
    Some(config)
}

fn fault(problem: impl Into<String>, remedy: &'static str) -> Fault {
    Fault { problem: problem.into(), remedy }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use kube::Client;

    use super::*;

    fn kubeconfig(user: &str, cluster: &str) -> String {
        let server = if cluster.contains("server:") { "" } else { "server: 'https://127.0.0.1:1', " };
        format!(
            "apiVersion: v1
kind: Config
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{{server}{cluster}}}}}]
users: [{{name: u, user: {{{user}}}}}]
"
        )
    }

    #[test]
    fn only_a_kubeconfig_that_holds_its_own_credentials_is_used() {
        for cluster in
            ["certificate-authority-data: eA==", "proxy-url: ''", "server: 'https://rancher.example/k8s/clusters/c-1'"]
        {
            let read = read(kubeconfig("token: abc", cluster).as_bytes());
            assert!(read.is_ok(), "{cluster}: {read:?}");
        }
        for (user, field, told) in [
            ("exec: {command: sh, apiVersion: client.authentication.k8s.io/v1}", "exec", "starts a program"),
            ("auth-provider: {name: gcp, config: {cmd-path: /bin/sh}}", "auth-provider", "starts a program"),
            ("tokenFile: /var/run/secrets/token", "tokenFile", "names a file"),
            ("client-key: /etc/key", "client-key", "names a file"),
            ("client-certificate: /etc/cert", "client-certificate", "names a file"),
        ] {
            let fault = read(kubeconfig(user, "").as_bytes()).unwrap_err();
            assert!(fault.problem.starts_with(&format!("users[0].user.{field} {told}")), "{user}: {fault:?}");
        }
        for garbage in [&b"\xff"[..], b"", b"{}", b"[1, 2]", b"apiVersion: v1\nkind: Config", b"a: &a [*a]"] {
            assert!(read(garbage).is_err(), "{garbage:?}");
        }
    }

    #[test]
    fn only_a_server_by_https_that_is_verified_and_reached_without_a_proxy_is_used() {
        for (cluster, field) in [
            ("certificate-authority: /etc/ca", "certificate-authority"),
            ("insecure-skip-tls-verify: true", "insecure-skip-tls-verify"),
            ("insecure-skip-tls-verify: true, server: 'http://10.0.0.1'", "insecure-skip-tls-verify"),
            ("proxy-url: 'http://proxy.example:3128'", "proxy-url"),
            ("proxy-url: 'socks5://proxy.example:1080'", "proxy-url"),
            ("proxy-url: 'no address'", "proxy-url"),
            ("server: 'http://10.0.0.1:8080'", "server"),
            ("server: 'HTTP://10.0.0.1:8080'", "server"),
            ("server: 'unix:///run/api.sock'", "server"),
            ("server: '10.0.0.1:6443'", "server"),
            ("server: '/api'", "server"),
            ("server: ''", "server"),
            ("server: null", "server"),
            ("server: 'https://name:word@10.0.0.1'", "server"),
        ] {
            let fault = read(kubeconfig("token: secret-token", cluster).as_bytes()).unwrap_err();
            assert!(fault.problem.starts_with(&format!("clusters[0].cluster.{field} ")), "{cluster}: {fault:?}");
            let told = format!("{} {}", fault.problem, fault.remedy);
            for quoted in ["secret-token", "10.0.0.1", "proxy.example", "name:word"] {
                assert!(!told.contains(quoted), "{told}");
            }
        }
    }

    /// A cluster that the current context does not name could become the current one by the next edit.
    #[test]
    fn every_cluster_and_user_of_the_file_is_judged() {
        let mut text = kubeconfig("token: abc", "");
        text = text.replace("clusters: [", "clusters: [{name: other, cluster: {server: 'http://10.0.0.1'}}, ");
        let fault = read(text.as_bytes()).unwrap_err();
        assert!(fault.problem.starts_with("clusters[0].cluster.server "), "{fault:?}");
    }

    #[tokio::test]
    async fn a_client_of_another_cluster_uses_no_proxy() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = config(read(kubeconfig("token: abc", "").as_bytes()).unwrap()).await.unwrap();
        assert_eq!((config.proxy_url.as_ref(), config.cluster_url.scheme_str()), (None, Some("https")));
        assert!(!config.accept_invalid_certs);
        assert!(Client::try_from(config).is_ok());
    }

    /// The test above, in processes whose environment names a proxy.
    #[test]
    fn a_proxy_of_the_environment_changes_nothing() {
        let path = std::env::current_exe().unwrap();
        for proxy in ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "no address"] {
            let mut test = Command::new(&path);
            test.args(["--exact", "jurisdiction::kubeconfig::tests::a_client_of_another_cluster_uses_no_proxy"]);
            let ran = test.env("HTTPS_PROXY", proxy).env("https_proxy", proxy).output().unwrap();
            let told = String::from_utf8_lossy(&ran.stdout);
            assert!(ran.status.success() && told.contains("1 passed"), "{proxy}: {told}");
        }
    }
}
