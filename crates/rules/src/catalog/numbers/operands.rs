//! Operands of one part of an expression, brought to types that keep every value.

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType};
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::{
    AggregateFunction, Between, Cast, InList, ScalarFunction, TryCast, WindowFunction,
};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, LogicalPlanBuilder, Operator, Subquery};
use wanqu_model::refusal::{Code, Refusal};

use super::written::{EXACT, decimal_of, decimal_of_integer, is_arithmetic, nearest_float};
use super::{Walk, is_decimal};
use crate::expressions::is_comparison;

/// Functions whose arguments become one type, as the branches of a CASE do.
const CHOICES: [&str; 6] = ["coalesce", "greatest", "least", "nullif", "nvl", "nvl2"];

/// Functions and aggregates that take values as they are, beside those of [`EXACT`].
const UNTOUCHED: [&str; 14] = [
    "approx_distinct",
    "array_agg",
    "arrow_cast",
    "arrow_try_cast",
    "arrow_typeof",
    "cast_to_type",
    "concat",
    "concat_ws",
    "count",
    "grouping",
    "string_agg",
    "try_cast_to_type",
    "bool_and",
    "bool_or",
];

fn cast(expr: Expr, to: &DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), to.clone()))
}

/// Returns the digits before and after the point that values of an exact type have at most; `None` for another type.
fn digits(data_type: &DataType) -> Option<(i16, i16)> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 | DataType::UInt64 => (20, 0),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            (i16::from(*precision) - i16::from(*scale), i16::from(*scale))
        }
        _ => return None,
    })
}

/// Returns the decimal that holds the values of these types exactly, if 38 digits are not enough for them.
fn wide(types: &[DataType]) -> Option<DataType> {
    let mut most = (0, 0);
    for data_type in types.iter().filter(|t| !t.is_null()) {
        let (whole, fraction) = digits(data_type)?;
        most = (most.0.max(whole), most.1.max(fraction));
    }
    let precision = u8::try_from(most.0 + most.1).ok()?;
    let fits = (DECIMAL128_MAX_PRECISION + 1..=DECIMAL256_MAX_PRECISION).contains(&precision);
    fits.then_some(DataType::Decimal256(precision, i8::try_from(most.1).ok()?))
}

