//! Network policies let through what the table of flows allows, and nothing else: every flow is tried on a cluster that
//! enforces policies, each refused one beside a flow that passes, before and after.

mod table;
mod world;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use table::{flows, hold};
use wanqu_chart_tests::Step;
use wanqu_cluster_tests::{Shell, federation, root};
use wanqu_identity::{Authority, Validity};
use wanqu_testbed::until;
use world::World;

const SOON: Duration = Duration::from_mins(3);
const EXCHANGE: u16 = 7443;
const GATEWAY: u16 = 8443;
const OBSERVATION: u16 = 9090;
const COLLECTOR: u16 = 4318;
const API_SERVER: u16 = 6443;
const DNS: u16 = 53;
/// A port of a pod that listens there by chance.
const OTHER: u16 = 7000;
const DOORS: &[u16] = &[EXCHANGE, GATEWAY, OBSERVATION];

/// Flows that are allowed.
const PASSING: &[(&str, &str, &[u16])] = &[
    ("shenzhen", "hongkong", &[EXCHANGE]),
    ("macau", "hongkong", &[EXCHANGE]),
    ("hongkong", "shenzhen", &[EXCHANGE]),
    ("console", "hongkong", &[GATEWAY]),
    ("prometheus", "hongkong", &[OBSERVATION]),
    ("operator", "hongkong", &[GATEWAY, OBSERVATION]),
    ("operator", "machine", &[API_SERVER]),
    ("hongkong", "machine", &[DNS]),
    ("hongkong", "collector", &[COLLECTOR]),
    // These answer, so the servers are up and the callers can connect.
    ("machine", "hongkong", DOORS),
    ("machine", "macau", &[OTHER]),
    ("machine", "outside", &[80, DNS, EXCHANGE]),
    ("stranger", "outside", &[80, DNS, EXCHANGE]),
    ("stranger", "impostor", &[EXCHANGE]),
    ("stranger", "collector", &[COLLECTOR]),
    ("impostor", "collector", &[COLLECTOR]),
    ("pretender", "collector", &[COLLECTOR]),
    ("false-boss", "collector", &[COLLECTOR]),
    ("console", "outside", &[80]),
    ("prometheus", "outside", &[80]),
    ("outside", "collector", &[COLLECTOR]),
    // Pods that only make sample data are nobody's concern.
    ("samples", "outside", &[80]),
];

/// Flows that are refused.
const REFUSED: &[(&str, &str, &[u16])] = &[
    ("stranger", "hongkong", DOORS),
    ("impostor", "hongkong", DOORS),
    ("pretender", "hongkong", DOORS),
    ("false-boss", "hongkong", DOORS),
    ("samples", "hongkong", DOORS),
    ("console", "hongkong", &[EXCHANGE, OBSERVATION]),
    ("prometheus", "hongkong", &[EXCHANGE, GATEWAY]),
    ("operator", "hongkong", &[EXCHANGE]),
    ("operator", "outside", &[80]),
    ("operator", "collector", &[COLLECTOR]),
    ("shenzhen", "hongkong", &[GATEWAY, OBSERVATION]),
    ("shenzhen", "macau", &[OTHER]),
    ("shenzhen", "collector", &[COLLECTOR]),
    ("hongkong", "outside", &[80, DNS]),
    ("hongkong", "machine", &[API_SERVER]),
    ("hongkong", "impostor", &[EXCHANGE]),
    ("outside", "hongkong", &[GATEWAY, OBSERVATION]),
];

/// Between the federation and somebody who is not its member yet.
const ABROAD: &[(&str, &str, &[u16])] = &[("outside", "hongkong", &[EXCHANGE]), ("hongkong", "outside", &[EXCHANGE])];

/// Once an administrator says where names are resolved, where the API server is, and who reads metrics.
const CLOSER: &[(&str, &str, &[u16])] = &[
    ("operator", "outside", &[DNS, API_SERVER]),
    ("prometheus", "hongkong", &[OBSERVATION]),
    ("stranger", "hongkong", &[OBSERVATION]),
];
const CLOSER_PASSING: &[(&str, &str, &[u16])] = &[
    ("operator", "machine", &[API_SERVER, DNS]),
    ("operator", "hongkong", &[GATEWAY, OBSERVATION]),
    ("hongkong", "machine", &[DNS]),
    ("collector", "hongkong", &[OBSERVATION]),
    ("prometheus", "outside", &[80]),
    ("stranger", "outside", &[DNS, API_SERVER]),
];

