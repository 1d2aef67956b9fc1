//! Schemas that several kinds share: names of tables, points in time, conditions.

use schemars::{Schema, SchemaGenerator, json_schema};
use wanqu_model::schema as names;

mod own {
    use crate::local_table::LocalTable;

    wanqu_model::text_schemas! {
        LocalTable {
            "^[a-z][a-z0-9_]{0,62}[.][a-z][a-z0-9_]{0,62}$", 127,
            "A table's name inside its catalog: its domain, a point, and its own name, for example health.visits."
        }
    }
}

/// Parses a text as the name whose schema has this pattern; `None` if no name has it.
///
/// # Errors
/// The rule that the text breaks.
pub(crate) fn parse_name(pattern: &str, text: &str) -> Option<Result<(), String>> {
    own::parse_name(pattern, text).or_else(|| names::parse_name(pattern, text))
}

/// Returns the schema of a point in time, RFC 3339.
pub(crate) fn date_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// Returns the schema of a status's conditions (`metav1.Condition`): a map by type, so that two writers do not collide.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "type": "string", "maxLength": 316,
                    "description": "Type of the condition: Ready, or something more specific.",
                },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"], "description": "Status of the condition." },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "Generation of the spec that the condition describes.",
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time", "description": "Time at which the status last changed.",
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Reason for the status, as one word for programs.",
                },
                "message": { "type": "string", "maxLength": 32768, "description": "Reason for the status, for people, with the remedy if there is one." },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;
    use crate::local_table::LocalTable;

    /// The API server and the constructor accept the same texts.
    #[test]
    fn the_pattern_of_a_local_table_and_its_constructor_agree() {
        let schema = LocalTable::json_schema(&mut SchemaGenerator::default());
        let pattern = schema.get("pattern").and_then(|p| p.as_str()).expect("a name has a pattern");
        let regex = regex::Regex::new(pattern).expect("a pattern is a regular expression");
        for (text, taken) in [
            ("health.visits", true),
            ("health", false),
            ("a.b.c", false),
            (".b", false),
            ("a.", false),
            ("Health.visits", false),
            ("health.1", false),
            (&"a".repeat(64), false),
        ] {
            assert_eq!((regex.is_match(text), text.parse::<LocalTable>().is_ok()), (taken, taken), "{text:?}");
        }
    }
}
