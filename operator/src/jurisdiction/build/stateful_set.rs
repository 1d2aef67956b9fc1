//! The workload: copies of the node, each with its own disk.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, HTTPGetAction,
    LocalObjectReference, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource,
    PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile, SecretVolumeSource,
    SecurityContext, Toleration, TopologySpreadConstraint, Volume, VolumeMount, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use wanqu_crds::kinds::{NodeToleration, Unsatisfiable};

use super::{EXCHANGE, GATEWAY, Node, OBSERVATION, names};
use crate::framework::labels;

/// The user and group of the image.
const USER: i64 = 65_532;
/// The most seconds for questions to end when a copy stops. A longer question is cancelled.
const MAX_DRAIN: u32 = 120;
/// Seconds of the grace period for everything but questions.
const LAST: u32 = 15;

pub(super) fn stateful_set(node: &Node<'_>) -> StatefulSet {
    let mut annotations = node.template.annotations.clone();
    // Events of a pod queue its Jurisdiction.
    annotations.insert(labels::MADE_FOR.to_owned(), format!("{}/{}", node.home, node.name));
    StatefulSet {
        metadata: node.metadata(names::node(&node.name)),
        spec: Some(StatefulSetSpec {
            replicas: i32::try_from(node.spec.replicas).ok(),
            service_name: Some(names::node(&node.name)),
            selector: node.pods(),
            // Copies do not wait for each other to start; updates still go one by one.
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(pod_labels(node)),
                    annotations: Some(annotations),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(node)),
            },
            volume_claim_templates: Some(vec![disk(node)]),
            // The audit log outlives the node.
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some("Retain".to_owned()),
                when_scaled: Some("Retain".to_owned()),
            }),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

/// Returns the labels of the pods. The name of the federation is none of them: another name would restart the node.
fn pod_labels(node: &Node<'_>) -> BTreeMap<String, String> {
    let mut labels = node.template.labels.clone();
    labels.extend(node.labels());
    labels.remove(labels::FEDERATION);
    labels
}

fn drain(node: &Node<'_>) -> u32 {
    node.federation.deadline_seconds.min(MAX_DRAIN)
}

fn pod(node: &Node<'_>) -> PodSpec {
    PodSpec {
        service_account_name: Some(names::node(&node.name)),
        automount_service_account_token: Some(false),
        // The names of Services as environment variables are of no use to a node.
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        termination_grace_period_seconds: Some(i64::from(drain(node) + LAST)),
        topology_spread_constraints: Some(spreads(node)),
        node_selector: Some(node.template.node_selector.clone()).filter(|selector| !selector.is_empty()),
        tolerations: listed(node.template.tolerations.iter().map(toleration)),
        priority_class_name: node.template.priority_class_name.clone(),
        image_pull_secrets: listed(
            node.template.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() }),
        ),
        containers: vec![container(node)],
        volumes: Some(volumes(node)),
        ..PodSpec::default()
    }
}

/// Returns a list, or none without items: the API server would drop it.
fn listed<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    Some(items.collect::<Vec<_>>()).filter(|items| !items.is_empty())
}

/// Copies are spread where possible, unless the Jurisdiction says otherwise; where not, they run all the same.
fn spreads(node: &Node<'_>) -> Vec<TopologySpreadConstraint> {
    let constraint = |key: &str, skew: u32, otherwise: Unsatisfiable| TopologySpreadConstraint {
        max_skew: i32::try_from(skew).unwrap_or(i32::MAX),
        topology_key: key.to_owned(),
        when_unsatisfiable: otherwise.as_str().to_owned(),
        label_selector: Some(node.pods()),
        ..TopologySpreadConstraint::default()
    };
    let said =
        node.template.spread.iter().map(|one| constraint(&one.topology_key, one.max_skew, one.when_unsatisfiable));
    listed(said).unwrap_or_else(|| {
        ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
            .map(|key| constraint(key, 1, Unsatisfiable::ScheduleAnyway))
            .into()
    })
}

fn toleration(toleration: &NodeToleration) -> Toleration {
    Toleration {
        key: toleration.key.clone(),
        operator: Some(toleration.operator.as_str().to_owned()),
        value: toleration.value.clone(),
        effect: toleration.effect.map(|effect| effect.as_str().to_owned()),
        toleration_seconds: toleration.toleration_seconds,
    }
}

