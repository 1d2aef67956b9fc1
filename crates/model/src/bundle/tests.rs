//! Bundles of operators that are older or newer than this build.

mod before_format;

use serde_json::{Value, json};

use super::*;

fn slice(table: &str, jurisdiction: &str, dataset: &str) -> Slice {
    let column = |name: &str, class| ColumnSpec {
        name: name.parse().unwrap(),
        data_type: ColumnType::String,
        class,
        unit: None,
        description: String::new(),
        expression: None,
    };
    Slice {
        table: table.parse().unwrap(),
        jurisdiction: jurisdiction.parse().unwrap(),
        dataset: dataset.parse().unwrap(),
        custodian: "Health Bureau".to_owned(),
        description: String::new(),
        columns: vec![column("sex", ColumnClass::Dimension), column("patient", ColumnClass::Identifier)],
        privacy_unit: Some("patient".parse().unwrap()),
        policy: ReleaseRule {
            policies: Vec::new(),
            min_units: 10,
            rounding: 1,
            publish_zeros: false,
            remember_cells: false,
            contributions: ContributionRule::default(),
        },
        approximate_rows: None,
        one_row_per_unit: false,
    }
}

fn member(id: &str, name: &str) -> Member {
    let issuer = |claim: &str| Issuer {
        issuer: format!("https://{claim}.example"),
        audience: "wanqu".to_owned(),
        public_keys: vec!["KEY".to_owned()],
        max_life_seconds: usual_token_life(),
    };
    Member {
        jurisdiction: id.parse().unwrap(),
        sql_name: name.parse().unwrap(),
        display_name: name.to_owned(),
        endpoint: Some(format!("{name}.example:7443")),
        ca: Some(format!("CA of {id}")),
        issuers: vec![issuer(name)],
    }
}

/// Hong Kong's bundle: a common table with slices of Macau and Hong Kong, an agreement and a project.
pub(super) fn bundle() -> NodeBundle {
    NodeBundle {
        federation: "gba".parse().unwrap(),
        trust_domain: "gba.example".to_owned(),
        jurisdiction: "HK".parse().unwrap(),
        members: vec![member("MO", "macau"), member("HK", "hongkong")],
        slices: vec![
            slice("gba.health.visits", "MO", "mo-visits"),
            slice("gba.health.visits", "HK", "hk-visits"),
            slice("macau.health.visits", "MO", "mo-visits"),
            slice("hongkong.health.visits", "HK", "hk-visits"),
        ],
        common_tables: vec![CommonTableInfo {
            table: "gba.health.visits".parse().unwrap(),
            replicated: false,
            colocation: Vec::new(),
            disjoint_units: true,
        }],
        sources: vec![SourceSpec {
            table: "hongkong.health.visits".parse().unwrap(),
            kind: SourceKind::Files(FilesSpec {
                root: Some("/data".to_owned()),
                path: "visits".to_owned(),
                format: SourceFormat::Parquet,
                bad_records: BadRecords::Reject,
                text: TextSpec::default(),
            }),
            columns: Vec::new(),
            max_rows_per_unit: None,
        }],
        agreements: ["hk-to-mo", "mo-to-hk"].map(agreement).to_vec(),
        projects: vec![Project {
            name: "care".parse().unwrap(),
            subjects: vec![ProjectSubject {
                jurisdiction: None,
                issuer: "https://hongkong.example".to_owned(),
                subject: "mei".to_owned(),
            }],
            purposes: vec!["health-planning".parse().unwrap()],
            agreements: vec!["mo-to-hk".parse().unwrap()],
            queries_per_day: None,
        }],
        limits: Limits::default(),
        format: BundleFormat::default(),
    }
}

