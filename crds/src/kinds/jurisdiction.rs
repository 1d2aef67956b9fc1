//! `Jurisdiction`: one member of the federation, and where its node runs.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use wanqu_model::names::{JurisdictionId, SqlName};

use super::{NodeExchange, NodeNetwork, NodePods, Status, TracesSpec};

/// Member of the federation: a legal territory with its own rules, its own node and its own certificate authority.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "Jurisdiction",
    doc = "Member of the federation: a legal territory with its own rules, its own node and its own certificate authority.",
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
#[x_kube(validation = Rule::new(
    "quantity(has(self.storage) && has(self.storage.size) ? self.storage.size : '1Gi').compareTo(quantity(has(oldSelf.storage) && has(oldSelf.storage.size) ? oldSelf.storage.size : '1Gi')) >= 0"
).message("storage.size cannot shrink: a disk grows, and its files stay"))]
#[x_kube(validation = Rule::new(
    "(has(self.storage) && has(self.storage.className) ? self.storage.className : '') == (has(oldSelf.storage) && has(oldSelf.storage.className) ? oldSelf.storage.className : '')"
).message("storage.className cannot change: a disk stays in its class; take the Jurisdiction away and its claims, and make both anew, if its audit log may go"))]
pub struct JurisdictionSpec {
    /// Identifier of the jurisdiction, ISO 3166: CN-SZ, HK, MO. Its node's certificate names it. Cannot change.
    #[x_kube(validation = Rule::new("self == oldSelf").message("the id cannot change: certificates and agreements name it"))]
    pub id: JurisdictionId,
    /// Name of its catalog in SQL: shenzhen in shenzhen.health.visits. The names gba and whole belong to the common tables.
    #[x_kube(validation = Rule::new("self != 'gba' && self != 'whole'").message("gba and whole are catalogs of the common tables"))]
    pub sql_name: SqlName,
    /// Name for people: Shenzhen. Default: the SQL name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub display_name: Option<String>,
    /// Placement of the node. Default: the namespace of this resource. Ignored on a laptop.
    #[serde(default)]
    pub placement: PlacementSpec,
    /// Addresses and namespaces that the node's network policies allow. Ignored on a laptop.
    #[serde(default)]
    pub network: NodeNetwork,
    /// Collector that the node sends traces to. Default: none are sent. Ignored on a laptop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<TracesSpec>,
    /// Exposure of the node's exchange to members in other clusters. Default: only members in the node's own cluster reach it.
    /// Ignored on a laptop, and for a node that is run elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<NodeExchange>,
    /// True to leave the node's workload as it is, whatever else changes, until this is false again: its image, replicas, disks,
    /// pods and network policies. Bundles and certificates go on reaching it, so that nothing that is withdrawn waits. Default: false. Ignored on a laptop.
    #[serde(default)]
    pub paused: bool,
    /// Pods of the node: the machines that they run on, their image, labels and variables. Ignored on a laptop.
    #[serde(default)]
    pub pods: NodePods,
    /// Number of replicas of the node. Default: 1.
    #[serde(default = "one_replica")]
    #[schemars(range(min = 1, max = 64))]
    pub replicas: u32,
    /// Processor and memory of each replica of the node.
    #[serde(default)]
    pub resources: NodeResources,
    /// Disk of each replica, for the audit log, kept answers and spilled data.
    #[serde(default)]
    pub storage: NodeStorage,
    /// Folder that the paths of file sources start from and cannot leave. On a laptop, relative to the folder of the manifests,
    /// which it is by default. A node reads no file of a folder that is, holds or lies in one that it keeps for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub data_root: Option<String>,
    /// Name of a PersistentVolumeClaim, in the namespace of the node, with the files of its datasets. If that is another namespace
    /// than that of this resource, a PlacementGrant there must list it. It is mounted read-only at /data, which is then the dataRoot. Without it, the node of a cluster reads no files. Ignored on a laptop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub data_claim: Option<String>,
    /// Secret, in the namespace of this resource, with the jurisdiction's certificate authority: ca.pem and ca.key (P-256; or Ed25519, which JDBC does not take).
    /// Default: the operator makes an authority and renews it in time. Ignored on a laptop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority_secret: Option<AuthoritySecret>,
    /// Issuers whose tokens the node's gateway accepts from researchers. An owner answers this jurisdiction only for researchers
    /// of these issuers, so the Jurisdiction by which other clusters know it lists them too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["issuer".to_owned()]))]
    pub issuers: Vec<IssuerSpec>,
}