fn container(node: &Node<'_>) -> Container {
    Container {
        name: "node".to_owned(),
        image: Some(node.template.image.as_ref().unwrap_or(&node.settings.node_image).clone()),
        image_pull_policy: node.settings.node_image_pull_policy.clone(),
        command: Some(vec!["query-node".to_owned()]),
        env: Some(environment(node)),
        ports: Some(vec![port("exchange", EXCHANGE), port("gateway", GATEWAY), port("observation", OBSERVATION)]),
        // Loading a bundle and opening the audit log may take a while; until then nothing else is asked.
        startup_probe: Some(probe("/livez", 2, 90)),
        liveness_probe: Some(probe("/livez", 10, 3)),
        readiness_probe: Some(probe("/readyz", 3, 2)),
        resources: Some(resources(node)),
        // A node says on standard error why it cannot start: it is read where pods are described.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts(node)),
        ..Container::default()
    }
}

fn environment(node: &Node<'_>) -> Vec<EnvVar> {
    let drain = drain(node).to_string();
    let collector = node.spec.traces.as_ref().map(|traces| ("OTEL_EXPORTER_OTLP_ENDPOINT", traces.endpoint.as_str()));
    [
        ("WANQU_BUNDLE", "/etc/wanqu/bundle/bundle.json.gz"),
        ("WANQU_NODE_CERT", "/etc/wanqu/identity/node.pem"),
        ("WANQU_NODE_KEY", "/etc/wanqu/identity/node.key"),
        ("WANQU_GATEWAY_CERT", "/etc/wanqu/identity/gateway.pem"),
        ("WANQU_GATEWAY_KEY", "/etc/wanqu/identity/gateway.key"),
        ("WANQU_AUDIT", "/var/lib/wanqu/audit"),
        ("WANQU_RESULTS", "/var/lib/wanqu/results"),
        ("WANQU_DRAIN_SECONDS", &drain),
    ]
    .into_iter()
    .chain(collector)
    // The definition refuses those of the operator; were one of them here all the same, the operator's counts.
    .chain(node.template.env.iter().filter(|one| !one.is_reserved()).map(|one| (one.name.as_str(), one.value.as_str())))
    .map(|(name, value)| EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None })
    .collect()
}

fn port(name: &str, number: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("observation".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// Limits are requests too: a node that is short of memory would fail queries of others.
fn resources(node: &Node<'_>) -> ResourceRequirements {
    let said = [("cpu", &node.spec.resources.cpu), ("memory", &node.spec.resources.memory)];
    let amounts: BTreeMap<String, Quantity> =
        said.into_iter().filter_map(|(key, amount)| Some((key.to_owned(), Quantity(amount.clone()?)))).collect();
    let amounts = (!amounts.is_empty()).then_some(amounts);
    ResourceRequirements { limits: amounts.clone(), requests: amounts, claims: None }
}

fn mounts(node: &Node<'_>) -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    let mut mounts = vec![
        mount("bundle", "/etc/wanqu/bundle", true),
        mount("identity", "/etc/wanqu/identity", true),
        mount(names::DISK, "/var/lib/wanqu", false),
        mount("spill", "/tmp", false),
    ];
    if node.spec.data_claim.is_some() {
        mounts.push(mount("data", "/data", true));
    }
    mounts
}

fn volumes(node: &Node<'_>) -> Vec<Volume> {
    let named = |name: &str| Volume { name: name.to_owned(), ..Volume::default() };
    let mut volumes = vec![
        Volume {
            config_map: Some(ConfigMapVolumeSource { name: names::bundle(&node.name), ..<_>::default() }),
            ..named("bundle")
        },
        Volume {
            secret: Some(SecretVolumeSource {
                secret_name: Some(names::identity(&node.name)),
                // The group of the pod reads the keys; nobody else.
                default_mode: Some(0o440),
                ..SecretVolumeSource::default()
            }),
            ..named("identity")
        },
        Volume { empty_dir: Some(EmptyDirVolumeSource::default()), ..named("spill") },
    ];
    if let Some(claim) = &node.spec.data_claim {
        volumes.push(Volume {
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: claim.clone(),
                read_only: Some(true),
            }),
            ..named("data")
        });
    }
    volumes
}

fn disk(node: &Node<'_>) -> PersistentVolumeClaim {
    let storage = &node.spec.storage;
    let size = storage.size_or_default().to_owned();
    PersistentVolumeClaim {
        metadata: ObjectMeta { name: Some(names::DISK.to_owned()), ..ObjectMeta::default() },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: storage.class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), Quantity(size))].into()),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}
