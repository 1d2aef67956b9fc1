//! Health and readiness that mean it: the operator is alive at once, and ready when it can do its work.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::DeleteParams;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wanqu_operator::Settings;
use wanqu_operator::framework::Clock;
use wanqu_testbed::{ControlPlane, crds, until};

/// What is answered under a path: the status and the body.
async fn ask(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

async fn until_answer(port: u16, path: &str, fits: impl Fn(u16, &str) -> bool) -> String {
    until(&format!("{path} answering as expected"), Duration::from_mins(1), async || {
        let answer = ask(port, path).await;
        let fitting = answer.clone().filter(|(status, body)| fits(*status, body));
        Ok(fitting.map(|(_, body)| body).ok_or_else(|| format!("{answer:?}")))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn it_is_ready_while_all_definitions_are_there() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client().await.unwrap();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let observe = format!("127.0.0.1:{port}");
    let arguments = ["x", "--node-image", "wanqu:test", "--observe", &observe, "--lease-seconds", "3"];
    let settings = <Settings as clap::Parser>::parse_from(arguments);
    let operator = tokio::spawn(wanqu_operator::run(client.clone(), settings, Clock::system(), std::future::pending()));

    until_answer(port, "/livez", |status, _| status == 200).await;
    let body = until_answer(port, "/readyz", |status, _| status == 503).await;
    assert!(body.contains("Federation") && body.contains("are not installed"), "{body}");
    assert_eq!(ask(port, "/secrets").await.unwrap().0, 404);

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/yaml");
    crds::install(&client, &folder).await.unwrap();
    until_answer(port, "/readyz", |status, _| status == 200).await;
    until_answer(port, "/metrics", |_, body| body.contains("wanqu_operator_leading 1")).await;

    let definitions: Api<CustomResourceDefinition> = Api::all(client);
    definitions.delete("datasets.wanqu.dev", &DeleteParams::default()).await.unwrap();
    let body = until_answer(port, "/readyz", |status, _| status == 503).await;
    assert!(body.contains("Dataset") && !body.contains("Federation"), "{body}");
    assert_eq!(ask(port, "/livez").await.unwrap().0, 200, "a restart would not help");
    operator.abort();
}
