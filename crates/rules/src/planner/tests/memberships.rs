//! IN and NOT IN over public tables, inside conditions over protected rows and over the table itself.

use super::{fragments, split};

/// The text of the one fragment of a query over protected rows.
fn text(condition: &str) -> String {
    let sql = format!("SELECT count(*) FROM gba.health.visits WHERE {condition}");
    let asked = fragments(&sql);
    assert_eq!(asked.len(), 1, "{sql}: {asked:?}");
    asked.into_iter().next().unwrap()
}

#[test]
fn a_not_in_goes_to_the_owners_of_protected_rows() {
    for condition in [
        "specialty NOT IN (SELECT s FROM hongkong.t.every)",
        "upper(specialty) NOT IN (SELECT s FROM hongkong.t.every)",
        "specialty NOT IN (SELECT s FROM hongkong.t.every) OR facility = 'a'",
        "NOT (facility = 'a' AND specialty IN (SELECT s FROM hongkong.t.every))",
        "(specialty IN (SELECT s FROM hongkong.t.every)) IS NULL",
        "'a' NOT IN (SELECT s FROM hongkong.t.every) OR facility = 'a'",
    ] {
        let text = text(condition);
        assert!(text.contains("hongkong.t.every") && !text.contains("LIMIT"), "{condition}: {text}");
    }
}

#[test]
fn the_null_of_a_not_in_is_asked_for() {
    let nullable = text("NOT (facility = 'a' AND specialty IN (SELECT s FROM hongkong.t.every))");
    assert!(nullable.contains("(1 IN (SELECT 1 AS member FROM hongkong.t.every"), "{nullable}");
    assert!(nullable.contains("IS NULL"), "{nullable}");
}

#[test]
fn a_table_compared_with_itself_is_compared_with_its_other_rows() {
    for condition in [
        "x > ALL (SELECT x FROM hongkong.t.every WHERE x < 0)",
        "x < ANY (SELECT x FROM hongkong.t.every WHERE x < 0)",
        "x NOT IN (SELECT x FROM hongkong.t.every WHERE x < 3) OR small > 100",
    ] {
        let sql = format!("SELECT x FROM hongkong.t.every WHERE {condition}");
        let plan = split(&sql).unwrap();
        let texts: Vec<String> = plan.groups.iter().flat_map(|g| g.texts.iter().map(|(_, sql)| sql.clone())).collect();
        let all = format!("{texts:?} {}", plan.merge.display_indent());
        for own in ["t1.x > t1.x", "t1.x < t1.x", "t1.x = t1.x", "every.x = hongkong.t.every.x"] {
            assert!(!all.contains(own), "{condition}: {all}");
        }
    }
}
