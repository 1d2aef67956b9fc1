//! An aggregate in two steps: finished aggregates at the owners, and an aggregate at home over their releases.
//!
//! ```text
//! owner_step  group keys and aggregates of each owner
//! release     the region ends: a leaf with one row for each cell of each owner
//! home_step   the aggregate over the leaf, and beside it the owners that released something for each cell
//! output      the columns of the aggregate that was asked for, each finished from those at home
//! mark        the cells that may lack an owner's part
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::functions_aggregate::expr_fn::bool_or;
use datafusion::logical_expr::expr::{AggregateFunction, Cast, GroupingSet};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection, lit, when};

use super::decompose::{Merge, Split};
use super::doubt::Doubt;
use super::fragments::Fragments;
use super::invalid::invalid;
use super::marks;
use super::part::{HomePart, column_at};
use super::spread::Region;
use crate::expressions::has_grouping_sets;
use crate::merge::{ReleaseTable, if_released};
use wanqu_model::refusal::Refusal;

/// An aggregate to be merged at home.
pub(super) struct Merging<'a> {
    aggregate: &'a Aggregate,
    region: Region,
    /// The aggregate functions, each with its split; none is whole.
    splits: Vec<(AggregateFunction, Split)>,
    /// Group keys, in the order of the aggregate's columns.
    groups: Vec<Expr>,
    /// The same, each once: two keys may be one once they are simplified. Released they are one column, which both are
    /// then read from.
    distinct: Vec<Expr>,
    /// True for ROLLUP, CUBE and GROUPING SETS.
    grouping_sets: bool,
    /// Number of owners whose rule may keep cells back.
    hiding: usize,
}

/// Group keys and aggregates that each owner is asked for.
struct OwnerStep {
    keys: Vec<Expr>,
    partials: Vec<Expr>,
}

/// The releases of all owners.
struct Released {
    leaf: LogicalPlan,
    /// The table that the leaf reads.
    table: Arc<ReleaseTable>,
    /// Condition that the owner of a row withheld a value of it; `None` if none does.
    withheld: Option<Expr>,
    /// Column of the leaf that holds each key and each partial aggregate.
    columns: HashMap<Expr, Expr>,
}

/// The aggregate at home.
struct HomeStep {
    plan: Aggregate,
    /// Last step of each of the original aggregates, over those of `plan`.
    finishes: Vec<Finish>,
    /// Index of the first column that is an aggregate.
    first: usize,
    /// Indexes of the words of [`marks`], counted from `first`.
    seen: std::ops::Range<usize>,
    /// Index of the condition that a value was withheld from a cell that is one owner's, counted from `first`.
    withheld: Option<usize>,
}

/// Last step of one aggregate: the merged aggregates that it is made of, by index.
struct Finish {
    merge: Merge,
    merged: Vec<usize>,
}

impl<'a> Merging<'a> {
    /// Prepares the merging of an aggregate over `region`, of whose functions none is [`Split::Whole`].
    pub fn new(
        aggregate: &'a Aggregate,
        region: Region,
        splits: Vec<(AggregateFunction, Split)>,
    ) -> Result<Self, Refusal> {
        let groups: Vec<Expr> = grouping_set_to_exprlist(&aggregate.group_expr)
            .map_err(invalid)?
            .into_iter()
            .filter(|g| !is_grouping_id(g))
            .map(|g| g.clone().unalias_nested().data)
            .collect();
        let grouping_sets = has_grouping_sets(aggregate);
        let mut distinct: Vec<Expr> = Vec::new();
        for group in &groups {
            if grouping_sets || !distinct.contains(group) {
                distinct.push(group.clone());
            }
        }
        let hiding = region.hiding_owners().len();
        Ok(Self { aggregate, region, splits, groups, distinct, grouping_sets, hiding })
    }

