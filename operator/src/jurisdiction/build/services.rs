//! The doors of a node.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{EXCHANGE, GATEWAY, Node, names};

/// The headless Service that gives pods their names, the exchange, and the gateway.
pub(super) fn services(node: &Node<'_>) -> Vec<Service> {
    let headless = ServiceSpec {
        cluster_ip: Some("None".to_owned()),
        // A pod has its name before it is ready.
        publish_not_ready_addresses: Some(true),
        ..spec(node, vec![port("exchange", EXCHANGE), port("gateway", GATEWAY)])
    };
    vec![
        service(node, names::node(&node.name), headless),
        service(node, names::exchange(&node.name), spec(node, vec![port("exchange", EXCHANGE)])),
        service(node, names::gateway(&node.name), spec(node, vec![port("gateway", GATEWAY)])),
    ]
}

fn service(node: &Node<'_>, name: String, spec: ServiceSpec) -> Service {
    Service { metadata: node.metadata(name), spec: Some(spec), ..Service::default() }
}

fn spec(node: &Node<'_>, ports: Vec<ServicePort>) -> ServiceSpec {
    ServiceSpec { selector: node.pods().match_labels, ports: Some(ports), ..ServiceSpec::default() }
}

fn port(name: &str, number: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number,
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    }
}
