//! Every way to get a manifest wrong, and what is then said: each case changes one thing in a federation that is in order.
//!
//! The snapshot holds, for each case, the exact findings with their lines.

use std::fmt::Write as _;
use std::path::Path;

use wanqu_crds::{Finding, Placements, compile, manifests};

/// The federation in order, as one text.
fn good() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good");
    let files = ["federation.yaml", "tables.yaml", "shenzhen.yaml", "macau.json", "rules.yaml"];
    files.map(|file| std::fs::read_to_string(folder.join(file)).unwrap()).join("---\n")
}

fn findings(text: &str) -> Vec<Finding> {
    match manifests::parse(text, "gba.yaml").and_then(|resources| compile(&resources, &Placements::default())) {
        Ok(_) => Vec::new(),
        Err(findings) => findings,
    }
}

/// Runs changes (what stands there, what stands there instead) and writes down what is found.
fn report(cases: &[(&str, &str)]) -> String {
    let good = good();
    let mut report = String::new();
    for (old, new) in cases {
        let times = good.matches(old).count();
        assert_eq!(times, 1, "{old:?} stands {times} times in the federation");
        let found = findings(&good.replace(old, new));
        assert!(!found.is_empty(), "{old:?} -> {new:?} goes unnoticed");
        writeln!(report, "- {}\n+ {}", old.replace('\n', "\n- "), new.replace('\n', "\n+ ")).unwrap();
        for finding in found {
            writeln!(report, "  {finding}").unwrap();
        }
        report.push('\n');
    }
    report
}

/// Compares with the snapshot of the test that calls; the cases stand in the snapshot themselves.
fn snapshot(name: &str, report: &str) {
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, report) });
}

#[test]
fn the_federation_without_changes_is_in_order() {
    assert_eq!(findings(&good()), []);
}

#[test]
fn fields_that_do_not_keep_their_schema() {
    snapshot(
        "fields_that_do_not_keep_their_schema",
        &report(&[
            ("apiVersion: wanqu.dev/v1alpha1\nkind: Federation", "apiVersion: wanqu.dev/v1\nkind: Federation"),
            ("apiVersion: wanqu.dev/v1alpha1\nkind: Federation", "kind: Federation"),
            ("kind: Federation", "kind: Federaton"),
            ("kind: Federation", "kind: Pod"),
            ("metadata: {name: gba}", "metadata: {}"),
            ("metadata: {name: gba}", "metadata: {name: G_B_A}"),
            ("  trustDomain: gba.example\n", ""),
            ("trustDomain: gba.example", "trustDomain: GBA"),
            ("trustDomain: gba.example", "trustDomain: [gba]"),
            ("trustDomain: gba.example", "trustdomain: gba.example"),
            ("members: [CN-SZ, MO]", "members: []"),
            ("members: [CN-SZ, MO]", "members: [CN-SZ, Macau]"),
            ("release: {minUnits: 10}", "release: {minUnits: 0, rounding: many, publishZero: true}"),
            ("limits: {deadlineSeconds: 60}", "limits: {deadlineSeconds: 100000000}"),
            ("limits: {deadlineSeconds: 60}", "limits: {deadlineSeconds: 1.5}"),
            ("sqlName: shenzhen", "sqlName: Shenzhen"),
            ("sqlName: shenzhen", "sqlName: 12"),
            ("endpoint: node.mo.example:7443", "endpoint: node.mo.example"),
            ("table: health.visits\n  description: Visits to", "table: visits\n  description: Visits to"),
            ("type: \"decimal(12,2)\"", "type: decimal"),
            ("{name: notes, type: string}", "{name: notes, type: text, class: secret}"),
            ("format: parquet", "format: xlsx"),
            ("badRecords: skip", "badRecords: ignore"),
            ("grade: important", "grade: vital"),
            ("maxRowsPerUnit: 200", "maxRowsPerUnit: 0"),
            (
                "custodian: Shenzhen Municipal Health Commission\n  table: health.visits",
                "custodian: ''\n  table: health.visits",
            ),
            ("notBefore: 2024-09-10T00:00:00+08:00", "notBefore: 2024-09-10"),
            ("state: Active", "state: active"),
            ("purposes: [health-planning]\n  filingReference", "purposes: [Health Planning]\n  filingReference"),
            ("queriesPerDay: 500", "queriesPerDay: 0\n  queries: 5"),
            ("subject: li.na", "subjet: li.na"),
        ]),
    );
}