/// Once Hong Kong lets clients of another namespace and of an address to its gateway: with the label, and to no other port.
const CLIENTS: &[(&str, &str, &[u16])] = &[("pretender", "hongkong", &[GATEWAY]), ("outside", "hongkong", &[GATEWAY])];
const NO_CLIENTS: &[(&str, &str, &[u16])] = &[
    ("stranger", "hongkong", &[GATEWAY]),
    ("pretender", "hongkong", &[EXCHANGE, OBSERVATION]),
    ("outside", "hongkong", &[OBSERVATION]),
];

#[tokio::test]
async fn network_policies_let_pass_the_allowed_connections_and_no_others() {
    let (cluster, shell) = federation().await;
    let mut world = World::around(cluster).await;
    let (passing, refused) = (flows(PASSING), flows(REFUSED));
    hold(&world, &passing, &[refused.clone(), flows(ABROAD)].concat()).await;

    let query = root().join("examples/kubernetes/query.yaml").display().to_string();
    world.cluster.kubectl(&["apply", "--filename", &query, "--as=researcher@hku.example"]).unwrap();
    let complete = ["--for=condition=Complete", "federatedquery/visits-by-city", "--timeout=2m"];
    world.cluster.kubectl(&[&["--namespace=gba", "wait"], &complete[..]].concat()).unwrap();
    until("the collector getting a step of the question", SOON, async || {
        let got = world.cluster.kubectl(&["--namespace=observability", "logs", "collector"])?;
        // The body is protobuf, in which names stand as they are.
        let whole = ["POST /v1/traces", "application/x-protobuf", "wanqu.query", "question"];
        let whole = whole.iter().all(|part| got.contains(part));
        Ok(if whole { Ok(()) } else { Err(got) })
    })
    .await
    .unwrap();

    join_from_outside(&world);
    hold(&world, &[passing, flows(ABROAD)].concat(), &refused).await;

    hold(&world, &flows(&[("operator", "outside", &[DNS, API_SERVER])]), &[]).await;
    draw_closer(&mut world, &shell).await;
    hold(&world, &flows(CLOSER_PASSING), &[flows(CLOSER), flows(&[("hongkong", "outside", &[DNS])])].concat()).await;

    let clients = json!({"gatewayNamespaces": ["stranger"], "gatewayCidrs": [format!("{}/32", world.outside())]});
    world.merge("jurisdiction", "hongkong", &json!({"spec": {"network": clients}}).to_string());
    let twins = [("stranger", "outside", &[DNS][..]), ("machine", "hongkong", DOORS)];
    hold(&world, &[flows(CLIENTS), flows(&twins)].concat(), &flows(NO_CLIENTS)).await;
    drop(shell);
    world.stop().await;
}

/// Makes the host outside a member, whose address is said.
fn join_from_outside(world: &World) {
    let address = world.outside();
    let validity = Validity::days(Timestamp::now(), 30);
    let authority = Authority::new("CN-ZH".parse().unwrap(), "gba.example", validity).unwrap();
    let member = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "Jurisdiction", "metadata": {"name": "zhuhai", "namespace": "gba"},
        "spec": {
            "id": "CN-ZH", "sqlName": "zhuhai", "network": {"cidrs": [format!("{address}/32")]},
            "placement": {"external": {"endpoint": format!("{address}:7443"), "ca": authority.certificate_pem()}},
        },
    });
    let file = world.cluster.state().join("zhuhai.json");
    std::fs::write(&file, member.to_string()).unwrap();
    world.cluster.kubectl(&["apply", "--filename", &file.display().to_string()]).unwrap();
    world.merge("federation", "gba", r#"{"spec": {"members": ["CN-SZ", "HK", "MO", "CN-ZH"]}}"#);
    let ready = ["--for=condition=Ready", "jurisdiction/zhuhai", "--timeout=2m"];
    world.cluster.kubectl(&[&["--namespace=gba", "wait"], &ready[..]].concat()).unwrap();
}

/// Upgrades the release with what is left open by default, and waits for the operator that it brings.
async fn draw_closer(world: &mut World, shell: &Shell) {
    let node = world.cluster.node_address();
    let observability = "namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name=observability";
    let command = format!(
        "helm upgrade wanqu charts/wanqu --namespace wanqu-system --reuse-values --wait --timeout 3m \
         --set 'networkPolicy.dns.to[0].ipBlock.cidr={node}/32' --set 'networkPolicy.apiServer.cidrs={{{node}/32}}' \
         --set 'networkPolicy.metricsFrom[0].{observability}'"
    );
    shell.run(&Step { line: 0, command }).unwrap();
    world.find_operator().await;
}
