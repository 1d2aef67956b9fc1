//! The rules in the definitions, and for each one an example that it accepts and one that it rejects.

use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray};
use wanqu_crds::kinds::definitions;

/// Calls `visit` with every schema below this one, the path to it, and itself.
pub fn walk(schema: &JSONSchemaProps, path: &str, visit: &mut impl FnMut(&str, &JSONSchemaProps)) {
    visit(path, schema);
    for (name, property) in schema.properties.iter().flatten() {
        walk(property, &format!("{path}.{name}"), visit);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        walk(item, &format!("{path}[]"), visit);
    }
}

/// Every rule of every kind: where it is, the rule, its message, and the schema that it stands in.
pub fn rules() -> Vec<(String, String, String, JSONSchemaProps)> {
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

/// A rule about an object, by its message: a place in the federation of `tests/good`, what the rule accepts there, and what
/// it does not.
pub struct OfObject {
    pub message: &'static str,
    pub place: &'static str,
    pub good: &'static str,
    pub bad: &'static str,
}

impl OfObject {
    /// The federation with what the rule accepts.
    pub fn accepted(&self) -> String {
        self.with(self.good)
    }

    /// The federation with what the rule does not accept.
    pub fn rejected(&self) -> String {
        self.with(self.bad)
    }

    fn with(&self, text: &str) -> String {
        let federation = federation();
        assert_eq!(federation.matches(self.place).count(), 1, "{:?} is one place", self.place);
        federation.replace(self.place, text)
    }
}

/// The federation in order that the examples change.
pub fn federation() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good");
    let files = ["federation.yaml", "tables.yaml", "shenzhen.yaml", "macau.json", "rules.yaml", "queries.yaml"];
    files.map(|file| std::fs::read_to_string(folder.join(file)).unwrap()).join("---\n")
}

/// A rule about a change to an object, by its message: the object in `tests/good`, a change that is accepted, and one that
/// is not. Both are merge patches.
pub struct OfChange {
    pub message: &'static str,
    pub kind: &'static str,
    pub name: &'static str,
    pub good: &'static str,
    pub bad: &'static str,
}

pub const OF_CHANGES: &[OfChange] = &[
    OfChange {
        message: "the query cannot change: create another FederatedQuery",
        kind: "FederatedQuery",
        name: "visits-by-week",
        good: r#"{"spec": {"suspend": true, "schedule": "0 7 * * 1", "ttlSecondsAfterFinished": 60}}"#,
        bad: r#"{"spec": {"sql": "SELECT count(*) FROM macau.health.visits"}}"#,
    },
    OfChange {
        message: "the requester cannot change",
        kind: "FederatedQuery",
        name: "visits-by-week",
        good: r#"{"spec": {"requester": "li.na"}}"#,
        bad: r#"{"spec": {"requester": "somebody.else"}}"#,
    },
    OfChange {
        message: "a schedule cannot be added or removed: create another FederatedQuery",
        kind: "FederatedQuery",
        name: "visits-by-week",
        good: r#"{"spec": {"schedule": "0 8 * * *"}}"#,
        bad: r#"{"spec": {"schedule": null, "timeZone": null}}"#,
    },
    OfChange {
        message: "the trust domain cannot change: every certificate names it",
        kind: "Federation",
        name: "gba",
        good: r#"{"spec": {"trustDomain": "gba.example", "members": ["CN-SZ", "HK", "MO"]}}"#,
        bad: r#"{"spec": {"trustDomain": "gba2.example"}}"#,
    },
    OfChange {
        message: "the id cannot change: certificates and agreements name it",
        kind: "Jurisdiction",
        name: "macau",
        good: r#"{"spec": {"id": "MO", "displayName": "Macau"}}"#,
        bad: r#"{"spec": {"id": "HK"}}"#,
    },
    OfChange {
        message: "storage.size cannot shrink: a disk grows, and its files stay",
        kind: "Jurisdiction",
        name: "macau",
        good: r#"{"spec": {"storage": {"size": "1536Mi"}}}"#,
        bad: r#"{"spec": {"storage": {"size": "1000M"}}}"#,
    },
    OfChange {
        message: "storage.className cannot change: a disk stays in its class; take the Jurisdiction away and its claims, and make both anew, if its audit log may go",
        kind: "Jurisdiction",
        name: "macau",
        good: r#"{"spec": {"storage": {"size": "2Gi"}}}"#,
        bad: r#"{"spec": {"storage": {"className": "fast"}}}"#,
    },
];

