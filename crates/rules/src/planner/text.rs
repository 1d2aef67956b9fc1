//! Plan to SQL text: the one form in which a question crosses a border.
//!
//! A plan becomes a [`Block`], the parts of one SELECT. Operators fold into the block as long as SQL's own order of
//! evaluation allows it, so that most fragments read as a person would have written them; where it does not, the block
//! becomes a derived table of the next. Column names of the plan never reach the text: every column is carried as an
//! expression over the aliases `t1`, `t2`, … that the text itself introduces.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::Fields;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType, NullEquality, Result as DfResult, TableReference, plan_err};
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, TableScan, lit};
use wanqu_model::names::{JurisdictionId, SqlName};

use super::spread::whole_table;
use super::subquery::{Members, is_existence_mark, is_membership, is_placeholder};
use crate::catalog::{self, CatalogTable, Spelling, WHOLE_CATALOG, name_text as ident_text};

/// The text of a fragment and the names of its columns, in the order of the plan's schema.
pub(super) struct Text {
    pub sql: String,
    pub columns: Vec<String>,
}

/// Renders a plan as the text that `owner` is asked to run.
pub(super) fn fragment_text(plan: &LogicalPlan, owner: &JurisdictionId) -> DfResult<Text> {
    let mut writer = Writer { owner, tables: 0, schema: DFSchema::empty(), members: Members::default() };
    let block = writer.block(plan)?;
    let columns = column_names(plan.schema());
    Ok(Text { sql: writer.select(&block, &columns)?, columns })
}

/// One SELECT in the making.
#[derive(Default)]
struct Block {
    from: Option<String>,
    conditions: Vec<String>,
    grouping: Option<Vec<String>>,
    order: Vec<String>,
    limit: Option<(usize, Option<usize>)>,
    /// Each column of the plan's schema: its qualifier, its name, and its expression over the aliases in `from`.
    columns: Vec<(Option<TableReference>, String, Expr)>,
}

impl Block {
    /// Returns true if no grouping, order or limit has been put on the rows.
    fn is_open(&self) -> bool {
        self.grouping.is_none() && self.limit.is_none() && self.order.is_empty()
    }

    /// Rewrites an expression over the plan's columns into one over the aliases of `from`.
    fn resolve(&self, expr: &Expr) -> DfResult<Expr> {
        expr.clone()
            .transform(|e| match &e {
                Expr::Column(column) => Ok(Transformed::yes(self.column(column)?)),
                _ => Ok(Transformed::no(e)),
            })
            .map(|t| t.data)
    }

    fn column(&self, column: &Column) -> DfResult<Expr> {
        let exact = self.columns.iter().find(|(q, n, _)| *n == column.name && *q == column.relation);
        let found = exact.or_else(|| {
            let mut named = self.columns.iter().filter(|(q, n, _)| {
                *n == column.name
                    && match (&column.relation, q) {
                        (Some(wanted), Some(q)) => wanted.resolved_eq(q),
                        (None, _) => true,
                        (Some(_), None) => false,
                    }
            });
            named.next().filter(|_| named.next().is_none())
        });
        if let Some((_, _, expr)) = found { Ok(expr.clone()) } else { plan_err!("the fragment has no column {column}") }
    }
}

struct Writer<'a> {
    owner: &'a JurisdictionId,
    tables: usize,
    /// Columns of the aliases that have been introduced.
    schema: DFSchema,
    members: Members,
}

