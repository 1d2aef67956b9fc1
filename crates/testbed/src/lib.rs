//! Real Kubernetes for tests. Nothing here is a mock: the API server, etcd and all else are the released sources, built by
//! the tests themselves, kept for the next run, and started anew for each test that wants them.
//!
//! ```text
//! binaries::ensure(Tool)        go.mod + go.sum ─▶ go build ─▶ a cache outside the clone
//!        │
//!        ▼
//! ControlPlane::start()         etcd + API server on loopback, free ports, a PKI and a folder of its own: 3 s
//!        │ admin() user() service_account()    who a test is: kubeconfig and client, RBAC in force
//!        │ audit()                             every request, by user: "no write when nothing changed"
//!        │ crds::install(client, folder)       definitions applied, and awaited until they are served
//!        ▼
//! Cluster::start()              the same in a network namespace, and a node: containerd, kubelet, kube-proxy, CoreDNS
//!          kubectl() inside() forward()        programs and connections into it
//!          import() volume()                   images without a registry, disks without a provider
//!          start_with_policies() join()        network policies enforced; several clusters on one line that can be cut
//!          machine() pod() outside()           in whose place to call and to listen; a host that is no part of it
//! ```
//!
//! Most tests need a [`ControlPlane`] only: definitions and their rules, RBAC, admission, an operator's whole loop. What
//! must see pods run, restart, or be refused by a kubelet needs a [`Cluster`], which needs root.
//!
//! A test that cannot have what it needs fails and says what to install; none is skipped. Servers listen on loopback and in
//! namespaces made for the test. What was started ends with its handle, and with the test process whatever ends that: every
//! child is told by the kernel when its parent dies, and what a test that was killed leaves is cleared by the next one.

pub mod binaries;
mod cluster;
mod command;
mod control_plane;
pub mod crds;
mod error;
pub mod image;
mod login;
mod mounts;
mod packages;
mod pki;
mod process;
mod say;
mod scratch;
mod wait;

pub use cluster::{Cluster, Forward, Host, Link, Listener, Outside};
pub use control_plane::{AuditLog, ControlPlane, Mark, Object, Request, Response, User};
pub use error::{Result, TestbedError};
pub use login::Login;
pub use wait::until;
