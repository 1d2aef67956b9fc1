//! Precedence of operators as in PostgreSQL (apache/datafusion-sqlparser-rs#2436).
//!
//! sqlparser 0.62 reads what follows `IS [NOT] DISTINCT FROM` to the end of the condition, so that
//! `a IS DISTINCT FROM b AND c` compares `a` with `b AND c`. Its other levels differ from PostgreSQL's too:
//!
//! | level, lowest first | here and in PostgreSQL | sqlparser |
//! |---|---|---|
//! | OR, AND, NOT, IS | the same | the same |
//! | `= <> < <= > >=` | below LIKE, IN, BETWEEN | above them: `f = s LIKE 'a%'` is `(f = s) LIKE 'a%'` |
//! | LIKE, ILIKE, SIMILAR TO, IN, BETWEEN | above comparisons | |
//! | `\|\| & \| # << >> ~ ~~` and all other operators | one level, between those and `+` | `\|\|` beside `*`, `~` beside `=` |
//! | `+ -`, `* / %`, unary `-`, `::` | the same | the same |
//!
//! `BETWEEN SYMMETRIC` is read here too, which sqlparser does not know, and `#`, PostgreSQL's exclusive OR of bits, which it
//! knows in PostgreSQL's dialect alone.

use std::any::TypeId;
use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Visit, Visitor};
use sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::work::Work;

/// Level of `= <> < <= > >=`: above IS, below LIKE.
const COMPARISON: u8 = 18;
/// Level of LIKE, IN and BETWEEN.
const MEMBERSHIP: u8 = 20;
/// Level of operators that have none of their own.
const OTHER: u8 = 22;

/// The SQL that queries, fragments and mappings are written in: sqlparser's generic dialect with PostgreSQL's precedence.
///
/// It counts what it is asked while a text is read.
#[derive(Debug)]
pub(crate) struct QueryDialect {
    work: Work,
}

impl QueryDialect {
    /// Returns the dialect for one reading.
    pub(crate) fn new(work: Work) -> Self {
        Self { work }
    }

    /// Copies an operand, which the parser only lends. In a chain of operators that grows with the square of its length.
    fn copy(&self, operand: &Expr) -> Box<Expr> {
        self.work.steps_of(STEPS_OF_COPY * parts_of(operand, usize::MAX) as u64);
        Box::new(operand.clone())
    }

    /// Returns the steps that the reading took.
    #[cfg(test)]
    pub(crate) fn steps(&self) -> u64 {
        self.work.taken()
    }
}

/// Answers a question about the dialect as [`GenericDialect`] does.
macro_rules! as_generic {
    ($($question:ident),* $(,)?) => {
        $(fn $question(&self) -> bool {
            self.work.step();
            GenericDialect.$question()
        })*
    };
}

impl Dialect for QueryDialect {
    fn dialect(&self) -> TypeId {
        self.work.step();
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        GenericDialect.is_identifier_part(ch)
    }

    fn prec_value(&self, level: Precedence) -> u8 {
        self.work.step();
        match level {
            Precedence::Eq => COMPARISON,
            Precedence::Between | Precedence::Like => MEMBERSHIP,
            Precedence::Ampersand | Precedence::Caret | Precedence::Pipe | Precedence::PgOther => OTHER,
            other => GenericDialect.prec_value(other),
        }
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        self.work.step();
        let other = matches!(
            parser.peek_token_ref().token,
            Token::StringConcat
                | Token::Tilde
                | Token::TildeAsterisk
                | Token::ExclamationMarkTilde
                | Token::ExclamationMarkTildeAsterisk
                | Token::DoubleTilde
                | Token::DoubleTildeAsterisk
                | Token::ExclamationMarkDoubleTilde
                | Token::ExclamationMarkDoubleTildeAsterisk
        );
        other.then_some(Ok(OTHER))
    }

