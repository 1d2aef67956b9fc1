//! The policy of the chart that holds a query to the user who makes it.

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::api::PostParams;
use kube::{Api, Client};
use wanqu_chart_tests::Helm;

/// Installs it.
pub async fn install(client: &Client) {
    let rendered = Helm::new().template(&[]);
    let of = |kind: &str| rendered.one(kind).clone();
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(of("ValidatingAdmissionPolicy")).unwrap();
    let binding: ValidatingAdmissionPolicyBinding =
        serde_json::from_value(of("ValidatingAdmissionPolicyBinding")).unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &policy).await.unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &binding).await.unwrap();
}
