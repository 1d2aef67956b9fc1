//! What each aggregate adds up, and over which rows: by this an owner's ledger knows values of released cells again.
//!
//! An aggregate is a function of the rows that enter it, its population. Filters, CASEs and NULLs are a part of the population,
//! so that what is left of the text is the function alone: `count(*) FILTER (WHERE a)`, `count(CASE WHEN a THEN 1 END)` and
//! `sum(CAST(a AS INT))` are each the number of rows of one population. What two functions have in common could be set against
//! each other, over populations that differ by somebody: `sum(m + 1)` holds the sum of `m` and the number of rows.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, lit};
use wanqu_model::aggregates::Arguments;
use wanqu_model::refusal::{Code, Refusal};

use super::aggregate::{all_given, and, both, given, indicator, kept, stripped};
use super::base::BaseTables;
use super::linear::linear;
use super::magnitude::{Magnitude, product};
use super::sources::sources;

/// Function of the rows of a population that an aggregate gives the value of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// Conditions over the schema of the aggregate's input, one for each population that the value depends on.
    pub populations: Vec<Expr>,
    /// Canonical text of the function: columns by table and name, whatever the query calls them.
    pub function: String,
    /// Quantities that the function is made of.
    pub adds: BTreeSet<Addend>,
    /// What rows add to the statistics of measures that it is made of; none where cells need no more than one unit.
    pub magnitudes: Vec<Magnitude>,
}

/// Quantity that is added up over the rows of a population.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Addend {
    /// Number of rows, or of somebody among them.
    Rows,
    /// Measure, by itself, squared or times another: a column of a dataset, by whatever mapping and name it is read.
    Measure {
        /// Dataset that the column belongs to.
        table: String,
        /// Column that it is computed from.
        column: String,
    },
    /// Whether any row meets a condition, or all do.
    Condition(String),
}

/// Returns what an aggregate that passed all other rules adds up.
pub(super) fn of(function: &AggregateFunction, arguments: Arguments, tables: &BaseTables) -> Result<Total, Refusal> {
    let params = &function.params;
    let filter = params.filter.as_deref();
    let name = function.func.name();
    let all = || filter.cloned().unwrap_or_else(|| lit(true));
    let rows = |population: Expr| Total {
        populations: vec![population],
        function: "count".to_owned(),
        adds: BTreeSet::from([Addend::Rows]),
        magnitudes: Vec::new(),
    };
    if params.distinct {
        let [arg] = &params.args[..] else { return Err(unknown(name)) };
        let function = format!("count distinct {}", canonical(arg, tables));
        return Ok(Total { function, ..rows(and(filter, given(arg))) });
    }
    match (arguments, &params.args[..]) {
        (Arguments::Count, [Expr::Literal(value, _)]) => Ok(rows(if value.is_null() { lit(false) } else { all() })),
        (Arguments::Count, [arg]) => Ok(rows(match kept(arg)? {
            Some(kept) => and(both(filter, Some(&kept.condition)).as_ref(), present(kept.value, tables)),
            None => and(filter, present(arg, tables)),
        })),
        (Arguments::Sum | Arguments::Average | Arguments::Moment, [arg]) => {
            if let Some(condition) = indicator(arg, tables) {
                let met = rows(and(filter, condition.clone()));
                return Ok(if arguments == Arguments::Sum { met } else { beside(met, name, arg, all(), tables) });
            }
            let kept = kept(arg)?;
            let (value, base) = match &kept {
                Some(kept) => (kept.value, both(filter, Some(&kept.condition))),
                None => (arg, filter.cloned()),
            };
            let form = linear(value, tables)?;
            let base = base.unwrap_or_else(|| lit(true));
            let mut sum = if form.is_constant() {
                if arguments == Arguments::Sum && is_one(value) {
                    return Ok(rows(base));
                }
                rows(base)
            } else {
                let met = and(Some(&base), all_given(&form, value));
                let mut values = form.magnitudes(tables);
                if arguments == Arguments::Moment {
                    values.extend(values.iter().map(|value| product(value, value)).collect::<Vec<_>>());
                }
                let magnitudes = magnitudes(values, &met, tables);
                Total { adds: measures(form.columns(), tables), magnitudes, ..rows(met) }
            };
            sum.function = format!("{name}({})", canonical(value, tables));
            if form.has_constant() || arguments != Arguments::Sum {
                sum.adds.insert(Addend::Rows);
            }
            // The rows that a CASE gives 0 for count in an average.
            let zeros = kept.is_some_and(|kept| kept.else_zero) && arguments != Arguments::Sum;
            Ok(if zeros { beside(sum, name, arg, all(), tables) } else { sum })
        }
        (Arguments::Boolean, [arg]) => {
            let condition = canonical(arg, tables);
            let function = format!("{name}({condition})");
            let adds = BTreeSet::from([Addend::Condition(condition)]);
            Ok(Total { populations: vec![and(filter, arg.clone())], function, adds, magnitudes: Vec::new() })
        }
        (Arguments::Pair, [y, x]) => {
            let met = and(filter, and(Some(&given(y)), given(x)));
            let (one, other) = (linear(y, tables)?.magnitudes(tables), linear(x, tables)?.magnitudes(tables));
            let both: Vec<Expr> = one.into_iter().chain(other).collect();
            let products =
                both.iter().enumerate().flat_map(|(index, one)| both[index..].iter().map(move |b| product(one, b)));
            let values = both.iter().cloned().chain(products).collect();
            let present = Total { magnitudes: magnitudes(values, &met, tables), ..rows(met) };
            if name == "regr_count" {
                return Ok(Total { magnitudes: Vec::new(), ..present });
            }
            let mut adds = measures(y.column_refs().into_iter().chain(x.column_refs()), tables);
            adds.insert(Addend::Rows);
            let function = format!("{name}({}, {})", canonical(y, tables), canonical(x, tables));
            Ok(Total { function, adds, ..present })
        }
        _ => Err(unknown(name)),
    }
}

