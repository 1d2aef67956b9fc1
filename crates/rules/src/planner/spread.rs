//! Regions: parts of a plan whose rows are spread over owners, with the equalities that keep rows of one key together.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result as DfResult};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan, TableSource};
use wanqu_model::bundle::Slice;
use wanqu_model::names::{JURISDICTION_COLUMN, JurisdictionId, TableRef};

use super::size::Size;
use crate::catalog::{self, CatalogTable};

/// Name of the co-location key that every common table has: the jurisdiction of a row.
const JURISDICTION_KEY: &str = " jurisdiction";

/// A part of the plan that each of its owners can run on what it holds; the whole is the union of their results.
#[derive(Debug, Clone)]
pub(super) struct Region {
    pub plan: LogicalPlan,
    /// Owners that run it, in the order of the members.
    pub owners: Vec<JurisdictionId>,
    /// Owners that give the same, asked in turn if the one that runs it is away.
    pub spare: Vec<JurisdictionId>,
    /// True if no owner holds a row of it.
    pub nobody: bool,
    /// True if each owner holds all of it, so that one is asked and not all.
    pub replicated: bool,
    /// Columns by the co-location key whose value they are: rows with equal values lie at one owner.
    pub keys: HashMap<Column, String>,
    /// True if every table in it is public.
    pub public: bool,
    /// Estimated number of rows at all owners together, if every table in it declares its own.
    pub size: Option<Size>,
}

impl Region {
    /// Makes the region of one table.
    pub fn of_table(scan: &TableScan, table: &CatalogTable) -> Self {
        let qualified = |name: &str| Column::new(Some(scan.table_name.clone()), name);
        let mut keys = HashMap::new();
        if let Some(info) = &table.common {
            keys.insert(qualified(JURISDICTION_COLUMN), JURISDICTION_KEY.to_owned());
            for key in &info.colocation {
                keys.insert(qualified(key.column.as_str()), key.key.to_string());
            }
        }
        Self {
            plan: LogicalPlan::TableScan(scan.clone()),
            owners: table.slices.iter().map(|slice| slice.jurisdiction.clone()).collect(),
            spare: vec![],
            nobody: false,
            replicated: table.common.as_ref().is_some_and(|info| info.replicated),
            keys,
            public: table.is_public(),
            size: Size::of_table(table),
        }
    }

    /// Returns the same region under a plan that renames or drops columns: `renamed` gives the new name of an old column.
    pub fn with_plan(self, plan: LogicalPlan, renamed: impl Fn(&Column) -> Option<Column>) -> Self {
        let keys = self.keys.iter().filter_map(|(c, k)| renamed(c).map(|c| (c, k.clone()))).collect();
        Self { plan, keys, ..self }
    }

    /// Returns true if one owner alone can run it.
    pub fn is_single(&self) -> bool {
        self.owners.len() == 1 || self.replicated
    }

