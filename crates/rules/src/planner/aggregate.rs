//! Splitting an Aggregate: finished aggregates at the owners, an aggregate over their releases at home.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunction, GroupingSet};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection, lit};
use wanqu_model::refusal::{Code, Refusal};

use super::decompose::{Merge, Split, split};
use super::fragments::hiding_owners;
use super::place::{HomePart, Placed, Placer, at_home};
use super::spread::Region;
use super::{invalid, lineage, marks};

impl Placer<'_> {
    /// Places an aggregate over a region.
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate, region: Region) -> Result<Placed, Refusal> {
        let grouping_sets = matches!(aggregate.group_expr.first(), Some(Expr::GroupingSet(_)));
        let whole_at_owner =
            !grouping_sets && (region.is_single() || aggregate.group_expr.iter().any(|g| region.is_key(g)));
        if region.public && whole_at_owner {
            return Ok(Placed::Owners(at_owner(aggregate, region)?));
        }
        let splits = splits(aggregate, &region);
        let splittable = splits.iter().all(|(_, s)| !matches!(s, Split::Whole));
        if splittable {
            if !region.public {
                check_unit_counts(&splits, aggregate, &region)?;
            }
            return Merging { aggregate, region, splits }.place(self);
        }
        if region.public || !whole_at_owner {
            // Public rows may cross as they are; anything else is refused by the rules of the owner.
            let input = if region.public {
                self.cut(region)?
            } else {
                return Err(self.explain_refusal(&at_owner(aggregate, region)?));
            };
            return at_home(&LogicalPlan::Aggregate(aggregate.clone()), vec![input]).map(Placed::Home);
        }
        // The one owner gives the whole of it; nothing more may be done to it there.
        let lost = !hiding_owners(&region).is_empty();
        let plan = self.cut(at_owner(aggregate, region)?)?;
        Ok(Placed::Home(HomePart { plan, lacks: vec![], lost }))
    }
}

/// How each aggregate is split.
fn splits(aggregate: &Aggregate, region: &Region) -> Vec<(AggregateFunction, Split)> {
    let function = |e: &Expr| match e.clone().unalias() {
        Expr::AggregateFunction(f) => Some(f),
        _ => None,
    };
    let functions = aggregate.aggr_expr.iter().filter_map(function);
    functions
        .map(|f| {
            let is_unit = |arg: &Expr| !region.public && lineage::is_identifier(arg, &aggregate.input);
            let how = split(&f, aggregate.input.schema().as_ref(), is_unit);
            (f, how)
        })
        .collect()
}

/// The aggregate run whole at each owner.
fn at_owner(aggregate: &Aggregate, region: Region) -> Result<Region, Refusal> {
    let plan =
        Aggregate::try_new(Arc::new(region.plan.clone()), aggregate.group_expr.clone(), aggregate.aggr_expr.clone());
    let plan = LogicalPlan::Aggregate(plan.map_err(invalid)?);
    let groups = aggregate.group_expr.clone();
    Ok(region.with_plan(plan, |c| groups.contains(&Expr::Column(c.clone())).then(|| c.clone())))
}

/// Distinct units are added up over owners and cells only where no unit is in two of them.
fn check_unit_counts(
    splits: &[(AggregateFunction, Split)],
    aggregate: &Aggregate,
    region: &Region,
) -> Result<(), Refusal> {
    let Some((function, _)) = splits.iter().find(|(_, s)| matches!(s, Split::Units(_))) else { return Ok(()) };
    let refuse = |rule: &str, remedy: &str| {
        Err(Refusal::new(Code::NotSplittable, "distinct units of several cells cannot be added up")
            .with_subject(Expr::AggregateFunction(function.clone()).schema_name().to_string())
            .with_rule(rule)
            .with_remedy(remedy))
    };
    if matches!(aggregate.group_expr.first(), Some(Expr::GroupingSet(_))) {
        return refuse(
            "totals are made at home of released cells, and one unit can be in several cells",
            "ask for the total in a query of its own, or use count(*)",
        );
    }
    if splits.iter().any(|(_, s)| matches!(s, Split::Key(_))) {
        return refuse(
            "a DISTINCT aggregate over a dimension divides the cells, and one unit can be in several of them",
            "ask for the two in queries of their own",
        );
    }
    let apart = region.is_single()
        || aggregate.group_expr.iter().any(|g| region.is_key(g))
        || lineage::units_are_disjoint(&region.plan);
    if apart {
        Ok(())
    } else {
        refuse(
            "a unit may have records in several jurisdictions, and no owner tells another who its units are",
            "add `jurisdiction` to GROUP BY, so that each jurisdiction's units are counted on their own",
        )
    }
}

