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

/// Length of a text with its values, in bytes, that is made whatever the lengths of both are. Longer ones are made as long as they are
/// not much longer than what was sent: a value that stands in many places makes a text of any length of a few bytes.
const LONGEST: usize = 1 << 20;

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
    /// [`Code::InvalidSql`] if there are more or fewer literals than parameters; [`Code::Limit`] if the text would be far longer than
    /// the text and the literals together.
    pub fn bound(&self, sql: &str, literals: &[String]) -> Result<String, Refusal> {
        if literals.len() == self.count {
            let given = literals.iter().fold(sql.len(), |sum, literal| sum.saturating_add(literal.len()));
            let made =
                self.places.iter().fold(sql.len(), |sum, (_, index)| sum.saturating_add(literals[*index].len() + 2));
            let most = LONGEST.max(given.saturating_mul(2));
            if made > most {
                return Err(Refusal::new(
                    Code::Limit,
                    format!("the SQL text with its values would have about {made} bytes"),
                )
                .with_rule(format!("values are put into a text of at most {most} bytes"))
                .with_remedy("name a long value once, in a subquery or WITH, and refer to it; or load it as a table"));
            }
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
    if has_parts_of_microseconds(value) {
        return Err(Refusal::new(
            Code::InvalidSql,
            "a time with a part of a microsecond cannot be bound to a parameter",
        )
        .with_rule("times have whole microseconds")
        .with_remedy("round the value before it is bound"));
    }
    let kind = value.data_type();
    let simple = kind.is_null()
        || kind.is_numeric()
        || kind.is_string()
        || kind.is_binary()
        || matches!(kind, arrow::datatypes::DataType::Boolean)
        || (kind.is_temporal() && !matches!(&kind, arrow::datatypes::DataType::Timestamp(_, Some(_))));
    let literal = if simple { spell::literal(value) } else { None };
    // A number that stands alone in ORDER BY or GROUP BY would name a column; with a sign it is a value.
    let literal =
        literal.map(|text| if text.starts_with(|c: char| c.is_ascii_digit()) { format!("+{text}") } else { text });
    literal.ok_or_else(|| {
        Refusal::new(Code::InvalidSql, format!("a value of type {kind} cannot be bound to a parameter"))
            .with_rule("numbers, text, true and false, dates and times without a zone are bound")
            .with_remedy("give the value as text, and CAST the parameter in the query")
    })
}

/// Returns true for a time that the engine would cut: it counts in microseconds.
fn has_parts_of_microseconds(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::TimestampNanosecond(Some(count), _) | ScalarValue::Time64Nanosecond(Some(count)) => {
            count % 1000 != 0
        }
        _ => false,
    }
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
        assert_eq!(literal(&ScalarValue::from(7_i64)).unwrap(), "+7", "no column's number");
        assert!(literal(&ScalarValue::TimestampNanosecond(Some(1000), None)).is_ok());
        for cut in [ScalarValue::TimestampNanosecond(Some(1), None), ScalarValue::Time64Nanosecond(Some(1_001))] {
            assert!(literal(&cut).unwrap_err().message.contains("microsecond"));
        }
    }

    #[test]
    fn a_value_in_many_places_makes_no_text_without_bound() {
        let places = |count: usize| format!("SELECT 1 WHERE 'a' IN ({}'b')", "$1, ".repeat(count));
        let value = format!("'{}'", "a".repeat(100_000));
        let refusal = bound(&places(5000), &[&value]).unwrap_err();
        assert_eq!(refusal.code, Code::Limit, "{refusal}");
        assert!(bound(&places(5), &[&value]).is_ok());
        // Long texts of few values are what was sent.
        let long = format!("'{}'", "a".repeat(3 << 20));
        assert!(bound("SELECT ?", &[&long]).is_ok());
    }
}