#[test]
fn names_that_do_not_fit_together() {
    snapshot(
        "names_that_do_not_fit_together",
        &report(&[
            ("kind: Federation\nmetadata: {name: gba}", "kind: ResearchProject\nmetadata: {name: gba}"),
            (
                "  members: [CN-SZ, MO]\n",
                "  members: [CN-SZ, MO]\n---\napiVersion: wanqu.dev/v1alpha1\nkind: Federation\nmetadata: {name: other}\nspec:\n  trustDomain: other.example\n  members: [HK]\n",
            ),
            ("members: [CN-SZ, MO]", "members: [CN-SZ, MO, HK]"),
            ("members: [CN-SZ, MO]", "members: [CN-SZ]"),
            ("members: [CN-SZ, MO]", "members: [CN-SZ, MO, MO]"),
            ("metadata: {name: macau}", "metadata: {name: shenzhen}"),
            ("id: MO\n", "id: CN-SZ\n"),
            ("sqlName: macau", "sqlName: shenzhen"),
            ("sqlName: macau", "sqlName: gba"),
            ("  placement:\n    external:", "  placement:\n    namespace: macau\n    external:"),
            (
                "    - {issuer: \"https://id.sz.example\", audience: wanqu}",
                "    - {issuer: \"https://id.sz.example\", audience: wanqu}\n    - {issuer: \"https://id.sz.example\", audience: wanqu}",
            ),
            (
                "{issuer: \"https://id.sz.example\", audience: wanqu}",
                "{issuer: \"https://id.sz.example\", audience: \"wanqu:gba.example/MO\"}",
            ),
            ("metadata: {name: sz-facilities}", "metadata: {name: sz-visits}"),
            ("metadata: {name: sz-facilities}", "metadata: {name: sz facilities}"),
            ("table: health.facilities\n  source", "table: health.visits\n  source"),
            (
                "metadata: {name: health-facilities}\nspec:\n  table: health.facilities",
                "metadata: {name: health-facilities}\nspec:\n  table: health.visits",
            ),
            ("\"jurisdiction\": \"MO\"", "\"jurisdiction\": \"HK\""),
            ("appliesTo: {jurisdiction: MO}", "appliesTo: {jurisdiction: HK}"),
            ("appliesTo: {jurisdiction: MO}", "appliesTo: {jurisdiction: MO, datasets: [sz-visits]}"),
            ("appliesTo: {jurisdiction: MO}", "appliesTo: {datasets: [mo-visit, nothing]}"),
            ("policies: [rounded]", "policies: [round]"),
            ("agreements: [mo-to-sz]", "agreements: [mo-to-hk]"),
            ("subjects: [{issuer: \"https://id.sz.example\"", "subjects: [{issuer: \"https://id.example\""),
            ("subjects: [{issuer", "subjects: [{jurisdiction: MO, issuer"),
            ("subjects: [{issuer", "subjects: [{jurisdiction: HK, issuer"),
            (
                "subjects: [{issuer: \"https://id.sz.example\", subject: li.na}]",
                "subjects: [{issuer: \"https://id.sz.example\", subject: li.na}, {issuer: \"https://id.sz.example\", subject: li.na}]",
            ),
        ]),
    );
}

#[test]
fn datasets_that_are_not_in_order() {
    snapshot(
        "datasets_that_are_not_in_order",
        &report(&[
            ("  privacyUnit: resident_id\n", ""),
            ("privacyUnit: resident_id", "privacyUnit: residentid"),
            ("privacyUnit: resident_id", "privacyUnit: sex"),
            ("class: identifier, sourceName: 身份证号", "class: sealed, sourceName: 身份证号"),
            (
                "source: {files: {path: facilities.csv, format: csv, badRecords: skip}}",
                "source: {files: {path: facilities.csv, format: csv}}\n  privacyUnit: code",
            ),
            (
                "source: {files: {path: facilities.csv, format: csv, badRecords: skip}}",
                "source: {files: {path: facilities.csv, format: csv}}\n  maxRowsPerUnit: 3",
            ),
            ("{name: resident_id, type: string,", "{name: resident_id, type: list(string),"),
            (
                "table: health.visits\n  description: Visits, one",
                "table: information_schema.tables\n  description: Visits, one",
            ),
            ("path: visits,", "path: ../macau/visits,"),
            ("path: visits,", "path: /etc/passwd,"),
            ("path: visits,", "path: a/../../b,"),
            ("{name: notes, type: string}", "{name: sex, type: string}"),
            ("{name: notes, type: string}", "{name: notes, type: string, sourceName: sex}"),
            ("{name: notes, type: string}", "{name: __unit, type: string}"),
            ("class: identifier, sourceName: 身份证号", "class: identifier, optional: true, sourceName: 身份证号"),
            (
                "{name: visit_date, type: date, class: dimension}",
                "{name: visit_date, type: date, class: dimension, optional: true, values: {dates: [\"%Y%m%d\"]}}",
            ),
        ]),
    );
}

