//! Common tables: the slices that datasets serve of them, and the properties that the planner needs.

use std::collections::{BTreeMap, BTreeSet};

use wanqu_model::bundle::{ColocationKey, ColumnSpec, CommonTableInfo, Slice};
use wanqu_model::columns::{ColumnClass, ColumnType};
use wanqu_model::names::{COMMON_CATALOG, JURISDICTION_COLUMN, JurisdictionId, ResourceName, SqlName};

use super::index::{Index, unknown};
use super::mapping::{self, Reads};
use super::{datasets, policies, types};
use crate::finding::{Findings, instead};
use crate::kinds::{
    ColocationSpec, ColumnMapping, CommonColumn, CommonTable, CommonTableSpec, Dataset, DatasetSpec, ServedTable,
};
use crate::sourced::Sourced;

/// Returns the catalog of the common tables.
pub(super) fn catalog() -> SqlName {
    COMMON_CATALOG.parse().expect("the catalog of the common tables is a well-formed name")
}

/// Returns each dataset's slice of each common table that it serves.
pub(super) fn slices(index: &Index<'_>, findings: &mut Findings) -> Vec<Slice> {
    let mut slices = Vec::new();
    let servers = servers(index);
    for (name, dataset) in &index.datasets {
        let spec = &dataset.resource.spec;
        for (position, serves) in spec.serves.iter().enumerate() {
            let at = format!("spec.serves[{position}]");
            let Some(table) = index.common_tables.get(&serves.common_table) else {
                let path = format!("{at}.commonTable");
                unknown(dataset, &path, "CommonTable", &serves.common_table, &index.common_tables, findings);
                continue;
            };
            let first = servers.get(&(&spec.jurisdiction, &serves.common_table));
            if let Some((first, _)) = first.filter(|first| **first != (dataset.name(), position)) {
                let problem =
                    format!("Dataset {first} of {} serves {} already", spec.jurisdiction, serves.common_table);
                let remedy = "in one jurisdiction, one dataset serves a common table, once";
                findings.add(dataset, format!("{at}.commonTable"), problem, remedy);
                continue;
            }
            let slice = Slice {
                table: table.resource.spec.table.under(&catalog()),
                jurisdiction: spec.jurisdiction.clone(),
                dataset: name.clone(),
                custodian: spec.custodian.clone(),
                description: table.resource.spec.description.clone(),
                columns: columns(dataset, serves, &table.resource.spec, &at, findings),
                privacy_unit: spec.privacy_unit.clone(),
                policy: policies::rule(index, name, dataset),
                approximate_rows: datasets::approximate_rows(&dataset.resource.spec),
                one_row_per_unit: datasets::one_row_per_unit(spec),
            };
            check_classes(dataset, &slice, &table.resource.spec, &at, findings);
            slices.push(slice);
        }
    }
    slices
}

/// Returns the slices of common tables that datasets of members would serve and that are left out because of a fault. Other
/// members are told of them: an answer without one of an owner's slices would look complete, and would not be. The owner itself
/// has none of them, so it refuses whoever asks.
pub(super) fn missing(index: &Index<'_>, served: &[Slice], is_member: impl Fn(&JurisdictionId) -> bool) -> Vec<Slice> {
    let mut slices: Vec<Slice> = Vec::new();
    for dataset in index.out.datasets.iter().filter(|dataset| is_member(&dataset.resource.spec.jurisdiction)) {
        let (spec, Ok(name)) = (&dataset.resource.spec, dataset.name().parse::<ResourceName>()) else { continue };
        for serves in &spec.serves {
            let Some(table) = index.common_tables.get(&serves.common_table) else { continue };
            let table = &table.resource.spec;
            let full = table.table.under(&catalog());
            let same = |slice: &Slice| slice.table == full && slice.jurisdiction == spec.jurisdiction;
            if served.iter().chain(&slices).any(same) {
                continue;
            }
            let columns = columns(dataset, serves, table, "", &mut Findings::default());
            let protected = columns.iter().find(|column| column.class != ColumnClass::Public);
            let unit = protected.map(|column| spec.privacy_unit.clone().unwrap_or_else(|| column.name.clone()));
            slices.push(Slice {
                table: full,
                jurisdiction: spec.jurisdiction.clone(),
                dataset: name.clone(),
                custodian: spec.custodian.clone(),
                description: table.description.clone(),
                privacy_unit: unit,
                columns,
                policy: policies::rule(index, &name, dataset),
                one_row_per_unit: datasets::one_row_per_unit(spec),
                approximate_rows: None,
            });
        }
    }
    slices
}

