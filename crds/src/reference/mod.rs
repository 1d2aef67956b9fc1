//! Reference of the resources as Markdown, made from the schemas that `kubectl explain` shows.
//!
//! ```text
//! Definition ─▶ fields: every field with its path ─▶ one row each: type, default, meaning, limits
//!                                                 └▶ rules: what the API server checks between fields
//! ```

mod fields;
mod limits;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::kinds::{Definition, GROUP, VERSION};
use fields::Field;

const HEAD: &str = "\
Every kind is namespaced; a federation and everything in it lies in one namespace. `kubectl get wanqu` lists them all,
`kubectl explain KIND.spec` says what this page says. Made by `cargo run -p wanqu-crds --bin crdgen` from the types.

A field without a default and not marked *required* may be left out. A field's rules are checked by the API server when an
object is applied, and by `wanqu check` on a laptop.
";

/// Returns the whole page.
#[must_use]
pub fn markdown(definitions: &[Definition]) -> String {
    let mut text = format!("# Resources: `{GROUP}/{VERSION}`\n\n{HEAD}\n| kind | short | says |\n|---|---|---|\n");
    for definition in definitions {
        let kind = definition.kind();
        let short = short_name(definition.resource());
        let says = definition.schema().and_then(|s| s.description.as_deref()).unwrap_or_default();
        text.push_str(&format!("| [`{kind}`](#{}) | `{short}` | {} |\n", kind.to_lowercase(), cell(says)));
    }
    for definition in definitions {
        section(&mut text, definition);
    }
    text
}

fn short_name(crd: &CustomResourceDefinition) -> &str {
    crd.spec.names.short_names.iter().flatten().next().map_or("", String::as_str)
}

/// Writes the section of one kind: its fields below `spec` and `status`, and its rules.
fn section(text: &mut String, definition: &Definition) {
    let names = &definition.resource().spec.names;
    text.push_str(&format!("\n## {}\n\n`{}.{GROUP}`\n", definition.kind(), names.plural));
    let Some(schema) = definition.schema() else { return };
    for (title, part) in [("Fields", "spec"), ("Status, written by the operator", "status")] {
        let fields: Vec<Field> = fields::below(schema, part);
        if fields.is_empty() {
            continue;
        }
        text.push_str(&format!("\n### {title}\n\n| field | type | default | meaning |\n|---|---|---|---|\n"));
        for field in &fields {
            text.push_str(&row(field));
        }
        rules(text, &fields);
    }
}

fn row(field: &Field) -> String {
    let default = match &field.schema.default {
        Some(value) => format!("`{}`", cell(&value.0.to_string())),
        None if field.required => "*required*".to_owned(),
        None => String::new(),
    };
    let mut meaning = field.schema.description.clone().unwrap_or_default();
    for limit in limits::of(field.schema) {
        if !meaning.is_empty() && !meaning.ends_with(['.', ';']) {
            meaning.push('.');
        }
        meaning.push_str(&format!(" {limit}."));
    }
    format!("| `{}` | {} | {default} | {} |\n", field.path, limits::type_of(field.schema), cell(meaning.trim()))
}

fn rules(text: &mut String, fields: &[Field]) {
    let mut first = true;
    for field in fields {
        for rule in field.schema.x_kubernetes_validations.iter().flatten() {
            if first {
                text.push_str("\n| rule on | says | as checked |\n|---|---|---|\n");
                first = false;
            }
            let says = rule.message.as_deref().unwrap_or_default();
            text.push_str(&format!("| `{}` | {} | `{}` |\n", field.path, cell(says), cell(&rule.rule)));
        }
    }
}

/// Returns a text as it stands in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::definitions;

    /// Every property name of the YAML that `kubectl explain` reads is a row of the page.
    #[test]
    fn every_field_and_every_rule_is_on_the_page() {
        let page = markdown(&definitions());
        for definition in definitions() {
            let fields = fields::below(definition.schema().unwrap(), "spec");
            assert!(fields.len() > 3, "{}", definition.kind());
            for field in fields {
                assert!(page.contains(&format!("| `{}` |", field.path)), "{} {}", definition.kind(), field.path);
                for rule in field.schema.x_kubernetes_validations.iter().flatten() {
                    assert!(page.contains(&cell(rule.message.as_deref().unwrap())), "{}", field.path);
                }
            }
        }
    }

    #[test]
    fn tables_have_four_cells_a_row_whatever_a_pattern_holds() {
        let page = markdown(&definitions());
        for line in page.lines().filter(|line| line.starts_with("| `spec") || line.starts_with("| `status")) {
            let bars = line.replace("\\|", "").matches('|').count();
            assert!(bars == 5 || bars == 4, "{line}");
        }
    }
}