fn agreement(name: &str) -> Agreement {
    let (from, to) = if name.starts_with("hk") { ("HK", "MO") } else { ("MO", "HK") };
    Agreement {
        name: name.parse().unwrap(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        tables: vec!["gba.health.visits".parse().unwrap()],
        purposes: vec!["health-planning".parse().unwrap()],
        state: AgreementState::Active,
        not_before: "2026-01-01T00:00:00Z".parse().unwrap(),
        expires: "2027-01-01T00:00:00Z".parse().unwrap(),
        filing_reference: "HK-2026-1".to_owned(),
        digest: "d".to_owned(),
    }
}

/// Reads the bundle as a newer operator might write it.
fn read(change: impl FnOnce(&mut Value)) -> Result<ReadBundle, ReadError> {
    let mut value = serde_json::to_value(bundle()).unwrap();
    change(&mut value);
    NodeBundle::read(&serde_json::to_vec(&value).unwrap())
}

/// Returns the objects that are left out, and the names of the tables, agreements and projects that are there.
fn left(change: impl FnOnce(&mut Value)) -> (Vec<String>, Vec<String>) {
    let read = read(change).unwrap();
    let mut there: Vec<String> = read.bundle.slices.iter().map(|s| format!("{}/{}", s.table, s.jurisdiction)).collect();
    there.extend(read.bundle.agreements.iter().map(|a| a.name.to_string()));
    there.extend(read.bundle.projects.iter().map(|p| p.name.to_string()));
    (read.left_out.into_iter().map(|l| l.object).collect(), there)
}

const ALL: [&str; 7] = [
    "gba.health.visits/MO",
    "gba.health.visits/HK",
    "macau.health.visits/MO",
    "hongkong.health.visits/HK",
    "hk-to-mo",
    "mo-to-hk",
    "care",
];

/// Everything of the bundle but these.
fn all_but(gone: &[&str]) -> Vec<String> {
    ALL.iter().filter(|name| !gone.iter().any(|gone| name.starts_with(gone))).map(ToString::to_string).collect()
}

#[test]
fn a_bundle_of_an_older_operator_has_no_format_and_none_is_written_that_is_not_needed() {
    let text = serde_json::to_string(&bundle()).unwrap();
    assert!(!text.contains("\"format\":{"), "a node from before there was a format reads what this operator writes");
    let read = NodeBundle::read(text.as_bytes()).unwrap();
    assert_eq!((read.bundle, read.left_out), (bundle(), Vec::new()));
    let first = r#""format":{"version":1},"federation""#;
    assert_eq!(NodeBundle::read(text.replace("\"federation\"", first).as_bytes()).unwrap().bundle, bundle());
}

#[test]
fn unknown_fields_that_a_bundle_declares_descriptive_are_ignored() {
    let read = read(|b| {
        b["format"] = json!({"version": 1, "ignorable": ["agreements[].contact", "slices[].policy.note", "region"]});
        b["agreements"][1]["contact"] = json!("dpo@example.org");
        b["slices"][0]["policy"]["note"] = json!({"lang": "zh"});
        b["region"] = json!("south");
    })
    .unwrap();
    assert_eq!(read.left_out, []);
    assert_eq!(NodeBundle { format: BundleFormat::default(), ..read.bundle }, bundle());
}

#[test]
fn a_known_field_is_read_though_a_bundle_declares_it_ignorable() {
    let read = read(|b| {
        let ignorable = ["projects[].queriesPerDay", "slices[].policy.minUnits", "agreements[].contact"];
        b["format"] = json!({"version": 1, "ignorable": ignorable});
        b["agreements"][1]["contact"] = json!("dpo@example.org");
        b["projects"][0]["queriesPerDay"] = json!(3);
        b["slices"][0]["policy"]["minUnits"] = json!(50);
    })
    .unwrap();
    assert_eq!(read.left_out, []);
    assert_eq!(read.bundle.projects[0].queries_per_day, Some(3), "without it there would be no limit");
    assert_eq!(read.bundle.slices[0].policy.min_units, 50);
}

#[test]
fn a_revocation_is_in_force_beside_a_value_that_cannot_be_read() {
    let text = |mark: &str| {
        let mut value = serde_json::to_value(bundle()).unwrap();
        value["agreements"][0]["state"] = json!("Terminated");
        value["projects"][0]["queriesPerDay"] = json!("HERE");
        serde_json::to_string(&value).unwrap().replace("\"HERE\"", mark)
    };
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for (mark, reason) in [
        ("1e999", "it holds a number that is out of range or is none"),
        ("\"\\ud800\"", "it holds a text that is not Unicode"),
        (deep.as_str(), "it holds a value that is nested too deeply"),
        ("1,\"queriesPerDay\":2", "it holds a field that is given twice"),
    ] {
        let read = NodeBundle::read(text(mark).as_bytes()).unwrap();
        assert_eq!(read.bundle.agreements[0].state, AgreementState::Terminated, "{mark:.20}");
        assert!(read.bundle.projects.is_empty());
        let left_out = LeftOut { object: "projects[0] care".to_owned(), reason: reason.to_owned() };
        assert_eq!(read.left_out, [left_out]);
    }
    let whole = text("null").replacen("\"agreements\":", "\"agreements\":[],\"agreements\":", 1);
    let Err(ReadError::NotUnderstood { reason, .. }) = NodeBundle::read(whole.as_bytes()) else { panic!("{whole}") };
    assert_eq!(reason, "`agreements`: it holds a field that is given twice");
}

#[test]
fn an_object_with_an_unknown_field_or_value_is_left_out_and_the_rest_is_in_force() {
    let (left_out, there) = left(|b| b["agreements"][1]["maxQueries"] = json!(3));
    assert_eq!((left_out, there), (vec!["agreements[1] mo-to-hk".to_owned()], all_but(&["mo-to-hk"])));
    let (_, there) = left(|b| b["agreements"][0]["state"] = json!("UnderReview"));
    assert_eq!(there, all_but(&["hk-to-mo"]));
    let (_, there) = left(|b| b["projects"][0]["subjects"][0]["group"] = json!("x"));
    assert_eq!(there, all_but(&["care"]));
    let (left_out, there) = left(|b| b["members"][0]["issuers"][0]["boundTo"] = json!("a key"));
    assert_eq!(left_out[0], "members[0] MO", "an issuer under a rule that is not known");
    assert_eq!(there, all_but(&["gba.health.visits", "macau.health.visits"]));

    let reason = read(|b| b["slices"][0]["policy"]["dominance"] = json!(80)).unwrap().left_out[0].reason.clone();
    assert_eq!(reason, "unknown field `dominance`");
}

#[test]
fn what_restricts_researchers_stands_only_in_bundles_that_use_it_and_an_older_node_leaves_it_out_with_its_object() {
    let plain = serde_json::to_value(bundle()).unwrap();
    assert!(plain["projects"][0]["subjects"][0].get("jurisdiction").is_none());
    assert!(plain["members"][0]["issuers"][0].get("maxLifeSeconds").is_none());
    let mut used = bundle();
    used.projects[0].subjects[0].jurisdiction = Some("HK".parse().unwrap());
    used.members[0].issuers[0].max_life_seconds = 600;
    let written = serde_json::to_value(&used).unwrap();
    assert_eq!(written["projects"][0]["subjects"][0]["jurisdiction"], "HK");
    assert_eq!(written["members"][0]["issuers"][0]["maxLifeSeconds"], 600);
    // Nodes of before have these types without the fields, and refuse what they do not know.
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only that it can be read matters")]
    #[expect(clippy::items_after_statements, reason = "it is of this case alone")]
    struct SubjectOfBefore {
        issuer: String,
        subject: String,
    }
    let older = |bundle: &Value| SubjectOfBefore::deserialize(&bundle["projects"][0]["subjects"][0]).map(drop);
    assert!(older(&plain).is_ok());
    assert_eq!(
        older(&written).unwrap_err().to_string(),
        "unknown field `jurisdiction`, expected `issuer` or `subject`"
    );
    assert_eq!(
        NodeBundle::read(written.to_string().as_bytes()).unwrap(),
        ReadBundle { bundle: used, left_out: vec![] }
    );
}

#[test]
fn a_revocation_is_in_force_beside_what_is_not_understood() {
    let read = read(|b| {
        b["agreements"][0]["state"] = json!("Suspended");
        b["slices"][2]["policy"]["dominance"] = json!(80);
    })
    .unwrap();
    assert_eq!(read.bundle.agreements[0].state, AgreementState::Suspended);
}

#[test]
fn a_table_goes_as_a_whole_so_that_no_answer_looks_complete_that_is_not() {
    let (_, there) = left(|b| b["slices"][0]["policy"]["dominance"] = json!(80));
    assert_eq!(there, all_but(&["gba.health.visits"]), "one owner's rule is not known");
    let (_, there) = left(|b| b["slices"][2]["columns"][0]["class"] = json!("linkable"));
    assert_eq!(there, all_but(&["macau.health.visits"]));
    let (_, there) = left(|b| b["commonTables"][0]["overlap"] = json!(true));
    assert_eq!(there, all_but(&["gba.health.visits"]));
    let (_, there) = left(|b| b["members"][0]["quorum"] = json!(2));
    assert_eq!(there, all_but(&["gba.health.visits", "macau.health.visits"]), "another member");
    for path in ["/sources/0/table", "/slices/3/policy"] {
        let (_, there) = left(|b| {
            let parent = b.pointer_mut(path.rsplit_once('/').unwrap().0).unwrap();
            parent["encryption"] = json!("x");
        });
        assert_eq!(there, all_but(&["gba.health.visits", "hongkong.health.visits"]), "{path}: what is read from it");
    }
}

#[test]
fn unknown_parts_of_a_whole_bundle_are_refused_by_name() {
    let refused = |change: fn(&mut Value)| match read(change) {
        Err(ReadError::NotUnderstood { reason, jurisdiction }) => {
            assert_eq!(jurisdiction, Some("HK".parse().unwrap()));
            reason
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(|b| b["format"] = json!({"version": 2})), "it has format version 2; this node knows up to 1");
    assert_eq!(
        refused(|b| b["format"] = json!({"version": 1, "requires": ["noise"]})),
        "it requires noise, which this node does not know"
    );
    assert_eq!(refused(|b| b["format"] = json!({"version": 1, "epoch": 2})), "`format`: unknown field `epoch`");
    assert_eq!(refused(|b| b["revoked"] = json!([])), "`revoked` is not known");
    assert_eq!(refused(|b| b["limits"]["cells"] = json!(1)), "`limits`: unknown field `cells`");
    assert_eq!(refused(|b| drop(b.as_object_mut().unwrap().remove("agreements"))), "`agreements` is missing");
    assert_eq!(refused(|b| b["members"][1]["quorum"] = json!(2)), "the member HK itself is not understood");
    let nameless = refused(|b| b["slices"][0]["table"] = json!({"catalog": "gba"}));
    assert!(nameless.ends_with("it does not say which table it is of"), "{nameless}");
}

#[test]
fn a_file_that_is_no_bundle_withdraws_nothing() {
    let half = serde_json::to_string(&bundle()).unwrap();
    for text in ["", "{", "[]", "null", "{}", "{\"jurisdiction\": 1}", &half[..half.len() / 2]] {
        let read = NodeBundle::read(text.as_bytes());
        assert!(matches!(read, Err(ReadError::NotABundle(_))), "{text:.20}: {read:?}");
    }
}

#[test]
fn of_two_objects_of_one_name_none_holds() {
    let again = |change: fn(&mut Value), list: &'static str| {
        left(move |bundle| {
            let mut second = bundle[list][0].clone();
            change(&mut second);
            bundle[list].as_array_mut().unwrap().push(second);
        })
    };
    let suspended = again(|agreement| agreement["state"] = "Suspended".into(), "agreements");
    assert_eq!(suspended, (vec!["agreement hk-to-mo".to_owned()], all_but(&["hk-to-mo"])));
    let project = again(|project| project["subjects"] = Value::Array(vec![]), "projects");
    assert_eq!(project, (vec!["project care".to_owned()], all_but(&["care"])));
    let (gone, there) = again(|slice| slice["policy"]["minUnits"] = 3.into(), "slices");
    assert!(gone.contains(&"table gba.health.visits".to_owned()), "{gone:?}");
    assert!(!there.iter().any(|name| name.starts_with("gba.health.visits")), "{there:?}");
    // The same once more says nothing else.
    assert!(again(|_| {}, "agreements").0.is_empty());
}

#[test]
fn a_rule_of_no_units_is_no_rule() {
    for field in ["minUnits", "rounding"] {
        let (gone, there) = left(|bundle| bundle["slices"][0]["policy"][field] = 0.into());
        assert!(
            !gone.is_empty() && !there.iter().any(|name| name.starts_with("gba.health.visits")),
            "{gone:?} {there:?}"
        );
    }
}
