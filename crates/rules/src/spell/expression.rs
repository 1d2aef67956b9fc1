//! Expressions.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Column, DFSchema, Result as DfResult, ScalarValue, plan_err};
use datafusion::logical_expr::expr::{AggregateFunction, Between, Case, InList, Like, NullTreatment, Sort};
use datafusion::logical_expr::type_coercion::functions::{UDFCoercionExt, fields_with_udf};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, GroupingSet, Operator};

use super::literal::literal_text;
use super::types::{cast_text, engine_cast_text};
use super::{name_text, text_literal};

/// Writer of expressions over the columns of one schema.
pub struct Spelling<'a> {
    /// Columns that an expression may name, with their types.
    pub schema: &'a DFSchema,
    /// Returns the text of a column that stands in brackets already, or reads back as one name.
    pub column: &'a dyn Fn(&Column) -> String,
}

impl Spelling<'_> {
    /// Returns the text of an expression for a place where commas, brackets or keywords end it, and between the terms of an
    /// AND.
    ///
    /// # Errors
    /// If the expression has no form in SQL.
    pub fn item(&self, expr: &Expr) -> DfResult<String> {
        let after = |expr: &Expr, words: &str| self.operand(expr).map(|text| format!("({text} {words})"));
        match expr {
            Expr::Alias(alias) => self.item(&alias.expr),
            Expr::Column(column) => Ok((self.column)(column)),
            Expr::Literal(value, _) => literal_text(value),
            Expr::BinaryExpr(binary) => self.binary(binary).map(|text| format!("({text})")),
            Expr::Like(like) => self.like(like, if like.case_insensitive { "ILIKE" } else { "LIKE" }),
            Expr::SimilarTo(like) if !like.case_insensitive => self.like(like, "SIMILAR TO"),
            Expr::Not(inner) => Ok(format!("(NOT {})", self.operand(inner)?)),
            Expr::Negative(inner) => Ok(format!("(-{})", self.operand(inner)?)),
            Expr::IsNull(inner) => after(inner, "IS NULL"),
            Expr::IsNotNull(inner) => after(inner, "IS NOT NULL"),
            Expr::IsTrue(inner) => after(inner, "IS TRUE"),
            Expr::IsNotTrue(inner) => after(inner, "IS NOT TRUE"),
            Expr::IsFalse(inner) => after(inner, "IS FALSE"),
            Expr::IsNotFalse(inner) => after(inner, "IS NOT FALSE"),
            Expr::IsUnknown(inner) => after(inner, "IS UNKNOWN"),
            Expr::IsNotUnknown(inner) => after(inner, "IS NOT UNKNOWN"),
            Expr::Between(between) => self.between(between),
            Expr::InList(list) => self.in_list(list),
            Expr::Case(case) => self.case(case),
            Expr::Cast(cast) => self.cast(&cast.expr, cast.field.data_type(), false),
            Expr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type(), true),
            Expr::ScalarFunction(function) => {
                let args = self.arguments(&function.args, function.func.as_ref())?;
                Ok(format!("{}({})", name_text(function.name()), args.join(", ")))
            }
            Expr::AggregateFunction(function) => self.aggregate(function),
            Expr::GroupingSet(sets) => self.grouping_sets(sets),
            _ => plan_err!("this form of expression has no text: {expr}"),
        }
    }

    /// Returns the text of an expression beside an operator.
    ///
    /// # Errors
    /// If the expression has no form in SQL.
    pub fn operand(&self, expr: &Expr) -> DfResult<String> {
        let text = self.item(expr)?;
        Ok(if text.starts_with('-') { format!("({text})") } else { text })
    }

    fn items(&self, exprs: &[Expr]) -> DfResult<String> {
        Ok(exprs.iter().map(|expr| self.item(expr)).collect::<DfResult<Vec<_>>>()?.join(", "))
    }

    /// Returns the text of a key of GROUP BY: a number alone would be the place of a column.
    ///
    /// # Errors
    /// If the expression has no form in SQL.
    pub fn group_key(&self, expr: &Expr) -> DfResult<String> {
        match expr {
            Expr::Literal(value @ ScalarValue::Int64(Some(_)), _) => {
                Ok(cast_text(&literal_text(value)?, &DataType::Int64, false))
            }
            _ => self.item(expr),
        }
    }

    /// Returns the text of a key of ORDER BY; `None` for a constant, which orders nothing and whose number alone would be
    /// the place of a column.
    ///
    /// # Errors
    /// If the expression has no form in SQL.
    pub fn sort_key(&self, key: &Sort) -> DfResult<Option<String>> {
        if matches!(key.expr, Expr::Literal(..)) {
            return Ok(None);
        }
        let direction = if key.asc { "ASC" } else { "DESC" };
        let nulls = if key.nulls_first { "FIRST" } else { "LAST" };
        Ok(Some(format!("{} {direction} NULLS {nulls}", self.item(&key.expr)?)))
    }

    /// Returns a binary operation without brackets around it. Terms of a chain need none between them.
    fn binary(&self, binary: &BinaryExpr) -> DfResult<String> {
        use Operator::{And, Minus, Multiply, Or, Plus, StringConcat};
        let side = |expr: &Expr, chained: bool| match expr {
            Expr::BinaryExpr(inner) if chained && inner.op == binary.op => self.binary(inner),
            other => self.operand(other),
        };
        let left = side(&binary.left, matches!(binary.op, And | Or | Plus | Minus | Multiply | StringConcat))?;
        let right = side(&binary.right, matches!(binary.op, And | Or))?;
        Ok(format!("{left} {} {right}", operator_text(binary.op)))
    }

    fn like(&self, like: &Like, words: &str) -> DfResult<String> {
        let not = if like.negated { "NOT " } else { "" };
        let escape = like.escape_char.map(|c| format!(" ESCAPE {}", text_literal(&c.to_string()))).unwrap_or_default();
        Ok(format!("({} {not}{words} {}{escape})", self.operand(&like.expr)?, self.operand(&like.pattern)?))
    }

    fn between(&self, between: &Between) -> DfResult<String> {
        let not = if between.negated { "NOT " } else { "" };
        let (low, high) = (self.operand(&between.low)?, self.operand(&between.high)?);
        Ok(format!("({} {not}BETWEEN {low} AND {high})", self.operand(&between.expr)?))
    }

    fn in_list(&self, list: &InList) -> DfResult<String> {
        let not = if list.negated { "NOT " } else { "" };
        Ok(format!("({} {not}IN ({}))", self.operand(&list.expr)?, self.items(&list.list)?))
    }

    fn case(&self, case: &Case) -> DfResult<String> {
        let mut text = "CASE".to_owned();
        if let Some(value) = &case.expr {
            text += &format!(" {}", self.item(value)?);
        }
        for (when, then) in &case.when_then_expr {
            text += &format!(" WHEN {} THEN {}", self.item(when)?, self.item(then)?);
        }
        if let Some(otherwise) = &case.else_expr {
            text += &format!(" ELSE {}", self.item(otherwise)?);
        }
        Ok(text + " END")
    }

    fn cast(&self, expr: &Expr, to: &DataType, or_null: bool) -> DfResult<String> {
        let inner = self.item(expr)?;
        // `CAST(x AS TIMESTAMP)` reads an integer as seconds.
        let seconds = matches!(to, DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _));
        let integer = || self.type_of(expr).is_some_and(|data_type| data_type.is_integer());
        Ok(if seconds && integer() { engine_cast_text(&inner, to, or_null) } else { cast_text(&inner, to, or_null) })
    }

    fn aggregate(&self, function: &AggregateFunction) -> DfResult<String> {
        let params = &function.params;
        let mut args = self.arguments(&params.args, function.func.as_ref())?;
        let keys = params.order_by.iter().map(|key| self.sort_key(key)).collect::<DfResult<Vec<_>>>()?;
        let keys: Vec<String> = keys.into_iter().flatten().collect();
        let within = function.func.supports_within_group_clause() && !keys.is_empty();
        if within {
            // The key of WITHIN GROUP is the first argument as well.
            args.drain(..1.min(args.len()));
        }
        let distinct = if params.distinct { "DISTINCT " } else { "" };
        let mut text = format!("{}({distinct}{}", name_text(function.func.name()), args.join(", "));
        text += &match (keys.is_empty(), within) {
            (true, _) => ")".to_owned(),
            (false, true) => format!(") WITHIN GROUP (ORDER BY {})", keys.join(", ")),
            (false, false) => format!(" ORDER BY {})", keys.join(", ")),
        };
        if let Some(filter) = &params.filter {
            text += &format!(" FILTER (WHERE {})", self.item(filter)?);
        }
        text += match params.null_treatment {
            Some(NullTreatment::IgnoreNulls) => " IGNORE NULLS",
            Some(NullTreatment::RespectNulls) => " RESPECT NULLS",
            None => "",
        };
        Ok(text)
    }

    /// Returns the texts of a function's arguments. Many functions ask for plain literals, so numbers are written without
    /// their type where the function gives them the same one.
    fn arguments<F: UDFCoercionExt>(&self, args: &[Expr], function: &F) -> DfResult<Vec<String>> {
        let plain_integers = self.takes_plain_integers(args, function);
        let text = |arg: &Expr| match arg {
            Expr::Literal(ScalarValue::Float64(Some(number)), _) if number.is_finite() => Ok(format!("{number:e}")),
            Expr::Literal(value, _) if plain_integers && is_small_integer(value) => {
                literal_text(&value.cast_to(&DataType::Int64)?)
            }
            _ => self.item(arg),
        };
        args.iter().map(text).collect()
    }

    fn takes_plain_integers<F: UDFCoercionExt>(&self, args: &[Expr], function: &F) -> bool {
        let is_small = |arg: &Expr| matches!(arg, Expr::Literal(value, _) if is_small_integer(value));
        if !args.iter().any(is_small) {
            return false;
        }
        let Some(types) = args.iter().map(|arg| self.type_of(arg)).collect::<Option<Vec<_>>>() else { return false };
        let written = args.iter().zip(&types).map(|(arg, own)| if is_small(arg) { &DataType::Int64 } else { own });
        let field = |data_type: &DataType| -> FieldRef { Arc::new(Field::new("argument", data_type.clone(), true)) };
        let read = fields_with_udf(&written.map(field).collect::<Vec<_>>(), function);
        read.is_ok_and(|fields| fields.iter().map(|field| field.data_type()).eq(&types))
    }

    fn type_of(&self, expr: &Expr) -> Option<DataType> {
        expr.get_type(self.schema).ok()
    }

    fn grouping_sets(&self, sets: &GroupingSet) -> DfResult<String> {
        Ok(match sets {
            GroupingSet::Rollup(keys) => format!("ROLLUP ({})", self.items(keys)?),
            GroupingSet::Cube(keys) => format!("CUBE ({})", self.items(keys)?),
            GroupingSet::GroupingSets(sets) => {
                let sets = sets.iter().map(|set| self.items(set).map(|keys| format!("({keys})")));
                format!("GROUPING SETS ({})", sets.collect::<DfResult<Vec<_>>>()?.join(", "))
            }
        })
    }
}