/// Returns the dataset that serves each common table in each jurisdiction, with its position in `serves`: of several, the one
/// that was given first.
fn servers<'a>(index: &Index<'a>) -> BTreeMap<(&'a JurisdictionId, &'a ResourceName), (&'a str, usize)> {
    let mut servers = BTreeMap::new();
    for dataset in &index.datasets_as_given {
        let spec = &dataset.resource.spec;
        for (position, serves) in spec.serves.iter().enumerate() {
            servers.entry((&spec.jurisdiction, &serves.common_table)).or_insert((dataset.name(), position));
        }
    }
    servers
}

/// Returns the columns of a slice: `jurisdiction`, then those of the common table in its order.
fn columns(
    dataset: &Sourced<Dataset>,
    serves: &ServedTable,
    table: &CommonTableSpec,
    at: &str,
    findings: &mut Findings,
) -> Vec<ColumnSpec> {
    let mut mapped: BTreeMap<&SqlName, &ColumnMapping> = BTreeMap::new();
    for (position, mapping) in serves.mapping.iter().enumerate() {
        let path = format!("{at}.mapping[{position}]");
        let column = table.columns.iter().find(|c| c.name == mapping.column);
        match column {
            None => unknown_column(dataset, &path, mapping, serves, table, findings),
            Some(column) => {
                if mapped.insert(&mapping.column, mapping).is_some() {
                    let problem = format!("column {} is mapped twice", mapping.column);
                    findings.add(dataset, format!("{path}.column"), problem, "map it once");
                }
                check_expression(dataset, mapping, column, &path, findings);
                check_class(dataset, mapping, column, &path, findings);
            }
        }
    }
    let own = table.columns.iter().map(|column| {
        let mapping = mapped.get(&column.name);
        ColumnSpec {
            name: column.name.clone(),
            data_type: column.data_type.clone(),
            class: effective_class(column, mapping.copied()),
            unit: column.unit.clone(),
            description: column.description.clone(),
            expression: Some(mapping.map_or_else(|| "NULL".to_owned(), |m| m.expression.trim().to_owned())),
        }
    });
    std::iter::once(jurisdiction_column(&dataset.resource.spec.jurisdiction)).chain(own).collect()
}

/// Returns the stricter of the common table's class and the owner's.
fn effective_class(column: &CommonColumn, mapping: Option<&ColumnMapping>) -> ColumnClass {
    mapping.and_then(|m| m.class).map_or(column.class, |class| class.max(column.class))
}

fn jurisdiction_column(id: &JurisdictionId) -> ColumnSpec {
    ColumnSpec {
        name: JURISDICTION_COLUMN.parse().expect("the jurisdiction column is a well-formed name"),
        data_type: ColumnType::String,
        class: ColumnClass::Public,
        unit: None,
        description: "Whose rows these are.".to_owned(),
        // A jurisdiction id has no character that SQL would have to escape.
        expression: Some(format!("'{id}'")),
    }
}

fn unknown_column(
    dataset: &Sourced<Dataset>,
    path: &str,
    mapping: &ColumnMapping,
    serves: &ServedTable,
    table: &CommonTableSpec,
    findings: &mut Findings,
) {
    let path = format!("{path}.column");
    if mapping.column.as_str() == JURISDICTION_COLUMN {
        let problem = format!("the column {JURISDICTION_COLUMN} is filled in by itself");
        findings.add(dataset, path, problem, "leave it out");
        return;
    }
    let problem = format!("CommonTable {} has no column {}", serves.common_table, mapping.column);
    let names = table.columns.iter().map(|c| c.name.as_str());
    findings.add(dataset, path, problem, instead(mapping.column.as_str(), names));
}

