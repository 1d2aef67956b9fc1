//! The forms that an aggregate's argument may have over non-public data: affine in measures, or a product of two.
//!
//! Where cells need several units, all of an argument's columns are measures of one non-public table, each row of which enters
//! the aggregate at most once. A public column, or a measure that a join repeats, would weigh people by what the query chose;
//! of a column of few values, a sum beside a count says how many have each.
//!
//! `a*m1 + b*m2 + c` says nothing of a group beyond the sums of `m1` and `m2`. Anything that is not linear can single
//! people out: a high power is the largest value, a rounding is a threshold, a factor that depends on a dimension packs
//! many small cells into one sum. Floating point is linear only while nothing is absorbed, and integers only while nothing
//! leaves their range; so coefficients are bounded, and integers are widened ([`widen`](super::widen)).

use arrow::datatypes::DataType;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, binary_expr};
use wanqu_model::columns::ColumnClass;
use wanqu_model::refusal::{Code, Refusal};

use super::base::BaseTables;
use super::functions::is_steady;
use super::magnitude::{float, product as product_of};
use super::remedy;
use crate::casts;

/// Greatest coefficient; the least is its inverse.
const MAX_COEFFICIENT: f64 = 1e6;
/// Greatest constant, as a multiple of the least coefficient.
const MAX_RATIO: f64 = 1e9;

/// A part of an affine form.
#[derive(Debug, Clone, PartialEq)]
enum Term {
    /// A numeric column.
    One(Column),
    /// A product of two.
    Two(Column, Column),
    /// The difference of two dates, in days.
    Days(Column, Column),
}

/// `coefficient * term + ... + constant`.
#[derive(Debug, Clone, Default)]
pub(super) struct Linear {
    terms: Vec<(f64, Term)>,
    constant: f64,
    /// True if a text was cast to a number, so that NULL tells something of the text.
    parsed: bool,
}

impl Linear {
    /// Returns the columns of the form.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.terms.iter().flat_map(|(_, term)| match term {
            Term::One(column) => vec![column],
            Term::Two(a, b) | Term::Days(a, b) => vec![a, b],
        })
    }

    /// Returns the value of each term, without its coefficient, as a float.
    pub fn magnitudes(&self, tables: &BaseTables) -> Vec<Expr> {
        let value = |term: &Term| match term {
            Term::One(column) => float(column, tables),
            Term::Two(a, b) => product_of(&float(a, tables), &float(b, tables)),
            Term::Days(a, b) => binary_expr(float(a, tables), Operator::Minus, float(b, tables)),
        };
        self.terms.iter().map(|(_, term)| value(term)).collect()
    }

    /// Returns true if the form has no column.
    pub fn is_constant(&self) -> bool {
        self.terms.is_empty()
    }

    /// Returns the column of a form of one column, whatever its coefficient and constant; `None` for another form.
    pub fn single(&self) -> Option<&Column> {
        match &self.terms[..] {
            [(_, Term::One(column))] => Some(column),
            _ => None,
        }
    }

    /// Returns true if a term is a product.
    pub fn has_product(&self) -> bool {
        self.terms.iter().any(|(_, term)| matches!(term, Term::Two(..)))
    }

    /// Returns true if a NULL tells more of somebody than that a measure was not taken.
    pub fn null_tells(&self, tables: &BaseTables) -> bool {
        self.parsed || self.columns().any(|c| !tables.is_gap(c))
    }

    /// Returns true if a constant is added: then the sum tells the number of values, too.
    pub fn has_constant(&self) -> bool {
        self.constant != 0.0
    }

    fn scaled(mut self, by: f64) -> Self {
        self.terms.iter_mut().for_each(|(c, _)| *c *= by);
        self.constant *= by;
        self
    }

    fn plus(mut self, other: Self) -> Self {
        self.constant += other.constant;
        self.parsed |= other.parsed;
        for (coefficient, term) in other.terms {
            match self.terms.iter_mut().find(|(_, t)| *t == term) {
                Some((c, _)) => *c += coefficient,
                None => self.terms.push((coefficient, term)),
            }
        }
        self
    }

    fn bounded(self) -> Result<Self, Refusal> {
        let sizes = || self.terms.iter().map(|(c, _)| c.abs());
        let fits = sizes().all(|c| (1.0 / MAX_COEFFICIENT..=MAX_COEFFICIENT).contains(&c));
        let least = sizes().fold(1.0, f64::min);
        if fits && self.constant.is_finite() && self.constant.abs() <= MAX_RATIO * least {
            return Ok(self);
        }
        Err(refused("a coefficient out of bounds", "scale the released result instead")
            .with_rule("coefficients lie between 0.000001 and 1000000, so that no value is absorbed or cancelled"))
    }
}