/// How one aggregate is finished from aggregates at home, by their places.
struct Finish {
    merge: Merge,
    merged: Vec<usize>,
}

struct Merging<'a> {
    aggregate: &'a Aggregate,
    region: Region,
    splits: Vec<(AggregateFunction, Split)>,
}

impl Merging<'_> {
    fn place(self, placer: &mut Placer<'_>) -> Result<Placed, Refusal> {
        let groups: Vec<Expr> = grouping_set_to_exprlist(&self.aggregate.group_expr)
            .map_err(invalid)?
            .into_iter()
            .filter(|g| !is_grouping_id(g))
            .map(|g| g.clone().unalias())
            .collect();
        let grouping_sets = matches!(self.aggregate.group_expr.first(), Some(Expr::GroupingSet(_)));
        // Two keys may be one once they are simplified; released they are one column, which both are then read from.
        let mut distinct: Vec<Expr> = Vec::new();
        for group in &groups {
            if grouping_sets || !distinct.contains(group) {
                distinct.push(group.clone());
            }
        }
        let (keys, partials) = self.owner_parts(&distinct);
        let hides = !self.region.public && !hiding_owners(&self.region).is_empty();
        let finer = keys.len() > distinct.len();
        let by_owner = groups.iter().any(|g| self.region.is_jurisdiction(g));

        // Names of their own: two expressions may have one name, as a cast has the name of what it casts.
        let own_keys = keys.iter().enumerate().map(|(i, key)| match key {
            Expr::Column(_) => key.clone(),
            _ => key.clone().alias(format!("__key_{i}")),
        });
        let own_partials = partials.iter().enumerate().map(|(i, p)| p.clone().alias(format!("__part_{i}")));
        let (own_keys, own_partials) = (own_keys.collect(), own_partials.collect());
        let partial =
            Aggregate::try_new(Arc::new(self.region.plan.clone()), own_keys, own_partials).map_err(invalid)?;
        let schema = Arc::clone(&partial.schema);
        let owner_region = self.region.clone().with_plan(LogicalPlan::Aggregate(partial), |_| None);
        let owners = hiding_owners(&owner_region).len();
        let leaf = placer.cut_with_owner(owner_region, hides)?;

        let place_of: HashMap<&Expr, Expr> =
            keys.iter().chain(&partials).enumerate().map(|(i, e)| (e, column_at(&schema, i))).collect();
        let (mut merged, finishes) = self.home_parts(&place_of);
        let released = merged.len();
        // Where cells are finer than what is shown, or each is one owner's, nothing is told by who released it.
        let marked = hides && !finer && !by_owner;
        if marked {
            merged.extend(marks::seen(owners).map_err(invalid)?);
        }
        let group_expr = self.group_at_home(&distinct, &place_of);
        let named = merged.iter().enumerate().map(|(i, m)| m.clone().alias(format!("__merged_{i}"))).collect();
        let home = Aggregate::try_new(Arc::new(leaf), group_expr, named).map_err(invalid)?;

        let offset = home.schema.fields().len() - merged.len();
        let own_offset = self.aggregate.schema.fields().len() - self.splits.len();
        let mut output = Vec::new();
        for (i, (qualifier, field)) in self.aggregate.schema.iter().enumerate().take(own_offset) {
            let place = groups.get(i).and_then(|group| distinct.iter().position(|d| d == group)).unwrap_or(i);
            let place = if grouping_sets { i } else { place };
            output.push(column_at(&home.schema, place).alias_qualified(qualifier.cloned(), field.name()));
        }
        for (i, finish) in finishes.into_iter().enumerate() {
            let Finish { merge, merged } = finish;
            let (qualifier, field) = self.aggregate.schema.qualified_field(own_offset + i);
            let columns: Vec<Expr> = merged.iter().map(|m| column_at(&home.schema, offset + m)).collect();
            let mut value = merge.finish(&columns, home.schema.as_ref(), field.data_type()).map_err(invalid)?;
            // Nobody released a row, and no rule hides any: there are none, and a count of none is 0.
            let may_be_empty = grouping_sets || groups.is_empty();
            if may_be_empty && !hides && matches!(self.splits[i].0.func.name(), "count" | "regr_count") {
                let zero = ScalarValue::new_zero(field.data_type()).map_err(invalid)?;
                value = datafusion::functions::expr_fn::coalesce(vec![value, lit(zero)]);
            }
            output.push(value.alias_qualified(qualifier.cloned(), field.name()));
        }
        let mut lacks = Vec::new();
        if hides {
            let seen = (released..merged.len()).map(|word| column_at(&home.schema, offset + word));
            let missing_owner = marks::missing(owners, seen);
            let total = grouping_sets.then(|| column_at(&home.schema, groups.len()).not_eq(lit(0_u8)));
            let lack = match (finer, by_owner, total) {
                (true, _, _) => Some(lit(true)),
                (false, true, total) => total,
                (false, false, Some(total)) => Some(missing_owner.or(total)),
                (false, false, None) => Some(missing_owner),
            };
            if let Some(lack) = lack {
                let name = placer.lack_name();
                output.push(lack.alias(name.clone()));
                lacks.push(Column::new_unqualified(name));
            }
        }
        let plan = Projection::try_new(output, Arc::new(LogicalPlan::Aggregate(home))).map_err(invalid)?;
        Ok(Placed::Home(HomePart { plan: LogicalPlan::Projection(plan), lacks, lost: hides && by_owner }))
    }

    /// Group keys and aggregates at the owners.
    fn owner_parts(&self, groups: &[Expr]) -> (Vec<Expr>, Vec<Expr>) {
        let mut keys = groups.to_vec();
        let mut partials: Vec<Expr> = Vec::new();
        let add = |list: &mut Vec<Expr>, e: &Expr| {
            if !list.contains(e) {
                list.push(e.clone());
            }
        };
        for (_, split) in &self.splits {
            match split {
                Split::Merge { partials: parts, .. } => parts.iter().for_each(|p| add(&mut partials, p)),
                Split::Key(key) => add(&mut keys, key),
                Split::Units(count) => add(&mut partials, count),
                Split::Whole => {}
            }
        }
        (keys, partials)
    }

    /// Aggregates at home, and how each of the original ones is finished from them.
    fn home_parts(&self, place_of: &HashMap<&Expr, Expr>) -> (Vec<Expr>, Vec<Finish>) {
        let mut merged: Vec<Expr> = Vec::new();
        let mut index = |e: Expr| {
            merged.iter().position(|m| *m == e).unwrap_or_else(|| {
                merged.push(e);
                merged.len() - 1
            })
        };
        let mut finishes = Vec::new();
        for (function, split) in &self.splits {
            let (merge, aggregates) = match split {
                Split::Merge { partials, merge } => {
                    let columns: Vec<Expr> = partials.iter().filter_map(|p| place_of.get(p).cloned()).collect();
                    (merge.clone(), merge.aggregates(&columns))
                }
                Split::Units(count) => {
                    let merge = Merge::Same(datafusion::functions_aggregate::sum::sum_udaf());
                    let columns: Vec<Expr> = place_of.get(count).cloned().into_iter().collect();
                    let aggregates = merge.aggregates(&columns);
                    (merge, aggregates)
                }
                Split::Key(key) => {
                    let mut over_key = function.clone();
                    over_key.params.args = place_of.get(key).cloned().into_iter().collect();
                    (Merge::Same(Arc::clone(&function.func)), vec![Expr::AggregateFunction(over_key)])
                }
                Split::Whole => continue,
            };
            let merged = aggregates.into_iter().map(&mut index).collect();
            finishes.push(Finish { merge, merged });
        }
        (merged, finishes)
    }

    fn group_at_home(&self, groups: &[Expr], place_of: &HashMap<&Expr, Expr>) -> Vec<Expr> {
        let at = |e: &Expr| place_of.get(&e.clone().unalias()).cloned().unwrap_or_else(|| e.clone());
        match self.aggregate.group_expr.first() {
            Some(Expr::GroupingSet(set)) => vec![Expr::GroupingSet(match set {
                GroupingSet::Rollup(exprs) => GroupingSet::Rollup(exprs.iter().map(at).collect()),
                GroupingSet::Cube(exprs) => GroupingSet::Cube(exprs.iter().map(at).collect()),
                GroupingSet::GroupingSets(sets) => {
                    GroupingSet::GroupingSets(sets.iter().map(|s| s.iter().map(at).collect()).collect())
                }
            })],
            _ => groups.iter().map(at).collect(),
        }
    }
}

fn is_grouping_id(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(c) if c.name == Aggregate::INTERNAL_GROUPING_ID)
}

/// The column at a place of a schema, qualified as it is there.
pub(super) fn column_at(schema: &DFSchema, index: usize) -> Expr {
    let (qualifier, field) = schema.qualified_field(index);
    Expr::Column(Column::new(qualifier.cloned(), field.name()))
}
