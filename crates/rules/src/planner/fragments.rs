//! Fragments in the making: a region that ends becomes SQL text for each of its owners, checked against each owner's
//! rules before anything is sent, and a leaf of the merge plan that reads what they release.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Projection};
use wanqu_model::bundle::Slice;
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::{Code, Refusal};

use super::place::Placer;
use super::spread::Region;
use super::text::{Text, fragment_text};
use super::{Context, invalid};
use crate::admission::{self, PolicyFinding};
use crate::catalog::{self, CatalogTable};
use crate::merge::{OWNER_COLUMN, ReleaseTable};

/// Fragments that feed one leaf of the merge plan: one for each owner asked, all with one schema.
#[derive(Debug, Clone)]
pub struct FragmentGroup {
    /// What each owner is asked.
    pub texts: Vec<(JurisdictionId, String)>,
    /// The columns of every release of this group.
    pub schema: SchemaRef,
    /// The leaf that reads them.
    pub table: Arc<ReleaseTable>,
    /// Whether only public tables are read.
    pub public: bool,
    /// The non-public tables that are read: what an agreement must cover.
    pub restricted: Vec<TableRef>,
    /// Owners whose rule may keep cells back.
    pub hiding: Vec<JurisdictionId>,
}

/// The fragments of one plan.
pub(super) struct Fragments<'a> {
    context: &'a Context<'a>,
    pub groups: Vec<FragmentGroup>,
    pub findings: Vec<PolicyFinding>,
}

/// What an owner's rules said of a text.
struct Judged {
    sql: String,
    tables: Vec<Arc<Slice>>,
    findings: Range<usize>,
    schema: SchemaRef,
}

impl<'a> Fragments<'a> {
    pub fn new(context: &'a Context<'a>) -> Self {
        Self { context, groups: vec![], findings: vec![] }
    }

    /// Plans a text as its owner will, and asks the owner's rules about it. Owners whose rules see the same tables say
    /// the same of one text: it is planned once for all of them.
    fn judge_once(
        &mut self,
        owner: &JurisdictionId,
        sql: &str,
        tables: Vec<Arc<Slice>>,
        judged: &mut Vec<Judged>,
    ) -> Result<SchemaRef, Refusal> {
        let alike =
            |a: &[Arc<Slice>], b: &[Arc<Slice>]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.judged_like(b));
        if let Some(same) = judged.iter().find(|same| same.sql == sql && alike(&same.tables, &tables)) {
            let repeated: Vec<PolicyFinding> = self.findings[same.findings.clone()].to_vec();
            self.findings.extend(repeated.into_iter().map(|f| PolicyFinding { owner: owner.clone(), ..f }));
            return Ok(Arc::clone(&same.schema));
        }
        let before = self.findings.len();
        let schema = self.judge(owner, sql)?;
        let findings = before..self.findings.len();
        judged.push(Judged { sql: sql.to_owned(), tables, findings, schema: Arc::clone(&schema) });
        Ok(schema)
    }

    /// Plans a text as its owner will, and asks the owner's rules about it.
    fn judge(&mut self, owner: &JurisdictionId, sql: &str) -> Result<SchemaRef, Refusal> {
        let Some(catalog) = self.context.owners.get(owner) else {
            return Err(Refusal::new(Code::Internal, "an owner is not a member").with_owner(owner.clone()));
        };
        let plan = catalog.plan(sql, self.context.sql_bytes).map_err(|refusal| {
            // The text is ours: that it does not plan at the owner is a fault here, not the researcher's.
            tracing::error!(%owner, code = %refusal.code, "a fragment's text does not plan at its owner: {refusal}");
            Refusal::new(Code::NotSplittable, "this query has no form that the owner can run")
                .with_owner(owner.clone())
                .with_remedy("simplify the part of the query that reads this jurisdiction's tables")
        })?;
        let schema = catalog::nullable(plan.schema().as_arrow());
        let judgement = admission::judge(plan, owner);
        self.findings.extend(judgement.findings);
        judgement.verdict.map(|_| schema)
    }
}