/// Returns true for an integer whose plain spelling would have a wider type.
fn is_small_integer(value: &ScalarValue) -> bool {
    let data_type = value.data_type();
    data_type.is_integer() && !matches!(data_type, DataType::Int64 | DataType::UInt64) && !value.is_null()
}

fn operator_text(op: Operator) -> &'static str {
    match op {
        Operator::Eq => "=",
        Operator::NotEq => "<>",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        Operator::Plus => "+",
        Operator::Minus => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Modulo => "%",
        Operator::And => "AND",
        Operator::Or => "OR",
        Operator::IsDistinctFrom => "IS DISTINCT FROM",
        Operator::IsNotDistinctFrom => "IS NOT DISTINCT FROM",
        Operator::RegexMatch => "~",
        Operator::RegexIMatch => "~*",
        Operator::RegexNotMatch => "!~",
        Operator::RegexNotIMatch => "!~*",
        Operator::LikeMatch => "~~",
        Operator::ILikeMatch => "~~*",
        Operator::NotLikeMatch => "!~~",
        Operator::NotILikeMatch => "!~~*",
        Operator::BitwiseAnd => "&",
        Operator::BitwiseOr => "|",
        Operator::BitwiseXor => "#",
        Operator::BitwiseShiftRight => ">>",
        Operator::BitwiseShiftLeft => "<<",
        Operator::StringConcat => "||",
        Operator::AtArrow => "@>",
        Operator::ArrowAt => "<@",
        Operator::Arrow => "->",
        Operator::LongArrow => "->>",
        Operator::HashArrow => "#>",
        Operator::HashLongArrow => "#>>",
        Operator::AtAt => "@@",
        Operator::IntegerDivide => "//",
        Operator::HashMinus => "#-",
        Operator::AtQuestion => "@?",
        Operator::Question => "?",
        Operator::QuestionAnd => "?&",
        Operator::QuestionPipe => "?|",
        Operator::Colon => ":",
    }
}
