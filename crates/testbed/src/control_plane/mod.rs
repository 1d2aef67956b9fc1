//! A control plane: etcd and the API server, ready in seconds.
//!
//! For all that needs no running pod: definitions of resources and their rules, server-side apply, RBAC, admission
//! policies, the whole loop of an operator. Controllers run only if a test starts them: without them nothing makes pods of
//! workloads, removes what its owner left behind, or empties a namespace that is deleted.

mod audit;
pub(crate) mod launch;
mod site;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};

pub use audit::{AuditLog, Mark, Object, Request, Response, User};
pub(crate) use site::Site;

use crate::error::Result;
use crate::login::{Login, Proof, Server};
use crate::pki::Pki;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait::until;

/// The longest that a loaded machine may take.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// A running etcd and API server of one test's own. They end, and their data goes, when this is dropped.
pub struct ControlPlane {
    // Ended in this order, before the folder goes.
    controllers: Option<Process>,
    api_server: Process,
    etcd: Process,
    pki: Pki,
    /// As the test reaches it.
    server: Server,
    /// As a component of the same cluster reaches it.
    inner: Server,
    admin: Login,
    logins: AtomicU32,
    audit: AuditLog,
    scratch: Scratch,
}

impl ControlPlane {
    /// Starts one on loopback, on free ports, and waits until it is ready. Several run side by side.
    ///
    /// # Errors
    /// If a binary cannot be built or started, or the API server is not ready in time.
    pub async fn start() -> Result<Self> {
        Self::start_at(&Site::loopback()?, None, Scratch::new()?).await
    }

    /// Starts one at a site. `reach` is the URL by which this process reaches it, if not by its own address.
    pub(crate) async fn start_at(site: &Site, reach: Option<String>, scratch: Scratch) -> Result<Self> {
        let pki = Pki::new()?;
        let log = scratch.path().join("audit.log");
        let etcd = launch::etcd(site, &scratch)?;
        let api_server = launch::api_server(site, &pki, &scratch, &log)?;
        let own = format!("https://{}:{}", site.address, site.port);
        let server = Server { url: reach.unwrap_or_else(|| own.clone()), authority: pki.certificate().to_owned() };
        let inner = Server { url: own, ..server.clone() };
        let proof = Proof::Certificate(pki.client("testbed-admin", Some("system:masters"))?);
        let admin = Login::new(&scratch, "admin.kubeconfig", &server, &proof)?;
        let mut plane = Self {
            controllers: None,
            api_server,
            etcd,
            pki,
            server,
            inner,
            admin,
            logins: AtomicU32::new(0),
            audit: AuditLog::new(log),
            scratch,
        };
        plane.ready().await?;
        Ok(plane)
    }

    async fn ready(&mut self) -> Result<()> {
        let client = self.admin.client().await?;
        until("the API server getting ready", READY_WITHIN, async || {
            self.etcd.check()?;
            self.api_server.check()?;
            let request = http::Request::get("/readyz").body(Vec::new()).expect("a plain request");
            Ok(client
                .request_text(request)
                .await
                .map(drop)
                .map_err(|error| format!("{error}\n{}", self.api_server.log())))
        })
        .await
    }

    /// Starts controllers of Kubernetes, by the names of `kube-controller-manager`: `garbage-collector-controller` removes what
    /// an owner left behind, `namespace-controller` empties namespaces, `serviceaccount-controller` makes their accounts.
    pub fn start_controllers(&mut self, names: &[&str]) -> Result<()> {
        self.controllers = Some(launch::controllers(self, None, names)?);
        Ok(())
    }

    /// The administrator, who may do everything.
    #[must_use]
    pub fn admin(&self) -> &Login {
        &self.admin
    }

    /// A client of the administrator.
    pub async fn client(&self) -> Result<Client> {
        self.admin.client().await
    }

    /// A user of this name, of a group besides `system:authenticated` if one is given, with the rights that the test binds
    /// to them and no other.
    pub fn user(&self, name: &str, group: Option<&str>) -> Result<Login> {
        self.login(&Proof::Certificate(self.pki.client(name, group)?))
    }

    /// Somebody who does not say who it is.
    pub fn anonymous(&self) -> Result<Login> {
        self.login(&Proof::Nothing)
    }

    /// A service account, by a token for an hour: as the pod that runs under it would log in.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<Login> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let answer = accounts.create_token_request(name, &PostParams::default(), &TokenRequest::default()).await?;
        let token = answer.status.map(|status| status.token).unwrap_or_default();
        self.login(&Proof::Token(token))
    }

    /// A component of the cluster.
    pub(crate) fn component(&self, user: &str, group: Option<&str>) -> Result<Login> {
        self.login_at(&self.inner, &Proof::Certificate(self.pki.client(user, group)?))
    }

    /// Writes `FILE.pem` and `FILE.key` for a server of the cluster.
    pub(crate) fn certify(&self, file: &str, name: &str, address: Ipv4Addr) -> Result<()> {
        let pair = self.pki.server(name, &[name], &[address.into()])?;
        self.scratch.write(&format!("{file}.pem"), &pair.certificate)?;
        self.scratch.write(&format!("{file}.key"), &pair.key).map(drop)
    }

    /// The folder of all that it writes.
    pub(crate) fn state(&self) -> &Path {
        self.scratch.path()
    }

    fn login(&self, proof: &Proof) -> Result<Login> {
        self.login_at(&self.server, proof)
    }

    fn login_at(&self, server: &Server, proof: &Proof) -> Result<Login> {
        let number = self.logins.fetch_add(1, Ordering::Relaxed);
        Login::new(&self.scratch, &format!("login-{number}.kubeconfig"), server, proof)
    }

    /// What was asked of the API server.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// The ids of its processes.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        [&self.etcd, &self.api_server].into_iter().chain(&self.controllers).map(Process::id).collect()
    }

    /// Ends its processes and removes its data.
    pub fn stop(self) {
        drop(self);
    }
}