/// Returns the average of which `part` is the numerator, over all rows of `whole`.
fn beside(part: Total, name: &str, arg: &Expr, whole: Expr, tables: &BaseTables) -> Total {
    let Total { mut populations, mut adds, magnitudes, .. } = part;
    populations.push(whole);
    adds.insert(Addend::Rows);
    Total { populations, function: format!("{name}({})", canonical(arg, tables)), adds, magnitudes }
}

/// Returns what the rows that meet a condition add, of these values.
fn magnitudes(values: Vec<Expr>, met: &Expr, tables: &BaseTables) -> Vec<Magnitude> {
    let values = values.into_iter().filter(|_| tables.is_guarded());
    values.map(|value| Magnitude { value, met: met.clone() }).collect()
}

/// Returns the condition that a value is not NULL, the same for a sum of it and for the number of its values.
fn present(value: &Expr, tables: &BaseTables) -> Expr {
    match linear(stripped(value), tables) {
        Ok(form) if !form.is_constant() => all_given(&form, value),
        _ => given(value),
    }
}

fn is_one(value: &Expr) -> bool {
    match stripped(value) {
        Expr::Literal(value, _) => matches!(value.cast_to(&DataType::Float64), Ok(ScalarValue::Float64(Some(1.0)))),
        _ => false,
    }
}

/// Returns the columns of datasets that columns of tables are computed from.
fn measures<'c>(columns: impl Iterator<Item = &'c Column>, tables: &BaseTables) -> BTreeSet<Addend> {
    let mut adds = BTreeSet::new();
    for column in columns {
        let slices = tables.leaf(column).map(|leaf| leaf.table.slices.as_slice()).unwrap_or_default();
        for slice in slices {
            let read = sources(slice, &column.name).map(|names| (slice.dataset.to_string(), names));
            // A measure of no known dataset has something in common with every other.
            let (table, names) = read.unwrap_or_else(|| (String::new(), BTreeSet::from([String::new()])));
            adds.extend(names.into_iter().map(|column| Addend::Measure { table: table.clone(), column }));
        }
    }
    adds
}

fn table(column: &Column, tables: &BaseTables) -> String {
    tables.leaf(column).map(|leaf| leaf.table.name.to_string()).unwrap_or_default()
}

/// Returns an expression as text, without exact casts around it and with columns by their tables' names.
fn canonical(expr: &Expr, tables: &BaseTables) -> String {
    let named = stripped(expr).clone().transform(|part| {
        Ok(match part {
            Expr::Column(column) => {
                let name = format!("{}.{}", table(&column, tables), column.name);
                Transformed::yes(Expr::Column(Column::new_unqualified(name)))
            }
            other => Transformed::no(other),
        })
    });
    named.map_or_else(|_| expr.to_string(), |named| named.data.to_string())
}

fn unknown(name: &str) -> Refusal {
    Refusal::new(Code::Internal, format!("it is not known what {name} adds up"))
}
