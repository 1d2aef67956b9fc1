//! Datasets: their slices under their own names, and their sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wanqu_model::bundle::{ColumnSpec, Slice, SourceColumn, SourceSpec, ValueSyntax};
use wanqu_model::columns::{ColumnClass, ColumnType};
use wanqu_model::names::{JurisdictionId, SqlName};

use super::index::{Index, unknown};
use super::{files, policies};
use crate::finding::Findings;
use crate::kinds::{Dataset, DatasetColumn, DatasetSpec, LocalTable};
use crate::placements::Placements;
use crate::sourced::Sourced;

/// Returns the slice of each dataset under its own name, and notes what is wrong with each dataset by itself.
pub(super) fn slices(index: &Index<'_>, findings: &mut Findings) -> Vec<Slice> {
    let mut slices = Vec::new();
    for (name, dataset) in &index.datasets {
        check(index, dataset, findings);
        policies::check_ledger(index, name, dataset, findings);
        let spec = &dataset.resource.spec;
        let Some(catalog) = index.catalog(&spec.jurisdiction) else { continue };
        slices.push(Slice {
            table: spec.table.under(catalog),
            jurisdiction: spec.jurisdiction.clone(),
            dataset: name.clone(),
            custodian: spec.custodian.clone(),
            description: spec.description.clone(),
            columns: spec.columns.iter().map(column).collect(),
            privacy_unit: spec.privacy_unit.clone(),
            policy: policies::rule(index, name, dataset),
            approximate_rows: approximate_rows(spec),
            one_row_per_unit: one_row_per_unit(spec),
        });
    }
    slices
}

/// Returns the declared number of rows of a dataset, if the dataset is public.
pub(super) fn approximate_rows(spec: &DatasetSpec) -> Option<u64> {
    spec.approximate_rows.filter(|_| policies::is_public(spec))
}

/// Returns true if the dataset declares that no privacy unit has more than one row. Only this is told to other members: a greater
/// number would be a statistic.
pub(super) fn one_row_per_unit(spec: &DatasetSpec) -> bool {
    spec.max_rows_per_unit == Some(1)
}

fn column(column: &DatasetColumn) -> ColumnSpec {
    ColumnSpec {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        class: column.class,
        unit: column.unit.clone(),
        description: column.description.clone(),
        expression: None,
    }
}

fn check(index: &Index<'_>, dataset: &Sourced<Dataset>, findings: &mut Findings) {
    let spec = &dataset.resource.spec;
    if spec.custodian.trim().is_empty() {
        findings.add(
            dataset,
            "spec.custodian",
            "it has no custodian",
            "name the department or body that answers for it",
        );
    }
    if spec.columns.is_empty() {
        findings.add(dataset, "spec.columns", "it has no column", "declare at least one");
    }
    let mut names = BTreeSet::new();
    let mut source_names = BTreeMap::new();
    for (position, column) in spec.columns.iter().enumerate() {
        if !names.insert(&column.name) {
            let path = format!("spec.columns[{position}].name");
            findings.add(dataset, path, format!("column {} is declared twice", column.name), "declare it once");
        } else if let Some(first) = source_names.insert(source_name(spec, position), &column.name) {
            let problem = format!("column {first} is read from {:?} already", source_name(spec, position));
            let remedy = "read each column from its own, and derive others in a mapping";
            findings.add(dataset, format!("spec.columns[{position}].sourceName"), problem, remedy);
        }
    }
    if spec.approximate_rows.is_some() && !policies::is_public(spec) {
        let problem = "it would be told to every member, and not every column is public";
        findings.add(dataset, "spec.approximateRows", problem, "leave it out: a number of records is a statistic too");
    }
    check_domain(dataset, &spec.table, findings);
    check_privacy_unit(dataset, findings);
    files::check(dataset, findings);
    for (position, policy) in spec.policies.iter().enumerate() {
        if !index.policies.contains_key(policy) {
            let path = format!("spec.policies[{position}]");
            unknown(dataset, &path, "DisclosurePolicy", policy, &index.policies, findings);
        }
    }
}

/// Checks that a table is not in `information_schema`, the engine's own domain in every catalog.
pub(super) fn check_domain<T: kube::Resource<DynamicType = ()>>(
    at: &Sourced<T>,
    table: &LocalTable,
    findings: &mut Findings,
) {
    if table.domain.as_str() == "information_schema" {
        let problem = "the domain information_schema belongs to the engine";
        findings.add(at, "spec.table", problem, "choose another domain");
    }
}

