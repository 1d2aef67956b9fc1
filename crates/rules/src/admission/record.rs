//! Record of a judgement: every rule that admits, and every rule that refuses.

use std::collections::BTreeSet;

use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use wanqu_model::columns::ColumnClass;
use wanqu_model::names::ResourceName;
use wanqu_model::refusal::Refusal;

use super::finding::PolicyFinding;
use super::judge::Judge;

impl Judge<'_> {
    /// Records a refusal.
    pub(super) fn refuse(&mut self, operator: &str, refusal: Refusal) {
        let refusal = refusal.with_owner(self.owner.clone());
        let subject = refusal.subject.clone().unwrap_or_else(|| operator.to_owned());
        self.findings.push(PolicyFinding {
            owner: self.owner.clone(),
            operator: operator.to_owned(),
            class: self.class_named(&subject),
            subject,
            rule: refusal.rule.clone().unwrap_or_else(|| refusal.message.clone()),
            admitted: false,
            remedy: refusal.remedy.clone(),
            policies: self.rule.policies.clone(),
        });
        self.refusals.push(refusal);
    }

    fn class_named(&self, subject: &str) -> Option<ColumnClass> {
        self.tables.leaves.iter().find_map(|leaf| {
            let column = subject.strip_prefix(&leaf.table.name.to_string())?.strip_prefix('.')?;
            Some(leaf.table.class_of(column))
        })
    }

    /// Records that every column of an expression is admitted by a rule.
    pub(super) fn admit_columns(&mut self, operator: &str, expr: &Expr, rule: &str) {
        let mut columns: Vec<Column> = expr.column_refs().into_iter().cloned().collect();
        columns.sort();
        for column in &columns {
            self.admit_column(operator, column, rule);
        }
    }

    /// Records that a column is admitted by a rule.
    pub(super) fn admit_column(&mut self, operator: &str, column: &Column, rule: &str) {
        let slices = self.tables.leaf(column).map(|leaf| leaf.table.slices.clone()).unwrap_or_default();
        let policies: BTreeSet<ResourceName> =
            slices.iter().filter(|s| !s.is_public()).flat_map(|s| s.policy.policies.iter().cloned()).collect();
        self.admit(PolicyFinding {
            owner: self.owner.clone(),
            operator: operator.to_owned(),
            subject: self.tables.name(column),
            class: Some(self.tables.class(column)),
            rule: rule.to_owned(),
            admitted: true,
            remedy: None,
            policies: policies.into_iter().collect(),
        });
    }

    /// Records that an operator is admitted by a rule.
    pub(super) fn admit_operator(&mut self, operator: &str, subject: String, rule: &str) {
        self.admit(PolicyFinding {
            owner: self.owner.clone(),
            operator: operator.to_owned(),
            subject,
            class: None,
            rule: rule.to_owned(),
            admitted: true,
            remedy: None,
            policies: self.rule.policies.clone(),
        });
    }

    fn admit(&mut self, finding: PolicyFinding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}
