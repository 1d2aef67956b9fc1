//! Check of a fragment's text before it is sent: its owner reads it as the plan that it was made of.

use datafusion::logical_expr::{LogicalPlan, TableScan};
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

use super::spread::whole_table;
use super::text::whole_name;
use crate::catalog::{self, ask_the_same};
use crate::fault::error_kind;

/// Returns true if an owner that makes `read` of a text is asked what was `meant`. What cannot be compared is not sent.
pub(super) fn is_what_was_meant(meant: &LogicalPlan, read: &LogicalPlan, owner: &JurisdictionId) -> bool {
    let table = |scan: &TableScan| {
        let whole = || whole_table(scan).map(|table| whole_name(table, owner));
        catalog::table_of(scan).map(|table| table.name.clone()).or_else(whole).map(|name| name.to_string())
    };
    // What functions and comparisons take is cast by the owner's analysis, and so by this one.
    match catalog::analyse(meant.clone()).and_then(|meant| ask_the_same(&meant, read, &table)) {
        Ok(true) => true,
        // Without the text: it holds literals of the query.
        Ok(false) => {
            tracing::error!(%owner, "a fragment's text would be read as another question");
            false
        }
        Err(error) => {
            tracing::error!(%owner, kind = error_kind(&error), "a fragment's text cannot be compared with its plan");
            false
        }
    }
}

/// Returns the refusal of a part of a query whose text would be read as another question.
pub(super) fn refusal(owner: &JurisdictionId) -> Refusal {
    Refusal::new(Code::NotSplittable, "this part of the query has no text that its owner would read as it is meant")
        .with_owner(owner.clone())
        .with_rule("a text is sent only if it reads back as the question that it was made of")
        .with_remedy("write the conditions and computed columns of this part in a simpler form")
}
