//! Marks of rows, and doubt about rows that are gone, above cells that may lack an owner's part.

use super::bundle;
use crate::planner::{Doubt, Planner};

const CELLS: &str = "SELECT specialty, count(*) AS n FROM gba.health.visits GROUP BY specialty";
const OTHERS: &str =
    "SELECT specialty, count(*) AS n FROM gba.health.visits WHERE jurisdiction <> 'MO' GROUP BY specialty";

const TOTAL: &str = "SELECT count(*) AS n FROM gba.health.visits";

/// True if rows are marked; true if something is lacking that no mark tells; doubt about absent rows.
type Told = (bool, bool, Doubt);

/// Returns what is told where an owner keeps cells of fewer than `least` units back.
fn told(least: u32, sql: &str) -> Told {
    let mut bundle = bundle();
    let restricted = bundle.slices.iter_mut().filter(|slice| slice.privacy_unit.is_some());
    restricted.for_each(|slice| slice.policy.min_units = least);
    let plan = Planner::new(&bundle).plan(sql).verdict.unwrap_or_else(|refusal| panic!("{sql}\n{refusal}"));
    (plan.marked, plan.lost, plan.absent)
}

const BY_ROW: Told = (true, false, Doubt::Never);
const IF_CELLS_LACK: Told = (true, false, Doubt::CellsLack);
const ALWAYS: Told = (true, false, Doubt::Always);
const UNTOLD: Told = (false, true, Doubt::Never);
const UNTOLD_AND_ALWAYS: Told = (false, true, Doubt::Always);

/// Queries over cells that may lack an owner's part, and what is told of their answers.
fn queries() -> Vec<(String, Told)> {
    let joined = |join: &str| format!("SELECT a.specialty, a.n, b.n AS m FROM ({CELLS}) a {join}");
    let inner = format!("JOIN ({OTHERS}) b ON a.specialty = b.specialty");
    vec![
        (CELLS.to_owned(), BY_ROW),
        (format!("{CELLS} ORDER BY n DESC"), BY_ROW),
        (format!("SELECT n + 1 AS more FROM ({CELLS}) c"), BY_ROW),
        // Rows that are dropped by their values, or by their place among others.
        (format!("{CELLS} HAVING count(*) > 5"), IF_CELLS_LACK),
        (format!("{CELLS} LIMIT 3"), IF_CELLS_LACK),
        (format!("{CELLS} ORDER BY n DESC LIMIT 3"), IF_CELLS_LACK),
        (format!("{CELLS} HAVING count(*) > 5 UNION ALL {CELLS}"), IF_CELLS_LACK),
        // Totals are marked whatever was released.
        (
            "SELECT specialty, count(*) AS n FROM gba.health.visits GROUP BY ROLLUP (specialty) HAVING count(*) > 5"
                .to_owned(),
            ALWAYS,
        ),
        // Every row is made of many.
        (format!("SELECT specialty, sum(n) OVER () AS total FROM ({CELLS}) c"), UNTOLD),
        (format!("SELECT specialty, rank() OVER (ORDER BY n) AS place FROM ({CELLS}) c"), UNTOLD),
        (format!("SELECT sum(n) AS n FROM ({CELLS}) c"), UNTOLD),
        (format!("SELECT sum(n) AS n FROM ({CELLS} HAVING count(*) > 5) c"), UNTOLD),
        (format!("SELECT DISTINCT n FROM ({CELLS}) c"), UNTOLD_AND_ALWAYS),
        (format!("SELECT n, count(*) AS times FROM ({CELLS}) c GROUP BY n"), UNTOLD_AND_ALWAYS),
        // Such a value decides about rows as others do.
        (format!("SELECT sum(n) AS n FROM ({CELLS}) c HAVING sum(n) > 5"), UNTOLD_AND_ALWAYS),
        (
            format!("SELECT n FROM ({TOTAL}) c WHERE n > 5 ORDER BY rank() OVER (ORDER BY n)"),
            (false, true, Doubt::CellsLack),
        ),
        (format!("SELECT specialty FROM ({CELLS}) c QUALIFY rank() OVER (ORDER BY n) < 3"), UNTOLD_AND_ALWAYS),
        (
            format!("SELECT specialty, lag(n) OVER (ORDER BY n) AS p FROM ({CELLS}) c ORDER BY p LIMIT 3"),
            UNTOLD_AND_ALWAYS,
        ),
        (
            format!("SELECT c.chapter FROM gba.health.codes c WHERE 5 < (SELECT max(n) FROM ({CELLS}) a)"),
            UNTOLD_AND_ALWAYS,
        ),
        (format!("SELECT chapter, (SELECT max(n) FROM ({CELLS}) a) AS most FROM gba.health.codes"), UNTOLD),
        // Rows that match or do not.
        (joined(&inner), ALWAYS),
        (joined(&format!("LEFT {inner}")), IF_CELLS_LACK),
        (joined(&format!("FULL {inner}")), BY_ROW),
        (joined(&format!("LEFT {inner} WHERE coalesce(b.n, 0) < 7")), ALWAYS),
        (
            format!("SELECT a.n, c.chapter FROM ({CELLS}) a JOIN gba.health.codes c ON a.specialty = c.specialty"),
            // A code that matches a cell which every owner keeps back is gone.
            ALWAYS,
        ),
        // The one cell of a total is there, whoever keeps it back.
        (format!("{TOTAL} HAVING count(*) > 5"), IF_CELLS_LACK),
        (format!("SELECT code FROM gba.health.facilities WHERE beds < ({TOTAL})"), IF_CELLS_LACK),
        (format!("SELECT f.code, a.n FROM gba.health.facilities f CROSS JOIN ({TOTAL}) a"), BY_ROW),
        (
            format!("SELECT chapter FROM gba.health.codes WHERE specialty IN (SELECT specialty FROM ({CELLS}) a)"),
            UNTOLD_AND_ALWAYS,
        ),
        (
            format!("SELECT n FROM ({CELLS}) a WHERE specialty IN (SELECT specialty FROM gba.health.codes)"),
            IF_CELLS_LACK,
        ),
        (
            format!(
                "SELECT n FROM ({CELLS}) a WHERE NOT EXISTS \
                 (SELECT 1 FROM gba.health.codes c WHERE c.specialty = a.specialty)"
            ),
            IF_CELLS_LACK,
        ),
    ]
}

