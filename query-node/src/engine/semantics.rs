//! Semantics of SQL: queries over small tables with NULL in them, and the answers that PostgreSQL gives. `semantics.slt`
//! holds them; a line of a row is `|a|b|`, NULL is empty, and rows are in the order of their text.

use std::fmt::Write;

use wanqu_model::bundle::SourceFormat;

use super::fixture::{Fixture, rule};
use super::tests::rows;

/// Tables `shenzhen.d.NAME`: columns and records.
const TABLES: &[(&str, &str, &str)] = &[
    ("k", "k: int32 public", "k\n1\n2\n3\n"),
    ("v", "v: int32 public; z: string public", "v,z\n1,a\n1,b\n3,c\n"),
    ("kn", "k: int32 public; j: int32 public", "k,j\n1,1\n,2\n3,3\n"),
    ("e", "k: int32 public; z: string public", "k,z\n"),
    (
        "n",
        "id: int32 public; v: int32 public; g: int32 public",
        "id,v,g\n1,10,1\n2,,1\n3,30,1\n4,40,2\n5,,2\n6,70,2\n7,80,1\n8,,2\n9,,1\n",
    ),
    ("m", "id: int32 public; v: int32 public", "id,v\n1,10\n2,20\n3,30\n4,40\n5,\n6,\n7,70\n8,80\n9,\n"),
    (
        "f",
        "id: int32 public; flag: boolean public; x: int32 public; y: int32 public",
        "id,flag,x,y\n1,true,1,5\n2,false,,20\n3,,3,30\n4,true,,\n5,,,40\n6,false,6,2\n",
    ),
    ("o", "id: int32 public; g: int32 public", "id,g\n1,1\n2,2\n3,1\n,2\n5,\n"),
    ("i", "id: int32 public; g: int32 public", "id,g\n1,1\n,2\n3,3\n"),
    (
        "s",
        "s: string public; flag: boolean public",
        "s,flag\na%b,true\naxb,false\na\\b,\nabc,true\nxyz,false\n,\na_b,true\na!b,false\n",
    ),
];

/// One query, and its rows or a word of its refusal.
struct Case<'t> {
    sql: &'t str,
    rows: Vec<&'t str>,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let blocks = text.split("\n\n").map(str::trim).filter(|block| !block.is_empty() && !block.starts_with('#'));
    let pairs = blocks.map(|block| block.split_once("\n----").unwrap());
    pairs.map(|(sql, rows)| Case { sql: sql.trim(), rows: rows.trim().lines().collect() }).collect()
}

#[tokio::test]
async fn queries_mean_what_sql_says() {
    let mut fixture = Fixture::new();
    for (name, columns, records) in TABLES {
        fixture.write(&format!("{name}.csv"), records);
        fixture.dataset(name, &format!("{name}.csv"), SourceFormat::Csv, columns, rule(1, 1));
    }
    let mut wrong = String::new();
    for Case { sql, rows: expected } in cases(include_str!("semantics.slt")) {
        match rows(&fixture, sql).await {
            Ok(answer) => {
                let mut got: Vec<&str> = answer.lines().collect();
                got.sort_unstable();
                if got != expected {
                    let _ = writeln!(wrong, "{sql}\n  expected {expected:?}\n  got      {got:?}");
                }
            }
            Err(refusal) => {
                let said = expected.first().and_then(|line| line.strip_prefix("refused: "));
                if !said.is_some_and(|word| refusal.message.contains(word)) {
                    let _ = writeln!(wrong, "{sql}\n  expected {expected:?}\n  refused: {refusal}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