#[test]
fn files_whose_declarations_do_not_fit_together() {
    let csv = "format: csv, badRecords: skip";
    let beds = "{name: beds, type: int32, class: public}\n  serves:";
    snapshot(
        "files_whose_declarations_do_not_fit_together",
        &report(&[
            ("path: visits, format: parquet", "path: visits, format: parquet, csv: {separator: \";\"}, encoding: big5"),
            ("path: visits, format: parquet", "path: visits, format: ndjson, csv: {footerLines: 1}"),
            (csv, "format: csv, encoding: latin1"),
            (csv, "format: csv, compression: zip"),
            (csv, "format: csv, csv: {separator: \";;\"}"),
            (csv, "format: csv, csv: {separator: x}"),
            (csv, "format: csv, csv: {delimiter: \";\"}"),
            (csv, "format: csv, csv: {separator: \"|\", quote: \"|\", escape: \"|\", comment: \"|\"}"),
            (csv, "format: csv, values: {decimalSeparator: \",\", groupSeparator: \",\"}"),
            (csv, "format: csv, values: {dates: [YYYY-MM-DD]}"),
            (csv, "format: csv, values: {dates: [\"%Y-%m\"]}"),
            (csv, "format: csv, values: {dates: [\"%d/%m/%Y %H:%M\"]}"),
            (beds, "{name: beds, type: int32, class: public, values: {dates: [\"%d/%m/%Y\"]}}\n  serves:"),
            (beds, "{name: beds, type: int32, class: public, values: {groupSeparator: \".\"}}\n  serves:"),
            (beds, "{name: beds, type: int32, class: public, values: {zeros: [\"0\"]}}\n  serves:"),
            (
                "format: csv, badRecords: skip}}\n  columns:\n    - {name: code, type: string, class: public}",
                "format: csv, csv: {header: false}}}\n  columns:\n    - {name: code, sourceName: Code, type: string, class: public}",
            ),
            (
                "format: csv, badRecords: skip}}\n  columns:\n    - {name: code, type: string, class: public}",
                "format: csv, csv: {header: false}}}\n  columns:\n    - {name: code, sourceName: \"2\", type: string, class: public}",
            ),
        ]),
    );
}

#[test]
fn mappings_that_do_not_fit_their_common_table() {
    snapshot(
        "mappings_that_do_not_fit_their_common_table",
        &report(&[
            ("- commonTable: health-visits", "- commonTable: health-visit"),
            ("- commonTable: health-facilities", "- commonTable: health-visits"),
            (
                "  serves:\n    - commonTable: health-facilities\n      mapping:\n        - {column: code, expression: code}",
                "  serves:\n    - commonTable: health-facilities\n      mapping: []\n    - commonTable: health-facilities\n      mapping:\n        - {column: code, expression: code}",
            ),
            ("{column: visited_on, expression: visit_date}", "{column: visit_on, expression: visit_date}"),
            ("{column: visited_on, expression: visit_date}", "{column: age, expression: visit_date}"),
            ("{column: visited_on, expression: visit_date}", "{column: jurisdiction, expression: visit_date}"),
            ("{column: visited_on, expression: visit_date}", "{column: sex, expression: sex}"),
            ("{column: visited_on, expression: visit_date}", "{column: visited_on, expression: visitdate}"),
            ("{column: visited_on, expression: visit_date}", "{column: visited_on, expression: notes}"),
            (
                "{column: visited_on, expression: visit_date}",
                "{column: visited_on, expression: \"CAST(notes AS DATE)\"}",
            ),
            ("{column: visited_on, expression: visit_date}", "{column: visited_on, expression: sex}"),
            ("{column: visited_on, expression: visit_date}", "{column: visited_on, expression: visit date}"),
            ("{column: visited_on, expression: visit_date}", "{column: visited_on, expression: max(visit_date)}"),
            ("{column: visited_on, expression: visit_date}", "{column: visited_on, expression: current_date}"),
            ("{column: visited_on, expression: visit_date}", "{column: visited_on, expression: (SELECT 1)}"),
            (
                "{column: sex, expression: \"CASE sex WHEN '男' THEN 'M' WHEN '女' THEN 'F' END\"}",
                "{column: sex, expression: resident_id}",
            ),
            (
                "{column: sex, expression: \"CASE sex WHEN '男' THEN 'M' WHEN '女' THEN 'F' END\"}",
                "{column: sex, expression: sex || nationality || notes}",
            ),
            (
                "{ \"column\": \"patient\", \"expression\": \"bir\" }",
                "{ \"column\": \"patient\", \"expression\": \"bir\", \"class\": \"secret\" }",
            ),
            (
                "\"class\": \"measure\" },\n          { \"column\": \"cost\", \"expression\": \"custo * 0.89\" }",
                "\"class\": \"public\" },\n          { \"column\": \"cost\", \"expression\": \"custo\", \"class\": \"dimension\" }",
            ),
            ("{name: beds, type: int64, class: public}", "{name: beds, type: int64, class: measure}"),
            ("{name: beds, type: int64, class: public}", "{name: beds, type: boolean, class: public}"),
            ("{name: beds, type: int32, class: public}", "{name: beds, type: int32, class: measure}"),
            ("disjointUnits: true", "replicated: true"),
            (
                "  serves:\n    - commonTable: health-visits",
                "  serves:\n    - commonTable: health-facilities\n      mapping: [{column: code, expression: \"'x'\"}]\n    - commonTable: health-visits",
            ),
        ]),
    );
}

