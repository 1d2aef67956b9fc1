//! Findings of `EXPLAIN POLICY`: a line for each column and operator, with the rule that decides on it.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use wanqu_model::columns::ColumnClass;
use wanqu_model::names::{JurisdictionId, ResourceName};

/// One rule applied to one column or operator of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFinding {
    /// Jurisdiction whose rule it is.
    pub owner: JurisdictionId,
    /// Part of the query: `GROUP BY`, `WHERE`, `sum`, `JOIN`.
    pub operator: String,
    /// The column, as `gba.health.visits.sex`, or the expression or operator itself.
    pub subject: String,
    /// The column's class; `None` for an operator.
    pub class: Option<ColumnClass>,
    /// The rule, in words.
    pub rule: String,
    /// True if the rule admits it.
    pub admitted: bool,
    /// Query to ask instead, if it is refused.
    pub remedy: Option<String>,
    /// The policies that hold for the column's table.
    pub policies: Vec<ResourceName>,
}

/// Returns the findings as a table: owner, operator, subject, class, verdict, rule, remedy, policies.
#[must_use]
pub fn to_batch(findings: &[PolicyFinding]) -> RecordBatch {
    let column = |text: &dyn Fn(&PolicyFinding) -> Option<String>| -> ArrayRef {
        Arc::new(findings.iter().map(text).collect::<StringArray>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("owner", column(&|f| Some(f.owner.to_string()))),
        ("operator", column(&|f| Some(f.operator.clone()))),
        ("subject", column(&|f| Some(f.subject.clone()))),
        ("class", column(&|f| f.class.map(|class| class.to_string()))),
        ("verdict", column(&|f| Some(if f.admitted { "admitted" } else { "refused" }.to_owned()))),
        ("rule", column(&|f| Some(f.rule.clone()))),
        ("remedy", column(&|f| f.remedy.clone())),
        ("policies", column(&|f| Some(f.policies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .expect("every column is text and has one value for each finding")
}
