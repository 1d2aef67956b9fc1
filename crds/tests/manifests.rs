//! Manifests that no honest author writes: nothing panics, nothing takes long, everything is a finding.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use wanqu_crds::manifests::{MAX_FILE_BYTES, parse, read, read_dir};

/// The findings of a text, one a line.
fn found(text: &str) -> String {
    let begun = Instant::now();
    let findings = parse(text, "m.yaml").expect_err("this is no manifest");
    assert!(begun.elapsed() < Duration::from_secs(20), "it took too long");
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_empty_document_is_no_resource() {
    for text in ["", "\n", "# a comment\n", "---\n---\n", "null\n"] {
        assert!(parse(text, "m.yaml").unwrap().is_empty(), "{text:?}");
    }
}

#[test]
fn a_document_that_is_no_resource_is_refused_with_the_reason() {
    for text in ["just words", "- a\n- list", "12", "a: b", "{}", "true"] {
        assert_eq!(
            found(text).lines().next().unwrap_or_default().split(": ").last(),
            Some("it is missing; use wanqu.dev/v1alpha1"),
            "{text:?}"
        );
    }
}

#[test]
fn bad_syntax_names_its_line() {
    let cases = [
        ("kind: Federation\nspec: [", "m.yaml:2"),
        ("kind: a\nkind: b\n", "m.yaml:2"),
        ("a: \"open", "m.yaml:1"),
        ("a: b\n\tc: d", "m.yaml:1"),
        ("a: *nowhere", "m.yaml:1"),
        ("a: .nan", "m.yaml:1"),
        ("\u{0}", "m.yaml:1"),
    ];
    for (text, place) in cases {
        let found = found(text);
        assert!(found.starts_with(place) && found.contains("not valid YAML: "), "{text:?}: {found}");
    }
}

#[test]
fn amplification_is_refused() {
    // A billion laughs.
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let list = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{list}]").unwrap();
    }
    assert!(found(&bomb).contains("not valid YAML"));
    // Endless nesting, in both notations.
    assert!(found(&"[".repeat(200_000)).contains("not valid YAML"));
    assert!(found(&format!("a: {}", "{a: ".repeat(5_000))).contains("not valid YAML"));
    let stairs: Vec<String> = (0..2_000).map(|depth| format!("{}a:", " ".repeat(depth))).collect();
    assert!(
        found(&stairs.join(
            "
"
        ))
        .contains("not valid YAML")
    );
    // A storm of documents.
    assert!(found(&"---\na: b\n".repeat(30_000)).contains("not valid YAML"));
}

#[test]
fn a_deep_path_with_odd_keys_is_only_a_finding() {
    let text = "apiVersion: wanqu.dev/v1alpha1\nkind: Federation\nmetadata: {name: a}\nspec:\n  trustDomain: a\n  members: [HK]\n  \"[0].就诊.\": {x: 1}\n  ? [1, 2]\n  : 3\n";
    let found = found(text);
    assert!(found.starts_with("m.yaml:"), "{found}");
}

#[test]
fn a_manifest_may_be_json() {
    let text = r#"{"apiVersion": "wanqu.dev/v1alpha1", "kind": "Federation", "metadata": {"name": "gba"},
        "spec": {"trustDomain": "gba.example", "members": ["HK"]}}"#;
    assert_eq!(parse(text, "f.json").unwrap().federations[0].resource.spec.trust_domain, "gba.example");
}

#[test]
fn the_country_code_no_is_no_boolean_in_yaml() {
    let text = "apiVersion: wanqu.dev/v1alpha1\nkind: Federation\nmetadata: {name: n}\nspec: {trustDomain: n.example, members: [NO, HK]}";
    assert_eq!(parse(text, "f.yaml").unwrap().federations[0].resource.spec.members[0].as_str(), "NO");
}

#[test]
fn a_folder_is_read_in_order_and_every_file_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let nothing = read_dir(path).unwrap_err();
    assert!(
        nothing[0]
            .to_string()
            .ends_with("there is no manifest in this folder; put the resources there as .yaml, .yml or .json files")
    );

    fs::write(path.join("b.yaml"), "kind: [").unwrap();
    fs::write(path.join("a.yml"), "kind: Pod\napiVersion: v1").unwrap();
    fs::write(path.join("c.json"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(path.join("notes.txt"), "kind: [").unwrap();
    fs::File::create(path.join("d.yaml")).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
    let findings: Vec<String> = read_dir(path).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(findings.len(), 4, "{findings:#?}");
    let expected = [
        "a.yml:2: Pod apiVersion: \"v1\" is not known here",
        "b.yaml:1: not valid YAML",
        "c.json: cannot be read",
        "d.yaml: cannot be read: it is longer than",
    ];
    for (finding, expected) in findings.iter().zip(expected) {
        assert!(finding.contains(expected), "{finding} / {expected}");
    }

    let missing = read(&[path.join("nowhere")]).unwrap_err();
    assert!(missing[0].to_string().contains("nowhere: cannot be read"));
}
