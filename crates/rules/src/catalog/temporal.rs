//! Days and times where they meet other values, read as PostgreSQL reads them. The engine's own coercion would give other values:
//!
//! | written | by the engine | here |
//! |---|---|---|
//! | a day or time compared with a number | the number counts from 1970 | refused |
//! | a time with a zone compared with one that has none | the latter is of that zone | the latter is of UTC |
//! | `TIMESTAMP '2026-01-01 12:00:00+08:00'` | moved to UTC | refused |
//! | the median of an even number of decimals | a digit is cut off | with the digit |

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, TimeUnit};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult};
use datafusion::logical_expr::expr::{AggregateFunction, Between, Cast, InList, TryCast};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan};
use wanqu_model::refusal::{Code, Refusal};

use crate::expressions::is_comparison;

/// Returns a part of an expression, whose own parts are settled, with operands of which the engine makes what is meant; `None`
/// if it does already.
///
/// # Errors
/// The refusal of a comparison that has no meaning.
pub(super) fn settled(part: &Expr, columns: &DFSchema) -> DfResult<Option<Expr>> {
    Ok(match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => compared(&[left, right], columns)?
            .and_then(|both| {
                let [left, right] = <[Expr; 2]>::try_from(both).ok()?;
                Some(Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op: *op, right: Box::new(right) }))
            }),
        Expr::Between(Between { expr, negated, low, high }) => compared(&[expr, low, high], columns)?.and_then(|all| {
            let [expr, low, high] = <[Expr; 3]>::try_from(all).ok()?;
            let (expr, low, high) = (Box::new(expr), Box::new(low), Box::new(high));
            Some(Expr::Between(Between { expr, negated: *negated, low, high }))
        }),
        Expr::InList(InList { expr, list, negated }) => {
            let all: Vec<&Expr> = std::iter::once(expr.as_ref()).chain(list).collect();
            compared(&all, columns)?.map(|all| {
                let mut all = all.into_iter();
                let expr = all.next().map_or_else(|| expr.clone(), Box::new);
                Expr::InList(InList { expr, list: all.collect(), negated: *negated })
            })
        }
        Expr::Case(Case { expr: Some(subject), when_then_expr, else_expr }) => {
            let whens = when_then_expr.iter().map(|(when, _)| when.as_ref());
            let all: Vec<&Expr> = std::iter::once(subject.as_ref()).chain(whens).collect();
            compared(&all, columns)?.map(|all| {
                let mut all = all.into_iter();
                let expr = all.next().map(Box::new);
                let thens = when_then_expr.iter().map(|(_, then)| then.clone());
                let when_then_expr = all.map(Box::new).zip(thens).collect();
                Expr::Case(Case { expr, when_then_expr, else_expr: else_expr.clone() })
            })
        }
        Expr::AggregateFunction(AggregateFunction { func, params }) if func.name() == "median" => {
            let [value] = &params.args[..] else { return Ok(None) };
            let DataType::Decimal128(precision, scale) = value.get_type(columns)? else { return Ok(None) };
            if precision >= DECIMAL128_MAX_PRECISION || matches!(value, Expr::Cast(_)) {
                return Ok(None);
            }
            let mut params = params.clone();
            params.args = vec![cast(value.clone(), DataType::Decimal128(precision + 1, scale + 1))];
            Some(Expr::AggregateFunction(AggregateFunction { func: func.clone(), params }))
        }
        _ => None,
    })
}

/// Refuses times that are written with a zone and read as times without one.
///
/// # Errors
/// The refusal of the first.
pub(super) fn check_zones(plan: &LogicalPlan) -> DfResult<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| match part {
                Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })
                    if matches!(field.data_type(), DataType::Timestamp(_, None)) && names_zone(expr) =>
                {
                    let refusal = Refusal::new(Code::InvalidSql, "a TIMESTAMP is written with a time zone")
                        .with_rule("a TIMESTAMP has no zone: PostgreSQL passes over one that is written, other engines move the time")
                        .with_subject("TIMESTAMP")
                        .with_remedy("leave the zone out, or write TIMESTAMP '…' AT TIME ZONE 'Asia/Hong_Kong'");
                    Err(DataFusionError::External(Box::new(refusal)))
                }
                _ => Ok(TreeNodeRecursion::Continue),
            })
        })
    })?;
    Ok(())
}

/// Returns true for a literal text of a time with a zone other than UTC.
fn names_zone(expr: &Expr) -> bool {
    let Expr::Literal(value, _) = expr else { return false };
    let Some(Some(text)) = value.try_as_str() else { return false };
    let Some((_, after_hours)) = text.trim().split_once(':') else { return false };
    let Some(begin) = after_hours.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')) else { return false };
    let zone = after_hours[begin..].trim();
    let is_utc = matches!(&*zone.to_ascii_uppercase(), "" | "Z" | "UTC" | "+00" | "+0000" | "+00:00" | "-00:00");
    !is_utc && (zone.starts_with(['+', '-']) || zone.starts_with(|c: char| c.is_ascii_alphabetic()))
}

