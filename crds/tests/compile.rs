//! A whole small federation, from its manifests to its bundles.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use wanqu_crds::{Finding, Placement, Placements, Resources, advise, compile, manifests};
use wanqu_model::bundle::{ContributionRule, Encoding, Member, NodeBundle, ReleaseRule, SourceKind, TextSpec};
use wanqu_model::names::JurisdictionId;

fn good() -> Resources {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good");
    manifests::read_dir(&folder).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

#[test]
fn a_federation_in_order_compiles_to_one_bundle_per_member() {
    let placement = Placement {
        endpoint: Some("127.0.0.1:4001".to_owned()),
        ca: Some("PEM".to_owned()),
        issuer_keys: [("https://id.sz.example".to_owned(), vec!["KEY".to_owned()])].into(),
        data_root: None,
    };
    let placements =
        Placements { base: Some("/srv/gba".to_owned()), members: [("CN-SZ".parse().unwrap(), placement)].into() };
    let bundles = compile(&good(), &placements).unwrap_or_else(|findings| panic!("{findings:#?}"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&bundles).unwrap());
}

/// Compiles a text, which must be in order.
fn bundles(text: &str) -> BTreeMap<JurisdictionId, NodeBundle> {
    let resources = manifests::parse(text, "m.yaml").unwrap_or_else(|findings| panic!("{findings:#?}"));
    compile(&resources, &Placements::default()).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

#[test]
fn columns_of_files_without_names_are_found_by_their_places_among_all_columns() {
    let text = |csv: &str| {
        format!(
            "apiVersion: wanqu.dev/v1alpha1
kind: Federation
metadata: {{name: fed}}
spec: {{trustDomain: a.example, members: [HK]}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {{name: hk}}
spec: {{id: HK, sqlName: hongkong}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Dataset
metadata: {{name: beds}}
spec:
  jurisdiction: HK
  custodian: Hospital Authority
  table: health.beds
  source: {{files: {{path: beds.csv, format: csv{csv}}}}}
  columns:
    - {{name: code, type: string, class: public}}
    - {{name: beds, type: int32, class: public, sourceName: \"7\"}}
    - {{name: wards, type: int32, class: public}}
"
        )
    };
    let source = |csv: &str| bundles(&text(csv)).remove(&"HK".parse().unwrap()).unwrap().sources.remove(0);
    let names = |csv: &str| source(csv).columns.into_iter().map(|column| column.source_name).collect::<Vec<_>>();
    assert_eq!(names(", csv: {header: false}"), ["1", "7", "3"]);
    assert_eq!(names(""), ["code", "7", "wards"]);
    let columns = source("").columns;
    assert!(columns.iter().all(|column| !column.optional && column.values.is_none()));
    let own = text("").replace("sourceName: \"7\"", "optional: true, values: {nulls: [x]}");
    let own = bundles(&own).remove(&"HK".parse().unwrap()).unwrap().sources.remove(0).columns;
    assert!(own[1].optional && own[1].values.as_ref().unwrap().nulls == ["x"] && !own[2].optional);
    // What says nothing is not in the bundle, so that nodes read it that know no such declarations.
    let SourceKind::Files(files) = source(", csv: {header: true}, values: {nulls: []}").kind;
    assert_eq!(files.text, TextSpec::default());
    let SourceKind::Files(files) = source(", encoding: gb18030, values: {nulls: [\"--\"]}").kind;
    assert_eq!(
        (files.text.encoding, files.text.values.unwrap().nulls),
        (Some(Encoding::Gb18030), vec!["--".to_owned()])
    );
}

/// A federation of one member with one protected dataset, and the policies that a case wants.
fn with_policies(defaults: &str, dataset: &str, policies: &[&str]) -> ReleaseRule {
    let mut text = format!(
        "apiVersion: wanqu.dev/v1alpha1
kind: Federation
metadata: {{name: fed}}
spec: {{trustDomain: a.example, members: [HK], defaults: {{release: {{{defaults}}}}}}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {{name: hk}}
spec: {{id: HK, sqlName: hongkong}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Dataset
metadata: {{name: people}}
spec:
  jurisdiction: HK
  custodian: Census and Statistics Department
  table: people.people
  source: {{files: {{path: people.csv, format: csv}}}}
  columns: [{{name: id, type: string, class: identifier}}]
  privacyUnit: id
  {dataset}
"
    );
    for (number, policy) in policies.iter().enumerate() {
        write!(text, "---\napiVersion: wanqu.dev/v1alpha1\nkind: DisclosurePolicy\nmetadata: {{name: p{number}}}\nspec: {{{policy}}}\n")
            .unwrap();
    }
    let hk = "HK".parse().unwrap();
    bundles(&text)[&hk].slices[0].policy.clone()
}

/// Each replica has a ledger of its own, so that one would release what another would not.
#[test]
fn a_node_of_several_replicas_remembers_no_cells() {
    let text = |replicas: u32| {
        format!(
            "apiVersion: wanqu.dev/v1alpha1
kind: Federation
metadata: {{name: fed}}
spec: {{trustDomain: a.example, members: [HK]}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {{name: hk}}
spec: {{id: HK, sqlName: hongkong, replicas: {replicas}}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Dataset
metadata: {{name: people}}
spec:
  jurisdiction: HK
  custodian: Census and Statistics Department
  table: people.people
  source: {{files: {{path: people.csv, format: csv}}}}
  columns: [{{name: id, type: string, class: identifier}}]
  privacyUnit: id
---
apiVersion: wanqu.dev/v1alpha1
kind: DisclosurePolicy
metadata: {{name: remembers}}
spec: {{minUnits: 5, rememberCells: true}}
"
        )
    };
    assert!(bundles(&text(1)).values().all(|bundle| bundle.slices[0].policy.remembers()));
    let resources = manifests::parse(&text(2), "m.yaml").unwrap();
    let findings = compile(&resources, &Placements::default()).unwrap_err();
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!((finding.kind.as_str(), finding.name.as_str()), ("Dataset", "people"));
    assert!(finding.remedy.contains("set replicas: 1 in Jurisdiction hk"), "{finding}");
}

#[test]
fn the_strictest_of_all_policies_that_apply_holds() {
    let rule = |defaults, dataset, policies: &[&str]| {
        let rule = with_policies(defaults, dataset, policies);
        let names: Vec<String> = rule.policies.iter().map(ToString::to_string).collect();
        (names.join(" "), rule.min_units, rule.rounding, rule.publish_zeros)
    };
    let expect = |names: &str, units, rounding, zeros| (names.to_owned(), units, rounding, zeros);
    // Nothing said, and what the federation says.
    assert_eq!(rule("", "", &[]), expect("fed", 10, 1, false));
    assert_eq!(rule("minUnits: 1, publishZeros: true", "", &[]), expect("fed", 1, 1, true));
    // A policy cannot loosen what the federation says, and each number is taken by itself.
    assert_eq!(rule("minUnits: 20", "", &["minUnits: 5, rounding: 3"]), expect("fed p0", 20, 3, false));
    assert_eq!(
        rule(
            "publishZeros: true",
            "",
            &["minUnits: 30, rounding: 3, publishZeros: true", "minUnits: 3, rounding: 5, publishZeros: true"]
        ),
        expect("fed p0 p1", 30, 5, true)
    );
    // One that is silent about zeros does not publish them.
    assert_eq!(rule("publishZeros: true", "", &["minUnits: 3"]), expect("fed p0", 10, 1, false));
    // One policy that has cells remembered is enough, if there is anybody to protect.
    for (defaults, policies, remembers) in [
        ("", &["minUnits: 3, rememberCells: true", "minUnits: 3, rememberCells: false"] as &[&str], true),
        ("", &["minUnits: 3"], false),
        ("minUnits: 1", &["minUnits: 1, rememberCells: true"], false),
    ] {
        assert_eq!(with_policies(defaults, "", policies).remember_cells, remembers, "{policies:?}");
    }
    // What policies say of contributions takes the default's place; of several the strictest holds.
    let of = |dominant_units, dominant_percent, p_percent, min_values| ContributionRule {
        dominant_units,
        dominant_percent,
        p_percent,
        min_values,
    };
    for (defaults, policies, contributions) in [
        ("", &["minUnits: 3"] as &[&str], of(2, 90, 10, 4)),
        ("", &["minUnits: 3, pPercent: 0, minValues: 0", "minUnits: 3"], of(2, 90, 0, 0)),
        ("", &["minUnits: 3, pPercent: 5", "minUnits: 3, pPercent: 20, minValues: 6"], of(2, 90, 20, 6)),
        (
            "",
            &["minUnits: 3, dominance: {units: 1, percent: 70}", "minUnits: 3, dominance: {units: 3, percent: 80}"],
            of(3, 70, 10, 4),
        ),
        ("minUnits: 1", &["minUnits: 1, pPercent: 50"], of(2, 90, 10, 4)),
    ] {
        assert_eq!(with_policies(defaults, "", policies).contributions, contributions, "{policies:?}");
    }
    // A policy applies if every condition that it names holds; a dataset may name a policy itself.
    let far = "minUnits: 99";
    for (applies, dataset, holds) in [
        ("appliesTo: {}", "", true),
        ("appliesTo: {jurisdiction: HK}", "", true),
        ("appliesTo: {datasets: [people]}", "", true),
        ("appliesTo: {grades: [general]}", "", true),
        ("appliesTo: {grades: [important, core]}", "", false),
        ("appliesTo: {grades: [important, core]}", "grade: core", true),
        ("appliesTo: {jurisdiction: HK, grades: [core]}", "", false),
        ("appliesTo: {jurisdiction: HK, grades: [core]}", "policies: [p0]", true),
    ] {
        let (_, units, ..) = rule("", dataset, &[&format!("{applies}, {far}")]);
        assert_eq!(units == 99, holds, "{applies} {dataset}");
    }
}

#[test]
fn everybody_learns_which_column_of_a_common_table_is_the_privacy_unit() {
    let bundles = compile(&good(), &Placements::default()).unwrap();
    let mut seen = 0;
    for (id, bundle) in &bundles {
        for slice in bundle.slices.iter().filter(|s| s.jurisdiction != *id && s.table.is_common()) {
            let own = &bundles[&slice.jurisdiction];
            let own =
                own.slices.iter().find(|s| s.table == slice.table && s.jurisdiction == slice.jurisdiction).unwrap();
            let Some(unit) = &own.privacy_unit else { continue };
            if let Some(column) = own.columns.iter().find(|c| c.expression.as_deref() == Some(unit.as_str())) {
                assert_eq!(slice.privacy_unit.as_ref(), Some(&column.name), "{id} {}", slice.table);
                seen += 1;
            }
        }
    }
    assert!(seen > 0);
}

#[test]
fn nobody_learns_how_another_owner_gets_its_columns() {
    for (id, bundle) in compile(&good(), &Placements::default()).unwrap() {
        for slice in &bundle.slices {
            for column in &slice.columns {
                let own_common = slice.jurisdiction == id && slice.table.is_common();
                assert_eq!(column.expression.is_some(), own_common, "{id} {} {}", slice.table, column.name);
            }
        }
        assert!(
            bundle
                .sources
                .iter()
                .all(|source| bundle.slices.iter().any(|s| s.table == source.table && s.jurisdiction == id))
        );
        assert!(bundle.agreements.iter().all(|a| a.from == id || a.to == id));
    }
}

#[test]
fn a_sealed_column_is_in_no_source_of_a_bundle() {
    let bundles = compile(&good(), &Placements::default()).unwrap();
    let bundle = &bundles[&"CN-SZ".parse().unwrap()];
    let slice = bundle.slices.iter().find(|s| s.table.to_string() == "shenzhen.health.visits").unwrap();
    assert!(slice.columns.iter().any(|c| c.name.as_str() == "notes"), "it is shown as there");
    let source = bundle.sources.iter().find(|s| s.table == slice.table).unwrap();
    assert!(source.columns.iter().all(|c| c.name.as_str() != "notes"), "but never read");
    assert!(source.columns.iter().any(|c| Some(&c.name) == slice.privacy_unit.as_ref()));
}

#[test]
fn a_folder_is_taken_from_the_placement_or_else_from_the_base() {
    let root = |placements: &Placements, id: &str| {
        let bundles = compile(&good(), placements).unwrap();
        let SourceKind::Files(files) = &bundles[&id.parse().unwrap()].sources[0].kind;
        files.root.clone()
    };
    let (some, mut placements) = (|root: &str| Some(root.to_owned()), Placements::default());
    assert_eq!((root(&placements, "CN-SZ"), root(&placements, "MO")), (None, None), "never where a program runs");
    placements.base = some("/srv");
    assert_eq!((root(&placements, "CN-SZ"), root(&placements, "MO")), (some("/srv/shenzhen"), some("/srv")));
    let placement = Placement { data_root: Some("/data".to_owned()), ..Placement::default() };
    placements.members.insert("CN-SZ".parse().unwrap(), placement);
    assert_eq!(root(&placements, "CN-SZ"), some("/data"));
}

#[test]
fn an_agreements_digest_changes_with_its_terms_alone() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good/rules.yaml")).unwrap();
    let digest = |old: &str, new: &str| {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        let mut resources = good();
        resources.agreements = manifests::parse(&text.replace(old, new), "").unwrap().agreements;
        let bundles = compile(&resources, &Placements::default()).unwrap();
        let digests: Vec<String> = bundles.values().map(|b| b.agreements[0].digest.clone()).collect();
        assert_eq!(digests[0], digests[1], "both ends hold the same");
        digests[0].clone()
    };
    let whole = digest("minUnits: 5", "minUnits: 5");
    let same = [
        ("state: Active", "state: Suspended"),
        ("agreedBy: [MO, CN-SZ]", "agreedBy: [CN-SZ, MO]"),
        ("notBefore: 2024-09-10T00:00:00+08:00", "notBefore: 2024-09-09T16:00:00Z"),
    ];
    for (old, new) in same {
        assert_eq!(digest(old, new), whole, "{new}");
    }
    let other = [
        ("purposes: [health-planning]\n  filingReference", "purposes: [health-planning, other]\n  filingReference"),
        ("expires: 2027-09-10T00:00:00+08:00", "expires: 2028-09-10T00:00:00+08:00"),
        ("filingReference: GPDP-2024-0910", "filingReference: GPDP-2024-0911"),
        ("domains: [saude]", "domains: [saude, health]"),
    ];
    for (old, new) in other {
        assert_ne!(digest(old, new), whole, "{new}");
    }
}

#[test]
fn advice_names_declarations_that_are_seldom_meant() {
    let advice = |resources: &Resources| {
        advise(resources).iter().map(|a| a.to_string().split_once(": ").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(advice(&good()), Vec::<String>::new());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good");
    let text: Vec<String> = ["federation.yaml", "tables.yaml", "shenzhen.yaml", "macau.json", "rules.yaml"]
        .map(|file| std::fs::read_to_string(folder.join(file)).unwrap())
        .into();
    let text = text
        .join("---\n")
        .replace("  policies: [rounded]\n", "")
        .replace("- commonTable: health-facilities", "- commonTable: health-other")
        .replace("\"custodian\": \"Serviços", "\"grade\": \"important\", \"custodian\": \"Serviços")
        .replace("purposes: [health-planning]\n  agreements", "purposes: [health-planning, marketing]\n  agreements");
    assert_eq!(
        advice(&manifests::parse(&text, "m.yaml").unwrap()),
        [
            "CommonTable health-facilities: no dataset serves it, so a query finds it empty; let a Dataset list health-facilities under serves",
            "DisclosurePolicy rounded spec.appliesTo: it applies to no dataset; mend appliesTo, or list the policy in a Dataset",
            "DataSharingAgreement mo-to-sz spec: it covers Dataset mo-visits, which is important data; the standard contracts for personal data leave such data out: make sure it may be asked for",
            "ResearchProject hospital-capacity spec.purposes[1]: none of its agreements allows the purpose marketing; with it, the project can ask only at home",
        ]
    );
}

#[test]
fn a_placement_is_compared_with_the_consents_that_are_there() {
    const MEMBER: &str = "
apiVersion: wanqu.dev/v1alpha1
kind: Federation
metadata: {name: gba}
spec: {trustDomain: gba.example, members: [HK]}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {name: hongkong, namespace: gba}
spec: {id: HK, sqlName: hongkong, dataClaim: records, placement: {namespace: hk}}
";
    let advice = |from: &str, claims: &str, member: &str| {
        let grant = format!(
            "{member}---\napiVersion: wanqu.dev/v1alpha1\nkind: PlacementGrant\nmetadata: {{name: g, namespace: hk}}\nspec: \
             {{from: [{{{from}}}], claims: [{claims}]}}\n"
        );
        let resources = manifests::parse(&grant, "m.yaml").unwrap();
        advise(&resources).iter().map(|a| a.to_string().split_once(": ").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let missing = "Jurisdiction hongkong spec.placement.namespace: no PlacementGrant in namespace hk names it and lists the claim \
                   records, so no node is made there; add one, with the namespace of this Jurisdiction under from and the claim \
                   under claims";
    for (from, claims, granted) in [
        ("namespace: gba", "records", true),
        ("namespace: gba, jurisdictions: [hongkong, macau]", "records", true),
        ("namespace: gba, jurisdictions: [macau]", "records", false),
        ("namespace: other", "records", false),
        ("namespace: gba", "other", false),
    ] {
        let expected = if granted { vec![] } else { vec![missing.to_owned()] };
        assert_eq!(advice(from, claims, MEMBER), expected, "{from} {claims}");
    }
    let anywhere = MEMBER.replace(", namespace: gba}", "}");
    assert_eq!(advice("namespace: other", "records", &anywhere), Vec::<String>::new(), "its namespace is not said");
    let without = MEMBER.replace("dataClaim: records, ", "");
    assert_eq!(advice("namespace: gba", "", &without), Vec::<String>::new());
    assert_eq!(advice("namespace: other", "", &without).len(), 1);
    let alone = manifests::parse(MEMBER, "m.yaml").unwrap();
    assert!(advise(&alone).is_empty(), "consents may be kept elsewhere");
}

/// A city's open data platform: 1,095 datasets, with as many custodians' habits.
#[test]
fn a_large_catalog_compiles_in_no_time() {
    let mut text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good/federation.yaml")).unwrap();
    for number in 0..1_095 {
        let domain = number % 14;
        write!(
            text,
            "---\napiVersion: wanqu.dev/v1alpha1\nkind: Dataset\nmetadata: {{name: open-{number}}}\nspec:\n  jurisdiction: CN-SZ\n  custodian: Bureau {domain}\n  table: d{domain}.t{number}\n  source: {{files: {{path: t{number}.csv, format: csv}}}}\n  columns:\n"
        )
        .unwrap();
        for column in 0..12 {
            writeln!(text, "    - {{name: c{column}, type: string, class: public, description: Column {column}}}")
                .unwrap();
        }
    }
    let begun = Instant::now();
    let bundles = bundles(&text);
    assert_eq!(bundles[&"CN-SZ".parse().unwrap()].sources.len(), 1_095);
    assert_eq!(bundles[&"MO".parse().unwrap()].slices.len(), 1_095);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn a_resource_that_cannot_be_read_stops_the_compilation_and_nobody_is_told_that_it_is_missing() {
    let mut resources = good();
    let dataset = resources.datasets.pop().unwrap();
    let finding = Finding {
        origin: None,
        kind: "Dataset".to_owned(),
        name: dataset.name().to_owned(),
        path: "spec.columns[0].class".to_owned(),
        problem: "unknown variant".to_owned(),
        remedy: "mend it".to_owned(),
    };
    resources.unreadable.push(finding.clone());
    let missing = format!("there is no Dataset {}", dataset.name());
    let findings = compile(&resources, &Placements::default()).unwrap_err();
    assert!(findings.contains(&finding) && findings.iter().all(|f| f.problem != missing), "{findings:?}");
}

#[test]
fn tokens_are_for_one_jurisdiction_and_subjects_of_one_home() {
    let text = |of_macau: &str, subject: &str| {
        format!(
            "apiVersion: wanqu.dev/v1alpha1
kind: Federation
metadata: {{name: fed}}
spec: {{trustDomain: a.example, members: [HK, MO]}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {{name: hk}}
spec: {{id: HK, sqlName: hongkong, issuers: [{{issuer: kubernetes}}, {{issuer: id, audience: hk-client, maxLifeSeconds: 600}}]}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {{name: mo}}
spec: {{id: MO, sqlName: macau, issuers: [{of_macau}]}}
---
apiVersion: wanqu.dev/v1alpha1
kind: ResearchProject
metadata: {{name: care}}
spec: {{subjects: [{{{subject}subject: alice}}], purposes: [health-planning]}}
"
        )
    };
    let bundle =
        |of_macau: &str, subject: &str| bundles(&text(of_macau, subject)).remove(&"MO".parse().unwrap()).unwrap();
    let found = |of_macau: &str, subject: &str| {
        let resources = manifests::parse(&text(of_macau, subject), "m.yaml").unwrap();
        let findings = compile(&resources, &Placements::default()).unwrap_err();
        findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let alone = bundle("", "issuer: kubernetes, ");
    let issuers: Vec<_> = alone
        .members
        .iter()
        .flat_map(|member| &member.issuers)
        .map(|issuer| (issuer.audience.as_str(), issuer.max_life_seconds))
        .collect();
    assert_eq!(issuers, [("wanqu:a.example/HK", 86_400), ("hk-client", 600)]);
    assert_eq!(alone.projects[0].subjects[0].jurisdiction, None, "older nodes read it");

    let both = "{issuer: kubernetes}";
    let ambiguous = found(both, "issuer: kubernetes, ");
    assert!(
        ambiguous.contains("kubernetes is an issuer of HK, MO: alice is somebody else at each of them"),
        "{ambiguous}"
    );
    let said = bundle(both, "jurisdiction: MO, issuer: kubernetes, ");
    assert_eq!(said.projects[0].subjects[0].jurisdiction, "MO".parse().ok());
    let audiences: Vec<_> = said.members.iter().map(|member| member.issuers[0].audience.as_str()).collect();
    assert_eq!(audiences, ["wanqu:a.example/HK", "wanqu:a.example/MO"], "the same issuer, and two audiences");

    let shared = bundle("{issuer: id, audience: hk-client}", "jurisdiction: MO, issuer: id, ");
    let audiences = |member: &Member| member.issuers.iter().map(|i| i.audience.clone()).collect::<Vec<_>>();
    assert_eq!(audiences(&shared.members[0]), ["wanqu:a.example/HK"; 2], "what both state stands for neither");
    assert_eq!(audiences(&shared.members[1]), ["wanqu:a.example/MO"]);
    bundle("{issuer: other, audience: hk-client}", "jurisdiction: HK, issuer: id, ");
    let foreign = found("{issuer: id, audience: \"wanqu:a.example/HK\"}", "jurisdiction: MO, issuer: id, ");
    assert!(foreign.contains("wanqu:a.example/HK is not the audience of this jurisdiction"), "{foreign}");
}
