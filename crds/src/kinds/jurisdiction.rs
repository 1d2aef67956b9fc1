//! `Jurisdiction`: one member of the federation, and where its node runs.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use wanqu_model::names::{JurisdictionId, SqlName};

use super::{NodeExchange, NodeNetwork, Status, TracesSpec};

/// One member of the federation: a legal territory with its own rules, its own node and its own certificate authority.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "Jurisdiction",
    doc = "One member of the federation: a legal territory with its own rules, its own node and its own certificate authority.",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "jur",
    category = "wanqu",
    printcolumn(name = "Id", type_ = "string", json_path = ".spec.id"),
    printcolumn(name = "SQL name", type_ = "string", json_path = ".spec.sqlName"),
    printcolumn(name = "Display name", type_ = "string", json_path = ".spec.displayName", priority = 1),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new(
    "!has(self.placement) || !has(self.placement.external) || !(has(self.dataClaim) || has(self.authoritySecret))"
).message("a node that is run elsewhere has its data and its authority there: leave dataClaim and authoritySecret out"))]
pub struct JurisdictionSpec {
    /// Its identifier, ISO 3166: CN-SZ, HK, MO. It is in the certificate of its node.
    #[x_kube(validation = Rule::new("self == oldSelf").message("the id cannot change: certificates and agreements name it"))]
    pub id: JurisdictionId,
    /// Its catalog in SQL: shenzhen in shenzhen.health.visits. The name gba is taken by the common tables.
    #[x_kube(validation = Rule::new("self != 'gba' && self != 'whole'").message("gba and whole are catalogs of the common tables"))]
    pub sql_name: SqlName,
    /// Its name for people; the SQL name if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub display_name: Option<String>,
    /// Where its node runs; in the namespace of this resource if not said. On a laptop it is ignored.
    #[serde(default)]
    pub placement: PlacementSpec,
    /// Addresses and namespaces that network policies are to know. On a laptop it is ignored.
    #[serde(default)]
    pub network: NodeNetwork,
    /// Where its node sends the traces of questions; nowhere if not said. On a laptop it is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<TracesSpec>,
    /// How members outside of its node's cluster reach it. Without it those of its cluster do, and nobody else. On a laptop, and
    /// where the node is run elsewhere, it is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<NodeExchange>,
    /// How many copies of the node run.
    #[serde(default = "one_replica")]
    #[schemars(range(min = 1, max = 64))]
    pub replicas: u32,
    /// What each copy of the node may use.
    #[serde(default)]
    pub resources: NodeResources,
    /// Disk for the audit log and for what spills.
    #[serde(default)]
    pub storage: NodeStorage,
    /// The folder that its file sources lie in and may not leave. On a laptop, relative to the folder of the manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub data_root: Option<String>,
    /// A PersistentVolumeClaim, in the namespace of its node, with the files that it answers from. It is mounted
    /// read-only at /data, which is then its dataRoot. On a laptop it is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub data_claim: Option<String>,
    /// A Secret, in the namespace of this resource, with its certificate authority: ca.pem and ca.key (Ed25519). Without
    /// it the operator makes an authority and renews it in time. On a laptop it is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority_secret: Option<AuthoritySecret>,
    /// Who may vouch for a researcher that asks at this jurisdiction's node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["issuer".to_owned()]))]
    pub issuers: Vec<IssuerSpec>,
}

fn one_replica() -> u32 {
    1
}

/// Where a node runs. At most one of the three; none is the namespace of the resource itself.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new(
    "[has(self.__namespace__), has(self.kubeconfigSecret), has(self.external)].filter(x, x).size() <= 1"
).message("at most one of namespace, kubeconfigSecret and external"))]
pub struct PlacementSpec {
    /// In this namespace of the same cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// In another cluster, reached with a kubeconfig that lies in a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig_secret: Option<KubeconfigSecret>,
    /// Run by somebody else's operator: only its endpoint and its certificate authority are known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalPlacement>,
}

/// A Secret with a certificate authority.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthoritySecret {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A Secret with a kubeconfig.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeconfigSecret {
    /// The Secret's name, in the namespace of this resource.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key under which the kubeconfig lies.
    #[serde(default = "kubeconfig")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// The namespace in the other cluster.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub namespace: String,
    /// `host:port` at which the other members reach its exchange, since names of Services end at their cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 261), regex(pattern = r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$"))]
    pub endpoint: Option<String>,
}

fn kubeconfig() -> String {
    "kubeconfig".to_owned()
}

/// A node that is run elsewhere.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalPlacement {
    /// `host:port` of its exchange.
    #[schemars(length(min = 3, max = 261), regex(pattern = r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$"))]
    pub endpoint: String,
    /// The certificate(s) of its own certificate authority, PEM: nobody else can vouch for its node.
    #[schemars(length(min = 1, max = 65_536))]
    #[x_kube(validation = Rule::new("self.contains('-----BEGIN CERTIFICATE-----')").message("ca holds PEM certificates"))]
    pub ca: String,
}

/// What each copy of a node may use.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeResources {
    /// Processor, as a Kubernetes quantity: 500m, 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+([.][0-9]+)?m?$"))]
    pub cpu: Option<String>,
    /// Memory, as a Kubernetes quantity: 512Mi, 4Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+([.][0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"))]
    pub memory: Option<String>,
}

/// A node's own disk.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeStorage {
    /// Its size, as a Kubernetes quantity: 10Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+([.][0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"))]
    pub size: Option<String>,
    /// The storage class; the cluster's default if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,
}

/// Who may vouch for a researcher: an issuer of JSON web tokens (EdDSA).
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerSpec {
    /// The iss claim, for example `https://id.health.example`.
    #[schemars(length(min = 1, max = 512))]
    pub issuer: String,
    /// The aud claim that a token for this federation carries.
    #[schemars(length(min = 1, max = 512))]
    pub audience: String,
    /// The issuer's Ed25519 public keys, PEM (SubjectPublicKeyInfo). On a laptop a local issuer's key is filled in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 4096)))]
    #[x_kube(validation = Rule::new("self.all(k, k.contains('-----BEGIN PUBLIC KEY-----'))").message("a public key is PEM, beginning with -----BEGIN PUBLIC KEY-----"))]
    pub public_keys: Vec<String>,
}
