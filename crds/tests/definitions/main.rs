//! The custom resource definitions: committed as they are generated, and with rules that mean what they say.

mod api_server;
mod rules;

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use rules::{rules, walk};
use wanqu_crds::generated::{CHART, DEFINITIONS, files};
use wanqu_crds::kinds::{Definition, definitions};
use wanqu_crds::{Placements, compile, manifests};

#[test]
fn the_committed_files_are_what_the_types_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut expected = BTreeSet::new();
    for (path, content) in files() {
        let path = root.join(path);
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == content, "{}: run `cargo run -p wanqu-crds --bin crdgen`", path.display());
        expected.insert(path);
    }
    for folder in [DEFINITIONS, CHART] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            assert!(expected.contains(&path), "{} is left over from a kind that is gone", path.display());
        }
    }
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
        // The operator only reads a grant: what is lacking of one, the Jurisdiction that needs it says.
        let reported = definition.kind() != "PlacementGrant";
        assert_eq!(
            version.subresources.as_ref().is_some_and(|s| s.status.is_some()),
            reported,
            "{} has a status",
            definition.kind()
        );
        let columns = version.additional_printer_columns.iter().flatten().map(|c| c.name.as_str());
        assert_eq!(columns.clone().any(|c| c == "Ready"), reported, "{}", definition.kind());
        assert!(columns.clone().any(|c| c == "Age"), "{}", definition.kind());
    }
    assert_eq!(short.len(), definitions().iter().map(Definition::kind).collect::<BTreeSet<_>>().len());
}

#[test]
fn the_compiler_refuses_what_a_rule_of_the_definitions_refuses() {
    let compiles = |text: &str| manifests::parse(text, "").and_then(|r| compile(&r, &Placements::default()));
    for rule in rules::OF_OBJECTS {
        let accepted = compiles(&rule.accepted());
        assert!(accepted.is_ok(), "{}: {accepted:?}", rule.message);
        assert!(compiles(&rule.rejected()).is_err(), "{}: {:?} compiles", rule.message, rule.bad);
    }
}

#[test]
fn each_rule_has_its_examples() {
    let (changes, objects): (Vec<_>, Vec<_>) = rules().into_iter().partition(|rule| rule.1.contains("oldSelf"));
    let there = |rules: &[(String, String, String, JSONSchemaProps)]| -> BTreeSet<String> {
        rules.iter().map(|(_, _, message, _)| message.clone()).collect()
    };
    let tested = rules::OF_OBJECTS.iter().map(|example| example.message.to_owned()).collect();
    assert_eq!(there(&objects), tested);
    let tested = rules::OF_CHANGES.iter().map(|example| example.message.to_owned()).collect();
    assert_eq!(there(&changes), tested);
    let examples = rules::OF_OBJECTS.len() + rules::OF_CHANGES.len();
    assert_eq!(objects.len() + changes.len(), examples, "no two rules share a message, or one would go untested");
}