impl Placer<'_> {
    /// Ends a region; the leaf has the region's own columns.
    pub(super) fn cut(&mut self, region: Region) -> Result<LogicalPlan, Refusal> {
        self.leaf(region, None)
    }

    /// Ends a region; behind its columns the leaf has [`OWNER_COLUMN`], if its releases may hide cells.
    pub(super) fn cut_with_owner(&mut self, region: Region, hides: bool) -> Result<LogicalPlan, Refusal> {
        self.leaf(region, hides.then(|| Expr::Column(Column::new_unqualified(OWNER_COLUMN))))
    }

    fn leaf(&mut self, mut region: Region, owner: Option<Expr>) -> Result<LogicalPlan, Refusal> {
        if region.replicated {
            let home = region.owners.iter().position(|o| *o == self.context.home).unwrap_or(0);
            region.owners = vec![region.owners.swap_remove(home)];
        }
        let (texts, schema) = self.texts(&region)?;
        let table = ReleaseTable::new(&schema);
        let name = TableReference::bare(format!("__release_{}", self.fragments.groups.len()));
        let scan = LogicalPlanBuilder::scan(name.clone(), provider_as_source(Arc::clone(&table) as _), None)
            .and_then(LogicalPlanBuilder::build)
            .map_err(invalid)?;
        let mut columns = Vec::new();
        for ((qualifier, field), released) in region.plan.schema().iter().zip(schema.fields()) {
            let column = Expr::Column(Column::new(Some(name.clone()), released.name()));
            let value = if released.data_type() == field.data_type() {
                column
            } else {
                Expr::Cast(Cast::new(Box::new(column), field.data_type().clone()))
            };
            columns.push(value.alias_qualified(qualifier.cloned(), field.name()));
        }
        if let Some(owner) = owner {
            let Expr::Column(column) = owner else { return Err(Refusal::new(Code::Internal, "no owner column")) };
            let qualified = Expr::Column(Column::new(Some(name), &column.name));
            columns.push(qualified.alias(column.name));
        }
        let (restricted, hiding) = (restricted_tables(&region), hiding_owners(&region));
        self.fragments.groups.push(FragmentGroup { texts, schema, table, public: region.public, restricted, hiding });
        Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(scan)).map_err(invalid)?))
    }

    fn texts(&mut self, region: &Region) -> Result<(Vec<(JurisdictionId, String)>, SchemaRef), Refusal> {
        let (mut texts, mut judged) = (Vec::new(), Vec::new());
        let mut common: Option<SchemaRef> = None;
        for owner in &region.owners {
            let Text { sql, columns } = fragment_text(&region.plan, owner).map_err(|error| {
                Refusal::new(Code::NotSplittable, "this part of the query cannot be sent to its owners")
                    .with_subject(error.strip_backtrace())
                    .with_remedy("simplify the query, or aggregate earlier")
            })?;
            let planned = self.fragments.judge_once(owner, &sql, slices_of(region, owner), &mut judged)?;
            let schema = release_schema(&columns, &planned);
            if let Some(first) = &common
                && *first != schema
            {
                return Err(Refusal::new(Code::ReleaseShape, "owners would release different types for one column")
                    .with_owner(owner.clone())
                    .with_rule("a common table has the same types everywhere"));
            }
            common = Some(schema);
            texts.push((owner.clone(), sql));
        }
        match common {
            Some(schema) => Ok((texts, schema)),
            None => Err(Refusal::new(Code::OwnerUnavailable, "no jurisdiction holds this table")),
        }
    }

    /// The refusal of an owner's rules for a region that may not leave it; a general one if its rules have none.
    pub(super) fn explain_refusal(&mut self, region: &Region) -> Refusal {
        let general = || {
            Refusal::new(Code::NotSplittable, "this cannot be put together from what owners may release")
                .with_rule("owners release finished aggregates that can be merged")
                .with_remedy("use count, sum, avg, var, stddev, covar, corr or regr_*, or ask one jurisdiction alone")
        };
        let Some(owner) = region.owners.first() else { return general() };
        let Ok(text) = fragment_text(&region.plan, owner) else { return general() };
        self.fragments.judge(owner, &text.sql).err().unwrap_or_else(general)
    }
}

/// An owner's part of every table that a region reads.
fn slices_of(region: &Region, owner: &JurisdictionId) -> Vec<Arc<Slice>> {
    let mut slices = vec![];
    let walked = region.plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = catalog::table_of(scan)
        {
            slices.extend(table.slices.iter().filter(|slice| slice.jurisdiction == *owner).cloned());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(walked.is_ok(), "the walk itself cannot fail");
    slices
}

/// The non-public tables that a region reads.
fn non_public(region: &Region) -> Vec<Arc<CatalogTable>> {
    let mut tables = vec![];
    let walked = region.plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = catalog::table_of(scan)
            && !table.is_public()
        {
            tables.push(Arc::clone(table));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(walked.is_ok(), "the walk itself cannot fail");
    tables
}

fn restricted_tables(region: &Region) -> Vec<TableRef> {
    let mut names: Vec<TableRef> =
        non_public(region).iter().filter_map(|t| t.slices.first().map(|s| s.table.clone())).collect();
    names.sort();
    names.dedup();
    names
}

/// Owners that may keep cells back: a cell that is missing from their release may exist.
pub(super) fn hiding_owners(region: &Region) -> Vec<JurisdictionId> {
    let tables = non_public(region);
    let hides = |owner: &&JurisdictionId| {
        let slices = tables.iter().flat_map(|t| t.slices.iter());
        slices.filter(|s| s.jurisdiction == **owner).any(|s| s.policy.min_units > 1)
    };
    region.owners.iter().filter(hides).cloned().collect()
}

/// The schema of a release: the names of the text, the types that the owner's plan gives them.
fn release_schema(names: &[String], planned: &SchemaRef) -> SchemaRef {
    if names.is_empty() {
        return Arc::new(Schema::new(vec![Field::new("one", DataType::Int64, true)]));
    }
    let fields = names.iter().zip(planned.fields());
    let fields: Vec<Field> = fields.map(|(n, f)| Field::new(n, f.data_type().clone(), true)).collect();
    Arc::new(Schema::new(fields))
}