/// Checks that a class that an owner writes is stricter than the common table's: otherwise it would have no effect.
fn check_class(
    dataset: &Sourced<Dataset>,
    mapping: &ColumnMapping,
    column: &CommonColumn,
    path: &str,
    findings: &mut Findings,
) {
    if let Some(class) = mapping.class.filter(|class| *class < column.class) {
        let problem = format!("{class} is less strict than {}, the class in the common table", column.class);
        findings.add(dataset, format!("{path}.class"), problem, "leave it out, or name a stricter one");
    }
}

/// Checks that the expression is SQL, reads only columns that may be read, and, if it is one column, fits in type and class.
fn check_expression(
    dataset: &Sourced<Dataset>,
    mapping: &ColumnMapping,
    column: &CommonColumn,
    path: &str,
    findings: &mut Findings,
) {
    let path = format!("{path}.expression");
    let spec = &dataset.resource.spec;
    let reads = match mapping::read(&mapping.expression) {
        Ok(reads) => reads,
        Err((problem, remedy)) => return findings.add(dataset, path, problem, remedy),
    };
    for name in &reads.columns {
        match spec.columns.iter().find(|c| c.name.as_str() == name) {
            None => {
                let names = spec.columns.iter().map(|c| c.name.as_str());
                findings.add(dataset, &path, format!("there is no column {name}"), instead(name, names));
            }
            Some(source) if source.class == ColumnClass::Sealed => {
                let remedy = "class it as something else if its values may be used";
                findings.add(dataset, &path, format!("column {name} is sealed"), remedy);
            }
            Some(_) => {}
        }
    }
    check_bare(dataset, mapping, column, &path, &reads, findings);
}

/// Checks that a column that is passed on as it is fits the common table's type and does not get a laxer class.
fn check_bare(
    dataset: &Sourced<Dataset>,
    mapping: &ColumnMapping,
    column: &CommonColumn,
    path: &str,
    reads: &Reads,
    findings: &mut Findings,
) {
    let name: Option<SqlName> = reads.bare.as_ref().and_then(|name| name.parse().ok());
    let Some(source) = name.and_then(|name| datasets::find(&dataset.resource.spec, &name)) else { return };
    if source.class == ColumnClass::Sealed {
        return;
    }
    if !types::fits(&source.data_type, &column.data_type) {
        let problem = format!("{} is {}, which does not fit {}", source.name, source.data_type, column.data_type);
        let remedy = "convert it in the expression, so that it is plain what becomes of values that do not fit";
        findings.add(dataset, path, problem, remedy);
    }
    let class = effective_class(column, Some(mapping));
    if source.class > class {
        let problem = format!("{} is {}, but would be {class} in the common table", source.name, source.class);
        let remedy = format!("add class: {} to the mapping, or derive something less from it", source.class);
        findings.add(dataset, path, problem, remedy);
    }
}

/// Checks that a slice is public exactly if its dataset is, so that no row of protected data leaves by another name, and every
/// protected column has a privacy unit.
fn check_classes(
    dataset: &Sourced<Dataset>,
    slice: &Slice,
    table: &CommonTableSpec,
    at: &str,
    findings: &mut Findings,
) {
    let spec: &DatasetSpec = &dataset.resource.spec;
    let public = policies::is_public(spec);
    if !public && slice.is_public() {
        let problem = "every column would be public, though the dataset is not";
        let remedy = "give at least one mapping a stricter class, or serve it from a public dataset";
        findings.add(dataset, at, problem, remedy);
    }
    if public && let Some(column) = slice.columns.iter().find(|c| c.class != ColumnClass::Public) {
        let problem = format!("column {} is {}, though the dataset is public", column.name, column.class);
        let remedy = "name the dataset's privacyUnit and class its columns, or serve a public common table";
        findings.add(dataset, at, problem, remedy);
    }
    if !public && table.replicated {
        let problem = "a replicated common table is public, but the dataset is not";
        let remedy = "copies of protected data have no place in it: serve only public datasets";
        findings.add(dataset, at, problem, remedy);
    }
}

