//! The manifests of the TPC-H world: every column public, one common table for each of the eight.

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

/// The text of the manifests for these tables.
pub fn write(tables: &[(&str, SchemaRef)]) -> String {
    let mut text = HEAD.to_owned();
    let cities = [("CN-SZ", "shenzhen"), ("HK", "hongkong"), ("MO", "macau")];
    for (id, city) in cities {
        let _ = write!(
            text,
            r#"---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {{ name: {city} }}
spec:
  id: {id}
  sqlName: {city}
  dataRoot: data/{city}
  issuers:
    - {{ issuer: "https://local.wanqu.test", audience: wanqu }}
"#
        );
    }
    for (table, schema) in tables {
        let columns = columns(schema);
        let _ = write!(
            text,
            "---\napiVersion: wanqu.dev/v1alpha1\nkind: CommonTable\nmetadata: {{ name: {table} }}\n\
             spec:\n  table: tpch.{table}\n  columns:\n{columns}{}",
            placement(table)
        );
        for (id, city) in cities {
            let mapping: String = schema
                .fields()
                .iter()
                .map(|f| format!("        - {{ column: {0}, expression: {0} }}\n", f.name()))
                .collect();
            let _ = write!(
                text,
                "---\napiVersion: wanqu.dev/v1alpha1\nkind: Dataset\nmetadata: {{ name: {city}-{table} }}\n\
                 spec:\n  jurisdiction: {id}\n  custodian: TPC\n  table: tpch.{table}\n\
                 \x20 source: {{ files: {{ path: {table}.parquet, format: parquet }} }}\n  columns:\n{columns}\
                 \x20 serves:\n    - commonTable: {table}\n      mapping:\n{mapping}"
            );
        }
    }
    text
}

fn columns(schema: &SchemaRef) -> String {
    let line = |name: &str, data_type: &DataType| {
        let data_type = match data_type {
            DataType::Int32 => "int32".to_owned(),
            DataType::Int64 => "int64".to_owned(),
            DataType::Date32 => "date".to_owned(),
            DataType::Decimal128(precision, scale) => format!("\"decimal({precision},{scale})\""),
            _ => "string".to_owned(),
        };
        format!("    - {{ name: {name}, type: {data_type}, class: public }}\n")
    };
    schema.fields().iter().map(|f| line(f.name(), f.data_type())).collect()
}

/// What lies together, and what lies everywhere.
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
