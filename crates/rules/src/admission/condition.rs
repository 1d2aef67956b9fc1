//! One condition of a WHERE or ON: judged, and put on record.

use datafusion::logical_expr::Expr;

use super::judge::Judge;
use super::predicate;

impl Judge<'_> {
    /// Judges one condition of a WHERE or ON, and records the verdict.
    pub(super) fn condition(&mut self, operator: &str, conjunct: &Expr) {
        if let Some((left, right)) = predicate::unit_link(conjunct, &self.tables) {
            let rule = "an identifier may be joined with an identifier of another non-public table";
            for column in [left.clone(), right.clone()] {
                self.admit_column(operator, &column, rule);
            }
            return;
        }
        let verdict =
            predicate::check(conjunct, &self.tables).and_then(|()| predicate::across_tables(conjunct, &self.tables));
        match verdict {
            Ok(()) => self.admit_columns(operator, conjunct, predicate::filter_rule(&self.tables)),
            Err(refusal) => self.refuse(operator, refusal),
        }
    }
}
