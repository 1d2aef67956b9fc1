//! Reading of manifests: resources as files of YAML or JSON.
//!
//! [`parse`] is pure; [`read_dir`] and [`read`] put thin I/O around it. Nothing in a file makes them panic or use much
//! memory: the parser has a budget for nodes, depth and aliases, and a file has a greatest size.

mod node;
mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::finding::{Finding, instead};
use crate::kinds::{Definition, GROUP, VERSION, definitions};
use crate::resources::Resources;
use crate::sourced::{Origin, Sourced, line_of};
use node::Node;
use schema::Checker;

/// Greatest size of a manifest file, in bytes.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Reads one text of YAML documents (or of JSON). Findings name it `source_name`.
///
/// # Errors
/// Every problem of syntax, kind and field that could be found.
///
/// ```
/// let resources = wanqu_crds::manifests::parse(
///     "apiVersion: wanqu.dev/v1alpha1
/// kind: Federation
/// metadata: {name: gba}
/// spec: {trustDomain: gba.example, members: [CN-SZ, HK, MO]}
/// ",
///     "federation.yaml",
/// )
/// .unwrap();
/// assert_eq!(resources.federations[0].name(), "gba");
///
/// let findings = wanqu_crds::manifests::parse("kind: Fedration\napiVersion: wanqu.dev/v1alpha1", "f.yaml").unwrap_err();
/// assert!(findings[0].to_string().starts_with("f.yaml:1: Fedration"));
/// ```
pub fn parse(text: &str, source_name: &str) -> Result<Resources, Vec<Finding>> {
    let mut reader = Reader::new(source_name);
    match serde_saphyr::from_multiple_with_options::<Node>(text, options()) {
        Ok(documents) => documents.into_iter().for_each(|document| reader.document(document)),
        Err(error) => {
            let line = error.location().map_or(1, |location| location.line().max(1));
            reader.findings.push(Finding {
                origin: Some(Origin { file: source_name.to_owned(), line }),
                kind: String::new(),
                name: String::new(),
                path: String::new(),
                problem: format!("not valid YAML: {}", first_line(&error.without_snippet().to_string())),
                remedy: String::new(),
            });
        }
    }
    reader.findings.sort();
    if reader.findings.is_empty() { Ok(reader.resources) } else { Err(reader.findings) }
}

/// Reads every `.yaml`, `.yml` and `.json` file that lies directly in a folder, in the order of their names.
///
/// # Errors
/// Every problem of every file; a folder without manifests is one.
pub fn read_dir(folder: &Path) -> Result<Resources, Vec<Finding>> {
    let entries = fs::read_dir(folder).map_err(|error| vec![io_finding(folder, &error)])?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json"))
        .collect();
    files.sort();
    if files.is_empty() {
        let problem = "there is no manifest in this folder";
        return Err(vec![file_finding(folder, problem, "put the resources there as .yaml, .yml or .json files")]);
    }
    read(&files)
}

/// Reads files, and folders as [`read_dir`] does.
///
/// # Errors
/// Every problem of every file.
pub fn read(paths: &[PathBuf]) -> Result<Resources, Vec<Finding>> {
    let mut resources = Resources::default();
    let mut findings = Vec::new();
    for path in paths {
        match if path.is_dir() { read_dir(path) } else { read_file(path) } {
            Ok(read) => resources.extend(read),
            Err(found) => findings.extend(found),
        }
    }
    if findings.is_empty() { Ok(resources) } else { Err(findings) }
}

fn read_file(path: &Path) -> Result<Resources, Vec<Finding>> {
    let text = wanqu_file::read_text(path, MAX_FILE_BYTES).map_err(|error| vec![io_finding(path, &error)])?;
    parse(&text, &path.display().to_string())
}

fn io_finding(path: &Path, error: &std::io::Error) -> Finding {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    let remedy = if error.kind() == std::io::ErrorKind::FileTooLarge { "split it into several files" } else { "" };
    file_finding(path, &format!("cannot be read: {why}"), remedy)
}