#[test]
fn rows_that_are_chosen_by_a_value_that_may_lack_a_part_are_told() {
    for (sql, expected) in queries() {
        assert_eq!(told(10, &sql), expected, "{sql}");
    }
}

#[test]
fn a_row_that_is_chosen_by_a_value_that_may_be_withheld_is_told() {
    let by_owner = |value: &str| {
        told(
            10,
            &format!(
                "SELECT jurisdiction, {value} AS n FROM gba.health.visits GROUP BY jurisdiction HAVING {value} > 5"
            ),
        )
    };
    assert_eq!(by_owner("count(*)"), (false, false, Doubt::Never));
    assert_eq!(by_owner("count(cost)"), (true, false, Doubt::Always));
    let all = "SELECT jurisdiction, count(cost) AS n FROM gba.health.visits GROUP BY jurisdiction";
    assert_eq!(told(10, all), BY_ROW);
}

/// Where each row is one owner's cell, a cell that is kept back has no row; and what is made of many rows lacks it.
#[test]
fn rows_that_an_owner_may_keep_back_are_told() {
    let by_owner = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction";
    let told = |sql: &str| {
        let plan = Planner::new(&bundle()).plan(sql).verdict.unwrap_or_else(|refusal| panic!("{sql}\n{refusal}"));
        (plan.rows_kept_back, plan.lost)
    };
    assert_eq!(told(CELLS), (false, false));
    for rows in [
        by_owner.to_owned(),
        format!("SELECT n + 1 AS more FROM ({by_owner}) q WHERE n > 3 ORDER BY n LIMIT 2"),
        format!("{by_owner} UNION ALL SELECT 'x', 1"),
    ] {
        assert_eq!(told(&rows), (true, false), "{rows}");
    }
    // A value of several rows lacks those that are absent, and so do the groups and windows of rows.
    for (mixed, rows_absent) in [
        (format!("SELECT sum(n) AS n FROM ({by_owner}) q"), false),
        (format!("SELECT DISTINCT n FROM ({by_owner}) q"), true),
        (format!("SELECT jurisdiction, rank() OVER (ORDER BY n) AS place FROM ({by_owner}) q"), true),
        (
            format!(
                "SELECT f.code, q.n FROM gba.health.facilities f LEFT JOIN ({by_owner}) q ON f.jurisdiction = q.jurisdiction"
            ),
            true,
        ),
    ] {
        assert_eq!(told(&mixed), (rows_absent, true), "{mixed}");
    }
    let absent = |sql: &str| Planner::new(&bundle()).plan(sql).verdict.unwrap().absent;
    let joined = "FROM gba.health.facilities f LEFT JOIN";
    for (sql, doubt) in [
        (format!("SELECT sum(n) AS n FROM ({by_owner}) q"), Doubt::Never),
        (format!("SELECT sum(n) AS n FROM ({by_owner}) q HAVING sum(n) > 5"), Doubt::Always),
        (format!("SELECT f.code, q.n {joined} ({by_owner}) q ON f.jurisdiction = q.jurisdiction"), Doubt::Never),
        (
            format!(
                "SELECT f.code {joined} ({by_owner}) q ON f.jurisdiction = q.jurisdiction WHERE coalesce(q.n, 0) < 7"
            ),
            Doubt::Always,
        ),
    ] {
        assert_eq!(absent(&sql), doubt, "{sql}");
    }
}

