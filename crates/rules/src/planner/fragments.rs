//! Fragments in the making: a region that ends becomes SQL text for each of its owners, checked against each owner's
//! rules before anything is sent, and a leaf of the merge plan that reads what they release.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Projection, when};
use wanqu_model::bundle::Slice;
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::{Code, Refusal};

use super::doubt::Doubt;
use super::invalid::invalid;
use super::part::{HomePart, Placed};
use super::spread::Region;
use super::text::{Text, fragment_text};
use super::total::Total;
use super::{promised, readback};
use crate::admission::{self, PolicyFinding};
use crate::catalog::{self, Catalog};
use crate::merge::{OWNER_COLUMN, Reading, ReleaseTable};
use crate::promise::{Promise, Withheld};
use crate::words::planning_words;

/// Fragments that feed one leaf of the merge plan: one for each owner asked, all with one schema.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the fragments")]
pub struct FragmentGroup {
    /// Text for each owner that is asked.
    pub texts: Vec<(JurisdictionId, String)>,
    /// Text for each owner that gives the same as the one that is asked, in case that one is away.
    pub spare: Vec<(JurisdictionId, String)>,
    /// True if no owner holds a row that is asked for.
    pub nobody: bool,
    /// The columns of every release of this group.
    pub schema: SchemaRef,
    /// The leaf that reads them.
    pub table: Arc<ReleaseTable>,
    /// True if only public tables are read.
    pub public: bool,
    /// The non-public tables that are read: what an agreement must cover.
    pub restricted: Vec<TableRef>,
    /// Owners whose rule may keep cells back, in the order of the owner column.
    pub hiding: Vec<JurisdictionId>,
    /// Number of leading columns that tell one cell from another, where cells of several owners are merged under marks.
    pub keys: Option<usize>,
    /// True if each owner releases one cell at most, that of an aggregate without GROUP BY: no row is absent for want of it.
    pub one_cell: bool,
    /// True if the releases are read in each round of a recursive query.
    pub repeated: bool,
    /// Rules that every release meets.
    pub promise: Arc<Promise>,
}

/// Fragments of one plan so far, and the findings of the owners' rules.
pub(super) struct Fragments<'a> {
    context: Context<'a>,
    pub groups: Vec<FragmentGroup>,
    pub findings: Vec<PolicyFinding>,
    /// Number of columns of marks that have been named.
    marks: usize,
    /// True while the part of a recursive query is placed that repeats.
    repeated: bool,
}

/// Catalogs and limits that fragments are planned and judged by.
pub(super) struct Context<'a> {
    /// Catalog of each owner.
    pub owners: &'a BTreeMap<JurisdictionId, Catalog>,
    /// The home node's jurisdiction: asked where any owner can answer.
    pub home: &'a JurisdictionId,
    /// Greatest length of a fragment's text, in bytes.
    pub sql_bytes: usize,
}

/// Verdict of an owner's rules on a text.
struct Judged {
    sql: String,
    tables: Vec<Arc<Slice>>,
    findings: Range<usize>,
    planned: PlannedText,
}

/// A text as its owner plans it.
#[derive(Clone)]
struct PlannedText {
    schema: SchemaRef,
    /// Columns that the owner's gate may withhold from rows, set by set: see [`admission::Judged::withheld`].
    withheld: Vec<Vec<usize>>,
}

/// The texts of a region.
struct Texts {
    by_owner: Vec<(JurisdictionId, String)>,
    schema: SchemaRef,
    /// Columns that the gate of any owner may withhold from rows, set by set.
    withheld: Vec<Vec<usize>>,
}

impl<'a> Fragments<'a> {
    pub fn new(context: Context<'a>) -> Self {
        Self { context, groups: vec![], findings: vec![], marks: 0, repeated: false }
    }