/// Returns the properties of each common table that the planner needs, and notes what is wrong with each table by itself.
pub(super) fn infos(index: &Index<'_>, findings: &mut Findings) -> Vec<CommonTableInfo> {
    let mut infos: Vec<CommonTableInfo> = Vec::new();
    for table in index.common_tables.values() {
        check_table(table, findings);
        let spec = &table.resource.spec;
        infos.push(CommonTableInfo {
            table: spec.table.under(&catalog()),
            replicated: spec.replicated,
            colocation: spec.colocation.iter().map(colocation_key).collect(),
            disjoint_units: spec.disjoint_units,
        });
    }
    check_key_types(index, findings);
    infos.sort_by(|a, b| a.table.cmp(&b.table));
    infos
}

fn colocation_key(spec: &ColocationSpec) -> ColocationKey {
    ColocationKey { key: spec.key.clone(), column: spec.column.clone() }
}

fn check_table(table: &Sourced<CommonTable>, findings: &mut Findings) {
    let spec = &table.resource.spec;
    if spec.columns.is_empty() {
        findings.add(table, "spec.columns", "it has no column", "declare at least one");
    }
    datasets::check_domain(table, &spec.table, findings);
    let mut names = BTreeSet::new();
    for (position, column) in spec.columns.iter().enumerate() {
        let path = format!("spec.columns[{position}].name");
        if column.name.as_str() == JURISDICTION_COLUMN {
            let problem = format!("the column {JURISDICTION_COLUMN} is added by itself");
            findings.add(table, path, problem, "leave it out");
        } else if !names.insert(&column.name) {
            findings.add(table, path, format!("column {} is declared twice", column.name), "declare it once");
        }
        let mut codes = BTreeSet::new();
        for (number, code) in column.codes.iter().enumerate() {
            if !codes.insert(&code.code) {
                let path = format!("spec.columns[{position}].codes[{number}].code");
                findings.add(table, path, format!("code {:?} is listed twice", code.code), "list it once");
            }
        }
    }
    let mut keys = BTreeSet::new();
    for (position, key) in spec.colocation.iter().enumerate() {
        let at = format!("spec.colocation[{position}]");
        if !spec.columns.iter().any(|c| c.name == key.column) {
            let names = spec.columns.iter().map(|c| c.name.as_str());
            let problem = format!("there is no column {}", key.column);
            findings.add(table, format!("{at}.column"), problem, instead(key.column.as_str(), names));
        }
        if !keys.insert(&key.key) {
            findings.add(table, format!("{at}.key"), format!("key {} is named twice", key.key), "name it once");
        }
    }
}

/// Checks that the columns of a co-location key have one type, so that their values can be compared.
fn check_key_types(index: &Index<'_>, findings: &mut Findings) {
    let mut first: BTreeMap<&SqlName, (&ResourceName, &ColumnType)> = BTreeMap::new();
    for (name, table) in &index.common_tables {
        let spec = &table.resource.spec;
        for (position, key) in spec.colocation.iter().enumerate() {
            let Some(column) = spec.columns.iter().find(|c| c.name == key.column) else { continue };
            if matches!(column.data_type, ColumnType::List(_) | ColumnType::Float64) {
                let problem = format!("{} is {}, whose values are not to be matched", key.column, column.data_type);
                let path = format!("spec.colocation[{position}].column");
                findings.add(table, path, problem, "use a column of text, whole numbers, decimals or dates");
            }
            let (other, expected) = *first.entry(&key.key).or_insert((name, &column.data_type));
            if *expected != column.data_type {
                let problem =
                    format!("{} is {}, but key {} is {expected} in {other}", key.column, column.data_type, key.key);
                let path = format!("spec.colocation[{position}].column");
                findings.add(table, path, problem, "give the columns of a key one type");
            }
        }
    }
}
