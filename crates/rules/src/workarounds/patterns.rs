//! Patterns of LIKE, ILIKE and SIMILAR TO in the form that DataFusion runs (apache/datafusion#13291, #13312).
//!
//! DataFusion 55 runs LIKE with a backslash as escape and no other, and runs SIMILAR TO as a search for a regular
//! expression. So a pattern with ESCAPE is written with backslashes, and one of SIMILAR TO as the regular expression that
//! it stands for. The pattern must be a literal where it is rewritten.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value, ValueWithSpan};
use wanqu_model::refusal::{Code, Refusal};

use super::clauses::refuse;

/// Rewrites the pattern of one expression, if it is a match against one.
pub(super) fn rewrite(expr: &mut Expr) -> ControlFlow<Box<Refusal>> {
    match expr {
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            let Some(escape) = escape_char.take() else { return ControlFlow::Continue(()) };
            let escape = escape_of(&escape)?;
            if escape == Some('\\') {
                return ControlFlow::Continue(());
            }
            let Some(text) = literal_mut(pattern) else {
                return refuse(
                    "ESCAPE beside a pattern that is not a literal",
                    "write the pattern as a literal, or with \\ as its escape character",
                );
            };
            *text = with_backslashes(text, escape)?;
            ControlFlow::Continue(())
        }
        Expr::SimilarTo { negated, expr: value, pattern, escape_char } => {
            let escape = match escape_char {
                Some(escape) => escape_of(escape)?,
                None => Some('\\'),
            };
            let Some(text) = literal_mut(pattern) else {
                return refuse(
                    "SIMILAR TO a pattern that is not a literal",
                    "write the pattern as a literal, or use ~",
                );
            };
            let regex = regular_expression(text, escape)?;
            let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
            let matched = Expr::BinaryOp {
                left: Box::new(Expr::Nested(value.clone())),
                op,
                right: Box::new(Expr::value(Value::SingleQuotedString(regex))),
            };
            *expr = Expr::Nested(Box::new(matched));
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Continue(()),
    }
}

/// Returns the escape character; `None` if there is none, which `ESCAPE ''` says.
fn escape_of(escape: &ValueWithSpan) -> ControlFlow<Box<Refusal>, Option<char>> {
    let (Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text)) = &escape.value else {
        return refuse("an ESCAPE that is not text", "write one character in quotes");
    };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (escape, None) => ControlFlow::Continue(escape),
        _ => invalid("an ESCAPE has one character", "write one character in quotes"),
    }
}

fn literal_mut(pattern: &mut Expr) -> Option<&mut String> {
    match pattern {
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text),
            ..
        }) => Some(text),
        Expr::Nested(inner) => literal_mut(inner),
        _ => None,
    }
}

fn invalid<T>(what: &str, remedy: &str) -> ControlFlow<Box<Refusal>, T> {
    ControlFlow::Break(Box::new(Refusal::new(Code::InvalidSql, what).with_remedy(remedy)))
}

fn ends_with_escape<T>() -> ControlFlow<Box<Refusal>, T> {
    invalid("a pattern ends with its escape character", "write the escape character twice to match it")
}

/// Writes a LIKE pattern with a backslash in place of its escape character.
fn with_backslashes(pattern: &str, escape: Option<char>) -> ControlFlow<Box<Refusal>, String> {
    let mut written = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let escaped = escape == Some(c);
        let literal = if escaped {
            match chars.next() {
                Some(next) => next,
                None => return ends_with_escape(),
            }
        } else {
            c
        };
        if literal == '\\' || escaped && matches!(literal, '%' | '_') {
            written.push('\\');
        }
        written.push(literal);
    }
    ControlFlow::Continue(written)
}

/// Writes a pattern of SIMILAR TO, which matches the whole of a text, as a regular expression.
fn regular_expression(pattern: &str, escape: Option<char>) -> ControlFlow<Box<Refusal>, String> {
    let mut written = "^(?s:".to_owned();
    let mut chars = pattern.chars();
    let mut in_set = false;
    while let Some(c) = chars.next() {
        if escape == Some(c) {
            let Some(next) = chars.next() else { return ends_with_escape() };
            push_literal(&mut written, next);
        } else if in_set {
            in_set = c != ']';
            if matches!(c, '\\' | '[' | '&' | '~') {
                written.push('\\');
            }
            written.push(c);
        } else {
            match c {
                '%' => written.push_str(".*"),
                '_' => written.push('.'),
                '[' => {
                    in_set = true;
                    written.push(c);
                }
                '|' | '*' | '+' | '?' | '{' | '}' | '(' | ')' => written.push(c),
                other => push_literal(&mut written, other),
            }
        }
    }
    written.push_str(")$");
    ControlFlow::Continue(written)
}

fn push_literal(written: &mut String, c: char) {
    // `\<` and `\>` are word boundaries, and the two characters need no escape.
    if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
        written.push('\\');
    }
    written.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<T: Default>(flow: ControlFlow<Box<Refusal>, T>) -> Option<T> {
        match flow {
            ControlFlow::Continue(value) => Some(value),
            ControlFlow::Break(_) => None,
        }
    }

    #[test]
    fn escapes_become_backslashes() {
        for (pattern, escape, written) in [
            ("a!%b", Some('!'), Some(r"a\%b")),
            ("a!!b!_", Some('!'), Some(r"a!b\_")),
            (r"a\b!%", Some('!'), Some(r"a\\b\%")),
            (r"!\", Some('!'), Some(r"\\")),
            ("a!xb", Some('!'), Some("axb")),
            ("%%%", Some('%'), None),
            ("%%x", Some('%'), Some(r"\%x")),
            ("a%", Some('!'), Some("a%")),
            ("a!", Some('!'), None),
            (r"a\%", None, Some(r"a\\%")),
        ] {
            assert_eq!(value(with_backslashes(pattern, escape)).as_deref(), written, "{pattern}");
        }
    }

    #[test]
    fn similar_to_is_a_regular_expression_over_the_whole_text() {
        for (pattern, escape, written) in [
            ("a%", Some('\\'), Some("^(?s:a.*)$")),
            ("(a|b)_c+", Some('\\'), Some("^(?s:(a|b).c+)$")),
            ("a.b^$", Some('\\'), Some(r"^(?s:a\.b\^\$)$")),
            ("[^a-c]{2}", Some('\\'), Some("^(?s:[^a-c]{2})$")),
            ("a!%b", Some('!'), Some(r"^(?s:a\%b)$")),
            ("a!", Some('!'), None),
        ] {
            assert_eq!(value(regular_expression(pattern, escape)).as_deref(), written, "{pattern}");
        }
    }
}
