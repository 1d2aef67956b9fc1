//! The kinds as custom resource definitions.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, FederatedQuery, Federation, Jurisdiction,
    ResearchProject,
};

/// One kind as the API server is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition(CustomResourceDefinition);

impl Definition {
    fn of<K: CustomResourceExt>() -> Self {
        let mut crd = K::crd();
        for version in &mut crd.spec.versions {
            if let Some(schema) = version.schema.as_mut().and_then(|v| v.open_api_v3_schema.as_mut()) {
                signed_formats(schema);
            }
        }
        Self(crd)
    }

    /// The definition itself.
    #[must_use]
    pub fn resource(&self) -> &CustomResourceDefinition {
        &self.0
    }

    /// The kind: `Dataset`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0.spec.names.kind
    }

    /// The schema of the whole resource.
    #[must_use]
    pub fn schema(&self) -> Option<&JSONSchemaProps> {
        self.0.spec.versions.first()?.schema.as_ref()?.open_api_v3_schema.as_ref()
    }

    /// The file that it is committed in.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.yaml", self.0.spec.names.plural)
    }

    /// The file's content.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        yaml(&self.0)
    }

    /// The same as a template of the chart: `helm uninstall` keeps the definition, and with it every resource of its kind.
    #[must_use]
    pub fn to_chart_yaml(&self) -> String {
        let mut crd = self.0.clone();
        let annotations = crd.metadata.annotations.get_or_insert_default();
        annotations.insert("helm.sh/resource-policy".to_owned(), "keep".to_owned());
        // What Helm would read as one of its own actions stays text.
        yaml(&crd).replace("{{", "{{ \"{{\" }}")
    }
}

/// The definitions of all kinds, in the order in which a newcomer meets them.
#[must_use]
pub fn definitions() -> Vec<Definition> {
    vec![
        Definition::of::<Federation>(),
        Definition::of::<Jurisdiction>(),
        Definition::of::<CommonTable>(),
        Definition::of::<Dataset>(),
        Definition::of::<DisclosurePolicy>(),
        Definition::of::<DataSharingAgreement>(),
        Definition::of::<ResearchProject>(),
        Definition::of::<FederatedQuery>(),
    ]
}

/// # Panics
/// Never: a definition is plain data.
fn yaml(crd: &CustomResourceDefinition) -> String {
    let yaml = serde_saphyr::to_string(crd).expect("a definition is plain data");
    format!("# Made by `cargo run -p wanqu-crds --bin crdgen`. Change the Rust type, not this file.\n{yaml}")
}

/// The API server knows no unsigned integers and warns of their formats; their least value is said beside it anyway.
fn signed_formats(schema: &mut JSONSchemaProps) {
    if schema.format.as_deref().is_some_and(|format| format.starts_with("uint")) {
        schema.format = Some("int64".to_owned());
    }
    schema.properties.iter_mut().flatten().for_each(|(_, property)| signed_formats(property));
    match schema.items.as_mut() {
        Some(JSONSchemaPropsOrArray::Schema(item)) => signed_formats(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(signed_formats),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = schema.additional_properties.as_mut() {
        signed_formats(values);
    }
}
