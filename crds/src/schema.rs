//! How the names and types of this crate look in a custom resource's schema.
//!
//! A name's syntax is checked twice: by the API server, from the patterns below, and by the name's own constructor. The
//! tests hold the two against each other.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::columns::ColumnType;
use crate::kinds::LocalTable;
use crate::names::{JurisdictionId, Purpose, ResourceName, SqlName};

/// Gives a newtype over text its schema: a pattern (RE2), the greatest length, and words for `kubectl explain`.
macro_rules! text_schema {
    ($ty:ident, $pattern:literal, $max:literal, $description:literal) => {
        impl JsonSchema for $ty {
            fn schema_name() -> Cow<'static, str> {
                stringify!($ty).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "maxLength": $max, "description": $description })
            }
        }
    };
}

text_schema!(JurisdictionId, "^[A-Z]{2}(-[A-Z0-9]{1,3})?$", 6, "A jurisdiction's identifier, for example CN-SZ.");
text_schema!(SqlName, "^[a-z][a-z0-9_]{0,62}$", 63, "A lower-case SQL name, for example visits_2019.");
text_schema!(
    Purpose,
    "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    63,
    "Why a researcher asks, as a short code, for example health-planning."
);
text_schema!(
    ResourceName,
    "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$",
    253,
    "The name of a resource in the same namespace."
);
text_schema!(
    ColumnType,
    "^(boolean|int32|int64|float64|string|date|timestamp|decimal[(][0-9]{1,2}, *[0-9]{1,2}[)]|list[(](boolean|int32|int64|float64|string|date|timestamp|decimal[(][0-9]{1,2}, *[0-9]{1,2}[)])[)])$",
    64,
    "A column's type: boolean, int32, int64, float64, decimal(P,S), string, date, timestamp or list(TYPE)."
);

text_schema!(
    LocalTable,
    "^[a-z][a-z0-9_]{0,62}[.][a-z][a-z0-9_]{0,62}$",
    127,
    "A table's name inside its catalog: its domain, a point, and its own name, for example health.visits."
);

/// A point in time, RFC 3339.
pub(crate) fn date_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// The conditions of a status, as `metav1.Condition` has them; a map by type, so that two writers do not collide.
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
                    "description": "What is true or not: Ready, or something more specific.",
                },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it is." },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "The generation of the spec that this was said of.",
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time", "description": "When the status last changed.",
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Why, as one word for programs.",
                },
                "message": { "type": "string", "maxLength": 32768, "description": "Why, for people." },
            },
        },
    })
}
