//! The custom resource definitions: committed as they are generated, and with rules that mean what they say.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray};
use wanqu_crds::kinds::{Definition, definitions};
use wanqu_crds::{Placements, compile, manifests};

#[test]
fn the_committed_files_are_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    let mut expected = BTreeSet::new();
    for definition in definitions() {
        let path = folder.join(definition.file_name());
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == definition.to_yaml(), "{}: run `cargo run -p wanqu-crds --bin crdgen`", path.display());
        expected.insert(path);
    }
    let there: BTreeSet<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(there, expected, "no file is left over from a kind that is gone");
}

/// Calls `visit` with every schema below this one, the path to it, and itself.
fn walk(schema: &JSONSchemaProps, path: &str, visit: &mut impl FnMut(&str, &JSONSchemaProps)) {
    visit(path, schema);
    for (name, property) in schema.properties.iter().flatten() {
        walk(property, &format!("{path}.{name}"), visit);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        walk(item, &format!("{path}[]"), visit);
    }
}

/// Every rule of every kind: where it is, the rule, its message, and the schema that it stands in.
fn rules() -> Vec<(String, String, String, JSONSchemaProps)> {
    let mut rules = Vec::new();
    for definition in definitions() {
        walk(definition.schema().unwrap(), definition.kind(), &mut |path, schema| {
            for rule in schema.x_kubernetes_validations.iter().flatten() {
                let message = rule.message.clone().unwrap_or_default();
                rules.push((path.to_owned(), rule.rule.clone(), message, schema.clone()));
            }
        });
    }
    rules
}

/// The identifiers that follow a dot after `self` or after a variable of a macro: the fields that a rule reads.
fn fields(rule: &str) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    // Every second piece stands between quotes.
    let rule: String = rule.split('\'').step_by(2).collect();
    for part in rule.split('.').skip(1) {
        let name: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if !part[name.len()..].starts_with('(') {
            fields.insert(name);
        }
    }
    fields
}

#[test]
fn every_rule_reads_fields_that_exist_and_says_what_is_wrong() {
    // CEL's own words; the API server wants a field of such a name written `__name__`.
    const RESERVED: [&str; 18] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
    ];
    for (path, rule, message, schema) in rules() {
        assert!(!message.is_empty() && !message.contains('\n'), "{path}: {rule} has no message of one line");
        let open = rule.matches(['(', '[']).count();
        assert_eq!(open, rule.matches([')', ']']).count(), "{path}: {rule} does not close what it opens");
        let mut known = BTreeSet::new();
        walk(&schema, "", &mut |_, below| {
            known.extend(
                below.properties.iter().flatten().map(|(name, _)| {
                    if RESERVED.contains(&name.as_str()) { format!("__{name}__") } else { name.clone() }
                }),
            );
        });
        let unknown: Vec<_> = fields(&rule).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{path}: {rule} reads {unknown:?}");
    }
}

#[test]
fn the_schemas_are_structural_and_bounded() {
    for definition in definitions() {
        walk(definition.schema().unwrap(), definition.kind(), &mut |path, schema| {
            let root_status = path.contains(".status");
            assert!(schema.type_.is_some(), "{path} has no type");
            assert!(schema.one_of.is_none() && schema.any_of.is_none(), "{path} has alternatives");
            let described = schema.description.as_deref().is_some_and(|d| !d.is_empty());
            assert!(described || path.ends_with("[]"), "{path} says nothing to `kubectl explain`");
            if schema.type_.as_deref() == Some("array") && !root_status {
                assert!(schema.max_items.is_some(), "{path} has no greatest length: rules over it would cost too much");
            }
        });
    }
}