    /// Reads as the parser does, and counts how deep expressions lie within each other: it does not for `INTERVAL INTERVAL …`.
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        self.work.step();
        let _level = self.work.enter()?;
        Some(parser.parse_prefix())
    }

    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, _: u8) -> Option<Result<Expr, ParserError>> {
        self.work.step();
        if parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) {
            let right = parser.parse_subexpr(self.prec_value(Precedence::Is));
            return Some(right.map(|right| Expr::IsDistinctFrom(self.copy(expr), Box::new(right))));
        }
        if parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]) {
            let right = parser.parse_subexpr(self.prec_value(Precedence::Is));
            return Some(right.map(|right| Expr::IsNotDistinctFrom(self.copy(expr), Box::new(right))));
        }
        if parser.consume_token(&Token::Sharp) {
            let right = parser.parse_subexpr(OTHER);
            return Some(right.map(|right| Expr::BinaryOp {
                left: Box::new(expr.clone()),
                op: BinaryOperator::PGBitwiseXor,
                right: Box::new(right),
            }));
        }
        if parser.parse_keywords(&[Keyword::NOT, Keyword::BETWEEN, Keyword::SYMMETRIC]) {
            return Some(between_symmetric(parser, expr, true));
        }
        if parser.parse_keywords(&[Keyword::BETWEEN, Keyword::SYMMETRIC]) {
            return Some(between_symmetric(parser, expr, false));
        }
        None
    }

    /// As in PostgreSQL; otherwise `1_000` would be the number 1 under the name `_000`.
    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    as_generic!(
        supports_unicode_string_literal,
        supports_partition_by_after_order_by,
        supports_array_join_syntax,
        supports_group_by_expr,
        supports_group_by_with_modifier,
        supports_left_associative_joins_without_parens,
        supports_connect_by,
        supports_match_recognize,
        supports_pipe_operator,
        supports_start_transaction_modifier,
        supports_window_function_null_treatment_arg,
        supports_dictionary_syntax,
        supports_window_clause_named_window_reference,
        supports_parenthesized_set_variables,
        supports_select_wildcard_except,
        support_map_literal_syntax,
        allow_extract_custom,
        allow_extract_single_quotes,
        supports_extract_comma_syntax,
        supports_create_view_comment_syntax,
        supports_parens_around_table_factor,
        supports_values_as_table_factor,
        supports_create_index_with_clause,
        supports_explain_with_utility_options,
        supports_limit_comma,
        supports_update_order_by,
        supports_from_first_select,
        supports_projection_trailing_commas,
        supports_asc_desc_in_column_definition,
        supports_try_convert,
        supports_bitwise_shift_operators,
        supports_comment_on,
        supports_load_extension,
        supports_named_fn_args_with_assignment_operator,
        supports_struct_literal,
        supports_empty_projections,
        supports_nested_comments,
        supports_multiline_comment_hints,
        supports_user_host_grantee,
        supports_string_escape_constant,
        supports_array_typedef_with_brackets,
        supports_match_against,
        supports_set_names,
        supports_comma_separated_set_assignments,
        supports_filter_during_aggregation,
        supports_select_wildcard_exclude,
        supports_data_type_signed_suffix,
        supports_interval_options,
        supports_quote_delimited_string,
        supports_select_wildcard_replace,
        supports_select_wildcard_ilike,
        supports_select_wildcard_rename,
        supports_optimize_table,
        supports_install,
        supports_detach,
        supports_prewhere,
        supports_with_fill,
        supports_limit_by,
        supports_interpolate,
        supports_settings,
        supports_select_format,
        supports_comment_optimizer_hint,
        supports_constraint_keyword_without_name,
        supports_key_column_option,
        supports_comma_separated_trim,
        supports_cte_without_as,
        supports_select_item_multi_column_alias,
        supports_xml_expressions,
    );
}

/// Reads the bounds of `x BETWEEN SYMMETRIC a AND b`, which may stand in either order.
fn between_symmetric(parser: &mut Parser, expr: &Expr, negated: bool) -> Result<Expr, ParserError> {
    let low = parser.parse_subexpr(MEMBERSHIP)?;
    parser.expect_keyword_is(Keyword::AND)?;
    let high = parser.parse_subexpr(MEMBERSHIP)?;
    // Each is written twice, and so is what is nested in it.
    if [expr, &low, &high].into_iter().any(is_long) {
        let why = "an operand of BETWEEN SYMMETRIC is too long; compute it in a derived table, and compare its column";
        return Err(ParserError::ParserError(why.to_owned()));
    }
    let between = |low: &Expr, high: &Expr| Expr::Between {
        expr: Box::new(Expr::Nested(Box::new(expr.clone()))),
        negated: false,
        low: Box::new(Expr::Nested(Box::new(low.clone()))),
        high: Box::new(Expr::Nested(Box::new(high.clone()))),
    };
    let either = Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(between(&low, &high)),
        op: BinaryOperator::Or,
        right: Box::new(between(&high, &low)),
    }));
    if !negated {
        return Ok(either);
    }
    let neither = Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(either) };
    Ok(Expr::Nested(Box::new(neither)))
}

/// Parts that an operand of BETWEEN SYMMETRIC may have.
const MOST_PARTS: usize = 64;

/// Steps that a copy of one part of an expression counts for.
const STEPS_OF_COPY: u64 = 16;

fn is_long(operand: &Expr) -> bool {
    parts_of(operand, MOST_PARTS) > MOST_PARTS
}

