//! Readers of SQL: literals, and texts of queries.

use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::lit;
use datafusion::sql::sqlparser::ast::{Expr, SelectItem, SetExpr, Statement, Value};
use wanqu_model::refusal::Code;
use wanqu_rules::catalog::{Spelling, bare_name_text, parse_query};

/// The longest text that is read.
const MOST_BYTES: usize = 256 * 1024;

/// Writes a text as a literal and as a name, and checks that both are read back as the same text.
pub(super) fn literal(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let schema = DFSchema::empty();
    let spelling = Spelling { schema: &schema, column: &|column: &Column| column.flat_name() };
    let Ok(literal) = spelling.item(&lit(ScalarValue::Utf8(Some(text.to_owned())))) else { return };
    let name = bare_name_text(if text.is_empty() { "a" } else { text });
    let sql = format!("SELECT {literal} AS {name}, 7 AS behind");
    let read = parse_query(&sql, usize::MAX).unwrap_or_else(|refusal| panic!("{sql:?}: {refusal}"));
    let Statement::Query(query) = read else { panic!("{sql:?} is no query") };
    let SetExpr::Select(select) = *query.body else { panic!("{sql:?} is no SELECT") };
    let [SelectItem::ExprWithAlias { expr, alias }, SelectItem::ExprWithAlias { .. }] = &select.projection[..] else {
        panic!("{sql:?} has other columns: {:?}", select.projection)
    };
    let mut value = expr;
    while let Expr::Nested(inner) | Expr::Cast { expr: inner, .. } = value {
        value = inner;
    }
    let Expr::Value(value) = value else { panic!("{sql:?} is no literal: {expr}") };
    assert!(matches!(&value.value, Value::SingleQuotedString(read) if read == text), "{sql:?}: {value:?}");
    assert!(alias.value == text || text.is_empty(), "{sql:?}: {alias:?}");
}

/// Reads the text of a query within the bound on work. The bound is that of `wanqu-sql`, whose tests count the steps; a text that
/// is read for long all the same shows in a fuzzer's time limit.
pub(super) fn query(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match parse_query(text, MOST_BYTES) {
        Ok(statement) => assert!(matches!(statement, Statement::Query(_))),
        Err(refusal) => {
            let known = [Code::Limit, Code::InvalidSql, Code::NotAQuery].contains(&refusal.code);
            assert!(known && refusal.rule.is_some(), "{refusal}");
        }
    }
}