#[test]
fn every_kind_is_found_by_its_short_name_and_category() {
    let mut short = BTreeSet::new();
    for definition in definitions() {
        let spec = &definition.resource().spec;
        assert_eq!((spec.group.as_str(), spec.scope.as_str()), ("wanqu.dev", "Namespaced"));
        assert_eq!(spec.names.categories.as_deref(), Some(&["wanqu".to_owned()][..]));
        for name in spec.names.short_names.iter().flatten() {
            assert!(short.insert(name.clone()), "{name} is the short name of two kinds");
        }
        let version = &spec.versions[0];
        assert!(
            version.subresources.as_ref().is_some_and(|s| s.status.is_some()),
            "{} has a status",
            definition.kind()
        );
        let columns = version.additional_printer_columns.iter().flatten().map(|c| c.name.as_str());
        assert!(columns.clone().any(|c| c == "Ready") && columns.clone().any(|c| c == "Age"), "{}", definition.kind());
    }
    assert_eq!(short.len(), definitions().iter().map(Definition::kind).collect::<BTreeSet<_>>().len());
}

/// For each rule, by its message, a change to a federation in order that the API server must not take. The compiler refuses
/// the same, so that a laptop and a cluster agree; a rule about what may change has nothing to compare with here.
const REJECTED: &[(&str, &str, &str)] = &[
    (
        "at most one of namespace, kubeconfigSecret and external",
        "placement:\n    external:",
        "placement:\n    namespace: x\n    external:",
    ),
    ("gba and whole are catalogs of the common tables", "sqlName: macau", "sqlName: gba"),
    ("ca holds PEM certificates", "-----BEGIN CERTIFICATE-----", "-----BEGIN GARBAGE-----"),
    (
        "a public key is PEM, beginning with -----BEGIN PUBLIC KEY-----",
        "audience: wanqu}",
        "audience: wanqu, publicKeys: [KEY]}",
    ),
    (
        "a dataset with a column that is not public names its privacyUnit",
        "  privacyUnit: resident_id\n  maxRowsPerUnit: 200\n",
        "",
    ),
    (
        "privacyUnit is one of the columns, of class identifier; a public dataset needs none",
        "privacyUnit: resident_id",
        "privacyUnit: sex",
    ),
    ("maxRowsPerUnit speaks of a privacyUnit", "badRecords: skip}}", "badRecords: skip}}\n  maxRowsPerUnit: 1"),
    ("path is relative to the dataRoot and stays below it", "path: visits,", "path: ../visits,"),
    ("the column jurisdiction is filled in by itself", "{column: visited_on,", "{column: jurisdiction,"),
    ("the column jurisdiction is added by itself", "{name: beds, type: int64", "{name: jurisdiction, type: int64"),
    ("a co-location key names a column of this table", "column: code}]", "column: cod}]"),
    ("an agreement joins two different jurisdictions", "to: CN-SZ\n", "to: MO\n"),
    ("expires comes after notBefore", "expires: 2027", "expires: 2021"),
    (
        "an agreement covers at least one of datasets, commonTables and domains",
        "  commonTables: [health-visits]\n  domains: [saude]\n",
        "",
    ),
    ("only the two ends agree", "agreedBy: [MO, CN-SZ]", "agreedBy: [MO, CN-SZ, HK]"),
    ("an agreement is Agreed or Active only when both ends are in agreedBy", "agreedBy: [MO, CN-SZ]", "agreedBy: [MO]"),
];

#[test]
fn what_the_api_server_refuses_by_a_rule_the_compiler_refuses_too() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good");
    let files = ["federation.yaml", "tables.yaml", "shenzhen.yaml", "macau.json", "rules.yaml"];
    let good = files.map(|file| std::fs::read_to_string(folder.join(file)).unwrap()).join("---\n");
    for (message, old, new) in REJECTED {
        assert_eq!(good.matches(old).count(), 1, "{old:?}");
        let bad = good.replace(old, new);
        let compiled = manifests::parse(&bad, "").and_then(|r| compile(&r, &Placements::default()));
        assert!(compiled.is_err(), "{message}: {new:?} compiles");
    }
    let tested: BTreeSet<&str> = REJECTED.iter().map(|(message, ..)| *message).collect();
    let rules = rules();
    let there: BTreeSet<&str> = rules
        .iter()
        .filter(|(_, rule, ..)| !rule.contains("oldSelf"))
        .map(|(_, _, message, _)| message.as_str())
        .collect();
    assert_eq!(tested, there, "each rule has its example");
}