    /// Cuts the region, and puts the aggregate at home over its releases.
    pub fn place(self, fragments: &mut Fragments<'_>) -> Result<HomePart, Refusal> {
        let owner_step = self.owner_step();
        let released = self.release(&owner_step, fragments)?;
        let table = Arc::clone(&released.table);
        let doubt = fragments.doubt_of_last();
        let home_step = self.home_step(&owner_step, released)?;
        let mut output = self.key_columns(&home_step);
        output.extend(self.value_columns(&home_step, &table)?);
        let mut lacks = Vec::new();
        if let Some(mark) = self.mark(&owner_step, &home_step) {
            let name = fragments.lack_name();
            output.push(mark.alias(name.clone()));
            lacks.push(Column::new_unqualified(name));
        }
        let plan = Projection::try_new(output, Arc::new(LogicalPlan::Aggregate(home_step.plan))).map_err(invalid)?;
        let rows_kept_back = self.hides() && self.is_by_owner();
        let marked_anyway = !lacks.is_empty() && (self.grouping_sets || self.is_finer(&owner_step));
        let hidden = self.hides() && !self.groups.is_empty();
        // Owners' cells cannot be compared where each has its own.
        let untold = lacks.is_empty() || self.is_by_owner();
        Ok(HomePart {
            lacks,
            rows_kept_back,
            marked_anyway,
            hidden,
            values: if untold { doubt } else { Doubt::Never },
            ..HomePart::complete(LogicalPlan::Projection(plan))
        })
    }

    /// Returns true if some owner may keep cells back.
    fn hides(&self) -> bool {
        self.hiding > 0
    }

    /// Returns true if each cell is one owner's.
    fn is_by_owner(&self) -> bool {
        self.groups.iter().any(|group| self.region.is_jurisdiction(group))
    }

    /// Returns true if owners release finer cells than those that are shown: DISTINCT arguments are keys, too.
    fn is_finer(&self, owner_step: &OwnerStep) -> bool {
        owner_step.keys.len() > self.distinct.len()
    }

    /// Returns true if merged cells carry the owners that released something for them. Where cells are finer than those
    /// that are shown, or each is one owner's, that would tell nothing.
    fn is_told_by_cell(&self, owner_step: &OwnerStep) -> bool {
        self.hides() && !self.is_finer(owner_step) && !self.is_by_owner()
    }

    /// Decides the group keys and aggregates at the owners, each once.
    fn owner_step(&self) -> OwnerStep {
        let mut keys = self.distinct.clone();
        let mut partials: Vec<Expr> = Vec::new();
        // Sets beside the lists: a query may have thousands of aggregates.
        let mut known_keys: HashSet<&Expr> = self.distinct.iter().collect();
        let mut known_partials: HashSet<&Expr> = HashSet::new();
        for (_, split) in &self.splits {
            match split {
                Split::Merge { partials: parts, .. } => {
                    partials.extend(parts.iter().filter(|part| known_partials.insert(*part)).cloned());
                }
                Split::Key(key) => keys.extend(Some(key).filter(|key| known_keys.insert(*key)).cloned()),
                Split::Units(count) => {
                    partials.extend(Some(count).filter(|count| known_partials.insert(*count)).cloned());
                }
                Split::Whole => {}
            }
        }
        OwnerStep { keys, partials }
    }

    /// Ends the region with the owners' aggregate.
    fn release(&self, owner_step: &OwnerStep, fragments: &mut Fragments<'_>) -> Result<Released, Refusal> {
        let OwnerStep { keys, partials } = owner_step;
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
        let region = self.region.clone().with_plan(LogicalPlan::Aggregate(partial), |_| None);
        let leaf = if self.hides() { fragments.cut_with_owner(region, keys.len())? } else { fragments.cut(region)? };
        let table = fragments.last_table()?;
        let columns: HashMap<Expr, Expr> =
            keys.iter().chain(partials).enumerate().map(|(i, e)| (e.clone(), column_at(&schema, i))).collect();
        let withheld = self.withheld_of(keys, &schema, fragments);
        Ok(Released { leaf, table, withheld, columns })
    }

