//! Bundles and readers from before there was a format. Readers of that time refuse a bundle with any other field, and need all
//! of theirs but `approximateRows`.

use std::collections::BTreeSet;

use super::*;

/// A bundle as an operator of that time wrote it. It is never to be written anew: such bundles lie in files and `ConfigMap`s.
const WRITTEN: &str = include_str!("before_format.json");

/// Paths of all fields that a reader of that time knew.
const KNOWN: [&str; 76] = [
    "agreements",
    "agreements[].digest",
    "agreements[].expires",
    "agreements[].filingReference",
    "agreements[].from",
    "agreements[].name",
    "agreements[].notBefore",
    "agreements[].purposes",
    "agreements[].state",
    "agreements[].tables",
    "agreements[].to",
    "commonTables",
    "commonTables[].colocation",
    "commonTables[].colocation[].column",
    "commonTables[].colocation[].key",
    "commonTables[].disjointUnits",
    "commonTables[].replicated",
    "commonTables[].table",
    "federation",
    "jurisdiction",
    "limits",
    "limits.concurrentQueries",
    "limits.deadlineSeconds",
    "limits.memoryMib",
    "limits.releaseRows",
    "limits.sqlBytes",
    "members",
    "members[].ca",
    "members[].displayName",
    "members[].endpoint",
    "members[].issuers",
    "members[].issuers[].audience",
    "members[].issuers[].issuer",
    "members[].issuers[].publicKeys",
    "members[].jurisdiction",
    "members[].sqlName",
    "projects",
    "projects[].agreements",
    "projects[].name",
    "projects[].purposes",
    "projects[].queriesPerDay",
    "projects[].subjects",
    "projects[].subjects[].issuer",
    "projects[].subjects[].subject",
    "slices",
    "slices[].approximateRows",
    "slices[].columns",
    "slices[].columns[].class",
    "slices[].columns[].description",
    "slices[].columns[].expression",
    "slices[].columns[].name",
    "slices[].columns[].type",
    "slices[].columns[].unit",
    "slices[].custodian",
    "slices[].dataset",
    "slices[].description",
    "slices[].jurisdiction",
    "slices[].policy",
    "slices[].policy.minUnits",
    "slices[].policy.policies",
    "slices[].policy.publishZeros",
    "slices[].policy.rounding",
    "slices[].privacyUnit",
    "slices[].table",
    "sources",
    "sources[].badRecords",
    "sources[].columns",
    "sources[].columns[].name",
    "sources[].columns[].sourceName",
    "sources[].columns[].type",
    "sources[].format",
    "sources[].maxRowsPerUnit",
    "sources[].path",
    "sources[].root",
    "sources[].table",
    "trustDomain",
];

/// The same bundle as this build has it, with every field that there was.
fn same() -> NodeBundle {
    let mut bundle = bundle();
    bundle.slices[0].approximate_rows = Some(1200);
    bundle.common_tables[0].colocation =
        vec![ColocationKey { key: "person".parse().unwrap(), column: "patient".parse().unwrap() }];
    bundle.sources[0].columns = vec![SourceColumn {
        name: "sex".parse().unwrap(),
        source_name: "SEX".to_owned(),
        data_type: ColumnType::String,
        optional: false,
        values: None,
    }];
    bundle
}

/// Collects the paths of all fields below a value.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                paths(field, &path, found);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{at}[]"), found)),
        _ => {}
    }
}

#[test]
fn a_bundle_from_before_the_format_is_read_whole() {
    let read = NodeBundle::read(WRITTEN.as_bytes()).unwrap();
    assert_eq!((read.bundle, read.left_out), (same(), Vec::new()));
}

#[test]
fn a_bundle_that_uses_nothing_new_has_the_fields_and_the_values_that_a_reader_of_that_time_knows() {
    let written = serde_json::to_value(same()).unwrap();
    let mut found = BTreeSet::new();
    paths(&written, "", &mut found);
    let known: BTreeSet<String> = KNOWN.iter().map(ToString::to_string).collect();
    assert_eq!(found, known);
    assert_eq!(written, serde_json::from_str::<Value>(WRITTEN).unwrap());
}
