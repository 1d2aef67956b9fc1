//! Types and limits of fields, in words.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// Returns the type of a field: `string`, `list of object`, `map of string`.
pub(super) fn type_of(schema: &JSONSchemaProps) -> String {
    let own = schema.type_.as_deref().unwrap_or("any");
    match (own, &schema.items, &schema.additional_properties) {
        ("array", Some(JSONSchemaPropsOrArray::Schema(item)), _) => format!("list of {}", type_of(item)),
        ("object", _, Some(JSONSchemaPropsOrBool::Schema(values))) => format!("map of {}", type_of(values)),
        ("string", ..) if schema.format.as_deref() == Some("date-time") => "time".to_owned(),
        (own, ..) => own.to_owned(),
    }
}

/// Returns the limits that the schema sets, one sentence each, without a full stop. Those of a list's items count as the
/// list's own.
pub(super) fn of(schema: &JSONSchemaProps) -> Vec<String> {
    let mut limits = Vec::new();
    if let Some(values) = &schema.enum_ {
        // A field that may be absent has null among its values, which nobody writes.
        let values: Vec<String> =
            values.iter().filter(|v| !v.0.is_null()).map(|v| format!("`{}`", word(&v.0))).collect();
        limits.push(format!("One of {}", values.join(", ")));
    }
    limits.extend(between("", schema.minimum, schema.maximum));
    limits.extend(between(" characters", whole(schema.min_length), whole(schema.max_length)));
    limits.extend(between(" entries", whole(schema.min_items), whole(schema.max_items)));
    if let Some(pattern) = &schema.pattern {
        limits.push(format!("Matches `{pattern}`"));
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        limits.extend(of(item).into_iter().map(|limit| format!("Each: {}", lower_first(&limit))));
    }
    limits
}

#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
fn whole(value: Option<i64>) -> Option<f64> {
    value.map(|value| value as f64)
}

fn between(what: &str, least: Option<f64>, most: Option<f64>) -> Option<String> {
    match (least, most) {
        (Some(least), Some(most)) => Some(format!("From {least} to {most}{what}")),
        (Some(least), None) => Some(format!("At least {least}{what}")),
        (None, Some(most)) => Some(format!("At most {most}{what}")),
        (None, None) => None,
    }
}

fn word(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
