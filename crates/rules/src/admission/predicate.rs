//! Conditions over rows (WHERE, ON, FILTER, CASE WHEN) and group keys: the classes of columns that each may read.

use datafusion::common::Column;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use wanqu_model::columns::ColumnClass;
use wanqu_model::refusal::{Code, Refusal};

use super::base::BaseTables;
use super::{remedy, scalar};

/// Checks a condition over base columns.
pub(super) fn check(expr: &Expr, tables: &BaseTables) -> Result<(), Refusal> {
    classes(expr, tables)?;
    scalar::check(expr, tables)?;
    unmeasured(expr, tables)
}

/// Checks that a condition reads no measure where cells need several units: people whose value the condition fixes hide nobody
/// among them, and whether a value is NULL is a condition too.
fn unmeasured(expr: &Expr, tables: &BaseTables) -> Result<(), Refusal> {
    let measure = sorted(expr).into_iter().find(|c| tables.class(c) == ColumnClass::Measure);
    let Some(measure) = measure.filter(|_| tables.is_guarded()) else { return Ok(()) };
    Err(class_refusal(ColumnClass::Measure, &measure, "read by a condition", tables)
        .with_rule(
            "where cells need several units, no condition (WHERE, ON, FILTER, CASE) reads a measure or its NULL: people whose \
             value is fixed by the query hide nobody among them",
        )
        .with_remedy(remedy::for_measure(&measure, tables)))
}

/// Returns the rule by which rows may be filtered.
pub(super) fn filter_rule(tables: &BaseTables) -> &'static str {
    if tables.is_guarded() {
        "rows may be filtered by public columns and dimensions"
    } else {
        "rows may be filtered by public columns, dimensions and measures"
    }
}

/// Checks a condition that rows of several tables must meet: equal to a column of another table, a measure would become
/// a group key under that column's name.
pub(super) fn across_tables(expr: &Expr, tables: &BaseTables) -> Result<(), Refusal> {
    let columns = sorted(expr);
    let Some(measure) = columns.iter().find(|c| tables.class(c) == ColumnClass::Measure) else { return Ok(()) };
    let with_public = columns.iter().any(|c| !tables.is_protected(c));
    let equality = matches!(expr, Expr::BinaryExpr(BinaryExpr { op: Operator::Eq | Operator::IsNotDistinctFrom, .. }));
    let several = columns.iter().any(|c| BaseTables::index(c) != BaseTables::index(measure));
    if with_public || (equality && several) {
        return Err(class_refusal(ColumnClass::Measure, measure, "compared with another table's column", tables)
            .with_rule(
                "a measure is no group key, and so not equal to another table's column, nor compared with a public one",
            )
            .with_remedy(format!("compare {} with literals; join on dimensions or identifiers", measure.name)));
    }
    Ok(())
}

/// Checks that an expression reads no identifier and nothing sealed.
pub(super) fn classes(expr: &Expr, tables: &BaseTables) -> Result<(), Refusal> {
    for column in sorted(expr) {
        match tables.class(&column) {
            ColumnClass::Public | ColumnClass::Dimension | ColumnClass::Measure => {}
            ColumnClass::Identifier => {
                return Err(class_refusal(ColumnClass::Identifier, &column, "computed with", tables)
                    .with_rule("an identifier is only counted DISTINCT, or joined with another identifier")
                    .with_remedy(format!("filter by dimensions; count units with count(DISTINCT {})", column.name)));
            }
            ColumnClass::Sealed => return Err(sealed(&column, tables)),
        }
    }
    Ok(())
}

/// Checks a group key over base columns.
pub(super) fn group_key(expr: &Expr, tables: &BaseTables) -> Result<(), Refusal> {
    for column in sorted(expr) {
        let class = tables.class(&column);
        match class {
            ColumnClass::Public | ColumnClass::Dimension => {}
            ColumnClass::Measure | ColumnClass::Identifier => {
                return Err(class_refusal(class, &column, "a group key", tables)
                    .with_rule("group keys are built from dimensions and public columns")
                    .with_remedy(remedy::for_group_key(class, &column.name, tables)));
            }
            ColumnClass::Sealed => return Err(sealed(&column, tables)),
        }
    }
    if tables.type_of(expr).is_none_or(|t| t.is_nested()) {
        return Err(Refusal::new(Code::ColumnClass, "a list is not a group key")
            .with_rule("group keys are single values")
            .with_subject("GROUP BY")
            .with_remedy(remedy::grouped_count(tables)));
    }
    scalar::check(expr, tables)
}

/// Returns the refusal of a sealed column.
pub(super) fn sealed(column: &Column, tables: &BaseTables) -> Refusal {
    class_refusal(ColumnClass::Sealed, column, "read", tables)
        .with_rule("a sealed column is read by no query, not even to drop it; a column without a class is sealed")
        .with_remedy("leave the column out, and name columns instead of SELECT *")
}

fn class_refusal(class: ColumnClass, column: &Column, use_as: &str, tables: &BaseTables) -> Refusal {
    let name = tables.name(column);
    let article = if class == ColumnClass::Identifier { "an" } else { "a" };
    Refusal::new(Code::ColumnClass, format!("{name} is {article} {class} column and may not be {use_as}"))
        .with_subject(name)
}

fn sorted(expr: &Expr) -> Vec<Column> {
    let mut columns: Vec<Column> = expr.column_refs().into_iter().cloned().collect();
    columns.sort();
    columns
}

/// Returns the two sides of `identifier = identifier`, if both are columns of different non-public tables.
pub(super) fn unit_link<'a>(expr: &'a Expr, tables: &BaseTables) -> Option<(&'a Column, &'a Column)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return None };
    let (Expr::Column(l), Expr::Column(r)) = (bare(left), bare(right)) else { return None };
    let identifier = |c: &Column| tables.class(c) == ColumnClass::Identifier && tables.is_protected(c);
    let linked = identifier(l) && identifier(r) && BaseTables::index(l) != BaseTables::index(r);
    linked.then_some((l, r))
}

/// Strips the casts that a comparison puts around a column: a cast to text of a text, for example.
pub(super) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => bare(&cast.expr),
        other => other,
    }
}
