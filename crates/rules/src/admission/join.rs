//! Joins with non-public tables: what may be joined with what, so that no row is weighted by the requester's choice.
//!
//! | sides | rule |
//! |---|---|
//! | non-public, non-public | identifier = identifier, one of them the unit of a table of one row per unit, so that no row of the other is repeated |
//! | non-public, public | plain columns of the public table as keys, at most one public row for each value (looked at when it runs), and no public row kept that meets nobody |
//! | semi or anti, hidden side public | no rule: rows are kept or dropped, as by a filter |
//! | semi or anti, hidden side non-public | privacy unit = privacy unit, so that who is counted is also who is hidden |
//!
//! Where a cell needs one unit only, there is nobody to weigh: non-public tables are joined on any identifiers, and public tables
//! on anything.

use datafusion::common::{Column, JoinType};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, LogicalPlanBuilder, Operator, lit};
use wanqu_model::refusal::{Code, Refusal};

use super::base::BaseTables;
use super::functions;
use super::judge::Judge;
use super::node::{Node, Rows};
use super::predicate::{bare, unit_link};

/// One side of a join, as its rules see it.
pub(super) struct Side {
    leaves: std::ops::Range<usize>,
    /// Number of non-public tables on it.
    protected: usize,
    /// True if a column of it is computed, and not a base column as it is.
    computed: bool,
    plan: LogicalPlan,
    rows: Rows,
}

impl Side {
    /// Describes one input of a join.
    pub fn new(node: &Node, tables: &BaseTables) -> Self {
        let leaves = node.leaves.clone();
        let protected = leaves.clone().filter(|i| tables.leaves.get(*i).is_none_or(|leaf| !leaf.public)).count();
        let computed = node.columns.iter().any(|c| !functions::is_strict(&c.expr));
        Self { leaves, protected, computed, plan: node.plan.clone(), rows: node.rows.clone() }
    }

    /// Returns true if a column is one of this side's.
    fn has(&self, column: &Column) -> bool {
        BaseTables::index(column).is_some_and(|index| self.leaves.contains(&index))
    }

    /// Returns true if a column is a unit's that has at most one row on this side.
    fn is_key(&self, column: &Column, tables: &BaseTables) -> bool {
        tables.is_unit(column) && BaseTables::index(column).is_some_and(|index| self.rows.single.contains(&index))
    }

    /// Returns true if an expression reads columns of this side, and no others.
    fn owns(&self, expr: &Expr) -> bool {
        let columns = expr.column_refs();
        !columns.is_empty() && columns.iter().all(|column| self.has(column))
    }
}

/// Checks one join. `met` are conditions that every row of its result meets, over base columns. Returns how often the rows of
/// non-public tables occur in the result.
pub(super) fn check(
    join: &Join,
    left: &Side,
    right: &Side,
    met: &[Expr],
    judge: &mut Judge<'_>,
) -> Result<Rows, Refusal> {
    let kind = join.join_type;
    let rows = match kind {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            computed_below_outer(kind, left, right)?;
            match (left.protected > 0, right.protected > 0) {
                (false, false) => Rows::default(),
                (true, true) => linked(left, right, met, judge)?,
                (true, false) => {
                    lookup(left, right, met, matches!(kind, JoinType::Right | JoinType::Full), judge)?;
                    left.rows.clone()
                }
                (false, true) => {
                    lookup(right, left, met, matches!(kind, JoinType::Left | JoinType::Full), judge)?;
                    right.rows.clone()
                }
            }
        }
        JoinType::LeftSemi | JoinType::LeftAnti => {
            hidden(left, right, met, &judge.tables)?;
            left.rows.clone()
        }
        JoinType::RightSemi | JoinType::RightAnti => {
            hidden(right, left, met, &judge.tables)?;
            right.rows.clone()
        }
        JoinType::LeftMark | JoinType::RightMark => {
            return Err(refused("a mark join", "use LEFT SEMI JOIN or LEFT ANTI JOIN"));
        }
    };
    if join.null_aware {
        return Err(refused("a null-aware join", "use LEFT ANTI JOIN"));
    }
    Ok(rows)
}

fn refused(what: &str, remedy: &str) -> Refusal {
    Refusal::new(Code::NotAnAggregate, format!("{what} with non-public data cannot be released"))
        .with_rule("non-public tables are joined by identifiers with each other, and by equal keys with public tables")
        .with_subject(what)
        .with_remedy(remedy)
}