impl Writer<'_> {
    fn block(&mut self, plan: &LogicalPlan) -> DfResult<Block> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => {
                let block = self.block(&alias.input)?;
                Ok(requalified(block, plan.schema()))
            }
            LogicalPlan::Filter(filter) => {
                let mut block = self.open_block(&filter.input)?;
                let condition = block.resolve(&filter.predicate)?;
                block.conditions.push(self.text(&condition)?);
                Ok(block)
            }
            LogicalPlan::Projection(projection) => {
                let mut block = self.block(&projection.input)?;
                if block.grouping.is_none() && !projection.expr.iter().all(can_be_inlined) {
                    block = self.derived(&block, projection.input.schema())?;
                }
                let exprs = projection.expr.iter().map(|e| block.resolve(&e.clone().unalias_nested().data));
                let exprs = exprs.collect::<DfResult<Vec<_>>>()?;
                block.columns = named(plan.schema(), exprs);
                Ok(block)
            }
            LogicalPlan::Aggregate(aggregate) => {
                let mut block = self.open_block(&aggregate.input)?;
                let groups = aggregate.group_expr.iter().map(|e| block.resolve(&e.clone().unalias_nested().data));
                let groups = groups.collect::<DfResult<Vec<_>>>()?;
                let values = aggregate.aggr_expr.iter().map(|e| block.resolve(&e.clone().unalias_nested().data));
                let values = values.collect::<DfResult<Vec<_>>>()?;
                block.grouping =
                    Some(groups.iter().map(|key| self.spelling(|s| s.group_key(key))).collect::<DfResult<_>>()?);
                block.columns = named(plan.schema(), groups.into_iter().chain(values).collect());
                Ok(block)
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Sort(sort) => {
                let mut block = self.block(&sort.input)?;
                if block.limit.is_some() || !block.order.is_empty() {
                    block = self.derived(&block, sort.input.schema())?;
                }
                for key in &sort.expr {
                    let key = Sort { expr: block.resolve(&key.expr)?, ..key.clone() };
                    block.order.extend(self.spelling(|s| s.sort_key(&key))?);
                }
                block.limit = sort.fetch.map(|fetch| (0, Some(fetch)));
                Ok(block)
            }
            LogicalPlan::Limit(limit) => {
                let mut block = self.block(&limit.input)?;
                if block.limit.is_some() {
                    block = self.derived(&block, limit.input.schema())?;
                }
                block.limit = Some((super::limit::skip_of(limit)?, super::limit::fetch_of(limit)?));
                Ok(block)
            }
            other => plan_err!("a fragment has no form for {}", other.display()),
        }
    }

    /// Returns the block of `plan`, wrapped into a derived table unless rows can still be filtered and grouped in place.
    fn open_block(&mut self, plan: &LogicalPlan) -> DfResult<Block> {
        let block = self.block(plan)?;
        if block.is_open() { Ok(block) } else { self.derived(&block, plan.schema()) }
    }

    fn scan(&mut self, scan: &TableScan) -> DfResult<Block> {
        let alias = self.alias();
        let (table, whole) = match catalog::table_of(scan) {
            Some(table) => (table.clone(), false),
            None => match whole_table(scan) {
                Some(table) => (table.clone(), true),
                None => return plan_err!("a fragment reads tables of the catalog alone"),
            },
        };
        let from = name_text(&if whole { whole_name(&table, self.owner) } else { table.name.clone() });
        let column = |name: &str| Expr::Column(Column::new(Some(alias.clone()), name));
        let columns = scan.projected_schema.iter();
        let columns = columns.map(|(q, f)| (q.cloned(), f.name().clone(), column(f.name()))).collect();
        self.introduce(&alias, scan.projected_schema.fields())?;
        let mut block = Block { from: Some(format!("{from} AS {alias}")), columns, ..Block::default() };
        for filter in &scan.filters {
            let condition = block.resolve(filter)?;
            block.conditions.push(self.text(&condition)?);
        }
        block.limit = scan.fetch.map(|fetch| (0, Some(fetch)));
        Ok(block)
    }

    /// Renders `x IN (SELECT y …)`, or that there is a row: a condition, or a column that holds it where it stands under OR.
    fn membership(&mut self, join: &Join) -> DfResult<Block> {
        let Some((qualifier, mark)) = join.schema.iter().last() else {
            return plan_err!("a membership has a mark");
        };
        let mut left = self.open_block(&join.left)?;
        let right = self.open_block(&join.right)?;
        if is_existence_mark(join) {
            let any = Block { columns: vec![(None, "member".to_owned(), lit(1_i64))], ..right };
            let rows = self.select(&any, &["member".to_owned()])?;
            let placeholder = self.members.add_existence(&rows);
            left.columns.push((qualifier.cloned(), mark.name().clone(), placeholder));
            return Ok(left);
        }
        let Some((value, found)) = join.on.first() else { return plan_err!("a membership has an equality") };
        let found = right.resolve(found)?;
        let found = Block { columns: vec![(None, "member".to_owned(), found)], ..right };
        let members = self.select(&found, &["member".to_owned()])?;
        let value = self.operand(&left.resolve(value)?)?;
        if join.join_type == JoinType::LeftMark {
            let placeholder = self.members.add(&value, &members);
            left.columns.push((qualifier.cloned(), mark.name().clone(), placeholder));
        } else {
            left.conditions.push(format!("({value} NOT IN ({members}))"));
        }
        Ok(left)
    }

    fn join(&mut self, join: &Join) -> DfResult<Block> {
        if is_membership(join) {
            return self.membership(join);
        }
        let words = join_words(join)?;
        // A side whose missing rows are filled with NULL, or which is only looked into, must be filtered before the join.
        let (left_open, right_open) = match join.join_type {
            JoinType::Inner => (true, true),
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => (true, false),
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => (false, true),
            _ => (false, false),
        };
        let left = self.join_side(&join.left, left_open, true)?;
        let right = self.join_side(&join.right, right_open, false)?;
        let both = Block { columns: left.columns.iter().chain(&right.columns).cloned().collect(), ..Block::default() };
        let mut on = Vec::new();
        for (l, r) in &join.on {
            let (l, r) = (self.operand(&left.resolve(l)?)?, self.operand(&right.resolve(r)?)?);
            on.push(match join.null_equality {
                NullEquality::NullEqualsNothing => format!("{l} = {r}"),
                NullEquality::NullEqualsNull => format!("({l} IS NOT DISTINCT FROM {r})"),
            });
        }
        if let Some(filter) = &join.filter {
            on.push(self.text(&both.resolve(filter)?)?);
        }
        let (Some(left_from), Some(right_from)) = (&left.from, &right.from) else {
            return plan_err!("a join in a fragment has two tables");
        };
        let from = if on.is_empty() && join.join_type == JoinType::Inner {
            format!("{left_from} CROSS JOIN {right_from}")
        } else if on.is_empty() {
            format!("{left_from} {words} {right_from} ON true")
        } else {
            format!("{left_from} {words} {right_from} ON {}", on.join(" AND "))
        };
        let columns = match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => left.columns,
            JoinType::RightSemi | JoinType::RightAnti => right.columns,
            _ => both.columns,
        };
        let conditions = left.conditions.into_iter().chain(right.conditions).collect();
        Ok(Block { from: Some(from), conditions, columns, ..Block::default() })
    }

    /// Renders one side of a join: its tables in place if they may stand open, a derived table otherwise. On the right
    /// a join tree of its own needs a derived table too, since joins associate to the left; so does anything but plain
    /// columns below an outer join, where a filled NULL must not be computed with.
    fn join_side(&mut self, plan: &LogicalPlan, open: bool, leftmost: bool) -> DfResult<Block> {
        let block = self.block(plan)?;
        let plain = block.columns.iter().all(|(_, _, e)| matches!(e, Expr::Column(_)) && !is_placeholder(e));
        let single = leftmost || !block.from.as_deref().is_some_and(|f| f.contains(" JOIN "));
        if block.is_open() && single && plain && (open || block.conditions.is_empty()) {
            Ok(block)
        } else {
            self.derived(&block, plan.schema())
        }
    }

    fn derived(&mut self, block: &Block, schema: &DFSchema) -> DfResult<Block> {
        let alias = self.alias();
        let names = column_names(schema);
        let from = format!("({}) AS {alias}", self.select(block, &names)?);
        let renamed = schema.fields().iter().zip(&names);
        let renamed: Fields = renamed.map(|(field, name)| field.as_ref().clone().with_name(name)).collect();
        self.introduce(&alias, &renamed)?;
        let exprs = names.iter().map(|name| Expr::Column(Column::new(Some(alias.clone()), name))).collect();
        Ok(Block { from: Some(from), columns: named(schema, exprs), ..Block::default() })
    }

    fn alias(&mut self) -> TableReference {
        self.tables += 1;
        TableReference::bare(format!("t{}", self.tables))
    }

    /// Notes the columns of an alias, whose types decide how literals beside them are written.
    fn introduce(&mut self, alias: &TableReference, fields: &Fields) -> DfResult<()> {
        let columns = fields.iter().map(|field| (Some(alias.clone()), Arc::clone(field))).collect();
        self.schema = self.schema.join(&DFSchema::new_with_metadata(columns, HashMap::new())?)?;
        Ok(())
    }

    fn spelling<T>(&self, write: impl FnOnce(&Spelling<'_>) -> T) -> T {
        let column = |column: &Column| match self.members.text(column) {
            Some(membership) => membership.to_owned(),
            None => column_text(column),
        };
        write(&Spelling { schema: &self.schema, column: &column })
    }

    fn text(&self, expr: &Expr) -> DfResult<String> {
        self.spelling(|s| s.item(expr))
    }

    fn operand(&self, expr: &Expr) -> DfResult<String> {
        self.spelling(|s| s.operand(expr))
    }

    /// Renders a block as a SELECT with these column names.
    fn select(&self, block: &Block, names: &[String]) -> DfResult<String> {
        let mut items = Vec::new();
        for ((_, _, expr), name) in block.columns.iter().zip(names) {
            let value = self.text(expr)?;
            let plain = matches!(expr, Expr::Column(column) if column.name == *name && !is_placeholder(expr));
            items.push(if plain { value } else { format!("{value} AS {}", ident_text(name)) });
        }
        Ok(select_text(block, &items))
    }
}