/// Counts the parts of an expression, up to one more than `most`.
fn parts_of(operand: &Expr, most: usize) -> usize {
    struct Parts {
        parts: usize,
        most: usize,
    }
    impl Visitor for Parts {
        type Break = ();

        fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
            self.parts += 1;
            if self.parts > self.most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    let mut parts = Parts { parts: 0, most };
    let _ = operand.visit(&mut parts);
    parts.parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a condition and writes it with every operand in parentheses.
    fn grouped(text: &str) -> String {
        let dialect = QueryDialect::new(Work::unbounded());
        let mut parser = Parser::new(&dialect).try_with_sql(text).unwrap();
        let expr = parser.parse_expr().unwrap();
        assert_eq!(parser.peek_token_ref().token, Token::EOF, "{text}");
        write(&expr)
    }

    fn write(expr: &Expr) -> String {
        match expr {
            Expr::BinaryOp { left, op, right } => format!("({} {op} {})", write(left), write(right)),
            Expr::UnaryOp { op, expr } => format!("({op} {})", write(expr)),
            Expr::IsDistinctFrom(a, b) => format!("({} IS DISTINCT FROM {})", write(a), write(b)),
            Expr::IsNotDistinctFrom(a, b) => format!("({} IS NOT DISTINCT FROM {})", write(a), write(b)),
            Expr::IsTrue(a) => format!("({} IS TRUE)", write(a)),
            Expr::IsNull(a) => format!("({} IS NULL)", write(a)),
            Expr::Like { expr, pattern, .. } => format!("({} LIKE {})", write(expr), write(pattern)),
            Expr::InList { expr, list, .. } => {
                format!("({} IN {})", write(expr), list.iter().map(write).collect::<Vec<_>>().join(","))
            }
            Expr::Between { expr, low, high, .. } => {
                format!("({} BETWEEN {} AND {})", write(expr), write(low), write(high))
            }
            Expr::Nested(inner) => write(inner),
            other => other.to_string(),
        }
    }

    #[test]
    fn conditions_are_read_as_in_postgresql() {
        for (text, read) in [
            ("a IS DISTINCT FROM b AND c", "((a IS DISTINCT FROM b) AND c)"),
            ("a IS NOT DISTINCT FROM b OR c AND d", "((a IS NOT DISTINCT FROM b) OR (c AND d))"),
            ("NOT a IS DISTINCT FROM b AND c", "((NOT (a IS DISTINCT FROM b)) AND c)"),
            ("p AND a IS DISTINCT FROM b OR c", "((p AND (a IS DISTINCT FROM b)) OR c)"),
            ("a IS DISTINCT FROM b = c", "(a IS DISTINCT FROM (b = c))"),
            ("x = a IS DISTINCT FROM b + 1", "((x = a) IS DISTINCT FROM (b + 1))"),
            ("a IS DISTINCT FROM b IS TRUE", "((a IS DISTINCT FROM b) IS TRUE)"),
            ("a IS DISTINCT FROM b BETWEEN 1 AND 2 AND c", "((a IS DISTINCT FROM (b BETWEEN 1 AND 2)) AND c)"),
            ("f = s LIKE 'a%'", "(f = (s LIKE 'a%'))"),
            ("s LIKE 'a%' = f", "((s LIKE 'a%') = f)"),
            ("f = x IN (1, 2)", "(f = (x IN 1,2))"),
            ("f = x BETWEEN 1 AND 2", "(f = (x BETWEEN 1 AND 2))"),
            ("x BETWEEN 1 AND 2 = f", "((x BETWEEN 1 AND 2) = f)"),
            ("s LIKE a || '%'", "(s LIKE (a || '%'))"),
            ("a || 1 + 2", "(a || (1 + 2))"),
            ("a + 1 || b", "((a + 1) || b)"),
            ("a << 1 = 4", "((a << 1) = 4)"),
            ("a | b & c", "((a | b) & c)"),
            ("a # b # c + 1 = d", "(((a # b) # (c + 1)) = d)"),
            ("s ~ 'x' || 'y' = f", "(((s ~ 'x') || 'y') = f)"),
            ("NOT a = b", "(NOT (a = b))"),
            ("NOT a IS NULL", "(NOT (a IS NULL))"),
            ("- a * b", "((- a) * b)"),
            ("x BETWEEN SYMMETRIC 3 AND 1 AND y", "(((x BETWEEN 3 AND 1) OR (x BETWEEN 1 AND 3)) AND y)"),
            ("x NOT BETWEEN SYMMETRIC 3 AND 1", "(NOT ((x BETWEEN 3 AND 1) OR (x BETWEEN 1 AND 3)))"),
        ] {
            assert_eq!(grouped(text), read, "{text}");
        }
    }
}
