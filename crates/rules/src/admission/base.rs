//! Base columns: every expression of a fragment, rewritten over the columns of the tables that it reads.
//!
//! Every table that a fragment reads gets an alias of its own, `#0`, `#1`, …, which no SQL text can name by accident,
//! and every expression of the fragment is rewritten into one over these columns, through derived tables, aliases and
//! projections. The rules see nothing else, so a column cannot hide behind a new name; and the plan that runs is put
//! together from these same expressions, so that what is judged is what is run.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, TableReference};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, TableScan};
use wanqu_model::columns::ColumnClass;
use wanqu_model::names::SqlName;
use wanqu_model::refusal::{Code, Refusal};

use crate::casts;
use crate::catalog::{self, CatalogTable};

/// The most nodes of one expression after it was rewritten. Derived tables that double an expression at each level
/// would otherwise grow it without bound.
const MAX_NODES: usize = 20_000;

/// One mention of a table in the fragment.
#[derive(Debug)]
pub(super) struct Leaf {
    pub table: Arc<CatalogTable>,
    pub public: bool,
    /// True if an outer join fills its missing rows with NULL.
    pub filled: bool,
}

impl Leaf {
    /// Returns the column of the privacy unit; `None` if SQL cannot name it.
    pub fn unit_column(&self) -> Option<&str> {
        self.table.slices.first()?.unit_column().map(SqlName::as_str)
    }

    /// Returns true if the custodian declares that no unit has more than one row.
    pub fn has_one_row_per_unit(&self) -> bool {
        self.table.slices.iter().all(|slice| slice.one_row_per_unit)
    }
}

/// Tables of the fragment, and the types of their columns.
#[derive(Debug)]
pub(super) struct BaseTables {
    pub leaves: Vec<Leaf>,
    schema: DFSchema,
    guarded: bool,
    once: BTreeSet<usize>,
}

/// An expression over base columns, with its number of nodes.
#[derive(Debug, Clone)]
pub(super) struct BaseExpr {
    pub expr: Expr,
    nodes: usize,
}

/// Returns the name that a plan over base columns has for a leaf.
pub(super) fn leaf_name(leaf: usize) -> String {
    format!("#{leaf}")
}

/// Returns the number of nodes of an expression.
pub(super) fn nodes(expr: &Expr) -> usize {
    let mut nodes = 0;
    let walked = expr.apply(|_| {
        nodes += 1;
        Ok(TreeNodeRecursion::Continue)
    });
    walked.map_or(usize::MAX, |_| nodes)
}

impl BaseTables {
    /// Creates one without a table. It is `guarded` if cells need more than one unit: then values of single people have to be kept
    /// apart from what a query's own text fixes, and no row may weigh more than another.
    pub fn new(guarded: bool) -> Self {
        Self { leaves: vec![], schema: DFSchema::empty(), guarded, once: BTreeSet::new() }
    }

    /// Returns true if cells need more than one unit.
    pub fn is_guarded(&self) -> bool {
        self.guarded
    }

    /// Records the non-public tables whose rows each enter the aggregate at most once.
    pub fn enter_once(&mut self, leaves: BTreeSet<usize>) {
        self.once = leaves;
    }

    /// Returns true if each row of a base column's table enters the aggregate at most once.
    pub fn enters_once(&self, column: &Column) -> bool {
        Self::index(column).is_some_and(|index| self.once.contains(&index))
    }

    /// Returns true if a base column is the privacy unit of its table.
    pub fn is_unit(&self, column: &Column) -> bool {
        self.leaf(column).and_then(Leaf::unit_column) == Some(column.name.as_str())
    }

    /// Adds a scan. Returns the plan that stands for it and its columns; `None` if it is not a plain scan of a table of
    /// the catalog.
    pub fn add(&mut self, scan: &TableScan) -> Option<(LogicalPlan, Vec<BaseExpr>)> {
        let table = catalog::table_of(scan)?;
        if !scan.filters.is_empty() || scan.fetch.is_some() || scan.projection.is_some() {
            return None;
        }
        let alias = TableReference::bare(leaf_name(self.leaves.len()));
        let schema = DFSchema::try_from_qualified_schema(alias.clone(), &table.schema).ok()?;
        let plan = LogicalPlanBuilder::from(LogicalPlan::TableScan(scan.clone())).alias(alias.clone()).ok()?;
        let column = |name: &str| Expr::Column(Column::new(Some(alias.clone()), name));
        let columns = table.schema.fields().iter().map(|f| BaseExpr { expr: column(f.name()), nodes: 1 }).collect();
        self.schema.merge(&schema);
        self.leaves.push(Leaf { table: Arc::clone(table), public: table.is_public(), filled: false });
        Some((plan.build().ok()?, columns))
    }