impl Walk {
    /// Settles the operands of a part whose own parts are settled.
    pub(super) fn operands(&self, part: Expr, columns: &DFSchema) -> DfResult<Expr> {
        Ok(match part {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let pair = (*left, *right);
                let (left, right) = if is_comparison(op) {
                    self.pair(pair, columns)?
                } else if is_arithmetic(op) {
                    self.arithmetic(pair, op, columns)?
                } else {
                    pair
                };
                Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) })
            }
            Expr::Between(Between { expr, negated, low, high }) => {
                let [expr, low, high] = self.array([*expr, *low, *high], columns)?;
                Expr::Between(Between { expr: Box::new(expr), negated, low: Box::new(low), high: Box::new(high) })
            }
            Expr::InList(InList { expr, list, negated }) => {
                let mut all = self.compared(std::iter::once(*expr).chain(list).collect(), columns)?.into_iter();
                match all.next() {
                    Some(expr) => Expr::InList(InList { expr: Box::new(expr), list: all.collect(), negated }),
                    None => return datafusion::common::plan_err!("IN without a value"),
                }
            }
            Expr::Case(case) => Expr::Case(self.case(case, columns)?),
            Expr::Cast(Cast { expr, field }) => {
                let expr = Box::new(self.before_cast(*expr, field.data_type(), columns)?);
                Expr::Cast(Cast { expr, field })
            }
            Expr::TryCast(TryCast { expr, field }) => {
                let expr = Box::new(self.before_cast(*expr, field.data_type(), columns)?);
                Expr::TryCast(TryCast { expr, field })
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) => {
                let args = if CHOICES.contains(&func.name()) {
                    self.chosen(args, columns)?
                } else {
                    self.taken(func.name(), args, columns)?
                };
                Expr::ScalarFunction(ScalarFunction { func, args })
            }
            Expr::AggregateFunction(AggregateFunction { func, mut params }) => {
                params.args = self.taken(func.name(), params.args, columns)?;
                Expr::AggregateFunction(AggregateFunction { func, params })
            }
            Expr::WindowFunction(mut call) => {
                let WindowFunction { fun, params } = call.as_mut();
                let args = std::mem::take(&mut params.args);
                params.args = match fun.name() {
                    "lag" | "lead" => shifted(args, columns)?,
                    name => self.taken(name, args, columns)?,
                };
                Expr::WindowFunction(call)
            }
            other => other,
        })
    }

    /// Settles two values that are compared.
    pub(super) fn pair(&self, (left, right): (Expr, Expr), columns: &DFSchema) -> DfResult<(Expr, Expr)> {
        self.array([left, right], columns).map(|[left, right]| (left, right))
    }

    fn array<const N: usize>(&self, values: [Expr; N], columns: &DFSchema) -> DfResult<[Expr; N]> {
        let values = self.compared(values.into(), columns)?;
        values.try_into().map_err(|_| DataFusionError::Plan("a comparison lost a value".to_owned()))
    }

    /// Settles values that are compared with each other.
    fn compared(&self, values: Vec<Expr>, columns: &DFSchema) -> DfResult<Vec<Expr>> {
        let types = types_of(&values, columns)?;
        if !types.iter().any(is_decimal) {
            return Ok(values);
        }
        let (values, types) = if types.iter().any(DataType::is_string) {
            let values: Vec<Expr> = values.into_iter().map(exact_text).collect();
            let types = types_of(&values, columns)?;
            (values, types)
        } else {
            (values, types)
        };
        if types.iter().any(DataType::is_floating) {
            return values.into_iter().map(|value| self.as_float(value, columns)).collect();
        }
        if types.iter().any(DataType::is_string) {
            // A text is read as a float beside a written number, as the engine reads it beside one.
            return values.into_iter().map(|value| self.written_as_float(value, columns)).collect();
        }
        Ok(match wide(&types) {
            Some(wide) => values.into_iter().zip(types).map(|(value, from)| widened(value, &from, &wide)).collect(),
            None => values,
        })
    }

    /// Settles a value and the values of a subquery that it is compared with.
    pub(super) fn compared_with(
        &self,
        expr: Expr,
        subquery: Subquery,
        columns: &DFSchema,
    ) -> DfResult<(Expr, Subquery)> {
        let Some(column) = subquery.subquery.schema().columns().first().cloned() else { return Ok((expr, subquery)) };
        let (from, of) = (expr.get_type(columns)?, subquery.subquery.schema().field(0).data_type().clone());
        let types = [from.clone(), of.clone()];
        let to = if !types.iter().any(is_decimal) {
            return Ok((expr, subquery));
        } else if types.iter().any(DataType::is_floating) {
            DataType::Float64
        } else {
            match wide(&types) {
                Some(wide) => wide,
                None => return Ok((expr, subquery)),
            }
        };
        let expr = if to.is_floating() { self.as_float(expr, columns)? } else { widened(expr, &from, &to) };
        if of == to || of.is_floating() {
            return Ok((expr, subquery));
        }
        let value = cast(Expr::Column(column.clone()), &to).alias(&column.name);
        let plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).project(vec![value])?.build()?;
        Ok((expr, Subquery { subquery: std::sync::Arc::new(plan), ..subquery }))
    }

    /// Settles values of which one is chosen.
    fn chosen(&self, values: Vec<Expr>, columns: &DFSchema) -> DfResult<Vec<Expr>> {
        let types = types_of(&values, columns)?;
        if types.iter().any(is_decimal) && types.iter().any(DataType::is_floating) {
            return values.into_iter().map(|value| self.as_float(value, columns)).collect();
        }
        Ok(values)
    }

    fn case(&self, case: Case, columns: &DFSchema) -> DfResult<Case> {
        let Case { expr, when_then_expr, else_expr } = case;
        let (mut whens, mut values): (Vec<Expr>, Vec<Expr>) =
            when_then_expr.into_iter().map(|(when, then)| (*when, *then)).unzip();
        let expr = match expr {
            Some(subject) => {
                let mut compared = self.compared(std::iter::once(*subject).chain(whens).collect(), columns)?;
                whens = compared.split_off(1);
                compared.pop().map(Box::new)
            }
            None => None,
        };
        let has_else = else_expr.is_some();
        values.extend(else_expr.map(|value| *value));
        let mut values = self.chosen(values, columns)?;
        let else_expr = if has_else { values.pop().map(Box::new) } else { None };
        let when_then_expr = whens.into_iter().zip(values).map(|(when, then)| (Box::new(when), Box::new(then)));
        Ok(Case { expr, when_then_expr: when_then_expr.collect(), else_expr })
    }

    fn arithmetic(&self, (left, right): (Expr, Expr), op: Operator, columns: &DFSchema) -> DfResult<(Expr, Expr)> {
        let (l, r) = (left.get_type(columns)?, right.get_type(columns)?);
        if !is_decimal(&l) && !is_decimal(&r) {
            return Ok((left, right));
        }
        let in_floats = |t: &DataType| t.is_floating() || t.is_string();
        let written = self.is_written(&left) || self.is_written(&right);
        if in_floats(&l) || in_floats(&r) || (op == Operator::Divide && written) {
            return Ok((self.written_as_float(left, columns)?, self.written_as_float(right, columns)?));
        }
        if let (Operator::Multiply, Some((_, s1)), Some((_, s2))) = (op, digits(&l), digits(&r))
            && s1 + s2 > i16::from(DECIMAL128_MAX_PRECISION)
        {
            return Err(too_many_digits());
        }
        // An integer that is written beside a decimal has the digits that it has, and not all that its type could have.
        if written {
            let (of_left, of_right) = (decimal_of_integer(&left), decimal_of_integer(&right));
            return Ok((of_left.unwrap_or(left), of_right.unwrap_or(right)));
        }
        Ok((left, right))
    }

    /// Settles what is cast.
    fn before_cast(&self, expr: Expr, to: &DataType, columns: &DFSchema) -> DfResult<Expr> {
        let literal = matches!(expr, Expr::Literal(..));
        match to {
            DataType::Float64 | DataType::Float32 if literal => self.as_float(expr, columns),
            // The engine casts floats to these types, and has no such cast of a decimal.
            to if to.is_temporal() || *to == DataType::Boolean => self.written_as_float(expr, columns),
            _ => Ok(expr),
        }
    }

    /// Settles the arguments of a function or an aggregate.
    fn taken(&self, name: &str, args: Vec<Expr>, columns: &DFSchema) -> DfResult<Vec<Expr>> {
        if EXACT.contains(&name) || UNTOUCHED.contains(&name) {
            return Ok(args);
        }
        args.into_iter().map(|arg| self.written_as_float(arg, columns)).collect()
    }

    /// Returns a value as a float if it is computed with written numbers, and as it is otherwise.
    fn written_as_float(&self, expr: Expr, columns: &DFSchema) -> DfResult<Expr> {
        if self.is_written(&expr) { self.as_float(expr, columns) } else { Ok(expr) }
    }

    /// Returns a decimal as a float, and another value as it is.
    pub(super) fn as_float(&self, expr: Expr, columns: &DFSchema) -> DfResult<Expr> {
        let data_type = expr.get_type(columns)?;
        if !is_decimal(&data_type) {
            return Ok(expr);
        }
        Ok(match expr {
            Expr::Literal(value, metadata) => match nearest_float(&value) {
                Some(float) => Expr::Literal(float, metadata),
                None => cast(Expr::Literal(value, metadata), &DataType::Float64),
            },
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                // Floats have a range that the digits of a decimal do not.
                if matches!(data_type, DataType::Decimal128(DECIMAL128_MAX_PRECISION, _))
                    && (self.is_written(&left) || self.is_written(&right)) =>
            {
                let (left, right) = (self.as_float(*left, columns)?, self.as_float(*right, columns)?);
                Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) })
            }
            other => cast(other, &DataType::Float64),
        })
    }
}

