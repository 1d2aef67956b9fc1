//! Custom resource definitions of all kinds.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, FederatedQuery, Federation, Jurisdiction,
    PlacementGrant, ResearchProject,
};

/// Custom resource definition of one kind.
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

    /// Returns the definition itself.
    #[must_use]
    pub fn resource(&self) -> &CustomResourceDefinition {
        &self.0
    }

    /// Returns the name of the kind: `Dataset`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0.spec.names.kind
    }

    /// Returns the schema of the whole resource.
    #[must_use]
    pub fn schema(&self) -> Option<&JSONSchemaProps> {
        self.0.spec.versions.first()?.schema.as_ref()?.open_api_v3_schema.as_ref()
    }

    /// Returns the name of the file that it is committed in.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.yaml", self.0.spec.names.plural)
    }

    /// Returns the content of that file.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        yaml(&self.0)
    }

    /// Returns the definition as a template of the chart: `helm uninstall` keeps it, and with it every resource of its kind.
    #[must_use]
    pub fn to_chart_yaml(&self) -> String {
        let mut crd = self.0.clone();
        let annotations = crd.metadata.annotations.get_or_insert_default();
        annotations.insert("helm.sh/resource-policy".to_owned(), "keep".to_owned());
        // Escapes text that Helm would run as a template action.
        yaml(&crd).replace("{{", "{{ \"{{\" }}")
    }
}

/// Returns the definitions of all kinds, in the order in which a newcomer meets them.
#[must_use]
pub fn definitions() -> Vec<Definition> {
    vec![
        Definition::of::<Federation>(),
        Definition::of::<Jurisdiction>(),
        Definition::of::<PlacementGrant>(),
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

/// Replaces formats of unsigned integers, which the API server does not know and warns of; `minimum` bounds the value anyway.
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