/// Checks that non-public data names an identifier column as its privacy unit, and that public data names none.
fn check_privacy_unit(dataset: &Sourced<Dataset>, findings: &mut Findings) {
    const PATH: &str = "spec.privacyUnit";
    let spec = &dataset.resource.spec;
    let Some(unit) = &spec.privacy_unit else {
        if let Some(column) = spec.columns.iter().find(|c| c.class != ColumnClass::Public) {
            let problem = format!("it names no privacy unit, though column {} is {}", column.name, column.class);
            findings.add(dataset, PATH, problem, "name the identifier column of the person, household or firm");
        }
        if spec.max_rows_per_unit.is_some() {
            let remedy = "leave it out, or name a privacyUnit";
            findings.add(dataset, "spec.maxRowsPerUnit", "there is no privacyUnit that it could apply to", remedy);
        }
        return;
    };
    if !spec.columns.is_empty() && policies::is_public(spec) {
        let problem = "every column is public, so there is nobody to protect";
        findings.add(dataset, PATH, problem, "leave privacyUnit out, or class the columns that are not public");
        return;
    }
    if let Some(position) = spec.columns.iter().position(|c| c.name == *unit && c.optional) {
        let problem = format!("column {unit} is the privacy unit, and a record without it would be nobody's");
        let remedy = "leave optional out, and keep files without the column out of the folder";
        findings.add(dataset, format!("spec.columns[{position}].optional"), problem, remedy);
    }
    match spec.columns.iter().find(|c| c.name == *unit) {
        Some(column) if column.class == ColumnClass::Identifier => {
            if !matches!(column.data_type, ColumnType::String | ColumnType::Int32 | ColumnType::Int64) {
                let problem = format!("column {unit} is {}", column.data_type);
                findings.add(dataset, PATH, problem, "tell people apart by text or whole numbers");
            }
        }
        Some(column) => {
            let problem = format!("column {unit} is {}", column.class);
            findings.add(dataset, PATH, problem, "class the privacy unit as identifier");
        }
        None => {
            let problem = format!("there is no column {unit}");
            findings.add(dataset, PATH, problem, "declare it among the columns, as an identifier");
        }
    }
}

/// Returns the name in the source of the column at a position: the declared one, or else its name in SQL or its place.
fn source_name(spec: &DatasetSpec, position: usize) -> String {
    let column = &spec.columns[position];
    match &column.source_name {
        Some(name) => name.clone(),
        None if spec.source.files.by_place() => (position + 1).to_string(),
        None => column.name.to_string(),
    }
}

/// Returns the sources of each jurisdiction's datasets.
pub(super) fn sources(index: &Index<'_>, placements: &Placements) -> BTreeMap<JurisdictionId, Vec<SourceSpec>> {
    let mut sources: BTreeMap<JurisdictionId, Vec<SourceSpec>> = BTreeMap::new();
    for dataset in index.datasets.values() {
        let spec = &dataset.resource.spec;
        let Some(catalog) = index.catalog(&spec.jurisdiction) else { continue };
        sources.entry(spec.jurisdiction.clone()).or_default().push(SourceSpec {
            table: spec.table.under(catalog),
            kind: files::source(&spec.source.files, root(index, placements, &spec.jurisdiction)),
            columns: source_columns(spec),
            max_rows_per_unit: spec.max_rows_per_unit,
        });
    }
    for list in sources.values_mut() {
        list.sort_by(|a, b| a.table.cmp(&b.table));
    }
    sources
}

/// Returns the folder of a jurisdiction's files: the placement's, or else the manifest's, relative to the base; or else the base
/// itself. `None` if none of them is given: where a program happens to run says nothing of where data lies.
fn root(index: &Index<'_>, placements: &Placements, id: &JurisdictionId) -> Option<String> {
    if let Some(root) = placements.members.get(id).and_then(|p| p.data_root.clone()) {
        return Some(root);
    }
    let declared = index.jurisdictions.get(id).and_then(|j| j.resource.spec.data_root.as_deref()).map(Path::new);
    let root = match (placements.base.as_deref().map(Path::new), declared) {
        (Some(base), declared) => declared.map_or_else(|| base.to_path_buf(), |root| base.join(root)),
        (None, declared) => declared.filter(|root| root.is_absolute())?.to_path_buf(),
    };
    Some(root.to_string_lossy().into_owned())
}

/// Returns the columns that the owner's engine may read: all that are declared but sealed ones, which are not even loaded. The
/// privacy unit is among them, since it must be an identifier.
fn source_columns(spec: &DatasetSpec) -> Vec<SourceColumn> {
    let readable = spec.columns.iter().enumerate().filter(|(_, c)| c.class != ColumnClass::Sealed);
    readable
        .map(|(position, c)| SourceColumn {
            name: c.name.clone(),
            source_name: source_name(spec, position),
            data_type: c.data_type.clone(),
            optional: c.optional,
            // As for the source: a declaration that says nothing is not written.
            values: c.values.clone().filter(|values| *values != ValueSyntax::default()),
        })
        .collect()
}

/// Returns a dataset's column by name.
pub(super) fn find<'a>(spec: &'a DatasetSpec, name: &SqlName) -> Option<&'a DatasetColumn> {
    spec.columns.iter().find(|c| c.name == *name)
}
