//! Services of a node.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{EXCHANGE, GATEWAY, Node, names};

/// Returns the headless Service that gives pods their names, the exchange, and the gateway.
pub(super) fn services(node: &Node<'_>) -> Vec<Service> {
    let headless = ServiceSpec {
        cluster_ip: Some("None".to_owned()),
        // A pod has its name before it is ready.
        publish_not_ready_addresses: Some(true),
        ..spec(node, vec![port("exchange", EXCHANGE), port("gateway", GATEWAY)])
    };
    vec![
        service(node, names::node(&node.name), headless),
        exchange(node),
        service(node, names::gateway(&node.name), spec(node, vec![port("gateway", GATEWAY)])),
    ]
}

/// Returns the Service of the exchange, reachable from outside as its Jurisdiction says.
fn exchange(node: &Node<'_>) -> Service {
    let way = node.spec.exchange.clone().unwrap_or_default();
    let node_port = way.node_port.map(i32::from);
    let spec = ServiceSpec {
        type_: Some(way.service_type.as_str().to_owned()),
        external_traffic_policy: way.external_traffic_policy.map(|policy| policy.as_str().to_owned()),
        ..spec(node, vec![ServicePort { node_port, ..port("exchange", EXCHANGE) }])
    };
    let mut service = service(node, names::exchange(&node.name), spec);
    service.metadata.annotations = Some(way.annotations).filter(|annotations| !annotations.is_empty());
    service
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
