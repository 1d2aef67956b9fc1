//! Fields that no kind has: an author is told of each one, and an operator reads the resource all the same.

use std::collections::BTreeSet;
use std::fmt::Debug;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wanqu_crds::kinds::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, FederatedQuery, Federation, Jurisdiction,
    PlacementGrant, ResearchProject, definitions,
};
use wanqu_crds::manifests;

/// A resource of each kind that has every group of fields.
fn resources() -> Vec<Value> {
    serde_saphyr::from_multiple(include_str!("whole/resources.yaml")).unwrap()
}

/// The paths of the groups of fields that a schema has.
fn groups_of(schema: &JSONSchemaProps, path: &str, groups: &mut BTreeSet<String>) {
    for (name, property) in schema.properties.iter().flatten() {
        groups.insert(path.to_owned());
        groups_of(property, &format!("{path}.{name}"), groups);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        groups_of(item, &format!("{path}[]"), groups);
    }
}

/// The same resource with a field more in each of these groups in turn, with the path of that field.
fn with_one_more(resource: &Value, groups: &BTreeSet<String>) -> Vec<(String, Value)> {
    groups
        .iter()
        .map(|group| {
            let path = format!("{group}.minUnit").replace("[]", "[0]");
            let pointer = format!("/{}", group.replace("[]", ".0").replace('.', "/"));
            let mut changed = resource.clone();
            let fields = changed.pointer_mut(&pointer).and_then(Value::as_object_mut);
            fields.unwrap_or_else(|| panic!("{} has no {group}", resource["kind"])).insert("minUnit".into(), json!(1));
            (path, changed)
        })
        .collect()
}

#[test]
fn an_author_is_told_of_every_field_that_there_is_not_and_an_operator_reads_on() {
    for resource in resources() {
        let kind = resource["kind"].as_str().unwrap();
        let definitions = definitions();
        let schema = definitions.iter().find(|d| d.kind() == kind).unwrap().schema().unwrap();
        manifests::parse(&resource.to_string(), "m.json").unwrap_or_else(|findings| panic!("{findings:#?}"));
        let mut groups = BTreeSet::new();
        for part in ["spec", "status"] {
            let properties = schema.properties.as_ref().unwrap();
            properties.get(part).into_iter().for_each(|schema| groups_of(schema, part, &mut groups));
        }
        // Nobody reports on a grant.
        let reported = kind != "PlacementGrant";
        assert!(groups.contains("spec") && groups.contains("status.conditions[]") == reported, "{groups:?}");
        for (path, changed) in with_one_more(&resource, &groups) {
            let text = serde_json::to_string_pretty(&changed).unwrap();
            let line = text.lines().position(|line| line.contains("\"minUnit\"")).unwrap() + 1;
            let findings = manifests::parse(&text, "m.json").expect_err(&path);
            let [finding] = &findings[..] else { panic!("{findings:#?}") };
            let head =
                format!("m.json:{line}: {kind} {} {path}: there is no such field; ", changed["metadata"]["name"]);
            let message = finding.to_string();
            assert!(message.starts_with(&head.replace('"', "")), "{message}");
            read(kind, &changed, &resource);
        }
    }
}

/// Reads a resource as the operator does, and finds what it says without the field.
fn read(kind: &str, changed: &Value, resource: &Value) {
    fn same<T: DeserializeOwned + PartialEq + Debug>(changed: &Value, resource: &Value) {
        let read = |value: &Value| T::deserialize(value).unwrap_or_else(|error| panic!("{error}: {value}"));
        assert_eq!(read(changed), read(resource));
    }
    match kind {
        "Federation" => same::<Federation>(changed, resource),
        "Jurisdiction" => same::<Jurisdiction>(changed, resource),
        "CommonTable" => same::<CommonTable>(changed, resource),
        "Dataset" => same::<Dataset>(changed, resource),
        "DisclosurePolicy" => same::<DisclosurePolicy>(changed, resource),
        "DataSharingAgreement" => same::<DataSharingAgreement>(changed, resource),
        "ResearchProject" => same::<ResearchProject>(changed, resource),
        "FederatedQuery" => same::<FederatedQuery>(changed, resource),
        "PlacementGrant" => same::<PlacementGrant>(changed, resource),
        other => panic!("{other} is read by nobody"),
    }
}

#[test]
fn the_whole_example_has_a_resource_of_each_kind() {
    let kinds: BTreeSet<String> = resources().iter().map(|r| r["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, definitions().iter().map(|d| d.kind().to_owned()).collect());
}

#[test]
fn a_field_of_metadata_that_there_is_not_is_a_finding_too() {
    let text = "apiVersion: wanqu.dev/v1alpha1\nkind: Federation\nmetadata:\n  name: gba\n  label: {a: b}\nspec: {trustDomain: gba.example, members: [HK]}\n";
    let findings = manifests::parse(text, "m.yaml").unwrap_err();
    assert_eq!(
        findings[0].to_string(),
        "m.yaml:5: Federation gba metadata.label: there is no such field; did you mean labels?"
    );
}