fn types_of(values: &[Expr], columns: &DFSchema) -> DfResult<Vec<DataType>> {
    values.iter().map(|value| value.get_type(columns)).collect()
}

/// Returns a value in a decimal of more digits. NULL without a type stays.
fn widened(value: Expr, from: &DataType, to: &DataType) -> Expr {
    if from.is_null() || from == to { value } else { cast(value, to) }
}

/// Returns a literal text that is a number as a decimal: the engine would round it to the digits of what it is compared with.
fn exact_text(value: Expr) -> Expr {
    let number = match &value {
        Expr::Literal(
            ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)),
            _,
        ) => decimal_of(text),
        _ => None,
    };
    number.map_or(value, |number| Expr::Literal(number, None))
}

fn too_many_digits() -> DataFusionError {
    let refusal = Refusal::new(Code::InvalidSql, "a product of decimals has more than 38 digits after the point")
        .with_rule("a decimal has at most 38 digits; none is cut off without a word")
        .with_subject("*")
        .with_remedy("CAST a factor to DOUBLE, or to a DECIMAL of fewer digits after the point");
    DataFusionError::External(Box::new(refusal))
}

/// Settles the arguments of LAG and LEAD: a value, a number of rows, and what stands for a row that is not there, which the
/// engine casts to the type of the value whatever is lost.
fn shifted(args: Vec<Expr>, columns: &DFSchema) -> DfResult<Vec<Expr>> {
    let [value, rows, Expr::Literal(default, metadata)] = &args[..] else { return Ok(args) };
    let (from, other) = (value.get_type(columns)?, default.data_type());
    if !is_decimal(&from) && !is_decimal(&other) {
        return Ok(args);
    }
    let to = if from.is_floating() || other.is_floating() {
        DataType::Float64
    } else {
        let (Some((w1, s1)), Some((w2, s2))) = (digits(&from), digits(&other)) else { return Ok(args) };
        let scale = s1.max(s2);
        let precision = (w1.max(w2) + scale).min(i16::from(DECIMAL128_MAX_PRECISION));
        let (Ok(precision), Ok(scale)) = (u8::try_from(precision), i8::try_from(scale)) else { return Ok(args) };
        DataType::Decimal128(precision, scale)
    };
    let default = match nearest_float(default).filter(|_| to.is_floating()) {
        Some(float) => float,
        None => default.cast_to(&to)?,
    };
    let value = if from == to { value.clone() } else { cast(value.clone(), &to) };
    Ok(vec![value, rows.clone(), Expr::Literal(default, metadata.clone())])
}