    /// Returns the home node's jurisdiction.
    pub fn home_node(&self) -> &'a JurisdictionId {
        self.context.home
    }

    /// Returns a fresh name for a column of marks.
    pub fn lack_name(&mut self) -> String {
        self.marks += 1;
        format!("__lack_{}", self.marks)
    }

    /// Returns what `place` gives for the part of a recursive query that repeats: its leaves are kept, to be read in each round.
    pub fn repeating<T>(&mut self, place: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.repeated, true);
        let placed = place(self);
        self.repeated = before;
        placed
    }

    /// Brings a placed part home: a region ends.
    pub fn home(&mut self, placed: Placed) -> Result<HomePart, Refusal> {
        match placed {
            Placed::Home(part) => Ok(part),
            Placed::Owners(region) => {
                let lost = !region.hiding_owners().is_empty();
                let part = HomePart::complete(self.cut(region)?);
                Ok(HomePart { lost, values: self.doubt_of_last(), ..part })
            }
        }
    }

    /// Checks a text that is made of `meant`. Owners whose rules see the same tables say the same of one text: it is planned
    /// once for all of them.
    fn judge_once(
        &mut self,
        owner: &JurisdictionId,
        meant: &LogicalPlan,
        sql: &str,
        tables: Vec<Arc<Slice>>,
        judged: &mut Vec<Judged>,
    ) -> Result<PlannedText, Refusal> {
        let alike =
            |a: &[Arc<Slice>], b: &[Arc<Slice>]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.judged_like(b));
        if let Some(same) = judged.iter().find(|same| same.sql == sql && alike(&same.tables, &tables)) {
            let repeated: Vec<PolicyFinding> = self.findings[same.findings.clone()].to_vec();
            self.findings.extend(repeated.into_iter().map(|f| PolicyFinding { owner: owner.clone(), ..f }));
            return Ok(same.planned.clone());
        }
        let before = self.findings.len();
        let planned = self.check(owner, meant, sql)?;
        let findings = before..self.findings.len();
        judged.push(Judged { sql: sql.to_owned(), tables, findings, planned: planned.clone() });
        Ok(planned)
    }

    /// Plans a text as its owner will, checks that it is read as what was `meant`, and asks the owner's rules about it.
    fn check(&mut self, owner: &JurisdictionId, meant: &LogicalPlan, sql: &str) -> Result<PlannedText, Refusal> {
        let read = self.read(owner, sql)?;
        let reads_back = readback::is_what_was_meant(meant, &read, owner);
        // A refusal by the owner's rules tells more than one for want of a text.
        let planned = self.judge(owner, read)?;
        if reads_back { Ok(planned) } else { Err(readback::refusal(owner)) }
    }

    /// Plans a text as its owner will.
    fn read(&self, owner: &JurisdictionId, sql: &str) -> Result<LogicalPlan, Refusal> {
        let Some(catalog) = self.context.owners.get(owner) else {
            return Err(Refusal::new(Code::Internal, "an owner of a table is not a member of the federation")
                .with_owner(owner.clone()));
        };
        catalog.plan(sql, self.context.sql_bytes).map_err(|refusal| {
            if refusal.code == Code::Cancelled {
                return refusal;
            }
            // Every decimal of a fragment has a CAST around it, so that it can be heavier than the query that it came from.
            if refusal.code == Code::Limit {
                return refusal.with_owner(owner.clone());
            }
            // The text is ours: that it does not plan at the owner is a fault here, not the researcher's.
            tracing::error!(%owner, code = %refusal.code, "a fragment's text does not plan at its owner: {refusal}");
            Refusal::new(Code::NotSplittable, "the owner cannot run its part of this query")
                .with_owner(owner.clone())
                .with_rule("an owner plans its part of a query itself")
                .with_remedy("simplify the part of the query that reads this jurisdiction's tables")
        })
    }

    /// Asks an owner's rules about a plan.
    fn judge(&mut self, owner: &JurisdictionId, plan: LogicalPlan) -> Result<PlannedText, Refusal> {
        let schema = catalog::nullable(plan.schema().as_arrow());
        let judgement = admission::judge(plan, owner);
        self.findings.extend(judgement.findings);
        judgement.verdict.map(|judged| PlannedText { schema, withheld: judged.withheld() })
    }

    /// Ends a region. Returns the plan that reads its releases, with the region's own columns. An aggregate without GROUP BY
    /// that one owner runs has its row even if that owner does not answer, and what is made of the row is made at home.
    pub fn cut(&mut self, region: Region) -> Result<LogicalPlan, Refusal> {
        match Total::beneath(&region.plan).filter(|_| region.is_single()) {
            Some(Total { aggregate, above }) => {
                let region = region.with_plan(aggregate, |_| None);
                above.apply(self.leaf(region, None)?)
            }
            None => self.leaf(region, None),
        }
    }

    /// Returns the table of the leaf that was made last.
    pub fn last_table(&self) -> Result<Arc<ReleaseTable>, Refusal> {
        let last = self.groups.last().map(|group| Arc::clone(&group.table));
        last.ok_or_else(|| Refusal::new(Code::Internal, "a region was cut and has no leaf"))
    }

    /// Returns the doubt about values of the leaf that was made last: some owner may withhold one.
    pub fn doubt_of_last(&self) -> Doubt {
        if self.last_withheld().is_some() { Doubt::Always } else { Doubt::Never }
    }

    /// Returns the values of the leaf that was made last that some owner may withhold; `None` if there are none.
    pub fn last_withheld(&self) -> Option<&Withheld> {
        self.groups.last().map(|group| &group.promise.withheld).filter(|withheld| withheld.may_lack())
    }

    /// Ends a region whose releases may hide cells, each told from others by the first `keys` columns. Behind the region's
    /// columns the leaf has [`OWNER_COLUMN`].
    pub fn cut_with_owner(&mut self, region: Region, keys: usize) -> Result<LogicalPlan, Refusal> {
        self.leaf(region, Some(keys))
    }

    fn leaf(&mut self, mut region: Region, keys: Option<usize>) -> Result<LogicalPlan, Refusal> {
        if region.replicated {
            let home = region.owners.iter().position(|o| o == self.context.home).unwrap_or(0);
            let asked = region.owners.remove(home);
            let others = std::mem::replace(&mut region.owners, vec![asked]);
            // Of what is public. A release of the rest is not made twice because the first may have been lost.
            region.spare = if region.public { others } else { vec![] };
        }
        let Texts { by_owner: texts, schema, withheld } = self.texts(&region)?;
        let spare = self.spare_texts(&region, &schema);
        let one_cell = Total::is_one(&region.plan);
        let one_row = one_cell && region.owners.len() == 1 && keys.is_none();
        let repeated = self.repeated;
        let table = ReleaseTable::new(&schema, Reading { one_row, repeated });
        let name = TableReference::bare(format!("__release_{}", self.groups.len()));
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
        let (restricted, hiding) = (region.restricted_tables(), region.hiding_owners());
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let withheld = Withheld { together: withheld, owners: hiding.iter().cloned().collect() };
        if keys.is_some() {
            let column = |column: &str| Expr::Column(Column::new(Some(name.clone()), column));
            // A row from which a value is withheld lacks a part of its owner's as a row that is kept back does.
            let owner = match withheld.condition(|index| column(&names[index])) {
                Some(lacks) => when(lacks.is_not_true(), column(OWNER_COLUMN)).end().map_err(invalid)?,
                None => column(OWNER_COLUMN),
            };
            columns.push(owner.alias(OWNER_COLUMN));
        }
        let promise = Arc::new(Promise { withheld, ..promised::promise(&region, &names) });
        self.groups.push(FragmentGroup {
            texts,
            spare,
            nobody: region.nobody,
            schema,
            table,
            public: region.public,
            restricted,
            hiding,
            keys,
            one_cell,
            repeated,
            promise,
        });
        Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(scan)).map_err(invalid)?))
    }

    fn texts(&mut self, region: &Region) -> Result<Texts, Refusal> {
        let (mut texts, mut judged, mut withheld) = (Vec::new(), Vec::new(), Vec::new());
        let mut common: Option<SchemaRef> = None;
        for owner in &region.owners {
            let Text { sql, columns } = fragment_text(&region.plan, owner).map_err(|error| {
                let why = planning_words(&error).unwrap_or_else(|| "a part that has no form in SQL".to_owned());
                Refusal::new(Code::NotSplittable, "this part of the query cannot be sent to its owners")
                    .with_subject(why)
                    .with_rule("a question crosses a border as SQL text")
                    .with_remedy("write the part that is named in another form, or aggregate earlier")
            })?;
            let planned = self.judge_once(owner, &region.plan, &sql, region.slices_of(owner), &mut judged)?;
            let schema = release_schema(&columns, &planned.schema);
            withheld.extend(planned.withheld.into_iter().filter(|set| !withheld.contains(set)).collect::<Vec<_>>());
            if let Some(first) = &common
                && *first != schema
            {
                return Err(Refusal::new(Code::ReleaseShape, "owners would release different types for one column")
                    .with_owner(owner.clone())
                    .with_rule("a common table has the same types everywhere")
                    .with_remedy("CAST the columns that the query shows, or ask one jurisdiction alone"));
            }
            common = Some(schema);
            texts.push((owner.clone(), sql));
        }
        match common {
            Some(schema) => Ok(Texts { by_owner: texts, schema, withheld }),
            None => Err(Refusal::new(Code::OwnerUnavailable, "no jurisdiction holds this table")
                .with_rule("a table is read where it is held")
                .with_remedy("`wanqu catalog` lists the tables and who holds them")),
        }
    }

    /// Returns the texts for the spare owners of a region that would release the same columns.
    fn spare_texts(&mut self, region: &Region, schema: &SchemaRef) -> Vec<(JurisdictionId, String)> {
        let before = self.findings.len();
        let mut texts = Vec::new();
        for owner in &region.spare {
            let Ok(Text { sql, columns }) = fragment_text(&region.plan, owner) else { continue };
            let planned = self.check(owner, &region.plan, &sql);
            if planned.is_ok_and(|planned| release_schema(&columns, &planned.schema) == *schema) {
                texts.push((owner.clone(), sql));
            }
        }
        // Nobody asked about these.
        self.findings.truncate(before);
        texts
    }

    /// Returns the refusal of an owner's rules for a region that may not leave it; a general one if its rules have none.
    pub fn explain_refusal(&mut self, region: &Region) -> Refusal {
        let general = || {
            Refusal::new(Code::NotSplittable, "this result cannot be merged from aggregates that owners may release")
                .with_rule("owners release finished aggregates that can be merged")
                .with_remedy("use count, sum, avg, var, stddev, covar, corr or regr_*, or ask one jurisdiction alone")
        };
        let Some(owner) = region.owners.first() else { return general() };
        let Ok(text) = fragment_text(&region.plan, owner) else { return general() };
        let judged = self.read(owner, &text.sql).and_then(|plan| self.judge(owner, plan));
        judged.err().unwrap_or_else(general)
    }
}

/// Returns the schema of a release: the names of the text, with the types of the owner's plan.
fn release_schema(names: &[String], planned: &SchemaRef) -> SchemaRef {
    if names.is_empty() {
        return Arc::new(Schema::new(vec![Field::new("one", DataType::Int64, true)]));
    }
    let fields = names.iter().zip(planned.fields());
    let fields: Vec<Field> = fields.map(|(n, f)| Field::new(n, f.data_type().clone(), true)).collect();
    Arc::new(Schema::new(fields))
}
