//! Which API server is spoken to, as whom, and in which namespace.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use wanqu_crds::kinds::FederatedQuery;

use crate::args::PlaceArgs;
use crate::failure::{Failure, Outcome};

/// A connection to an API server, and where in it.
pub struct Session {
    /// The client.
    pub client: Client,
    /// The federation's namespace.
    pub namespace: String,
    /// The arguments with which another kubectl speaks to the same server.
    pub same_cluster: Vec<String>,
}

impl Session {
    /// As kubectl would.
    ///
    /// # Errors
    /// There is no such cluster.
    pub async fn open(place: &PlaceArgs) -> Outcome<Self> {
        let options = KubeConfigOptions { context: place.context.clone(), ..KubeConfigOptions::default() };
        let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("cannot read the kubeconfig: {error}"));
        let config = match &place.kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(path).map_err(|error| failed(&error))?;
                Config::from_custom_kubeconfig(kubeconfig, &options).await
            }
            None => Config::from_kubeconfig(&options).await,
        };
        let config = config.map_err(|error| failed(&error))?;
        let namespace = place.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| Failure::failed(format!("cannot connect: {error}")))?;
        let flag = |name: &str, value: &dyn std::fmt::Display| format!("--{name}={value}");
        let kubeconfig = place.kubeconfig.iter().map(|path| flag("kubeconfig", &path.display()));
        let same_cluster = kubeconfig.chain(place.context.iter().map(|context| flag("context", context))).collect();
        Ok(Self { client, namespace, same_cluster })
    }

    /// The queries of the namespace.
    #[must_use]
    pub fn queries(&self) -> Api<FederatedQuery> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Who one is to the API server.
    ///
    /// # Errors
    /// It does not say.
    pub async fn user(&self) -> Outcome<String> {
        let review: SelfSubjectReview = Api::all(self.client.clone())
            .create(&PostParams::default(), &SelfSubjectReview::default())
            .await
            .map_err(|error| refused("ask who you are", &error))?;
        let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
        user.ok_or_else(|| Failure::failed("the API server does not say who you are"))
    }
}

/// What the API server said, in one message.
#[must_use]
pub fn refused(doing: &str, error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) => Failure::failed(format!("cannot {doing}: {}", status.message)),
        error => Failure::failed(format!("cannot {doing}: {error}")),
    }
}
