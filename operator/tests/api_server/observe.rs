//! Health and readiness that mean it: the operator is alive at once, and ready when it can do its work.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::DeleteParams;
use wanqu_http::Http;
use wanqu_operator::Settings;
use wanqu_operator::framework::Clock;
use wanqu_testbed::{ControlPlane, crds};
use wanqu_testing::{free_address, until};

/// Returns the status and the body of what is served under a path.
async fn ask(address: &str, path: &str) -> Result<(u16, String), String> {
    let (status, body) = Http::new().get(address, path).await.map_err(|error| error.to_string())?;
    Ok((status.as_u16(), String::from_utf8_lossy(&body).into_owned()))
}

async fn until_answer(address: &str, path: &str, fits: impl Fn(u16, &str) -> bool) -> String {
    until(&format!("{path} answering as expected"), Duration::from_mins(1), async || {
        let (status, body) = ask(address, path).await?;
        if fits(status, &body) { Ok(body) } else { Err(format!("{status} {body}")) }
    })
    .await
}

#[tokio::test]
async fn the_operator_is_ready_while_all_its_definitions_are_installed() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client().await.unwrap();
    let observe = free_address().to_string();
    let arguments = ["x", "--node-image", "wanqu:test", "--observe", &observe, "--lease-seconds", "3"];
    let settings = <Settings as clap::Parser>::parse_from(arguments);
    let operator = tokio::spawn(wanqu_operator::run(client.clone(), settings, Clock::system(), std::future::pending()));

    until_answer(&observe, "/livez", |status, _| status == 200).await;
    let body = until_answer(&observe, "/readyz", |status, _| status == 503).await;
    assert!(body.contains("Federation") && body.contains("are not installed"), "{body}");
    assert_eq!(ask(&observe, "/secrets").await.unwrap().0, 404);

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/yaml");
    crds::install(&client, &folder).await.unwrap();
    until_answer(&observe, "/readyz", |status, _| status == 200).await;
    until_answer(&observe, "/metrics", |_, body| body.contains("wanqu_operator_leading 1")).await;

    let definitions: Api<CustomResourceDefinition> = Api::all(client);
    definitions.delete("datasets.wanqu.dev", &DeleteParams::default()).await.unwrap();
    let body = until_answer(&observe, "/readyz", |status, _| status == 503).await;
    assert!(body.contains("Dataset") && !body.contains("Federation"), "{body}");
    assert_eq!(ask(&observe, "/livez").await.unwrap().0, 200, "a restart would not help");
    operator.abort();
}
