//! The manifests of the TPC-H worlds: every column public, or orders protected as if they were people.

use std::fmt::Write;

use arrow::datatypes::{DataType, SchemaRef};

const HEAD: &str = r"apiVersion: wanqu.dev/v1alpha1
kind: Federation
metadata: { name: tpch }
spec:
  trustDomain: tpch.test
  members: [CN-SZ, HK, MO]
  defaults:
    limits: { deadlineSeconds: 900, memoryMib: 4096 }
";

const CITIES: [(&str, &str); 3] = [("CN-SZ", "shenzhen"), ("HK", "hongkong"), ("MO", "macau")];

/// The text of the manifests for these tables, all public; with the rows that each city has of them.
pub fn write(tables: &[(&str, SchemaRef, usize)]) -> String {
    let mut text = HEAD.to_owned() + &members();
    for (table, schema, rows) in tables {
        text += &common_table(table, schema, &|_| "public", &format!("  approximateRows: {rows}\n"));
    }
    text
}

/// The text of the manifests for lines of orders, as if each order were somebody to protect.
pub fn write_protected(schema: &SchemaRef, min_units: u32) -> String {
    let class = |column: &str| match column {
        "l_orderkey" => "identifier",
        "l_quantity" | "l_extendedprice" | "l_discount" | "l_tax" => "measure",
        "l_comment" => "sealed",
        _ => "dimension",
    };
    let head = HEAD.replace("    limits:", &format!("    release: {{ minUnits: {min_units} }}\n    limits:"));
    let mut text = head + &members();
    text += &common_table("lineitem", schema, &class, "  privacyUnit: l_orderkey\n");
    let mut names = Vec::new();
    for (from, from_name) in CITIES {
        for (to, to_name) in CITIES.into_iter().filter(|(to, _)| *to != from) {
            names.push(format!("{from_name}-to-{to_name}"));
            let _ = write!(
                text,
                r"---
apiVersion: wanqu.dev/v1alpha1
kind: DataSharingAgreement
metadata: {{ name: {from_name}-to-{to_name} }}
spec:
  from: {from}
  to: {to}
  domains: [tpch]
  purposes: [health-planning]
  filingReference: BENCH
  notBefore: 2019-01-01T00:00:00Z
  expires: 2099-01-01T00:00:00Z
  state: Active
  agreedBy: [{from}, {to}]
"
            );
        }
    }
    let _ = write!(
        text,
        r"---
apiVersion: wanqu.dev/v1alpha1
kind: ResearchProject
metadata: {{ name: capacity }}
spec:
  subjects:
{}  purposes: [health-planning]
  agreements: [{}]
",
        CITIES.map(|(id, _)| subject(id)).concat(),
        names.join(", ")
    );
    text
}

fn subject(id: &str) -> String {
    format!("    - {{ jurisdiction: {id}, issuer: \"https://local.wanqu.test\", subject: researcher }}\n")
}

fn members() -> String {
    let member = |(id, city): (&str, &str)| {
        format!(
            r#"---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {{ name: {city} }}
spec:
  id: {id}
  sqlName: {city}
  dataRoot: data/{city}
  issuers:
    - {{ issuer: "https://local.wanqu.test" }}
"#
        )
    };
    CITIES.into_iter().map(member).collect()
}

/// One common table, and each city's part of it.
fn common_table(table: &str, schema: &SchemaRef, class: &dyn Fn(&str) -> &'static str, about: &str) -> String {
    let columns = columns(schema, class);
    let disjoint = if about.contains("privacyUnit") { "  disjointUnits: true\n" } else { "" };
    let mut text = format!(
        "---\napiVersion: wanqu.dev/v1alpha1\nkind: CommonTable\nmetadata: {{ name: {table} }}\n\
         spec:\n  table: tpch.{table}\n  columns:\n{columns}{}{disjoint}",
        placement(table)
    );
    // A sealed column is not mapped: nothing reads it.
    let mapped = schema.fields().iter().filter(|f| class(f.name()) != "sealed");
    let mapping: String = mapped.map(|f| format!("        - {{ column: {0}, expression: {0} }}\n", f.name())).collect();
    for (id, city) in CITIES {
        let _ = write!(
            text,
            "---\napiVersion: wanqu.dev/v1alpha1\nkind: Dataset\nmetadata: {{ name: {city}-{table} }}\n\
             spec:\n  jurisdiction: {id}\n  custodian: TPC\n  table: tpch.{table}\n\
             \x20 source: {{ files: {{ path: {table}.parquet, format: parquet }} }}\n  columns:\n{columns}{about}\
             \x20 serves:\n    - commonTable: {table}\n      mapping:\n{mapping}"
        );
    }
    text
}

fn columns(schema: &SchemaRef, class: &dyn Fn(&str) -> &'static str) -> String {
    let line = |name: &str, data_type: &DataType| {
        let data_type = match data_type {
            DataType::Int32 => "int32".to_owned(),
            DataType::Int64 => "int64".to_owned(),
            DataType::Date32 => "date".to_owned(),
            DataType::Decimal128(precision, scale) => format!("\"decimal({precision},{scale})\""),
            _ => "string".to_owned(),
        };
        format!("    - {{ name: {name}, type: {data_type}, class: {} }}\n", class(name))
    };
    schema.fields().iter().map(|f| line(f.name(), f.data_type())).collect()
}

/// Co-location keys and replicated tables.
fn placement(table: &str) -> String {
    let key = |key: &str, column: &str| format!("  colocation:\n    - {{ key: {key}, column: {column} }}\n");
    match table {
        "region" | "nation" => "  replicated: true\n".to_owned(),
        "orders" => key("order", "o_orderkey"),
        "lineitem" => key("order", "l_orderkey"),
        "part" => key("part", "p_partkey"),
        "partsupp" => key("part", "ps_partkey"),
        "supplier" => key("supplier", "s_suppkey"),
        _ => key("customer", "c_custkey"),
    }
}