fn refused(what: &str, remedy: &str) -> Refusal {
    Refusal::new(Code::AggregateArgument, format!("{what} inside an aggregate can single people out"))
        .with_rule("an aggregate's argument is a measure, affine in measures, or a product of two")
        .with_subject(what)
        .with_remedy(remedy)
}

/// Reads an argument over base columns as a linear form.
pub(super) fn linear(expr: &Expr, tables: &BaseTables) -> Result<Linear, Refusal> {
    match expr {
        Expr::Column(column) => one(column, tables),
        Expr::Literal(value, _) => Linear { constant: number(value)?, ..Linear::default() }.bounded(),
        Expr::Cast(cast) => cast_of(&cast.expr, cast.field.data_type(), tables),
        Expr::TryCast(cast) => cast_of(&cast.expr, cast.field.data_type(), tables),
        Expr::Negative(inner) => Ok(linear(inner, tables)?.scaled(-1.0)),
        Expr::BinaryExpr(binary) => binary_form(binary, tables),
        Expr::Case(_) => Err(refused(
            "a CASE that chooses between values",
            "group by the column, or write CASE WHEN condition THEN measure END",
        )),
        Expr::ScalarFunction(call) => {
            let what = format!("the function {}", call.name());
            Err(refused(&what, "aggregate the measure itself; apply the function to the released result"))
        }
        _ => Err(refused("this expression", "aggregate a measure itself")),
    }
}

fn one(column: &Column, tables: &BaseTables) -> Result<Linear, Refusal> {
    let numeric = tables.type_of(&Expr::Column(column.clone())).is_some_and(|t| t.is_numeric());
    if !numeric {
        let name = tables.name(column);
        return Err(refused("a column that is not a number", "count it, or group by it if it is a dimension")
            .with_subject(name));
    }
    added_up(column, tables)?;
    Ok(Linear { terms: vec![(1.0, Term::One(column.clone()))], ..Linear::default() })
}

/// Checks that a column may be added up where cells need several units: it is a measure, and no row of its table is repeated.
fn added_up(column: &Column, tables: &BaseTables) -> Result<(), Refusal> {
    if !tables.is_guarded() {
        return Ok(());
    }
    let name = tables.name(column);
    if !tables.is_protected(column) {
        return Err(refused("a public column", &remedy::counted_by(column, tables))
            .with_rule("no factor or summand is public: joined to people it is a weight, and its sum tells how many meet each value")
            .with_subject(name));
    }
    if tables.class(column) != ColumnClass::Measure {
        return Err(refused("a column that is not a measure", &remedy::counted_by(column, tables))
            .with_rule(
                "only measures are added up: of a dimension's few values, a sum and a count are as many equations",
            )
            .with_subject(name));
    }
    if !tables.enters_once(column) {
        return Err(refused("a measure whose rows are repeated by a join", &remedy::alone(column, tables))
            .with_rule("each row enters an aggregate once: a measure of the other table would be weighted by the rows it meets")
            .with_subject(name));
    }
    Ok(())
}

/// Checks that an argument reads one table alone where cells need several units.
pub(super) fn of_one_table<'a>(columns: impl Iterator<Item = &'a Column>, tables: &BaseTables) -> Result<(), Refusal> {
    let mut columns = columns.peekable();
    let Some(first) = columns.peek().map(|column| BaseTables::index(column)) else { return Ok(()) };
    match columns.find(|column| BaseTables::index(column) != first) {
        Some(other) if tables.is_guarded() => {
            Err(refused("measures of two tables", "aggregate each table's measures by themselves")
                .with_rule("an argument reads the columns of one table: those of another would weigh its rows")
                .with_subject(tables.name(other)))
        }
        _ => Ok(()),
    }
}