#[test]
fn common_tables_that_are_not_in_order() {
    snapshot(
        "common_tables_that_are_not_in_order",
        &report(&[
            ("{name: visited_on, type: date, class: dimension}", "{name: jurisdiction, type: string, class: public}"),
            ("{name: visited_on, type: date, class: dimension}", "{name: sex, type: date, class: dimension}"),
            (
                "codes: [{code: F, meaning: female}, {code: M, meaning: male}]",
                "codes: [{code: F, meaning: female}, {code: F, meaning: male}]",
            ),
            ("colocation: [{key: facility, column: code}]", "colocation: [{key: facility, column: cod}]"),
            (
                "colocation: [{key: facility, column: code}]",
                "colocation: [{key: facility, column: code}, {key: facility, column: beds}]",
            ),
            ("disjointUnits: true", "colocation: [{key: facility, column: visited_on}]"),
            ("disjointUnits: true\n---", "colocation: [{key: cost, column: cost_float}]\n---"),
            (
                "{name: code, type: string, class: public}\n    - {name: beds, type: int64, class: public}",
                "{name: code, type: float64, class: public}\n    - {name: beds, type: int64, class: public}",
            ),
            (
                "metadata: {name: health-visits}\nspec:\n  table: health.visits",
                "metadata: {name: health-visits}\nspec:\n  table: information_schema.visits",
            ),
        ]),
    );
}

#[test]
fn agreements_that_could_not_hold() {
    snapshot(
        "agreements_that_could_not_hold",
        &report(&[
            ("from: MO\n", "from: HK\n"),
            ("to: CN-SZ\n", "to: HK\n"),
            ("to: CN-SZ\n", "to: MO\n"),
            ("commonTables: [health-visits]", "commonTables: [health-visit]"),
            ("commonTables: [health-visits]", "commonTables: [health-facilities]"),
            ("commonTables: [health-visits]", "datasets: [sz-visits, mo-visits]"),
            ("commonTables: [health-visits]", "datasets: [visits]"),
            ("domains: [saude]", "domains: [health, transport]"),
            ("  commonTables: [health-visits]\n  domains: [saude]\n", ""),
            ("expires: 2027-09-10T00:00:00+08:00", "expires: 2024-09-10T00:00:00+08:00"),
            ("expires: 2027-09-10T00:00:00+08:00", "expires: 2023-09-10T00:00:00+08:00"),
            ("agreedBy: [MO, CN-SZ]", "agreedBy: [MO]"),
            ("agreedBy: [MO, CN-SZ]", "agreedBy: []"),
            ("agreedBy: [MO, CN-SZ]", "agreedBy: [MO, HK]"),
            ("state: Active\n  agreedBy: [MO, CN-SZ]", "state: Agreed\n  agreedBy: [CN-SZ]"),
        ]),
    );
}

#[test]
fn all_problems_of_all_resources_are_found_at_once() {
    let text = good()
        .replace("members: [CN-SZ, MO]", "members: [CN-SZ, MO, HK]")
        .replace("privacyUnit: resident_id", "privacyUnit: sex")
        .replace("expression: visit_date", "expression: notes")
        .replace("agreements: [mo-to-sz]", "agreements: [mo-to-hk]");
    let kinds: Vec<String> = findings(&text).into_iter().map(|f| f.kind).collect();
    assert_eq!(kinds, ["Federation", "Dataset", "Dataset", "ResearchProject"]);
}
