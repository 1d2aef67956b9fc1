//! Sources that are files: their paths, and what is declared of their text.

use std::path::{Component, Path};

use wanqu_model::bundle::{
    CsvSyntax, DecimalSeparator, FilesSpec, GroupSeparator, Mark, SourceFormat, SourceKind, TextSpec, ValueSyntax,
};
use wanqu_model::columns::ColumnType;

use crate::finding::Findings;
use crate::kinds::{Dataset, FilesSource};
use crate::sourced::Sourced;

/// Returns the source of files below a root, if there is one.
pub(super) fn source(files: &FilesSource, root: Option<String>) -> SourceKind {
    let FilesSource { path, format, bad_records, encoding, compression, csv, values } = files.clone();
    // A declaration that says nothing is not written, so that nodes read the bundle that know of none.
    let csv = csv.filter(|csv| *csv != CsvSyntax::default());
    let values = values.filter(|values| *values != ValueSyntax::default());
    let text = TextSpec { encoding, compression, csv, values };
    SourceKind::Files(FilesSpec { root, path, format, bad_records, text })
}

/// Checks the source of a dataset.
pub(super) fn check(dataset: &Sourced<Dataset>, findings: &mut Findings) {
    check_path(dataset, findings);
    check_format(dataset, findings);
    check_marks(dataset, findings);
    check_values(dataset, findings);
    check_places(dataset, findings);
}

fn check_path(dataset: &Sourced<Dataset>, findings: &mut Findings) {
    let path = &dataset.resource.spec.source.files.path;
    let inside = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    if path.is_empty() || !Path::new(path).components().all(inside) {
        let problem = format!("{path:?} leads out of the dataRoot");
        findings.add(dataset, "spec.source.files.path", problem, "use a relative path without '..'");
    }
}

/// Checks that what is declared applies to the format.
fn check_format(dataset: &Sourced<Dataset>, findings: &mut Findings) {
    let files = &dataset.resource.spec.source.files;
    if files.csv.is_some() && files.format != SourceFormat::Csv {
        let problem = "it describes CSV, and the format is another";
        findings.add(dataset, "spec.source.files.csv", problem, "leave it out, or write format: csv");
    }
    if files.format != SourceFormat::Parquet {
        return;
    }
    let declared = [
        ("encoding", files.encoding.is_some()),
        ("compression", files.compression.is_some()),
        ("values", files.values.is_some()),
    ];
    for (field, _) in declared.into_iter().filter(|(_, is_there)| *is_there) {
        let problem = "it describes text, and a Parquet file says this itself";
        findings.add(dataset, format!("spec.source.files.{field}"), problem, "leave it out");
    }
}

/// Checks that the characters that mean something in CSV are different ones.
fn check_marks(dataset: &Sourced<Dataset>, findings: &mut Findings) {
    let Some(csv) = &dataset.resource.spec.source.files.csv else { return };
    let (escape, comment) = (csv.escape.map(Mark::byte), csv.comment.map(Mark::byte));
    let (separator, quote) = (csv.separator(), csv.quote());
    let same = [
        ("quote", "separator", separator == quote),
        ("escape", "separator", escape == Some(separator)),
        ("comment", "separator", comment == Some(separator)),
        ("comment", "quote", comment == Some(quote)),
    ];
    for (field, other, _) in same.into_iter().filter(|(_, _, same)| *same) {
        let problem = format!("it is the {other} too");
        findings.add(dataset, format!("spec.source.files.csv.{field}"), problem, "choose another character");
    }
}

/// Checks how values are written: in the whole source, and in single columns.
fn check_values(dataset: &Sourced<Dataset>, findings: &mut Findings) {
    let spec = &dataset.resource.spec;
    let general = spec.source.files.values.clone().unwrap_or_default();
    check_syntax(dataset, "spec.source.files.values", &general, &general, findings);
    for (position, column) in spec.columns.iter().enumerate() {
        let Some(values) = &column.values else { continue };
        let path = format!("spec.columns[{position}].values");
        if spec.source.files.format == SourceFormat::Parquet {
            let problem = "it describes text, and a Parquet file says this itself";
            findings.add(dataset, path, problem, "leave it out");
            continue;
        }
        check_syntax(dataset, &path, values, &values.over(&general), findings);
        let data_type = element(&column.data_type);
        let numeric =
            !matches!(data_type, ColumnType::Boolean | ColumnType::String | ColumnType::Date | ColumnType::Timestamp);
        let applies = [
            ("dates", !values.dates.is_empty(), *data_type == ColumnType::Date),
            ("timestamps", !values.timestamps.is_empty(), *data_type == ColumnType::Timestamp),
            ("decimalSeparator", values.decimal_separator.is_some(), numeric),
            ("groupSeparator", values.group_separator.is_some(), numeric),
        ];
        for (field, ..) in applies.into_iter().filter(|(_, is_there, applies)| *is_there && !applies) {
            let problem = format!("it does not apply to column {}, which is {}", column.name, column.data_type);
            findings.add(
                dataset,
                format!("{path}.{field}"),
                problem,
                "leave it out, or declare the type that is meant",
            );
        }
    }
}

/// Returns the type of the values of a column: of lists, that of their elements.
fn element(data_type: &ColumnType) -> &ColumnType {
    match data_type {
        ColumnType::List(of) => element(of),
        other => other,
    }
}

/// Checks that patterns and separators of values can be told apart. `values` stands at `path`; `whole` is what holds with it.
fn check_syntax(
    dataset: &Sourced<Dataset>,
    path: &str,
    values: &ValueSyntax,
    whole: &ValueSyntax,
    findings: &mut Findings,
) {
    let decimal = whole.decimal_separator.unwrap_or(DecimalSeparator::Point);
    let same = matches!(
        (decimal, whole.group_separator),
        (DecimalSeparator::Point, Some(GroupSeparator::Point)) | (DecimalSeparator::Comma, Some(GroupSeparator::Comma))
    );
    if same {
        let problem = "it is the decimalSeparator too";
        let remedy = "declare both: decimalSeparator \",\" and groupSeparator \".\", or the other way round";
        findings.add(dataset, format!("{path}.groupSeparator"), problem, remedy);
    }
    for (position, pattern) in values.dates.iter().enumerate().filter(|(_, pattern)| pattern.has_time()) {
        let problem = format!("{pattern} has a time, which a date does not");
        let remedy = "leave the time out, or declare the pattern under timestamps and the column as a timestamp";
        findings.add(dataset, format!("{path}.dates[{position}]"), problem, remedy);
    }
}

/// Checks that columns of files without names are found by numbers.
fn check_places(dataset: &Sourced<Dataset>, findings: &mut Findings) {
    let spec = &dataset.resource.spec;
    for (position, column) in spec.columns.iter().enumerate().filter(|_| spec.source.files.by_place()) {
        let is_place = |name: &String| name.parse::<u16>().is_ok_and(|place| place > 0 && place.to_string() == *name);
        if let Some(name) = column.source_name.as_ref().filter(|name| !is_place(name)) {
            let problem =
                format!("{name:?} is no place in a record, and csv.header is false, so that there are no names");
            let remedy = "write the place of the column in a record, from \"1\"; or leave it out";
            findings.add(dataset, format!("spec.columns[{position}].sourceName"), problem, remedy);
        }
    }
}