fn number(value: &ScalarValue) -> Result<f64, Refusal> {
    match value.cast_to(&DataType::Float64) {
        Ok(ScalarValue::Float64(Some(number))) if value.data_type().is_numeric() => Ok(number),
        _ => Err(refused("a literal that is not a number", "write a number")),
    }
}

fn cast_of(inner: &Expr, target: &DataType, tables: &BaseTables) -> Result<Linear, Refusal> {
    let from = tables.type_of(inner);
    let is = |test: fn(&DataType) -> bool| from.as_ref().is_some_and(test);
    match inner {
        Expr::Literal(value, _) => Linear { constant: number(value)?, ..Linear::default() }.bounded(),
        Expr::Column(column) if is(DataType::is_string) && target.is_numeric() => {
            added_up(column, tables)?;
            Ok(Linear { terms: vec![(1.0, Term::One(column.clone()))], parsed: true, ..Linear::default() })
        }
        _ if from.is_some_and(|from| casts::is_exact(&from, target)) => linear(inner, tables),
        _ => Err(refused("a cast that does not keep every value", "cast to DOUBLE, or to a wider decimal")),
    }
}

fn binary_form(binary: &BinaryExpr, tables: &BaseTables) -> Result<Linear, Refusal> {
    let BinaryExpr { left, op, right } = binary;
    if let (Operator::Minus, Expr::Column(a), Expr::Column(b)) = (op, left.as_ref(), right.as_ref())
        && [left, right].iter().all(|side| tables.type_of(side) == Some(DataType::Date32) && is_steady(side))
    {
        added_up(a, tables)?;
        added_up(b, tables)?;
        return Ok(Linear { terms: vec![(1.0, Term::Days(a.clone(), b.clone()))], ..Linear::default() });
    }
    let (l, r) = (linear(left, tables)?, linear(right, tables)?);
    match op {
        Operator::Plus => l.plus(r).bounded(),
        Operator::Minus => l.plus(r.scaled(-1.0)).bounded(),
        Operator::Multiply if l.is_constant() => r.scaled(l.constant).bounded(),
        Operator::Multiply if r.is_constant() => l.scaled(r.constant).bounded(),
        Operator::Multiply => product(&l, &r, tables),
        Operator::Divide if r.is_constant() && is_float(left, tables) => l.scaled(1.0 / r.constant).bounded(),
        Operator::Divide if r.is_constant() => {
            Err(refused("a division that drops a remainder", "CAST the measure to DOUBLE before dividing it"))
        }
        _ => Err(refused("this operator", "use + and - between measures and * with a number")),
    }
}

fn is_float(expr: &Expr, tables: &BaseTables) -> bool {
    tables.type_of(expr).is_some_and(|t| t.is_floating())
}

/// Returns a product of two measures, or of a measure and a column of a registered public table.
fn product(left: &Linear, right: &Linear, tables: &BaseTables) -> Result<Linear, Refusal> {
    let bare = |form: &Linear| match &form.terms[..] {
        [(coefficient, Term::One(column))] if form.constant == 0.0 => Some((*coefficient, column.clone())),
        _ => None,
    };
    let (Some((scale, x)), Some((by, y))) = (bare(left), bare(right)) else {
        return Err(refused("a product of more than two measures", "multiply two measures as they are"));
    };
    for column in [&x, &y] {
        if tables.is_protected(column) && tables.class(column) != ColumnClass::Measure {
            let name = tables.name(column);
            return Err(refused("a factor that is not a measure", "group by the column instead of multiplying by it")
                .with_rule("a factor is a measure, or a column of a registered public table: other factors are weights that pack small cells into one sum")
                .with_subject(name));
        }
    }
    Linear { terms: vec![(scale * by, Term::Two(x, y))], constant: 0.0, parsed: left.parsed || right.parsed }.bounded()
}
