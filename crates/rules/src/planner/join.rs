//! Placing a join: it runs at the owners where no matching pair of rows can lie at two of them, and at home otherwise.

use datafusion::common::{Column, JoinType};
use datafusion::logical_expr::{Expr, Join, LogicalPlan};
use wanqu_model::refusal::{Code, Refusal};

use super::doubt::Doubt;
use super::fragments::Fragments;
use super::invalid::invalid;
use super::part::{HomePart, Placed, with_marks_last};
use super::spread::{Region, broadcast};
use super::subquery::is_membership;

/// Side of a join.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Places a join of two placed inputs.
pub(super) fn place(
    join: &Join,
    left: Placed,
    right: Placed,
    fragments: &mut Fragments<'_>,
) -> Result<Placed, Refusal> {
    let restricted = |placed: &Placed| matches!(placed, Placed::Owners(region) if !region.public);
    let member = is_membership(join) && restricted(&left) && !(join.null_aware && restricted(&right));
    let has_text = has_text(join) || member;
    if !has_text && (restricted(&left) || restricted(&right)) {
        return Err(no_text(join));
    }
    match (left, right) {
        (Placed::Owners(left), Placed::Owners(right)) if has_text => {
            if let Some(region) = together(join, &left, &right)? {
                return Ok(Placed::Owners(region));
            }
            if !left.public && !right.public {
                return Err(not_together(join));
            }
            let (left, right) = (fragments.home(Placed::Owners(left))?, fragments.home(Placed::Owners(right))?);
            at_home(join, left, right).map(Placed::Home)
        }
        (left, right) => {
            let (left, right) = (fragments.home(left)?, fragments.home(right)?);
            at_home(join, left, right).map(Placed::Home)
        }
    }
}

/// Joins two plans at home. Rows keep the marks of the sides that they show.
fn at_home(join: &Join, left: HomePart, right: HomePart) -> Result<HomePart, Refusal> {
    let (left_stays, right_stays) = (keeps_left(join.join_type), keeps_right(join.join_type));
    let untold = |side: &HomePart, stays: bool| side.lost || side.rows_kept_back || !side.lacks.is_empty() && !stays;
    let lost = untold(&left, left_stays) || untold(&right, right_stays);
    let absent = left.absent.max(right.absent).max(doubt_of_matches(join, &left, &right));
    let values = left.values.max(right.values).max(doubt_of_filled(join.join_type, &left, &right));
    // Where an outer join fills a side in, its marks are NULL, which counts as set.
    let filled = join.join_type.is_outer() && !(left.lacks.is_empty() && right.lacks.is_empty());
    let marked_anyway = left.marked_anyway || right.marked_anyway || filled;
    let hidden = left.hidden || right.hidden;
    let rows_kept_back = left.rows_kept_back && left_stays || right.rows_kept_back && right_stays;
    let mut lacks = Vec::new();
    if left_stays {
        lacks.extend(left.lacks);
    }
    if right_stays {
        lacks.extend(right.lacks);
    }
    let node = LogicalPlan::Join(join.clone());
    let joined = node.with_new_exprs(node.expressions(), vec![left.plan, right.plan]).map_err(invalid)?;
    let joined = joined.recompute_schema().map_err(invalid)?;
    let plan = if lacks.is_empty() { joined } else { with_marks_last(joined, &lacks)? };
    Ok(HomePart { plan, lacks, lost, rows_kept_back, marked_anyway, hidden, values, absent })
}

/// Returns the doubt about values of a join that stand for rows which were not found: those that an outer join fills in, and
/// whether there is a match.
fn doubt_of_filled(join: JoinType, left: &HomePart, right: &HomePart) -> Doubt {
    match join {
        JoinType::Left | JoinType::LeftMark => right.doubt_of_others(),
        JoinType::Right | JoinType::RightMark => left.doubt_of_others(),
        JoinType::Full => left.doubt_of_others().max(right.doubt_of_others()),
        _ => Doubt::Never,
    }
}