/// Returns the equalities between the two sides, as (expression of `a`, expression of `b`).
fn keys(a: &Side, b: &Side, met: &[Expr]) -> Vec<(Expr, Expr)> {
    let mut keys = Vec::new();
    for condition in met {
        let Expr::BinaryExpr(equality) = condition else { continue };
        if equality.op != Operator::Eq {
            continue;
        }
        let (l, r) = (&*equality.left, &*equality.right);
        if a.owns(l) && b.owns(r) {
            keys.push((l.clone(), r.clone()));
        } else if a.owns(r) && b.owns(l) {
            keys.push((r.clone(), l.clone()));
        }
    }
    keys
}

/// Checks a join of two non-public tables.
fn linked(left: &Side, right: &Side, met: &[Expr], judge: &Judge<'_>) -> Result<Rows, Refusal> {
    let tables = &judge.tables;
    let across = keys(left, right, met);
    if across.is_empty() {
        return Err(refused("a join without equal keys", "join on the privacy unit: ON a.unit = b.unit"));
    }
    let links: Vec<(&Column, &Column)> = met
        .iter()
        .filter_map(|condition| {
            let (a, b) = unit_link(condition, tables)?;
            let (l, r) = if left.has(a) { (a, b) } else { (b, a) };
            (left.has(l) && right.has(r)).then_some((l, r))
        })
        .collect();
    if !judge.counts_units() {
        return Ok(Rows::default());
    }
    if links.is_empty() {
        return Err(refused("a join of people by a dimension", "join on the privacy unit: ON a.unit = b.unit").with_rule(
            "two non-public tables are joined by identifiers: a join on a dimension multiplies the rows of one by those of the other",
        ));
    }
    let repeats_left = !links.iter().any(|(_, r)| right.is_key(r, tables));
    let repeats_right = !links.iter().any(|(l, _)| left.is_key(l, tables));
    if repeats_left && repeats_right {
        return Err(repeating(left, right, &links, tables));
    }
    let mut rows = Rows::default();
    for (side, repeats) in [(left, repeats_left), (right, repeats_right)] {
        if !repeats {
            rows.once.extend(&side.rows.once);
            rows.single.extend(&side.rows.single);
        }
    }
    Ok(rows)
}

/// Returns the refusal of a join that repeats rows of both sides, with a question of who is in both as its remedy.
fn repeating(left: &Side, right: &Side, links: &[(&Column, &Column)], tables: &BaseTables) -> Refusal {
    let by_units = links.iter().find(|(l, r)| tables.is_unit(l) && tables.is_unit(r));
    let named = by_units.and_then(|(l, r)| Some((tables.leaf(l)?, l, tables.leaf(r)?, r)));
    let remedy = match named {
        Some((outer, l, inner, r)) if left.protected == 1 && right.protected == 1 => format!(
            "ask of one table who is in the other: SELECT count(*) FROM {} AS a WHERE a.{} IN (SELECT b.{} FROM {} AS b)",
            outer.table.name, l.name, r.name, inner.table.name
        ),
        _ => "ask of one table who is in the other: WHERE unit IN (another table's units)".to_owned(),
    };
    refused("a join that repeats rows", &remedy).with_rule(
        "no row weighs more than another: of two joined non-public tables one has a single row for each unit (maxRowsPerUnit: 1 \
         of its Dataset), and the join is on that unit",
    )
}

/// Checks a join of a non-public table with a public one, which must not multiply its rows. `keeps` is true if the result has
/// the public rows that meet nobody.
fn lookup(protected: &Side, public: &Side, met: &[Expr], keeps: bool, judge: &mut Judge<'_>) -> Result<(), Refusal> {
    let keys = keys(protected, public, met);
    if !judge.counts_units() {
        return Ok(());
    }
    if keeps {
        return Err(nobodys(protected, &keys, &judge.tables));
    }
    if keys.is_empty() {
        return Err(refused(
            "a join with a public table without equal keys",
            "join on equal columns: ON a.code = b.code",
        ));
    }
    let plain =
        |(key, of_public): &(Expr, Expr)| functions::is_plain(key) && matches!(bare(of_public), Expr::Column(_));
    if !keys.iter().all(plain) {
        return Err(refused(
            "a computed join key",
            "join a column, or its date_trunc, date_part, substr or upper, with a plain column of the public table",
        )
        .with_rule(
            "the keys of a join with a public table are plain columns of it, and columns or simple functions of one of the \
             non-public table: other keys let the query choose weights",
        ));
    }
    let own: Vec<Expr> = met.iter().filter(|c| public.owns(c)).cloned().collect();
    let public_keys: Vec<Expr> = keys.into_iter().map(|(_, key)| key).collect();
    match repeated_keys(&public.plan, own, public_keys) {
        Ok(plan) => judge.must_be_empty.push(plan),
        Err(_) => return Err(refused("this join with a public table", "join on plain columns")),
    }
    Ok(())
}