    /// Returns the condition that a row's owner, which the row names, withheld a value of it. `None` where rows do not name
    /// their owner, and where no value is withheld.
    fn withheld_of(&self, keys: &[Expr], schema: &DFSchema, fragments: &Fragments<'_>) -> Option<Expr> {
        let owner = keys.iter().position(|key| self.region.is_jurisdiction(key))?;
        let withheld = fragments.last_withheld()?;
        let owners = withheld.owners.iter().map(|owner| lit(owner.to_string())).collect();
        let may_withhold = column_at(schema, owner).in_list(owners, false);
        withheld.condition(|index| column_at(schema, index)).map(|lacks| lacks.and(may_withhold))
    }

    /// Decides the aggregate at home, and the last step of each of the original aggregates.
    fn home_step(&self, owner_step: &OwnerStep, released: Released) -> Result<HomeStep, Refusal> {
        let (mut merged, finishes) = self.merges(&released);
        let values = merged.len();
        if self.is_told_by_cell(owner_step) {
            merged.extend(marks::seen(self.hiding).map_err(invalid)?);
        }
        let seen = values..merged.len();
        let told = released.withheld.clone().filter(|_| self.hides() && !self.is_finer(owner_step));
        let withheld = told.map(|withheld| {
            merged.push(bool_or(withheld));
            merged.len() - 1
        });
        let groups = self.home_groups(&released);
        let named: Vec<Expr> = merged.into_iter().enumerate().map(|(i, m)| m.alias(format!("__merged_{i}"))).collect();
        let width = named.len();
        let plan = Aggregate::try_new(Arc::new(released.leaf), groups, named).map_err(invalid)?;
        let first = plan.schema.fields().len() - width;
        Ok(HomeStep { plan, finishes, first, seen, withheld })
    }

    /// Decides the aggregates at home, each once, and the last step of each of the original ones.
    fn merges(&self, released: &Released) -> (Vec<Expr>, Vec<Finish>) {
        let columns = |of: &[Expr]| of.iter().filter_map(|e| released.columns.get(e).cloned()).collect::<Vec<Expr>>();
        let mut merged: Vec<Expr> = Vec::new();
        let mut places: HashMap<Expr, usize> = HashMap::new();
        let mut index = |e: Expr| {
            *places.entry(e).or_insert_with_key(|e| {
                merged.push(e.clone());
                merged.len() - 1
            })
        };
        let mut finishes = Vec::new();
        for (function, split) in &self.splits {
            let (merge, aggregates) = match split {
                Split::Merge { partials, merge } => (merge.clone(), merge.aggregates(&columns(partials))),
                Split::Units(count) => (Merge::Count, Merge::Count.aggregates(&columns(std::slice::from_ref(count)))),
                Split::Key(key) => {
                    let mut over_key = function.clone();
                    // The cast that the function needs, which the released key has lost.
                    let cast = |column: Expr| match function.params.args.first() {
                        Some(Expr::Cast(cast)) if function.params.args.first() != Some(key) => {
                            Expr::Cast(Cast::new_from_field(Box::new(column), Arc::clone(&cast.field)))
                        }
                        _ => column,
                    };
                    over_key.params.args = columns(std::slice::from_ref(key)).into_iter().map(cast).collect();
                    (Merge::Same(Arc::clone(&function.func)), vec![Expr::AggregateFunction(over_key)])
                }
                Split::Whole => continue,
            };
            finishes.push(Finish { merge, merged: aggregates.into_iter().map(&mut index).collect() });
        }
        (merged, finishes)
    }

