//! Resources that the API server takes and that do not fit together: each says so by name, field and remedy, all at once,
//! and nothing else stops.

use crate::bed::Bed;

/// What is applied, whose condition tells, and what it says.
const FAULTS: &[(&str, &str, &str, &str)] = &[
    (
        "kind: Jurisdiction\nmetadata: {name: second-hongkong}\nspec: {id: HK, sqlName: hk2}",
        "Jurisdiction",
        "second-hongkong",
        "spec.id: Jurisdiction hongkong is HK already; keep one of the two",
    ),
    (
        "kind: Jurisdiction\nmetadata: {name: zhuhai}\nspec: {id: CN-ZH, sqlName: zhuhai}",
        "Jurisdiction",
        "zhuhai",
        "spec.id: CN-ZH is not a member of Federation gba; add CN-ZH to the Federation's spec.members",
    ),
    (
        "kind: Dataset
metadata: {name: nobodys}
spec:
  jurisdiction: JP
  custodian: 衞生署
  table: health.nobodys
  source: {files: {path: 就診/記錄.csv, format: csv}}
  columns: [{name: a, type: int64, class: public}]",
        "Dataset",
        "nobodys",
        "spec.jurisdiction: there is no jurisdiction JP; ",
    ),
    (
        "kind: Dataset
metadata: {name: garbled}
spec:
  jurisdiction: MO
  custodian: Hospital Authority
  table: health.garbled
  source: {files: {path: a.csv, format: csv}}
  columns: [{name: a, type: int64, class: public}]
  serves: [{commonTable: finance-rates, mapping: [{column: cny_per_unit, expression: 'a FROM (SELECT'}]}]",
        "Dataset",
        "garbled",
        "spec.serves[0].mapping[",
    ),
    (
        "kind: DataSharingAgreement
metadata: {name: to-nowhere}
spec:
  from: HK
  to: MO
  datasets: [macau-visits, no-such-dataset]
  purposes: [health-planning]
  filingReference: F
  notBefore: 2024-01-01T00:00:00Z
  expires: 2030-01-01T00:00:00Z
  state: Requested",
        "DataSharingAgreement",
        "to-nowhere",
        "spec.datasets[0]: Dataset macau-visits belongs to MO; name only datasets of HK\nspec.datasets[1]: there is no Dataset no-such-dataset; ",
    ),
    (
        "kind: ResearchProject
metadata: {name: by-a-stranger}
spec: {subjects: [{issuer: 'https://nobody.example', subject: x}], purposes: [epidemiology], agreements: [none]}",
        "ResearchProject",
        "by-a-stranger",
        "spec.subjects[0].issuer: no jurisdiction accepts the issuer https://nobody.example; ",
    ),
    (
        "kind: DisclosurePolicy\nmetadata: {name: of-nobody}\nspec: {minUnits: 5, appliesTo: {datasets: [nothing]}}",
        "DisclosurePolicy",
        "of-nobody",
        "spec.appliesTo.datasets[0]: there is no Dataset nothing; ",
    ),
    (
        "kind: CommonTable
metadata: {name: twice}
spec: {table: health.visits, columns: [{name: a, type: int64}]}",
        "CommonTable",
        "twice",
        "spec.table: CommonTable health-visits is called health.visits already; ",
    ),
];

#[tokio::test]
async fn each_fault_is_told_where_it_is_and_everything_else_goes_on() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    for (text, ..) in FAULTS {
        bed.apply(&format!("apiVersion: wanqu.dev/v1alpha1\n{text}")).await;
    }
    for (_, kind, name, told) in FAULTS {
        let message = bed.condition(kind, name, "Valid", "False", "Invalid").await;
        assert!(message.contains(told), "{kind} {name}: {message}");
        assert!(message.contains("; "), "it says what to do: {message}");
    }
    // Nothing is made of a jurisdiction that is not in order, and what ran goes on.
    assert!(bed.get("StatefulSet", "gba", "second-hongkong-node").await.is_none());
    assert!(bed.get("StatefulSet", "gba", "zhuhai-node").await.is_none());
    for kind in ["Dataset", "CommonTable", "DisclosurePolicy", "DataSharingAgreement", "ResearchProject"] {
        for object in bed.api(kind, "gba").list(&<_>::default()).await.unwrap() {
            let name = object.metadata.name.unwrap();
            if !FAULTS.iter().any(|(_, of, at, _)| *of == kind && *at == name) {
                bed.condition(kind, &name, "Valid", "True", "Compiled").await;
            }
        }
    }
    for name in ["shenzhen", "hongkong", "macau"] {
        bed.condition("Jurisdiction", name, "WorkloadReady", "True", "Available").await;
    }

    // Taken away again, all is well.
    for (_, kind, name, _) in FAULTS {
        bed.delete(kind, "gba", name).await;
    }
    bed.ready("Federation", "gba").await;
}
