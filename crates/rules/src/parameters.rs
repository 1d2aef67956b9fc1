//! Parameters of a query's text, and the values that are put in their places.
//!
//! ```text
//! SELECT … WHERE a = ? ── tokens ──▶ places of parameters ── literals with their types ──▶ SELECT … WHERE a = ('O''Hara')
//! ```
//!
//! A value takes the place of one token, as a literal in brackets: it joins no token beside it, `- ?` of a negative number
//! begins no comment, and `ORDER BY ?` names no column. The text that comes of it is planned and judged as any other.

use std::ops::Range;

use datafusion::common::ScalarValue;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_sql::placeholders;

use crate::spell;

/// Most parameters of one query.
const MOST: usize = 1000;

/// Rule of how parameters are written.
const RULE: &str = "parameters are written ? , or $1, $2 and so on, not both in one query";

/// The parameters of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Place of each, and the index of its value.
    places: Vec<(Range<usize>, usize)>,
    count: usize,
}

impl Parameters {
    /// Finds the parameters of a text.
    ///
    /// # Errors
    /// [`Code::InvalidSql`] for a text that cannot be taken apart, and for parameters that are written otherwise;
    /// [`Code::Limit`] if there are too many.
    pub fn of(sql: &str) -> Result<Self, Refusal> {
        let found = placeholders(sql).map_err(|unread| {
            Refusal::new(Code::InvalidSql, format!("the SQL cannot be read: {unread}"))
                .with_rule(unread.rule())
                .with_remedy(unread.remedy())
        })?;
        let wrong = |what: &str| {
            Refusal::new(Code::InvalidSql, what.to_owned()).with_rule(RULE).with_remedy("write ? for each parameter")
        };
        let by_order = found.iter().filter(|one| one.name == "?").count();
        if by_order != 0 && by_order != found.len() {
            return Err(wrong("the parameters are written in two ways"));
        }
        let mut places = Vec::with_capacity(found.len());
        for (position, one) in found.into_iter().enumerate() {
            let number = match one.name.strip_prefix('$') {
                Some(number) => number.parse::<usize>().ok().filter(|number| *number > 0),
                None => (one.name == "?").then_some(position + 1),
            };
            let number = number.ok_or_else(|| wrong("a parameter has a name of another form"))?;
            if number > MOST {
                return Err(Refusal::new(Code::Limit, "the query has too many parameters")
                    .with_rule(format!("a query has at most {MOST} parameters"))
                    .with_remedy("load long lists as a registered public table and join it"));
            }
            places.push((one.range, number - 1));
        }
        let count = places.iter().map(|(_, index)| index + 1).max().unwrap_or_default();
        Ok(Self { places, count })
    }

    /// Returns the number of values that the text needs.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the text with each parameter written `$1`, `$2` and so on, as the engine's planner reads them.
    #[must_use]
    pub fn numbered(&self, sql: &str) -> String {
        self.replaced(sql, |index| format!("${}", index + 1))
    }

    /// Returns the text with literals in the places of its parameters.
    ///
    /// # Errors
    /// [`Code::InvalidSql`] if there are more or fewer literals than parameters.
    pub fn bound(&self, sql: &str, literals: &[String]) -> Result<String, Refusal> {
        if literals.len() == self.count {
            return Ok(self.replaced(sql, |index| format!("({})", literals[index])));
        }
        let message = format!("the query has {} parameters, and {} values are bound to it", self.count, literals.len());
        Err(Refusal::new(Code::InvalidSql, message)
            .with_rule("each parameter has one value")
            .with_remedy("give as many values as the query has parameters"))
    }

    fn replaced(&self, sql: &str, text: impl Fn(usize) -> String) -> String {
        let (mut made, mut copied) = (String::with_capacity(sql.len()), 0);
        for (place, index) in &self.places {
            made += &sql[copied..place.start];
            made += &text(*index);
            copied = place.end;
        }
        made + &sql[copied..]
    }
}

