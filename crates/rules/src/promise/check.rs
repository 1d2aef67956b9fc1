//! The check of one release, batch by batch.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use datafusion::common::DFSchema;
use datafusion::physical_plan::PhysicalExpr;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

use super::rule::{Broken, holds, longest_text};
use super::{MAX_CELL_TEXT, MAX_ROW_TEXT, Promise, Rule};
use crate::catalog::planning_state;

/// Memory of a key that has been seen, beside its bytes.
const KEY_OVERHEAD: usize = 48;

/// The check of one owner's release.
pub struct Check {
    promise: Arc<Promise>,
    owner: JurisdictionId,
    /// The condition of each rule that has one.
    conditions: Vec<Option<Arc<dyn PhysicalExpr>>>,
    converter: Option<RowConverter>,
    seen: HashSet<Box<[u8]>>,
    rows: u64,
    bytes: usize,
}

impl Check {
    /// Begins the check of a release of `owner` that has these columns.
    #[must_use]
    pub fn new(promise: Arc<Promise>, owner: JurisdictionId, columns: &SchemaRef) -> Self {
        let conditions = promise.rules.iter().map(|rule| condition(rule, columns)).collect();
        let keys = promise.keys.filter(|keys| *keys > 0 && *keys <= columns.fields().len());
        let converter = keys.and_then(|keys| {
            let fields = columns.fields()[..keys].iter().map(|field| SortField::new(field.data_type().clone()));
            RowConverter::new(fields.collect()).ok()
        });
        Self { promise, owner, conditions, converter, seen: HashSet::new(), rows: 0, bytes: 0 }
    }

    /// Checks the next batch of the release.
    ///
    /// # Errors
    /// [`Code::ReleaseShape`] with the owner, the column and the rule that the release breaks. No value is in it.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<(), Refusal> {
        let result = self.judged(batch);
        result.map_err(|(column, rule)| {
            let columns = batch.schema();
            let name = columns.fields().get(column).map_or("", |field| field.name().as_str());
            tracing::warn!(owner = %self.owner, column = name, rule, "a release breaks a rule, and is not used");
            let owner = &self.owner;
            Refusal::new(
                Code::ReleaseShape,
                format!("the release of {owner} cannot be the answer to what it was asked"),
            )
            .with_subject(format!("column {name} of the release"))
            .with_rule(rule)
            .with_owner(owner.clone())
            .with_remedy(format!("leave {owner} out, or ask for partial answers, and tell its operator"))
        })
    }

    /// Returns the memory that the check takes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn judged(&mut self, batch: &RecordBatch) -> Result<(), Broken> {
        self.rows += batch.num_rows() as u64;
        for (rule, condition) in self.promise.rules.iter().zip(&self.conditions) {
            holds(rule, batch, &self.owner, &self.promise, condition.as_ref())?;
        }
        let most = if self.promise.public { MAX_ROW_TEXT } else { MAX_CELL_TEXT };
        for (index, column) in batch.columns().iter().enumerate() {
            if longest_text(column) > most {
                return Err((index, "a text of a release is of bounded length"));
            }
        }
        self.unique(batch)
    }

    /// Takes note of the keys of a batch, none of which may have come before.
    fn unique(&mut self, batch: &RecordBatch) -> Result<(), Broken> {
        if self.promise.keys == Some(0) && self.rows > 1 {
            return Err((0, "an aggregate without GROUP BY has one row"));
        }
        let (Some(keys), Some(converter)) = (self.promise.keys, &self.converter) else { return Ok(()) };
        let Ok(rows) = converter.convert_columns(&batch.columns()[..keys]) else {
            return Err((0, "group keys have the types that were asked for"));
        };
        for row in &rows {
            self.bytes += row.data().len() + KEY_OVERHEAD;
            if !self.seen.insert(row.data().into()) {
                return Err((0, "an owner releases each group once"));
            }
        }
        Ok(())
    }
}

/// Returns the condition of a rule, ready to run over these columns; `None` if it has none, or if it cannot be run here.
fn condition(rule: &Rule, columns: &SchemaRef) -> Option<Arc<dyn PhysicalExpr>> {
    let Rule::Asked(condition) = rule else { return None };
    let schema = DFSchema::try_from(columns.as_ref().clone()).ok()?;
    planning_state().create_physical_expr(condition.clone(), &schema).ok()
}
