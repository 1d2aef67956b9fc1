//! Checks of documents against the schemas of their kinds.
//!
//! Reading a document straight into its type would stop at the first fault, and ignore fields that the type does not have.
//! This walk reports every fault with its path, as the API server would, and every unknown field too, which the API server
//! would drop.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use regex::Regex;
use serde_json::{Map, Value};

use crate::finding::instead;
use crate::schema;

/// Fault of one field of a document.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) path: String,
    pub(super) problem: String,
    pub(super) remedy: String,
}

/// Checker of documents, with a cache of compiled patterns.
#[derive(Default)]
pub(super) struct Checker {
    patterns: HashMap<String, Option<Regex>>,
    faults: Vec<Fault>,
}

/// Fields at the top of every resource, whatever its kind.
const ENVELOPE: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Fields of `metav1.ObjectMeta`: those that manifests set first, then those that the API server adds.
const METADATA: [&str; 15] = [
    "name",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "generateName",
    "ownerReferences",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

impl Checker {
    /// Returns every fault of a document by the schema of its kind.
    pub(super) fn check(&mut self, schema: &JSONSchemaProps, document: &Value) -> Vec<Fault> {
        self.value(schema, document, "");
        std::mem::take(&mut self.faults)
    }

    fn fault(&mut self, path: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(Fault { path: path.to_owned(), problem: problem.into(), remedy: remedy.into() });
    }

    fn value(&mut self, schema: &JSONSchemaProps, value: &Value, path: &str) {
        let expected = schema.type_.as_deref().unwrap_or_default();
        match value {
            Value::Null if schema.nullable == Some(true) => {}
            Value::Object(fields) if expected == "object" => self.object(schema, fields, path),
            Value::Array(items) if expected == "array" => self.array(schema, items, path),
            Value::String(text) if expected == "string" => self.text(schema, text, path),
            Value::Number(_) if expected == "integer" && (value.is_i64() || value.is_u64()) => {
                self.number(schema, value, path);
            }
            Value::Bool(_) if expected == "boolean" => {}
            _ => {
                let remedy = match value {
                    Value::Number(_) | Value::Bool(_) if expected == "string" => "put it in quotes",
                    _ => "",
                };
                self.fault(path, format!("it is {}; {} is expected", found(value), wanted(expected)), remedy);
            }
        }
    }

    fn object(&mut self, schema: &JSONSchemaProps, fields: &Map<String, Value>, path: &str) {
        let none = BTreeMap::new();
        let properties = schema.properties.as_ref().unwrap_or(&none);
        let below = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        for (field, value) in fields {
            match (properties.get(field), &schema.additional_properties) {
                // The schema of the envelope is the API server's own: ours only says that metadata is an object.
                _ if path.is_empty() && ENVELOPE.contains(&field.as_str()) => self.envelope(field, value),
                (Some(property), _) => self.value(property, value, &below(field)),
                (None, Some(JSONSchemaPropsOrBool::Schema(values))) => self.value(values, value, &below(field)),
                (None, Some(JSONSchemaPropsOrBool::Bool(true))) => {}
                (None, _) => self.unknown(&below(field), field, properties.keys().map(String::as_str)),
            }
        }
        for field in schema.required.iter().flatten().filter(|field| !fields.contains_key(*field)) {
            let about = properties.get(field).and_then(|p| p.description.as_deref()).unwrap_or_default();
            let first = about.split(". ").next().unwrap_or_default().trim_end_matches('.');
            self.fault(
                &below(field),
                "it is missing",
                if first.is_empty() { String::new() } else { format!("add it: {first}") },
            );
        }
    }

    fn unknown<'a>(&mut self, path: &str, field: &str, known: impl Iterator<Item = &'a str> + Clone) {
        self.fault(path, "there is no such field", instead(field, known));
    }

    /// Checks the names of the fields of `metadata`.
    fn envelope(&mut self, field: &str, value: &Value) {
        for name in value.as_object().into_iter().filter(|_| field == "metadata").flat_map(Map::keys) {
            if !METADATA.contains(&name.as_str()) {
                self.unknown(&format!("metadata.{name}"), name, METADATA.into_iter());
            }
        }
    }

    fn array(&mut self, schema: &JSONSchemaProps, items: &[Value], path: &str) {
        self.length("items", items.len(), schema.min_items, schema.max_items, path);
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
            for (position, value) in items.iter().enumerate() {
                self.value(item, value, &format!("{path}[{position}]"));
            }
        }
    }

    fn text(&mut self, schema: &JSONSchemaProps, text: &str, path: &str) {
        if let Some(known) = &schema.enum_ {
            let mut known = known.iter().filter_map(|json| json.0.as_str());
            if !known.any(|k| k == text) {
                let known = schema.enum_.iter().flatten().filter_map(|json| json.0.as_str());
                self.fault(path, format!("{:?} is not known here", shown(text)), instead(text, known));
            }
            return;
        }
        if schema.format.as_deref() == Some("date-time") && text.parse::<Timestamp>().is_err() {
            let remedy = "write a point in time with its zone, for example 2025-01-01T00:00:00+08:00";
            return self.fault(path, format!("{:?} is not a point in time", shown(text)), remedy);
        }
        if let Some(pattern) = &schema.pattern {
            // A name says itself, and better than its pattern, what is wrong with it.
            match schema::parse_name(pattern, text) {
                Some(Ok(())) => {}
                Some(Err(problem)) => return self.fault(path, problem, ""),
                None if self.matches(pattern, text) => {}
                None => {
                    return self.fault(
                        path,
                        format!("{:?} is not of the right form", shown(text)),
                        format!("it must match {pattern}"),
                    );
                }
            }
        }
        self.length("characters", text.chars().count(), schema.min_length, schema.max_length, path);
    }

    fn matches(&mut self, pattern: &str, text: &str) -> bool {
        let compiled = self.patterns.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    }

    fn length(&mut self, what: &str, length: usize, least: Option<i64>, most: Option<i64>, path: &str) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        match (least, most) {
            (Some(least), _) if length == 0 && least > 0 => {
                self.fault(path, "it is empty", format!("give at least {least}"));
            }
            (Some(least), _) if length < least => {
                self.fault(path, format!("it has {length} {what}"), format!("use at least {least}"));
            }
            (_, Some(most)) if length > most => {
                self.fault(path, format!("it has {length} {what}"), format!("use at most {most}"));
            }
            _ => {}
        }
    }

    fn number(&mut self, schema: &JSONSchemaProps, value: &Value, path: &str) {
        // The bounds of our schemas are far below 2^53, where a float is exact.
        let number = value.as_f64().unwrap_or(f64::NAN);
        match (schema.minimum, schema.maximum) {
            (Some(least), _) if number < least => {
                self.fault(path, format!("it is {value}"), format!("use at least {least}"));
            }
            (_, Some(most)) if number > most => {
                self.fault(path, format!("it is {value}"), format!("use at most {most}"));
            }
            _ => {}
        }
    }
}

/// Returns the beginning of a text, for a message.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(n) if n.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a group of fields",
    }
}

fn wanted(kind: &str) -> &'static str {
    match kind {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "string" => "text",
        "array" => "a list",
        _ => "a group of fields",
    }
}