fn select_text(block: &Block, items: &[String]) -> String {
    // SQL needs at least one column; what is only counted has none.
    let items = if items.is_empty() { "1 AS one".to_owned() } else { items.join(", ") };
    let mut sql = format!("SELECT {items}");
    if let Some(from) = &block.from {
        sql += &format!(" FROM {from}");
    }
    if !block.conditions.is_empty() {
        sql += &format!(" WHERE {}", block.conditions.join(" AND "));
    }
    if let Some(groups) = block.grouping.as_ref().filter(|groups| !groups.is_empty()) {
        sql += &format!(" GROUP BY {}", groups.join(", "));
    }
    if !block.order.is_empty() {
        sql += &format!(" ORDER BY {}", block.order.join(", "));
    }
    if let Some((skip, fetch)) = block.limit {
        if let Some(fetch) = fetch {
            sql += &format!(" LIMIT {fetch}");
        }
        if skip > 0 {
            sql += &format!(" OFFSET {skip}");
        }
    }
    sql
}

/// Returns true if an expression may be inlined into a filter or another expression without changing the result.
fn can_be_inlined(expr: &Expr) -> bool {
    !expr.is_volatile()
}

fn join_words(join: &Join) -> DfResult<&'static str> {
    if join.null_aware {
        return plan_err!("NOT IN over a subquery has no form in a fragment");
    }
    Ok(match join.join_type {
        JoinType::Inner => "JOIN",
        JoinType::Left => "LEFT JOIN",
        JoinType::Right => "RIGHT JOIN",
        JoinType::Full => "FULL JOIN",
        JoinType::LeftSemi => "LEFT SEMI JOIN",
        JoinType::RightSemi => "RIGHT SEMI JOIN",
        JoinType::LeftAnti => "LEFT ANTI JOIN",
        JoinType::RightAnti => "RIGHT ANTI JOIN",
        JoinType::LeftMark | JoinType::RightMark => return plan_err!("a mark join has no form in a fragment"),
    })
}