    /// Returns true if an expression is a co-location key, so that groups of it do not span owners.
    pub fn is_key(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Column(column) if self.keys.contains_key(column))
    }

    /// Returns true if an expression is the column that names the owner.
    pub fn is_jurisdiction(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Column(c) if self.keys.get(c).is_some_and(|k| k == JURISDICTION_KEY))
    }

    /// Returns true if these equalities keep matching rows of two regions at one owner.
    pub fn colocated_with(&self, other: &Self, on: &[(Expr, Expr)]) -> bool {
        on.iter().any(|(l, r)| match (l, r) {
            (Expr::Column(l), Expr::Column(r)) => self.keys.get(l).is_some_and(|key| other.keys.get(r) == Some(key)),
            _ => false,
        })
    }

    /// Returns an owner's part of every table that the region reads.
    pub fn slices_of(&self, owner: &JurisdictionId) -> Vec<Arc<Slice>> {
        let tables = self.tables();
        let slices = tables.iter().flat_map(|table| table.slices.iter());
        slices.filter(|slice| slice.jurisdiction == *owner).cloned().collect()
    }

    /// Returns the names of the non-public tables that the region reads, each once.
    pub fn restricted_tables(&self) -> Vec<TableRef> {
        let tables = self.tables();
        let restricted = tables.iter().filter(|table| !table.is_public());
        let mut names: Vec<TableRef> =
            restricted.filter_map(|table| table.slices.first().map(|slice| slice.table.clone())).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns the owners that may keep cells back: a cell that is missing from their release may exist.
    pub fn hiding_owners(&self) -> Vec<JurisdictionId> {
        let tables = self.tables();
        let hides = |owner: &&JurisdictionId| {
            let slices = tables.iter().filter(|table| !table.is_public()).flat_map(|table| table.slices.iter());
            slices.filter(|slice| slice.jurisdiction == **owner).any(|slice| slice.policy.min_units > 1)
        };
        self.owners.iter().filter(hides).cloned().collect()
    }

    /// Returns the owners whose rule rounds counts.
    pub fn rounding_owners(&self) -> Vec<JurisdictionId> {
        let tables = self.tables();
        let slices = tables.iter().flat_map(|table| table.slices.iter());
        slices.filter(|slice| slice.policy.rounding > 1).map(|slice| slice.jurisdiction.clone()).collect()
    }

    /// Returns the catalog's tables that the region reads, one for each time that it reads them.
    fn tables(&self) -> Vec<Arc<CatalogTable>> {
        let mut tables = vec![];
        let walked = self.plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                tables.extend(catalog::table_of(scan).cloned());
            }
            Ok(TreeNodeRecursion::Continue)
        });
        debug_assert!(walked.is_ok(), "the walk itself cannot fail");
        tables
    }

    /// Leaves out owners whose rows a condition on the jurisdiction excludes. Where it excludes all, one stays, so that the
    /// answer has its shape and an aggregate over nobody is its owner's to release: `home` if it is one of them.
    pub fn prune(&mut self, predicate: &Expr, home: &JurisdictionId) {
        if self.replicated {
            return;
        }
        let columns: Vec<Column> =
            self.keys.iter().filter(|(_, k)| *k == JURISDICTION_KEY).map(|(c, _)| c.clone()).collect();
        for conjunct in datafusion::logical_expr::utils::split_conjunction(predicate) {
            let refs = conjunct.column_refs();
            if refs.is_empty() || !refs.iter().all(|c| columns.contains(c)) {
                continue;
            }
            let mut kept: Vec<_> = self.owners.iter().filter(|o| may_hold(conjunct, o)).cloned().collect();
            if kept.is_empty() {
                kept.extend(self.owners.iter().find(|o| *o == home).or(self.owners.first()).cloned());
                self.spare.extend(self.owners.iter().filter(|o| !kept.contains(o)).cloned());
                self.nobody = true;
            }
            self.owners = kept;
        }
    }
}

/// Returns true if a condition over the jurisdiction column alone can be true at an owner. In doubt it can.
fn may_hold(predicate: &Expr, owner: &JurisdictionId) -> bool {
    use datafusion::common::{DFSchema, ScalarValue};
    use datafusion::logical_expr::simplify::SimplifyContext;
    use datafusion::optimizer::simplify_expressions::ExprSimplifier;
    let bound = predicate.clone().transform(|e| {
        Ok(match e {
            Expr::Column(_) => Transformed::yes(Expr::Literal(ScalarValue::Utf8View(Some(owner.to_string())), None)),
            other => Transformed::no(other),
        })
    });
    let Ok(bound) = bound else { return true };
    let simplifier = ExprSimplifier::new(SimplifyContext::builder().with_schema(Arc::new(DFSchema::empty())).build());
    match simplifier.simplify(bound.data) {
        Ok(Expr::Literal(ScalarValue::Boolean(value), _)) => value == Some(true),
        _ => true,
    }
}

/// All of a public table as every owner can read it: its own slice, and the slices of the others, fetched.
#[derive(Debug)]
struct WholeSource(Arc<CatalogTable>);

impl TableSource for WholeSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0.schema)
    }
}

/// Returns the table behind a scan that [`broadcast`] made.
pub(super) fn whole_table(scan: &TableScan) -> Option<&Arc<CatalogTable>> {
    scan.source.downcast_ref::<WholeSource>().map(|whole| &whole.0)
}

/// Returns a public region as one that every owner can run in full. It has no co-location keys.
pub(super) fn broadcast(region: &Region) -> DfResult<Region> {
    let plan = whole(region.plan.clone())?;
    Ok(Region { plan, keys: HashMap::new(), ..region.clone() })
}

fn whole(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    plan.transform_up(|node| {
        Ok(match node {
            LogicalPlan::TableScan(mut scan) => match catalog::table_of(&scan).cloned() {
                Some(table) => {
                    scan.source = Arc::new(WholeSource(table));
                    Transformed::yes(LogicalPlan::TableScan(scan))
                }
                None => Transformed::no(LogicalPlan::TableScan(scan)),
            },
            other => Transformed::no(other),
        })
    })
    .map(|t| t.data)
}