/// Returns a value as the literal that takes the place of a parameter.
///
/// # Errors
/// [`Code::InvalidSql`] if values of its type cannot be bound.
pub fn literal(value: &ScalarValue) -> Result<String, Refusal> {
    let kind = value.data_type();
    let simple = kind.is_null()
        || kind.is_numeric()
        || kind.is_string()
        || kind.is_binary()
        || matches!(kind, arrow::datatypes::DataType::Boolean)
        || (kind.is_temporal() && !matches!(&kind, arrow::datatypes::DataType::Timestamp(_, Some(_))));
    let literal = if simple { spell::literal(value) } else { None };
    literal.ok_or_else(|| {
        Refusal::new(Code::InvalidSql, format!("a value of type {kind} cannot be bound to a parameter"))
            .with_rule("numbers, text, true and false, dates and times without a zone are bound")
            .with_remedy("give the value as text, and CAST the parameter in the query")
    })
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::{Expr, SelectItem, SetExpr, Statement, Value, ValueWithSpan};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::catalog::parse_query;

    fn bound(sql: &str, literals: &[&str]) -> Result<String, Refusal> {
        Parameters::of(sql)?.bound(sql, &literals.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn values_take_the_places_of_parameters() {
        assert_eq!(bound("SELECT ? , '?', -?", &["1", "-2"]).unwrap(), "SELECT (1) , '?', -(-2)");
        assert_eq!(bound("SELECT $2, $1, $2", &["1", "'x'"]).unwrap(), "SELECT ('x'), (1), ('x')");
        assert_eq!(bound("SELECT 1", &[]).unwrap(), "SELECT 1");
        let parameters = Parameters::of("SELECT ?,?").unwrap();
        assert_eq!((parameters.count(), parameters.numbered("SELECT ?,?").as_str()), (2, "SELECT $1,$2"));
    }

    #[test]
    fn parameters_of_other_forms_and_counts_are_refused_with_what_to_write() {
        for (sql, literals) in [
            ("SELECT ?, $1", &["1", "2"][..]),
            ("SELECT $name", &["1"]),
            ("SELECT $0", &["1"]),
            ("SELECT $", &["1"]),
            ("SELECT ?1", &["1"]),
            ("SELECT ?", &[]),
            ("SELECT 1", &["1"]),
            ("SELECT '?", &[]),
        ] {
            let refusal = bound(sql, literals).unwrap_err();
            assert!(refusal.code == Code::InvalidSql && refusal.remedy.is_some(), "{sql}: {refusal}");
        }
        assert_eq!(bound("SELECT $99999999", &[]).unwrap_err().code, Code::Limit);
    }

    /// Returns the one value that a query selects.
    fn selected(sql: &str) -> Option<String> {
        let Ok(Statement::Query(query)) = parse_query(sql, 1 << 20) else { return None };
        let SetExpr::Select(select) = *query.body else { return None };
        let [SelectItem::ExprWithAlias { expr: Expr::Nested(expr), .. }] = select.projection.as_slice() else {
            return None;
        };
        match expr.as_ref() {
            Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text.clone()),
            _ => None,
        }
    }

    /// Whatever a text holds, it is read back as the one value that it is.
    #[test]
    fn hostile_texts_are_values_and_nothing_else() {
        let parts = [
            "'", "''", "\\", "\\'", "\"", "\0", "--", "/*", "*/", ";", "$1", "?", "$$", "(", ")", "\n", "\r", "E'",
            "N'", "U&'", "’", "ʼ", "＇", "\u{2028}", "\u{202e}", "湾", " OR 1=1 ", "{{", "}}", "`", "\u{feff}", "x",
        ];
        let mut random = StdRng::seed_from_u64(20_190_218);
        for _ in 0..2000 {
            let text: String =
                (0..random.random_range(0..8)).map(|_| parts[random.random_range(0..parts.len())]).collect();
            let written = literal(&ScalarValue::Utf8(Some(text.clone()))).unwrap();
            for sql in ["SELECT ? AS v", "SELECT\n? AS v -- ?", "SELECT $1 AS v"] {
                let bound = bound(sql, &[&written]).unwrap();
                assert_eq!(selected(&bound).as_deref(), Some(text.as_str()), "{bound:?}");
            }
        }
    }

    #[test]
    fn values_of_types_without_a_literal_are_refused() {
        let zoned = ScalarValue::TimestampSecond(Some(0), Some("Asia/Macau".into()));
        let list = ScalarValue::List(ScalarValue::new_list_nullable(
            &[ScalarValue::from(1_i64)],
            &arrow::datatypes::DataType::Int64,
        ));
        for value in [zoned, list] {
            assert!(literal(&value).unwrap_err().remedy.unwrap().contains("CAST"));
        }
        assert_eq!(literal(&ScalarValue::Null).unwrap(), "NULL");
        assert_eq!(literal(&ScalarValue::from(-7_i64)).unwrap(), "-7");
    }
}