fn requalified(block: Block, schema: &DFSchema) -> Block {
    let exprs = block.columns.iter().map(|(_, _, e)| e.clone()).collect();
    Block { columns: named(schema, exprs), ..block }
}

fn named(schema: &DFSchema, exprs: Vec<Expr>) -> Vec<(Option<TableReference>, String, Expr)> {
    schema.iter().zip(exprs).map(|((q, f), e)| (q.cloned(), f.name().clone(), e)).collect()
}

/// Names the columns of a release: as the plan does where the names are plain and unique, `c3` where they are not.
fn column_names(schema: &DFSchema) -> Vec<String> {
    let mut taken = HashSet::new();
    let plain = |name: &str| name.parse::<SqlName>().is_ok();
    let names = schema.fields().iter().enumerate().map(|(i, field)| {
        let name = field.name();
        if plain(name) && taken.insert(name.clone()) {
            return name.clone();
        }
        let mut fallback = format!("c{i}");
        while !taken.insert(fallback.clone()) {
            fallback.push('_');
        }
        fallback
    });
    names.collect()
}

/// Returns the name under which an owner reads the whole of a public table: its own copy if every holder has a full one.
pub(super) fn whole_name(table: &CatalogTable, owner: &JurisdictionId) -> TableReference {
    let own = table.slices.iter().any(|slice| slice.jurisdiction == *owner);
    match &table.common {
        Some(info) if !own || !info.replicated && table.slices.len() > 1 => {
            TableReference::full(WHOLE_CATALOG, info.table.domain.as_str(), info.table.table.as_str())
        }
        _ => table.name.clone(),
    }
}

/// Returns the text of a column of an alias.
fn column_text(column: &Column) -> String {
    let name = ident_text(&column.name);
    column.relation.as_ref().map_or_else(|| name.clone(), |alias| format!("{}.{name}", name_text(alias)))
}

fn name_text(name: &TableReference) -> String {
    name.to_vec().iter().map(|part| ident_text(part)).collect::<Vec<_>>().join(".")
}