/// A value that may be withheld stays in doubt when it has become part of another.
#[test]
fn what_is_made_of_values_that_may_be_withheld_is_told() {
    let counts =
        "SELECT jurisdiction, specialty, count(cost) AS c FROM gba.health.visits GROUP BY jurisdiction, specialty";
    for (sql, expected) in [
        (format!("SELECT specialty, sum(c) AS s FROM ({counts}) q GROUP BY specialty"), UNTOLD_AND_ALWAYS),
        (format!("SELECT specialty FROM ({counts}) q GROUP BY specialty HAVING sum(c) > 5"), UNTOLD_AND_ALWAYS),
        (format!("SELECT specialty, row_number() OVER (ORDER BY c) AS place FROM ({counts}) q"), UNTOLD),
        (format!("SELECT specialty FROM ({counts}) q QUALIFY lag(c) OVER (ORDER BY c) > 5"), UNTOLD_AND_ALWAYS),
        (format!("SELECT max(c) AS m FROM ({counts}) q"), UNTOLD),
        (format!("SELECT max(c) AS m FROM ({counts}) q HAVING max(c) > 5"), UNTOLD_AND_ALWAYS),
    ] {
        assert_eq!(told(10, &sql), expected, "{sql}");
    }
}

/// A count that an owner withholds is NULL, so that nothing is decided before it is known.
#[test]
fn no_count_is_taken_for_one_that_is_never_null() {
    let merge = |select: &str| {
        let sql = format!("SELECT jurisdiction, {select} AS v FROM gba.health.visits GROUP BY jurisdiction");
        Planner::new(&bundle()).plan(&sql).verdict.unwrap().merge.display_indent().to_string()
    };
    for (select, kept) in [
        ("count(cost) IS NULL", "IS NULL AS"),
        ("count(*) IS NOT NULL", "IS NOT NULL AS"),
        ("coalesce(count(cost), 0)", "coalesce("),
        ("regr_count(cost, minutes) IS NULL", "IS NULL AS"),
        ("count(DISTINCT patient) IS NULL", "IS NULL AS"),
    ] {
        assert!(merge(select).contains(kept), "{select}: {}", merge(select));
    }
}

#[test]
fn no_row_is_marked_where_no_rule_hides_cells() {
    for (sql, _) in queries() {
        assert_eq!(told(1, &sql), (false, false, Doubt::Never), "{sql}");
    }
}

#[test]
fn a_total_has_its_row_and_what_is_made_of_it_is_made_at_home() {
    let split = |sql: &str| {
        let plan = Planner::new(&bundle()).plan(sql).verdict.unwrap_or_else(|refusal| panic!("{sql}\n{refusal}"));
        let text = plan.groups[0].texts[0].1.clone();
        (plan.groups[0].one_cell, plan.chooses, text)
    };
    let beds = "FROM gba.health.facilities WHERE jurisdiction = 'MO'";
    for sql in
        [format!("SELECT 'MO' AS who, 2 * avg(beds) AS n {beds}"), format!("SELECT avg(beds) AS n {beds} LIMIT 5")]
    {
        let (one_cell, _, text) = split(&sql);
        assert!(one_cell && !text.contains("'MO' AS") && !text.contains("* ") && !text.contains("LIMIT"), "{text}");
    }
    assert_eq!((split(TOTAL).0, split(TOTAL).1), (true, false));
    assert!(split(&format!("{TOTAL} HAVING count(*) > 5")).1);
    assert!(!split(CELLS).0 && !split("SELECT code FROM gba.health.facilities").0);
}