fn one_replica() -> u32 {
    1
}

/// Placement of a node: at most one of the three. Default: the namespace of the resource itself.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.__namespace__), has(self.kubeconfigSecret), has(self.external)].filter(x, x).size() <= 1"
).message("at most one of namespace, kubeconfigSecret and external"))]
pub struct PlacementSpec {
    /// Namespace of the same cluster. If it is another one than that of this resource, a PlacementGrant there must name this
    /// Jurisdiction, and its dataClaim if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// Secret with a kubeconfig for another cluster. Its credentials are the consent to what is made there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig_secret: Option<KubeconfigSecret>,
    /// Address and authority of a node that somebody else's operator runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalPlacement>,
}

/// Secret with a certificate authority.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthoritySecret {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Secret with a kubeconfig.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubeconfigSecret {
    /// Name of the Secret, in the namespace of this resource.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key of the Secret's data that holds the kubeconfig. Default: kubeconfig.
    #[serde(default = "kubeconfig")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// Namespace in the other cluster.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub namespace: String,
    /// Address, host:port, at which other members reach its exchange, since the names of Services do not leave their cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 261), regex(pattern = r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$"))]
    pub endpoint: Option<String>,
}

fn kubeconfig() -> String {
    "kubeconfig".to_owned()
}

/// Node that is run elsewhere.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalPlacement {
    /// Address of its exchange, host:port: node.mo.example:7443.
    #[schemars(length(min = 3, max = 261), regex(pattern = r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$"))]
    pub endpoint: String,
    /// Certificates of its own certificate authority, PEM: the only one that can vouch for its node.
    #[schemars(length(min = 1, max = 65_536))]
    #[x_kube(validation = Rule::new("self.contains('-----BEGIN CERTIFICATE-----')").message("ca holds PEM certificates"))]
    pub ca: String,
}

/// Processor and memory of each replica of a node.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeResources {
    /// Processor request and limit, as a Kubernetes quantity: 500m, 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+([.][0-9]+)?m?$"))]
    pub cpu: Option<String>,
    /// Memory request and limit, as a Kubernetes quantity: 512Mi, 4Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+([.][0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"))]
    pub memory: Option<String>,
}

impl NodeStorage {
    /// Size of the disk where none is given.
    const SIZE: &str = "1Gi";

    /// Returns the size of the disk.
    #[must_use]
    pub fn size_or_default(&self) -> &str {
        self.size.as_deref().unwrap_or(Self::SIZE)
    }
}

/// Disk of each replica of a node.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStorage {
    /// Size, as a Kubernetes quantity: 10Gi. It can grow, if the storage class allows that, and cannot shrink. Default: 1Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+([.][0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"))]
    pub size: Option<String>,
    /// Name of the storage class. Cannot change. Default: that of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,
}

/// Issuer of JSON web tokens (EdDSA) that identify researchers.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerSpec {
    /// Claim iss of its tokens, for example https://id.health.example.
    #[schemars(length(min = 1, max = 512))]
    pub issuer: String,
    /// Claim aud of its tokens for this jurisdiction's gateway, for an issuer that cannot write the default. Give each jurisdiction
    /// its own: one that several jurisdictions state for an issuer is passed over, and each of them takes tokens for its default.
    /// Default: wanqu:, the trust domain, / and the id: wanqu:gba.example/HK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub audience: Option<String>,
    /// Longest life of its tokens, in seconds, from iat (or, in a token without it, from now) to exp. Tokens that live longer are
    /// refused. Default: 86400, a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 31_536_000))]
    pub max_life_seconds: Option<u32>,
    /// Ed25519 public keys of the issuer, PEM (SubjectPublicKeyInfo). On a laptop the key of the local issuer is filled in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 4096)))]
    #[x_kube(validation = Rule::new("self.all(k, k.contains('-----BEGIN PUBLIC KEY-----'))").message("a public key is PEM, beginning with -----BEGIN PUBLIC KEY-----"))]
    pub public_keys: Vec<String>,
}
