//! The columns of datasets that columns of tables are computed from, so that a measure is known again under any name that mappings
//! give it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Visit, Visitor};
use wanqu_model::bundle::Slice;
use wanqu_sql::Text;

/// Deeper nesting than this is not read; the compiler refuses mappings that are deeper than it.
const NESTING: usize = 64;

/// Returns the columns of a slice's dataset that give a column of it; `None` if that is not known.
pub(super) fn sources(slice: &Slice, column: &str) -> Option<BTreeSet<String>> {
    let spec = slice.columns.iter().find(|spec| spec.name.as_str() == column)?;
    match &spec.expression {
        None => Some(BTreeSet::from([column.to_owned()])),
        Some(expression) => names_in(expression),
    }
}

fn names_in(expression: &str) -> Option<BTreeSet<String>> {
    let text = Text::new(expression).ok()?;
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is of one lifetime alone")]
    let parsed = text.parse(NESTING, |parser| parser.parse_expr()).ok()?;
    let mut names = Names(BTreeSet::new());
    let whole = parsed.visit(&mut names).is_continue();
    (whole && !names.0.is_empty()).then_some(names.0)
}

struct Names(BTreeSet<String>);

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, part: &Expr) -> ControlFlow<()> {
        match part {
            // Without quotes it is a name of small letters, as everywhere in SQL.
            Expr::Identifier(name) => {
                let quoted = name.quote_style.is_some();
                self.0.insert(if quoted { name.value.clone() } else { name.value.to_lowercase() });
                ControlFlow::Continue(())
            }
            Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_read_for_the_columns_that_it_names() {
        for (expression, expected) in [
            ("cost", Some(&["cost"][..])),
            ("CAST(Cost AS DOUBLE) * 0.9135", Some(&["cost"])),
            ("CASE WHEN \"Unit\" = 'kg' THEN weight ELSE weight * 0.4536 END", Some(&["Unit", "weight"])),
            ("round(w / (h * h), 1)", Some(&["h", "w"])),
            ("t.cost", None),
            ("1", None),
            ("cost +", None),
        ] {
            let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(names_in(expression), expected, "{expression}");
        }
    }
}
