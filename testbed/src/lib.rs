//! Real Kubernetes for tests. Nothing here is a mock: the API server, etcd and all else are the released sources, built by
//! the tests themselves, kept for the next run, and started anew for each test that wants them.
//!
//! ```text
//! binaries::ensure(Tool)        go.mod + go.sum ─▶ go build ─▶ a cache outside the clone
//!        │
//!        ▼
//! ControlPlane::start()         etcd + API server on loopback, free ports, a PKI and a folder of its own
//!        │ admin() user() service_account()    who a test is: kubeconfig and client, RBAC in force
//!        │ audit()                             every request, by user: "no write when nothing changed"
//!        ▼
//! crds::install(client, folder) definitions applied, and awaited until they are served
//! ```
//!
//! A test that cannot have what it needs fails and says what to install; none is skipped. Servers listen on loopback only.
//! What was started ends with its handle, and with the test process whatever ends that: every child is told by the kernel
//! when its parent dies, and the folder of a test that was killed is removed by the next one.

pub mod binaries;
mod control_plane;
pub mod crds;
mod error;
mod login;
mod pki;
mod process;
mod say;
mod scratch;
mod wait;

pub use control_plane::{AuditLog, ControlPlane, Mark, Object, Request, Response, User};
pub use error::{Result, TestbedError};
pub use login::Login;
pub use wait::until;
