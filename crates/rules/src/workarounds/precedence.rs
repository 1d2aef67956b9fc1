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
//! `BETWEEN SYMMETRIC` is read here too, which sqlparser does not know.

use std::any::TypeId;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

/// Level of `= <> < <= > >=`: above IS, below LIKE.
const COMPARISON: u8 = 18;
/// Level of LIKE, IN and BETWEEN.
const MEMBERSHIP: u8 = 20;
/// Level of operators that have none of their own.
const OTHER: u8 = 22;

/// The SQL that queries, fragments and mappings are written in: sqlparser's generic dialect with PostgreSQL's precedence.
#[derive(Debug, Clone, Copy, Default)]
pub struct QueryDialect;

/// Answers a question about the dialect as [`GenericDialect`] does.
macro_rules! as_generic {
    ($($question:ident),* $(,)?) => {
        $(fn $question(&self) -> bool {
            GenericDialect.$question()
        })*
    };
}

impl Dialect for QueryDialect {
    fn dialect(&self) -> TypeId {
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
        match level {
            Precedence::Eq => COMPARISON,
            Precedence::Between | Precedence::Like => MEMBERSHIP,
            Precedence::Ampersand | Precedence::Caret | Precedence::Pipe | Precedence::PgOther => OTHER,
            other => GenericDialect.prec_value(other),
        }
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
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

    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, _: u8) -> Option<Result<Expr, ParserError>> {
        if parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) {
            let right = parser.parse_subexpr(self.prec_value(Precedence::Is));
            return Some(right.map(|right| Expr::IsDistinctFrom(Box::new(expr.clone()), Box::new(right))));
        }
        if parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]) {
            let right = parser.parse_subexpr(self.prec_value(Precedence::Is));
            return Some(right.map(|right| Expr::IsNotDistinctFrom(Box::new(expr.clone()), Box::new(right))));
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

fn is_long(operand: &Expr) -> bool {
    struct Parts(usize);
    impl Visitor for Parts {
        type Break = ();

        fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
            self.0 += 1;
            if self.0 > MOST_PARTS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    operand.visit(&mut Parts(0)).is_break()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a condition and writes it with every operand in parentheses.
    fn grouped(text: &str) -> String {
        let mut parser = Parser::new(&QueryDialect).try_with_sql(text).unwrap();
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