pub const OF_OBJECTS: &[OfObject] = &[
    OfObject {
        message: "variables that begin with WANQU_, and OTEL_EXPORTER_OTLP_ENDPOINT, are the operator's: use the fields of the Jurisdiction",
        place: "sqlName: macau",
        good: "sqlName: macau\n  pods: {env: [{name: RUST_LOG, value: debug}]}",
        bad: "sqlName: macau\n  pods: {env: [{name: WANQU_BUNDLE, value: /tmp/mine}]}",
    },
    OfObject {
        message: "labels that begin with wanqu.dev/ or app.kubernetes.io/ select the node's pods, and are the operator's",
        place: "sqlName: macau",
        good: "sqlName: macau\n  pods: {labels: {team: health}}",
        bad: "sqlName: macau\n  pods: {labels: {wanqu.dev/jurisdiction: HK}}",
    },
    OfObject {
        message: "csv describes files of format csv",
        place: "path: visits, format: parquet",
        good: "path: visits, format: csv, csv: {separator: \";\", skipLines: 2}",
        bad: "path: visits, format: parquet, csv: {skipLines: 2}",
    },
    OfObject {
        message: "encoding, compression and values describe text: a Parquet file says them itself",
        place: "path: visits, format: parquet",
        good: "path: visits, format: csv, encoding: gb18030, compression: gzip, values: {nulls: [\"--\", N.A.]}",
        bad: "path: visits, format: parquet, encoding: gb18030",
    },
    OfObject {
        message: "separator and quote are two characters",
        place: "format: csv, badRecords: skip",
        good: "format: csv, csv: {separator: \"\\t\", quote: \"'\"}",
        bad: "format: csv, csv: {separator: \"'\", quote: \"'\"}",
    },
    OfObject {
        message: "separator and escape are two characters",
        place: "format: csv, badRecords: skip",
        good: "format: csv, csv: {separator: \"|\", escape: \"\\\\\"}",
        bad: "format: csv, csv: {escape: \",\"}",
    },
    OfObject {
        message: "a comment begins with neither the separator nor the quote",
        place: "format: csv, badRecords: skip",
        good: "format: csv, csv: {comment: \"#\"}",
        bad: "format: csv, csv: {comment: \";\", separator: \";\"}",
    },
    OfObject {
        message: "decimalSeparator and groupSeparator are two characters",
        place: "format: csv, badRecords: skip",
        good: "format: csv, values: {decimalSeparator: \",\", groupSeparator: \".\"}",
        bad: "format: csv, values: {groupSeparator: \".\"}",
    },
    OfObject {
        message: "project and purpose are given together, or neither if only public tables are read",
        place: "  project: hospital-capacity\n  purpose: health-planning\n  from: MO",
        good: "  from: MO",
        bad: "  project: hospital-capacity\n  from: MO",
    },
    OfObject {
        message: "timeZone and startingDeadlineSeconds apply to a schedule only",
        place: "  schedule: 30 6 * * 1\n  timeZone: Asia/Macau\n",
        good: "  schedule: 30 6 * * 1\n",
        bad: "  timeZone: Asia/Macau\n",
    },
    OfObject {
        message: "at most one of namespace, kubeconfigSecret and external",
        place: "placement:\n    external:",
        good: "placement:\n    external:",
        bad: "placement:\n    namespace: x\n    external:",
    },
    OfObject {
        message: "a node that is run elsewhere has its data and its authority there: leave dataClaim and authoritySecret out",
        place: "sqlName: macau",
        good: "sqlName: macau\n  dataRoot: /data",
        bad: "sqlName: macau\n  dataClaim: records",
    },
    OfObject {
        message: "nodePort and externalTrafficPolicy apply to a Service that is reached from outside: set serviceType to NodePort or LoadBalancer",
        place: "sqlName: macau",
        good: "sqlName: macau\n  exchange: {serviceType: NodePort, nodePort: 30743, externalTrafficPolicy: Local}",
        bad: "sqlName: macau\n  exchange: {nodePort: 30743}",
    },
    OfObject {
        message: "gba and whole are catalogs of the common tables",
        place: "sqlName: macau",
        good: "sqlName: gba_macau",
        bad: "sqlName: gba",
    },
    OfObject {
        message: "cidrs, gatewayCidrs and dnsCidrs hold an address and a length each: 203.0.113.0/24",
        place: "sqlName: macau",
        good: "sqlName: macau\n  network: {cidrs: [203.0.113.0/24, \"2001:db8::/32\", 0.0.0.0/0], dnsCidrs: [10.0.0.10/32]}",
        bad: "sqlName: macau\n  network: {cidrs: [203.0.113.0/24], gatewayCidrs: [203.0.113.0/33]}",
    },
    OfObject {
        message: "traces.cidrs holds an address and a length each: 192.0.2.0/24",
        place: "sqlName: macau",
        good: "sqlName: macau\n  traces: {endpoint: \"http://otel.example:4318\", cidrs: [192.0.2.0/24]}",
        bad: "sqlName: macau\n  traces: {endpoint: \"http://otel.example:4318\", cidrs: [192.0.2.0.0/24]}",
    },
    OfObject {
        message: "network policies allow addresses and namespaces only: give the namespace or the cidrs of a collector whose endpoint has a name",
        place: "sqlName: macau",
        good: "sqlName: macau\n  traces: {endpoint: \"https://[2001:db8::7]/otlp\"}",
        bad: "sqlName: macau\n  traces: {endpoint: \"https://otel.example:4318\"}",
    },
    OfObject {
        message: "ca holds PEM certificates",
        place: "-----BEGIN CERTIFICATE-----",
        good: "Bag Attributes\n        -----BEGIN CERTIFICATE-----",
        bad: "-----BEGIN GARBAGE-----",
    },
    OfObject {
        message: "a public key is PEM, beginning with -----BEGIN PUBLIC KEY-----",
        place: "audience: wanqu}",
        good: "audience: wanqu, publicKeys: [\"-----BEGIN PUBLIC KEY-----\\nMCow\\n-----END PUBLIC KEY-----\\n\"]}",
        bad: "audience: wanqu, publicKeys: [KEY]}",
    },
    OfObject {
        message: "a dataset with a column that is not public names its privacyUnit",
        place: "    - {name: beds, type: int32, class: public}",
        good: "    - {name: beds, type: int32, class: public}\n    - {name: tel, type: string, class: public}",
        bad: "    - {name: beds, type: int32, class: public}\n    - {name: tel, type: string, class: sealed}",
    },
    OfObject {
        message: "privacyUnit is one of the columns, of class identifier; a public dataset needs none",
        place: "privacyUnit: resident_id",
        good: "privacyUnit: resident_id",
        bad: "privacyUnit: sex",
    },
    OfObject {
        message: "maxRowsPerUnit needs a privacyUnit",
        place: "badRecords: skip}}",
        good: "badRecords: skip}}",
        bad: "badRecords: skip}}\n  maxRowsPerUnit: 1",
    },
    OfObject {
        message: "approximateRows is told to every member, so only a public dataset may have it",
        place: "  maxRowsPerUnit: 200",
        good: "  maxRowsPerUnit: 200",
        bad: "  maxRowsPerUnit: 200\n  approximateRows: 200",
    },
    OfObject {
        message: "path is relative to the dataRoot and stays below it",
        place: "path: visits,",
        good: "path: \"a/..b/visits\",",
        bad: "path: a/../visits,",
    },
    OfObject {
        message: "the column jurisdiction is filled in by itself",
        place: "{column: beds, expression: beds}",
        good: "{column: beds, expression: beds}",
        bad: "{column: beds, expression: beds}\n        - {column: jurisdiction, expression: code}",
    },
    OfObject {
        message: "the column jurisdiction is added by itself",
        place: "- {name: beds, type: int64, class: public}",
        good: "- {name: beds, type: int64, class: public}\n    - {name: jurisdictions, type: string, class: public}",
        bad: "- {name: beds, type: int64, class: public}\n    - {name: jurisdiction, type: string, class: public}",
    },
    OfObject {
        message: "a co-location key names a column of this table",
        place: "column: code}]",
        good: "column: beds}]",
        bad: "column: cod}]",
    },
    OfObject {
        message: "an agreement joins two different jurisdictions",
        place: "to: CN-SZ\n",
        good: "to: CN-SZ\n",
        bad: "to: MO\n",
    },
    OfObject {
        message: "expires comes after notBefore",
        place: "expires: 2027",
        good: "expires: 2028",
        bad: "expires: 2021",
    },
    OfObject {
        message: "an agreement covers at least one of datasets, commonTables and domains",
        place: "  commonTables: [health-visits]\n  domains: [saude]\n",
        good: "  domains: [saude]\n",
        bad: "",
    },
    OfObject {
        message: "only the two ends agree",
        place: "agreedBy: [MO, CN-SZ]",
        good: "agreedBy: [CN-SZ, MO]",
        bad: "agreedBy: [MO, HK]",
    },
    OfObject {
        message: "an agreement is Agreed or Active only when both ends are in agreedBy",
        place: "state: Active\n  agreedBy: [MO, CN-SZ]",
        good: "state: Requested\n  agreedBy: [MO]",
        bad: "state: Active\n  agreedBy: [MO]",
    },
];