    /// Rewrites an expression over `schema`, whose columns are `columns`, into one over base columns. Aliases go; a cast
    /// that could fail on a value becomes one that gives NULL, since an error would tell something of that value.
    pub fn over_base(&self, expr: &Expr, schema: &DFSchemaRef, columns: &[BaseExpr]) -> Result<BaseExpr, Refusal> {
        let column = |column: &Column| {
            schema.maybe_index_of_column(column).and_then(|index| columns.get(index)).ok_or_else(|| {
                Refusal::new(Code::UnknownName, "a column cannot be traced to its table")
                    .with_rule("every column of a fragment comes from a table")
                    .with_subject(column.name.clone())
                    .with_remedy("name each column once, with its table's alias")
            })
        };
        let mut nodes = 0_usize;
        let mut unknown = None;
        let counted = expr.apply(|node| {
            nodes = nodes.saturating_add(match node {
                Expr::Column(c) => match column(c) {
                    Ok(rewritten) => rewritten.nodes,
                    Err(refusal) => {
                        unknown = Some(refusal);
                        1
                    }
                },
                _ => 1,
            });
            Ok(TreeNodeRecursion::Continue)
        });
        if let Some(refusal) = unknown {
            return Err(refusal);
        }
        if counted.is_err() || nodes > MAX_NODES {
            return Err(Refusal::new(Code::Limit, "an expression is too large")
                .with_rule(format!("an expression has at most {MAX_NODES} parts, with derived tables inlined"))
                .with_remedy("use fewer levels of derived tables that compute with each other's columns"));
        }
        let rewritten = expr.clone().transform_up(|node| {
            Ok(match node {
                Expr::Column(c) => match column(&c) {
                    Ok(rewritten) => Transformed::yes(rewritten.expr.clone()),
                    Err(_) => Transformed::no(Expr::Column(c)),
                },
                Expr::Alias(alias) => Transformed::yes(*alias.expr),
                Expr::Cast(cast) => self.harmless_cast(cast),
                other => Transformed::no(other),
            })
        });
        match rewritten {
            Ok(transformed) => Ok(BaseExpr { expr: transformed.data, nodes }),
            Err(_) => Err(Refusal::new(Code::Internal, "an expression cannot be rewritten")),
        }
    }

    fn harmless_cast(&self, cast: Cast) -> Transformed<Expr> {
        let target = cast.field.data_type().clone();
        let exact = self.type_of(&cast.expr).is_some_and(|source| casts::is_exact(&source, &target));
        if exact || matches!(*cast.expr, Expr::Literal(..)) {
            Transformed::no(Expr::Cast(cast))
        } else {
            Transformed::yes(Expr::TryCast(TryCast::new(cast.expr, target)))
        }
    }

    /// Records that an outer join fills missing rows of these leaves with NULL.
    pub fn fill(&mut self, leaves: std::ops::Range<usize>) {
        self.leaves.iter_mut().take(leaves.end).skip(leaves.start).for_each(|leaf| leaf.filled = true);
    }

    /// Returns true if a NULL in a base column is only a measure that was not taken. In other columns, and where an outer
    /// join put it, it tells something of somebody.
    pub fn is_gap(&self, column: &Column) -> bool {
        self.class(column) == ColumnClass::Measure && self.leaf(column).is_some_and(|leaf| !leaf.filled)
    }

    /// Returns the table that a base column belongs to.
    pub fn leaf(&self, column: &Column) -> Option<&Leaf> {
        Self::index(column).and_then(|index| self.leaves.get(index))
    }

    /// Returns the index of the leaf that a base column belongs to.
    pub fn index(column: &Column) -> Option<usize> {
        column.relation.as_ref()?.table().strip_prefix('#')?.parse().ok()
    }

    /// Returns the class of a base column; sealed if it is unknown.
    pub fn class(&self, column: &Column) -> ColumnClass {
        self.leaf(column).map_or(ColumnClass::Sealed, |leaf| leaf.table.class_of(&column.name))
    }

    /// Returns a base column's full name, as requesters know it.
    pub fn name(&self, column: &Column) -> String {
        match self.leaf(column) {
            Some(leaf) => format!("{}.{}", leaf.table.name, column.name),
            None => column.name.clone(),
        }
    }

    /// Returns the type of an expression over base columns.
    pub fn type_of(&self, expr: &Expr) -> Option<DataType> {
        expr.get_type(&self.schema).ok()
    }

    /// Returns true if a base column belongs to a non-public table.
    pub fn is_protected(&self, column: &Column) -> bool {
        self.leaf(column).is_none_or(|leaf| !leaf.public)
    }
}

/// Returns a column or alias whose name is reserved for the engine, if there is one.
pub(super) fn reserved_name(plan: &LogicalPlan) -> Option<String> {
    let schema: &Schema = plan.schema().as_arrow();
    let named = schema.fields().iter().map(|f| f.name().as_str()).find(|name| name.starts_with("__"));
    let qualified = plan.schema().iter().filter_map(|(q, _)| q.map(TableReference::table));
    let mut qualified = qualified.filter(|q| q.starts_with("__") || q.starts_with('#'));
    named.or_else(|| qualified.next()).map(ToOwned::to_owned)
}
