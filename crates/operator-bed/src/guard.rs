//! The admission policies of the chart: one holds a query to the user who makes it, the others the operator to what it made.

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::api::PostParams;
use kube::{Api, Client};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wanqu_chart_tests::{Helm, Rendered};

/// Installs them.
pub async fn install(client: &Client) {
    let rendered = Helm::new().template(&[]);
    create::<ValidatingAdmissionPolicy>(client, &rendered, "ValidatingAdmissionPolicy").await;
    create::<ValidatingAdmissionPolicyBinding>(client, &rendered, "ValidatingAdmissionPolicyBinding").await;
}

async fn create<K>(client: &Client, rendered: &Rendered, kind: &str)
where
    K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let api: Api<K> = Api::all(client.clone());
    let objects = rendered.of(kind);
    assert!(objects.len() > 1, "the chart has more than one {kind}");
    for object in objects {
        api.create(&PostParams::default(), &serde_json::from_value(object.clone()).unwrap()).await.unwrap();
    }
}