/// Returns the refusal of an outer join that keeps public rows: such a row is nobody's, so that it is counted without a unit and
/// tells where there is nobody. The remedy makes the same join of released groups.
fn nobodys(protected: &Side, keys: &[(Expr, Expr)], tables: &BaseTables) -> Refusal {
    let named = keys.iter().find_map(|(key, of_public)| {
        let (Expr::Column(key), Expr::Column(code)) = (bare(key), bare(of_public)) else { return None };
        let table = |column: &Column| Some(tables.leaf(column)?.table.slices.first()?.table.to_string());
        Some((table(key)?, &key.name, table(code)?, &code.name))
    });
    let remedy = match named {
        Some((people, key, public, code)) if protected.protected == 1 => format!(
            "group the non-public table first, and join the public one with what is released: SELECT a.{code}, b.n FROM {public} \
             AS a LEFT JOIN (SELECT {key}, count(*) AS n FROM {people} GROUP BY {key}) AS b ON a.{code} = b.{key}"
        ),
        _ => "group the non-public table first in a derived table, and join the public one with what is released"
            .to_owned(),
    };
    refused("an outer join that keeps public rows", &remedy).with_rule(
        "every row below an aggregate is somebody's: a public row that meets nobody would tell where there is nobody",
    )
}

/// Returns a plan that finds a key which occurs more than once.
fn repeated_keys(public: &LogicalPlan, own: Vec<Expr>, mut keys: Vec<Expr>) -> datafusion::common::Result<LogicalPlan> {
    keys.sort_by_key(ToString::to_string);
    keys.dedup();
    let conditions = own.into_iter().chain(keys.iter().map(|k| Expr::IsNotNull(Box::new(k.clone()))));
    let mut builder = LogicalPlanBuilder::from(public.clone());
    for condition in conditions {
        builder = builder.filter(condition)?;
    }
    let rows = AggregateFunction::new_udf(count_udaf(), vec![lit(1_i64)], false, None, vec![], None);
    let keys = keys.into_iter().enumerate().map(|(i, key)| key.alias(format!("key{i}")));
    // Without keys, every row would meet every row: then there must be one row at most.
    let counted = builder.aggregate(keys, [Expr::AggregateFunction(rows).alias("n")])?;
    counted.filter(datafusion::logical_expr::col("n").gt(lit(1_i64)))?.limit(0, Some(1))?.build()
}

/// Checks a semi- or anti-join: `inner` decides which rows of `outer` stay, and is not in the result.
fn hidden(outer: &Side, inner: &Side, met: &[Expr], tables: &BaseTables) -> Result<(), Refusal> {
    if inner.protected == 0 {
        return Ok(());
    }
    let by_unit = met.iter().any(|condition| {
        unit_link(condition, tables).is_some_and(|(l, r)| {
            let across = outer.has(l) && inner.has(r) || outer.has(r) && inner.has(l);
            across && tables.is_unit(l) && tables.is_unit(r)
        })
    });
    let single = inner.protected == 1;
    if by_unit && single {
        return Ok(());
    }
    let what =
        if single { "a semi-join that is not by privacy unit" } else { "a semi-join with several non-public tables" };
    Err(refused(what, "join on the privacy unit of both tables, or use a plain JOIN").with_rule(
        "IN, EXISTS and semi-joins over non-public tables compare the privacy units of both sides, with one non-public table inside",
    ))
}

/// Checks `outer IN (inner)`, or `NOT IN`; `equality` compares the two.
pub(super) fn member(
    outer: &Side,
    inner: &Side,
    equality: &Expr,
    negated: bool,
    tables: &BaseTables,
) -> Result<(), Refusal> {
    if negated && inner.protected > 0 {
        return Err(refused(
            "NOT IN",
            "write NOT EXISTS (SELECT 1 FROM t WHERE t.unit = outer.unit), which is the same where every record has its unit",
        )
        .with_rule("one record without an identifier would empty the answer of NOT IN, and so reveal that it exists"));
    }
    hidden(outer, inner, std::slice::from_ref(equality), tables)
}

/// Refuses computed columns on a side that an outer join fills with NULL: an expression may give something else of NULL.
fn computed_below_outer(join_type: JoinType, left: &Side, right: &Side) -> Result<(), Refusal> {
    let filled: &[&Side] = match join_type {
        JoinType::Left => &[right],
        JoinType::Right => &[left],
        JoinType::Full => &[left, right],
        _ => &[],
    };
    if filled.iter().any(|side| side.computed) {
        return Err(refused("a computed column below an outer join", "compute it above the join"));
    }
    Ok(())
}