/// Returns the doubt about absent rows of a join: a value that lacks a part may match nothing, and what would match a cell
/// that is hidden at every owner does not.
fn doubt_of_matches(join: &Join, left: &HomePart, right: &HomePart) -> Doubt {
    let unconditional = join.on.is_empty() && join.filter.is_none() && !left.hidden && !right.hidden;
    match join.join_type {
        // Without a condition the values decide nothing.
        JoinType::Inner | JoinType::Left | JoinType::Right if unconditional => Doubt::Never,
        JoinType::Inner => left.doubt_of_others().max(right.doubt_of_others()),
        JoinType::LeftSemi | JoinType::LeftAnti => left.doubt().max(right.doubt_of_others()),
        JoinType::RightSemi | JoinType::RightAnti => right.doubt().max(left.doubt_of_others()),
        JoinType::Left => right.doubt(),
        JoinType::Right => left.doubt(),
        JoinType::Full => Doubt::Never,
        // A condition above goes by the mark of the match.
        JoinType::LeftMark => right.doubt_of_others(),
        JoinType::RightMark => left.doubt_of_others(),
    }
}

/// Returns the join as a region, if every owner can join what it holds.
fn together(join: &Join, left: &Region, right: &Region) -> Result<Option<Region>, Refusal> {
    let both = |owners: &Region| joined(join, left, right, owners).map(Some);
    let holds = |all: &Region, some: &Region| some.owners.iter().all(|o| all.owners.contains(o));
    if left.replicated && right.replicated && left.owners == right.owners {
        return both(left);
    }
    if right.replicated && holds(right, left) && split_side_allowed(join.join_type, Side::Left) {
        return both(left);
    }
    if left.replicated && holds(left, right) && split_side_allowed(join.join_type, Side::Right) {
        return both(right);
    }
    let unreplicated = |region: &Region| Region { replicated: false, ..region.clone() };
    // NOT IN is about all of the other side: whether it is empty, and whether it holds a NULL.
    let colocated = !join.null_aware && left.colocated_with(right, &join.on);
    let one_owner = left.owners.len() == 1 && left.owners == right.owners;
    if one_owner || colocated && left.owners == right.owners {
        return both(&unreplicated(left));
    }
    // Rows of one side alone decide where the join is; those of the other side that lie elsewhere match nothing here.
    if colocated && holds(right, left) && split_side_allowed(join.join_type, Side::Left) {
        return both(&unreplicated(left));
    }
    if colocated && holds(left, right) && split_side_allowed(join.join_type, Side::Right) {
        return both(&unreplicated(right));
    }
    if colocated && matches!(join.join_type, JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi) {
        let mut owners: Vec<_> = left.owners.iter().filter(|o| right.owners.contains(o)).cloned().collect();
        if owners.is_empty() {
            // No two rows meet. One owner of what may not leave is asked all the same, so that the answer has its shape.
            let asked = if left.public && !right.public { right } else { left };
            owners.extend(asked.owners.first().cloned());
        }
        if !owners.is_empty() {
            return both(&Region { owners, ..unreplicated(left) });
        }
    }
    if should_send(join, left, Side::Left, right) {
        let whole = broadcast(right).map_err(invalid)?;
        return joined(join, left, &whole, left).map(Some);
    }
    if should_send(join, right, Side::Right, left) {
        let whole = broadcast(left).map_err(invalid)?;
        return joined(join, &whole, right, right).map(Some);
    }
    Ok(None)
}

/// Returns the join of two regions at the owners of one of them, or of both.
fn joined(join: &Join, left: &Region, right: &Region, at: &Region) -> Result<Region, Refusal> {
    let node = LogicalPlan::Join(join.clone());
    let plan = node.with_new_exprs(node.expressions(), vec![left.plan.clone(), right.plan.clone()]).map_err(invalid)?;
    let sizes = left.size.zip(right.size);
    Ok(Region {
        plan,
        owners: at.owners.clone(),
        // Another owner may hold one side only.
        spare: vec![],
        nobody: false,
        replicated: at.replicated,
        keys: keys_after(join, left, right),
        public: left.public && right.public,
        size: sizes.map(|(left, right)| left.joined(right, join.join_type)),
    })
}

