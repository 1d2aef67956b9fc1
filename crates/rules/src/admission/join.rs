//! Joins with non-public tables: what may be joined with what, so that no row is weighted by the requester's choice.
//!
//! | sides | rule |
//! |---|---|
//! | non-public, non-public | identifier = identifier; rows joined by a dimension would weigh each other |
//! | non-public, public | at most one public row for each value of the equal keys (looked at when it runs) |
//! | semi or anti, hidden side public | no rule: rows are kept or dropped, as by a filter |
//! | semi or anti, hidden side non-public | privacy unit = privacy unit, so that who is counted is also who is hidden |

use datafusion::common::JoinType;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, LogicalPlanBuilder, Operator, lit};
use wanqu_model::refusal::{Code, Refusal};

use super::base::BaseTables;
use super::functions;
use super::judge::Judge;
use super::node::Node;
use super::predicate::unit_link;

/// One side of a join, as its rules see it.
pub(super) struct Side {
    leaves: std::ops::Range<usize>,
    /// Number of non-public tables on it.
    protected: usize,
    /// True if a column of it is computed, and not a base column as it is.
    computed: bool,
    plan: LogicalPlan,
}

impl Side {
    /// Describes one input of a join.
    pub fn new(node: &Node, tables: &BaseTables) -> Self {
        let leaves = node.leaves.clone();
        let protected = leaves.clone().filter(|i| tables.leaves.get(*i).is_none_or(|leaf| !leaf.public)).count();
        let computed = node.columns.iter().any(|c| !functions::is_strict(&c.expr));
        Self { leaves, protected, computed, plan: node.plan.clone() }
    }

    /// Returns true if an expression reads columns of this side, and no others.
    fn owns(&self, expr: &Expr) -> bool {
        let columns = expr.column_refs();
        !columns.is_empty() && columns.iter().all(|c| BaseTables::index(c).is_some_and(|i| self.leaves.contains(&i)))
    }
}

/// Checks one join. `met` are conditions that every row of its result meets, over base columns.
pub(super) fn check(
    join: &Join,
    left: &Side,
    right: &Side,
    met: &[Expr],
    judge: &mut Judge<'_>,
) -> Result<(), Refusal> {
    match join.join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            computed_below_outer(join.join_type, left, right)?;
            match (left.protected > 0, right.protected > 0) {
                (false, false) => Ok(()),
                (true, true) => linked(left, right, met, judge),
                (true, false) => lookup(left, right, met, judge),
                (false, true) => lookup(right, left, met, judge),
            }
        }
        JoinType::LeftSemi | JoinType::LeftAnti => hidden(left, right, met, &judge.tables),
        JoinType::RightSemi | JoinType::RightAnti => hidden(right, left, met, &judge.tables),
        JoinType::LeftMark | JoinType::RightMark => Err(refused("a mark join", "use LEFT SEMI JOIN or LEFT ANTI JOIN")),
    }?;
    if join.null_aware {
        return Err(refused("a null-aware join", "use LEFT ANTI JOIN"));
    }
    Ok(())
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
fn linked(left: &Side, right: &Side, met: &[Expr], judge: &Judge<'_>) -> Result<(), Refusal> {
    let tables = &judge.tables;
    let across = keys(left, right, met);
    if across.is_empty() {
        return Err(refused("a join without equal keys", "join on the privacy unit: ON a.unit = b.unit"));
    }
    let by_unit = met.iter().any(|c| {
        unit_link(c, tables).is_some_and(|(l, r)| {
            let side = |s: &Side, c| BaseTables::index(c).is_some_and(|i| s.leaves.contains(&i));
            side(left, l) && side(right, r) || side(right, l) && side(left, r)
        })
    });
    if by_unit || !judge.counts_units() {
        return Ok(());
    }
    Err(refused("a join of people by a dimension", "join on the privacy unit: ON a.unit = b.unit").with_rule(
        "two non-public tables are joined by identifiers: a join on a dimension multiplies the rows of one by those of the other",
    ))
}

/// Checks a join of a non-public table with a public one, which must not multiply its rows.
fn lookup(protected: &Side, public: &Side, met: &[Expr], judge: &mut Judge<'_>) -> Result<(), Refusal> {
    let keys = keys(protected, public, met);
    if judge.counts_units() {
        if !keys.iter().all(|(key, _)| functions::is_plain(key)) {
            return Err(refused(
                "a computed join key",
                "join on a column, or its date_trunc, date_part, substr or upper",
            )
            .with_rule("the key of a join with a public table is a column or a simple function of one: other keys let the query choose weights"));
        }
        let own: Vec<Expr> = met.iter().filter(|c| public.owns(c)).cloned().collect();
        let public_keys: Vec<Expr> = keys.into_iter().map(|(_, key)| key).collect();
        match repeated_keys(&public.plan, own, public_keys) {
            Ok(plan) => judge.must_be_empty.push(plan),
            Err(_) => return Err(refused("this join with a public table", "join on plain columns")),
        }
    }
    Ok(())
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
    let is_unit = |c| tables.leaf(c).and_then(super::base::Leaf::unit_column) == Some(c.name.as_str());
    let by_unit = met.iter().any(|condition| {
        unit_link(condition, tables).is_some_and(|(l, r)| {
            let on = |s: &Side, c| BaseTables::index(c).is_some_and(|i| s.leaves.contains(&i));
            is_unit(l) && is_unit(r) && (on(outer, l) && on(inner, r) || on(outer, r) && on(inner, l))
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
