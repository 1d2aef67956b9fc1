//! Command lines of etcd and the API server.

use std::path::Path;

use wanqu_testing::free_port;

use super::audit;
use super::site::Site;
use crate::ControlPlane;
use crate::binaries::{Tool, ensure};
use crate::error::Result;
use crate::pki::{Pki, signing_key};
use crate::process::{Process, Program};
use crate::scratch::Scratch;

/// Starts etcd. What it holds is gone with the testbed, so it need not wait for the disk.
pub(super) fn etcd(site: &Site, scratch: &Scratch) -> Result<Process> {
    let [client, peer] = site.etcd.map(|port| format!("http://127.0.0.1:{port}"));
    let program = Program::new(ensure(Tool::Etcd)?)
        .inside(site.namespace.as_deref())
        .args(["--name", "testbed", "--unsafe-no-fsync", "--log-level", "warn", "--logger", "zap"])
        .arg(format!("--data-dir={}", scratch.path().join("etcd").display()))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=testbed={peer}"));
    Process::start("etcd", &program, scratch.path())
}

/// Starts the API server, set up as in production: mutual TLS, RBAC, the default admission plugins and those for nodes.
pub(super) fn api_server(site: &Site, pki: &Pki, scratch: &Scratch, log: &Path) -> Result<Process> {
    let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    let long = ["kubernetes.default.svc.cluster.local"];
    let addresses = [site.address, std::net::Ipv4Addr::LOCALHOST.into(), site.kubernetes];
    let serving = pki.server("kube-apiserver", &[&names[..], &long[..]].concat(), &addresses)?;
    let kubelet = pki.client("kube-apiserver-kubelet-client", Some("system:masters"))?;
    let file = |name: &str, content: &str| scratch.write(name, content).map(|path| path.display().to_string());
    let authority = file("ca.pem", pki.certificate())?;
    let (key, public) = signing_key()?;
    let mut program = Program::new(ensure(Tool::KubeApiserver)?)
        .inside(site.namespace.as_deref())
        .args(["--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--profiling=false"])
        .args(["--allow-privileged=true", "--audit-log-maxsize=10000", "--shutdown-delay-duration=0s"])
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local");
    let flags = [
        ("etcd-servers", format!("http://127.0.0.1:{}", site.etcd[0])),
        ("bind-address", site.address.to_string()),
        ("advertise-address", site.address.to_string()),
        ("secure-port", site.port.to_string()),
        ("service-cluster-ip-range", site.services.clone()),
        ("cert-dir", scratch.path().display().to_string()),
        ("client-ca-file", authority.clone()),
        ("tls-cert-file", file("kube-apiserver.pem", &serving.certificate)?),
        ("tls-private-key-file", file("kube-apiserver.key", &serving.key)?),
        ("service-account-key-file", file("service-accounts.pub", &public)?),
        ("service-account-signing-key-file", file("service-accounts.key", &key)?),
        ("kubelet-certificate-authority", authority),
        ("kubelet-client-certificate", file("kubelet-client.pem", &kubelet.certificate)?),
        ("kubelet-client-key", file("kubelet-client.key", &kubelet.key)?),
        ("kubelet-preferred-address-types", "InternalIP".to_owned()),
        ("audit-log-path", log.display().to_string()),
        ("audit-policy-file", file("audit-policy.json", audit::POLICY)?),
    ];
    for (flag, value) in flags {
        program = program.arg(format!("--{flag}={value}"));
    }
    // Loopback is no address for the endpoints of the Service `kubernetes`: there is nobody who would use them.
    if site.address.is_loopback() {
        program = program.arg("--endpoint-reconciler-type=none");
    }
    Process::start("kube-apiserver", &program, scratch.path())
}

/// Starts the controllers of these names; `*` is all of them.
pub(crate) fn controllers(plane: &ControlPlane, namespace: Option<&Path>, names: &[&str]) -> Result<Process> {
    let kubeconfig = plane.component("system:kube-controller-manager", None)?;
    let at = |name: &str| plane.state().join(name).display().to_string();
    let program = Program::new(ensure(Tool::KubeControllerManager)?)
        .inside(namespace)
        .args(["--leader-elect=false", "--use-service-account-credentials=true", "--bind-address=127.0.0.1"])
        .arg(format!("--secure-port={}", free_port()))
        .arg(format!("--controllers={}", names.join(",")))
        .arg(format!("--kubeconfig={}", kubeconfig.path().display()))
        .arg(format!("--cert-dir={}", at("controller-certificates")))
        .arg(format!("--service-account-private-key-file={}", at("service-accounts.key")))
        .arg(format!("--root-ca-file={}", at("ca.pem")));
    Process::start("kube-controller-manager", &program, plane.state())
}