    /// Returns the group keys over the leaf's columns, in the form in which they were asked for.
    fn home_groups(&self, released: &Released) -> Vec<Expr> {
        let at =
            |e: &Expr| released.columns.get(&e.clone().unalias_nested().data).cloned().unwrap_or_else(|| e.clone());
        match self.aggregate.group_expr.first() {
            Some(Expr::GroupingSet(set)) => vec![Expr::GroupingSet(match set {
                GroupingSet::Rollup(exprs) => GroupingSet::Rollup(exprs.iter().map(at).collect()),
                GroupingSet::Cube(exprs) => GroupingSet::Cube(exprs.iter().map(at).collect()),
                GroupingSet::GroupingSets(sets) => {
                    GroupingSet::GroupingSets(sets.iter().map(|s| s.iter().map(at).collect()).collect())
                }
            })],
            _ => self.distinct.iter().map(at).collect(),
        }
    }

    /// Returns the number of the aggregate's columns that are group keys, the id of the grouping set included.
    fn key_width(&self) -> usize {
        self.aggregate.schema.fields().len() - self.splits.len()
    }

    /// Returns the group keys of the output.
    fn key_columns(&self, home_step: &HomeStep) -> Vec<Expr> {
        let column = |i: usize| match self.groups.get(i) {
            Some(group) if !self.grouping_sets => self.distinct.iter().position(|d| d == group).unwrap_or(i),
            _ => i,
        };
        let keys = self.aggregate.schema.iter().take(self.key_width()).enumerate();
        keys.map(|(i, (qualifier, field))| {
            column_at(&home_step.plan.schema, column(i)).alias_qualified(qualifier.cloned(), field.name())
        })
        .collect()
    }

    /// Returns the finished aggregates of the output.
    fn value_columns(&self, home_step: &HomeStep, table: &Arc<ReleaseTable>) -> Result<Vec<Expr>, Refusal> {
        let schema = &home_step.plan.schema;
        // Owners answered, none of them with a row, and no rule hides any: there are none, and a count of none is 0.
        let is_total = self.grouping_sets || self.groups.is_empty();
        let may_be_empty = is_total && !self.hides();
        let mut values = Vec::new();
        for (i, Finish { merge, merged }) in home_step.finishes.iter().enumerate() {
            let (qualifier, field) = self.aggregate.schema.qualified_field(self.key_width() + i);
            let columns: Vec<Expr> = merged.iter().map(|m| column_at(schema, home_step.first + m)).collect();
            let mut value =
                merge.finish(&columns, schema.as_ref(), field.data_type(), !self.region.public).map_err(invalid)?;
            if may_be_empty && matches!(merge, Merge::Count) {
                let zero = ScalarValue::new_zero(field.data_type()).map_err(invalid)?;
                let none = if_released(table, zero).call(vec![]);
                value = datafusion::functions::expr_fn::coalesce(vec![value, none]);
            }
            if is_total && matches!(self.splits[i].1, Split::Key(_)) {
                // A count of no cells is 0 even if nobody was there to release one.
                let released = if_released(table, ScalarValue::Boolean(Some(true))).call(vec![]);
                value = when(released, value).end().map_err(invalid)?;
            }
            values.push(value.alias_qualified(qualifier.cloned(), field.name()));
        }
        Ok(values)
    }

    /// Returns the condition that a cell may lack an owner's part; `None` if no cell does.
    fn mark(&self, owner_step: &OwnerStep, home_step: &HomeStep) -> Option<Expr> {
        if !self.hides() {
            return None;
        }
        if self.is_finer(owner_step) {
            return Some(lit(true));
        }
        let schema = &home_step.plan.schema;
        // A total is made of cells of which any may be hidden.
        let total = self.grouping_sets.then(|| column_at(schema, self.groups.len()).not_eq(lit(0_u8)));
        if self.is_by_owner() {
            let withheld = home_step.withheld.map(|index| column_at(schema, home_step.first + index));
            return withheld.into_iter().chain(total).reduce(Expr::or);
        }
        let seen = home_step.seen.clone().map(|word| column_at(schema, home_step.first + word));
        let missing = marks::missing(self.hiding, seen);
        Some(match total {
            Some(total) => missing.or(total),
            None => missing,
        })
    }
}

fn is_grouping_id(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(c) if c.name == Aggregate::INTERNAL_GROUPING_ID)
}