#[test]
fn another_owner_can_stand_in_where_no_owner_holds_a_row_or_each_holds_all() {
    let mut bundle = bundle();
    let away = bundle.jurisdiction.clone();
    bundle.slices.retain(|slice| slice.jurisdiction != away);
    let planner = Planner::new(&bundle);
    let owners = |sql: &str| {
        let group = planner.plan(sql).verdict.unwrap_or_else(|refusal| panic!("{sql}\n{refusal}")).groups.remove(0);
        (group.texts.len(), group.spare.len(), group.nobody)
    };
    for table in ["gba.health.facilities", "gba.health.visits"] {
        assert_eq!(owners(&format!("SELECT count(*) AS n FROM {table} WHERE jurisdiction = 'FR'")), (1, 1, true));
        assert_eq!(owners(&format!("SELECT count(*) AS n FROM {table}")), (2, 0, false));
    }
    assert_eq!(owners("SELECT chapter FROM gba.health.codes"), (1, 1, false));
}

#[test]
fn values_that_an_owner_may_withhold_are_known_by_their_columns() {
    let withheld = |least: u32, select: &str| -> (Vec<Vec<usize>>, usize) {
        let mut bundle = bundle();
        let restricted = bundle.slices.iter_mut().filter(|slice| slice.privacy_unit.is_some());
        restricted.for_each(|slice| slice.policy.min_units = least);
        let sql = format!("SELECT specialty, {select} FROM gba.health.visits GROUP BY specialty");
        let plan = Planner::new(&bundle).plan(&sql).verdict.unwrap_or_else(|refusal| panic!("{sql}\n{refusal}"));
        let withheld = &plan.groups[0].promise.withheld;
        (withheld.together.clone(), withheld.owners.len())
    };
    for (select, together) in [
        ("count(*)", vec![]),
        ("count(*), count(DISTINCT patient)", vec![]),
        // A NULL of a count is that of a withheld one, and one of a sum can be.
        ("count(cost)", vec![vec![1]]),
        ("sum(cost)", vec![vec![1]]),
        ("avg(cost), count(*)", vec![vec![2]]),
        ("sum(cost), sum(minutes), count(minutes)", vec![vec![1], vec![3]]),
        ("stddev(minutes), count(*)", vec![vec![1]]),
        ("sum(cost) FILTER (WHERE facility = 'x'), count(*) FILTER (WHERE facility = 'x')", vec![vec![1], vec![2]]),
        ("avg(cost) FILTER (WHERE facility = 'x')", vec![vec![2]]),
        ("bool_or(facility = 'x'), bool_and(facility = 'x')", vec![vec![1, 2]]),
    ] {
        assert_eq!(withheld(10, select), (together, 3), "{select}");
        assert_eq!(withheld(1, select), (vec![], 0), "{select}: nobody is protected");
    }
}

/// A value that is withheld leaves the row without its owner's name, so that the merge misses the owner there.
#[test]
fn the_merge_misses_the_owner_of_a_value_that_is_withheld() {
    let merge = |sql: &str| Planner::new(&bundle()).plan(sql).verdict.unwrap().merge.display_indent().to_string();
    let plain = merge(CELLS);
    assert!(plain.contains("__owner") && !plain.contains("IS NOT TRUE THEN"), "{plain}");
    let withheld = merge("SELECT specialty, avg(cost) AS a FROM gba.health.visits GROUP BY specialty");
    assert!(withheld.contains("IS NULL IS NOT TRUE THEN __release_0.__owner END AS __owner"), "{withheld}");
}

#[test]
fn cells_are_compared_by_their_keys_where_a_rule_hides_some() {
    let keys = |sql: &str| -> Vec<Option<usize>> {
        let plan = Planner::new(&bundle()).plan(sql).verdict.unwrap();
        plan.groups.iter().map(|group| group.keys).collect()
    };
    assert_eq!(keys(CELLS), [Some(1)]);
    assert_eq!(keys("SELECT count(*) FROM gba.health.visits"), [Some(0)]);
    assert_eq!(keys("SELECT beds, count(*) FROM gba.health.facilities GROUP BY beds"), [None]);
}