fn cast(expr: Expr, to: DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), to))
}

fn refused(message: &str, rule: &str, remedy: &str) -> DataFusionError {
    let refusal = Refusal::new(Code::InvalidSql, message).with_rule(rule).with_subject("a comparison");
    DataFusionError::External(Box::new(refusal.with_remedy(remedy)))
}

/// Settles values that are compared with each other; `None` if they stay as they are.
fn compared(values: &[&Expr], columns: &DFSchema) -> DfResult<Option<Vec<Expr>>> {
    // The engine has words for a value without a type.
    let types: Result<Vec<DataType>, _> = values.iter().map(|value| value.get_type(columns)).collect();
    let Ok(types) = types else { return Ok(None) };
    let is_day = |t: &DataType| matches!(t, DataType::Date32 | DataType::Date64);
    let is_point = |t: &DataType| is_day(t) || matches!(t, DataType::Timestamp(..));
    if types.iter().any(is_point) && types.iter().any(DataType::is_numeric) {
        return Err(refused(
            "a day or a time is compared with a number",
            "a day is compared with a day or a time, and its parts with numbers",
            "write DATE '2026-01-31', or extract(year FROM d) for the year alone",
        ));
    }
    let zone = |t: &DataType| match t {
        DataType::Timestamp(_, Some(zone)) => Some(!matches!(&**zone, "UTC" | "Z" | "+00:00" | "+00")),
        _ => None,
    };
    let has_none = |t: &DataType| is_day(t) || matches!(t, DataType::Timestamp(_, None));
    if !types.iter().any(|t| zone(t) == Some(true)) || !types.iter().any(has_none) {
        return Ok(None);
    }
    let plain = DataType::Timestamp(TimeUnit::Microsecond, None);
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let settled = values.iter().zip(&types).map(|(value, of)| match of {
        of if is_day(of) => cast(cast((*value).clone(), plain.clone()), utc.clone()),
        DataType::Timestamp(_, None) => cast((*value).clone(), utc.clone()),
        _ => (*value).clone(),
    });
    Ok(Some(settled.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::testing::{bundle, shenzhen};
    use crate::catalog::Catalog;

    fn folded(value: &str) -> Result<String, Refusal> {
        let bundle = bundle();
        let plan = Catalog::owner(&bundle, &shenzhen()).plan(&format!("SELECT {value} AS x"), 1 << 20)?;
        let LogicalPlan::Projection(projection) = &plan else { panic!("{plan}") };
        let Expr::Literal(value, _) = projection.expr[0].clone().unalias() else { panic!("{value}: {plan}") };
        Ok(value.to_string())
    }

    #[test]
    fn what_has_no_meaning_is_refused_in_words() {
        for (value, words) in [
            ("DATE '2020-01-01' > 2020", "compared with a number"),
            ("TIMESTAMP '2020-01-01 00:00:00' BETWEEN 1 AND 2.5", "compared with a number"),
            ("DATE '2020-01-01' IN (2020, 2021)", "compared with a number"),
            ("TIMESTAMP '2020-06-01 12:00:00+08:00'", "with a time zone"),
            ("TIMESTAMP '2020-06-01 12:00:00' < '2020-06-01 12:00:00 -0500'", "with a time zone"),
        ] {
            let refusal = folded(value).expect_err(value);
            assert!(refusal.message.contains(words) && refusal.remedy.is_some(), "{value}: {refusal}");
        }
        for value in [
            "TIMESTAMP '2020-06-01T12:00:00Z'",
            "TIMESTAMP '2020-06-01 12:00:00+00:00'",
            "DATE '2020-01-01' + 5",
            "DATE '2020-01-01' < '2020-06-01'",
            "DATE '2020-01-01' IN (DATE '2020-01-01', NULL)",
        ] {
            folded(value).unwrap_or_else(|refusal| panic!("{value}: {refusal}"));
        }
    }

    #[test]
    fn a_time_without_a_zone_is_of_utc_where_it_meets_one_that_has_one() {
        let equal =
            "(TIMESTAMP '2020-06-01 12:00:00' AT TIME ZONE 'America/New_York') = TIMESTAMP '2020-06-01 16:00:00'";
        assert_eq!(folded(equal).as_deref(), Ok("true"));
    }

    #[test]
    fn the_median_of_decimals_has_room_for_half_a_step() {
        let bundle = bundle();
        let sql = "SELECT median(v.cost) AS x FROM shenzhen.health.visits v";
        let plan = Catalog::owner(&bundle, &shenzhen()).plan(sql, 1 << 20).unwrap();
        assert_eq!(plan.schema().field(0).data_type(), &DataType::Decimal128(13, 3));
    }
}