/// Returns true if all of the public region `sent` goes to the owners of the region `held` on `side`: because that one
/// may not leave them, or because it is far larger.
fn should_send(join: &Join, held: &Region, side: Side, sent: &Region) -> bool {
    let possible = sent.public && (held.is_single() || split_side_allowed(join.join_type, side));
    let columns = |region: &Region| region.plan.schema().fields().len();
    let smaller = || match (sent.size, held.size) {
        (Some(size), Some(other)) => size.is_worth_sending(columns(sent), other, columns(held), held.owners.len()),
        _ => false,
    };
    possible && (!held.public || smaller())
}

/// Returns true if the union over owners of (share of the split side ⋈ all of the other side) is the join.
fn split_side_allowed(join: JoinType, split: Side) -> bool {
    match split {
        Side::Left => {
            matches!(
                join,
                JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark
            )
        }
        Side::Right => {
            matches!(join, JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti)
        }
    }
}

/// Returns the co-location keys of the result: a column that an outer join fills with NULL is none.
fn keys_after(join: &Join, left: &Region, right: &Region) -> std::collections::HashMap<Column, String> {
    let mut keys = std::collections::HashMap::new();
    let (from_left, from_right) = match join.join_type {
        JoinType::Inner => (true, true),
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => (true, false),
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => (false, true),
        _ => (false, false),
    };
    if from_left {
        keys.extend(left.keys.clone());
    }
    if from_right {
        keys.extend(right.keys.clone());
    }
    if join.join_type == JoinType::Inner {
        for (l, r) in &join.on {
            if let (Expr::Column(l), Expr::Column(r)) = (l, r) {
                if let Some(key) = left.keys.get(l) {
                    keys.entry(r.clone()).or_insert_with(|| key.clone());
                }
                if let Some(key) = right.keys.get(r) {
                    keys.entry(l.clone()).or_insert_with(|| key.clone());
                }
            }
        }
    }
    keys
}

/// Returns true if a fragment's text has a form for this join.
fn has_text(join: &Join) -> bool {
    !join.null_aware && !matches!(join.join_type, JoinType::LeftMark | JoinType::RightMark)
}

fn keeps_left(join: JoinType) -> bool {
    !matches!(join, JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark)
}

fn keeps_right(join: JoinType) -> bool {
    !matches!(join, JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark)
}

fn no_text(join: &Join) -> Refusal {
    if join.null_aware {
        return Refusal::new(Code::NotSplittable, "NOT IN over non-public data cannot be sent to its owners")
            .with_subject("NOT IN")
            .with_rule("one record without an identifier would empty the answer of NOT IN, and so reveal that it exists")
            .with_remedy("write NOT EXISTS (SELECT 1 FROM t WHERE t.unit = outer.unit), which is the same where every record has its unit");
    }
    Refusal::new(
        Code::NotSplittable,
        "this subquery inside OR or an expression cannot be sent to the owners of non-public data",
    )
    .with_subject("a subquery inside OR, NOT or an expression")
    .with_rule("a subquery inside OR is IN, or EXISTS with one equality or that reads nothing of the outer query")
    .with_remedy("write it as x IN (SELECT y FROM …), or as a condition of its own joined by AND")
}

/// Returns a side of an equality as the query could have it: the engine's aliases of subqueries are no names of its tables.
fn written(side: &Expr) -> String {
    match side {
        Expr::Column(column) if column.relation.as_ref().is_some_and(|table| table.table().starts_with("__")) => {
            format!("{} (of the subquery)", column.name)
        }
        other => other.to_string(),
    }
}

fn not_together(join: &Join) -> Refusal {
    let on: Vec<String> = join.on.iter().map(|(l, r)| format!("{} = {}", written(l), written(r))).collect();
    let subject = if on.is_empty() { "a join without an equality".to_owned() } else { on.join(" AND ") };
    Refusal::new(Code::NotSplittable, "matching rows may lie in different jurisdictions")
        .with_subject(subject)
        .with_rule("non-public tables are joined inside one jurisdiction, on a declared co-location key, or on jurisdiction and a key")
        .with_remedy("add an equality of the two tables' `jurisdiction` columns to the join, or aggregate each table first and join the results")
}