fn file_finding(path: &Path, problem: &str, remedy: &str) -> Finding {
    Finding {
        origin: None,
        kind: String::new(),
        name: path.display().to_string(),
        path: String::new(),
        problem: problem.to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// Returns limits that no honest manifest reaches: an alias bomb or endless nesting is a finding like any other.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 20_000,
            max_nodes: 2_000_000,
            max_events: 5_000_000,
            max_depth: 32,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 100_000,
        },
        // `NO` is a country, not a negation.
        strict_booleans: true,
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Definitions of all kinds, whose schemas documents are checked against.
static KINDS: LazyLock<Vec<Definition>> = LazyLock::new(definitions);

/// Reader that sorts documents into kinds.
struct Reader<'a> {
    file: &'a str,
    checker: Checker,
    resources: Resources,
    findings: Vec<Finding>,
}

/// Document that has not become a resource yet.
struct Document {
    kind: String,
    name: String,
    value: Value,
    lines: BTreeMap<String, u64>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, checker: Checker::default(), resources: Resources::default(), findings: Vec::new() }
    }

    fn document(&mut self, node: Node) {
        let (value, lines) = node.into_value();
        let text = |pointer| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        let document = Document { kind, name, value, lines };
        let expected = format!("{GROUP}/{VERSION}");
        if version != expected {
            let problem = match version.as_str() {
                "" => "it is missing".to_owned(),
                other => format!("{other:?} is not known here"),
            };
            return self.find(&document, "apiVersion", problem, format!("use {expected}"));
        }
        let Some(definition) = KINDS.iter().find(|definition| definition.kind() == document.kind) else {
            let remedy = instead(&document.kind, KINDS.iter().map(Definition::kind));
            return self.find(&document, "kind", "this kind is not known".to_owned(), remedy);
        };
        let faults = definition.schema().map(|schema| self.checker.check(schema, &document.value)).unwrap_or_default();
        if faults.is_empty() {
            return self.sort(&document);
        }
        for fault in faults {
            self.find(&document, &fault.path, fault.problem, fault.remedy);
        }
    }

    fn sort(&mut self, document: &Document) {
        let r = &mut self.resources;
        let result = match document.kind.as_str() {
            "Federation" => take(&mut r.federations, document, self.file),
            "Jurisdiction" => take(&mut r.jurisdictions, document, self.file),
            "Dataset" => take(&mut r.datasets, document, self.file),
            "CommonTable" => take(&mut r.common_tables, document, self.file),
            "DisclosurePolicy" => take(&mut r.policies, document, self.file),
            "DataSharingAgreement" => take(&mut r.agreements, document, self.file),
            "ResearchProject" => take(&mut r.projects, document, self.file),
            "FederatedQuery" => take(&mut r.queries, document, self.file),
            "PlacementGrant" => take(&mut r.grants, document, self.file),
            _ => Err("this kind is not known".to_owned()),
        };
        if let Err(problem) = result {
            self.find(document, "", problem, String::new());
        }
    }

    fn find(&mut self, document: &Document, path: &str, problem: String, remedy: String) {
        self.findings.push(Finding {
            origin: line_of(&document.lines, path).map(|line| Origin { file: self.file.to_owned(), line }),
            kind: document.kind.clone(),
            name: document.name.clone(),
            path: path.to_owned(),
            problem,
            remedy,
        });
    }
}

/// Adds a document that keeps the schema of its kind to the resources.
fn take<T: DeserializeOwned>(into: &mut Vec<Sourced<T>>, document: &Document, file: &str) -> Result<(), String> {
    let resource = T::deserialize(&document.value).map_err(|error| error.to_string())?;
    into.push(Sourced { resource, file: file.to_owned(), lines: document.lines.clone() });
    Ok(())
}
