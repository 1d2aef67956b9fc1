//! Schemas as flat lists of fields, each with its path.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// Field of a resource.
pub(super) struct Field<'a> {
    /// Path of the field: `spec.issuers[].audience`.
    pub(super) path: String,
    /// True if an object without it is refused.
    pub(super) required: bool,
    /// Schema of the field.
    pub(super) schema: &'a JSONSchemaProps,
}

/// Returns the property of this name and everything below it, parents first; empty if there is no such property.
pub(super) fn below<'a>(root: &'a JSONSchemaProps, name: &str) -> Vec<Field<'a>> {
    let mut fields = Vec::new();
    if let Some(schema) = root.properties.as_ref().and_then(|properties| properties.get(name)) {
        let required = root.required.iter().flatten().any(|field| field == name);
        push(&mut fields, name.to_owned(), required, schema);
    }
    fields
}

fn push<'a>(fields: &mut Vec<Field<'a>>, path: String, required: bool, schema: &'a JSONSchemaProps) {
    let at = fields.len();
    children(fields, &path, schema);
    fields.insert(at, Field { path, required, schema });
}

/// Adds the fields below a schema: its properties, and those of the items of lists and the values of maps.
fn children<'a>(fields: &mut Vec<Field<'a>>, path: &str, schema: &'a JSONSchemaProps) {
    let required: BTreeSet<&String> = schema.required.iter().flatten().collect();
    for (name, property) in schema.properties.iter().flatten() {
        push(fields, format!("{path}.{name}"), required.contains(name), property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        children(fields, &format!("{path}[]"), item);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        children(fields, &format!("{path}.*"), values);
    }
}
