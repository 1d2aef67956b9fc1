//! `spread(unit, value)`: an aggregate that tells of each group whether a statistic of its values gives a single unit away.
//!
//! k units behind a cell are not enough where one of them adds nearly all of a total ([`contributions`]), or where the rows have
//! so few different values that a total and a count are as good as a count of each value ([`values`]). The answer is one bit for
//! all of these, and NULL values and rows that an outer join left without a unit take no part.

mod bytes;
mod contributions;
mod function;
mod values;

pub use function::Spread;

use wanqu_model::bundle::ReleaseRule;
use wanqu_rules::admission::GatedShape;

use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{AggregateUDF, Expr};

use std::sync::Arc;

use crate::thread::Threaded;
use contributions::Contributions;
use values::Values;

/// Bounds on what a group's units may add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Number of units that is enough.
    pub k: usize,
    /// Number of different values from which on each need not be those of k units; 0 if any number is enough.
    pub values: usize,
    /// Number of units that together may have no more than `percent` of the total.
    pub units: usize,
    /// Greatest share of these, in percent.
    pub percent: u32,
    /// What all but two units must add, in percent of what the greatest adds.
    pub p_percent: u32,
}

impl Bounds {
    /// Returns the bounds of a rule; `None` if it has none.
    pub fn of(rule: &ReleaseRule) -> Option<Self> {
        let contributions = rule.contributions;
        let values = contributions.values(rule.min_units) as usize;
        let bounds = Self {
            k: rule.min_units as usize,
            values,
            units: contributions.dominant_units as usize,
            percent: contributions.dominant_percent,
            p_percent: contributions.p_percent,
        };
        (rule.min_units > 1 && (values > 0 || bounds.percent < 100 || bounds.p_percent > 0)).then_some(bounds)
    }
}

/// What is known of one group's rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    contributions: Contributions,
    values: Values,
}

impl Group {
    /// Adds a row. Returns by about how many bytes the group has grown.
    fn add(&mut self, unit: u32, value: f64, bounds: &Bounds) -> usize {
        self.contributions.add(unit, value.abs()) + self.values.add(unit, value, bounds)
    }

    /// Adds the rows of another group. Returns by about how many bytes the group has grown.
    fn merge(&mut self, other: &Self, bounds: &Bounds) -> usize {
        self.contributions.merge(&other.contributions) + self.values.merge(&other.values, bounds)
    }

    fn fits(&self, bounds: &Bounds) -> bool {
        self.contributions.fit(bounds) && self.values.fit(bounds)
    }
}

/// Hidden aggregates of a fragment, and the groups of values that depend on them.
#[derive(Debug, Clone, Default)]
pub struct Spreads {
    /// The aggregates, each a boolean that must be true.
    pub aggregates: Vec<Expr>,
    /// Groups of values, each with the indexes of its aggregates.
    pub of_groups: Vec<(usize, Vec<usize>)>,
}

impl Spreads {
    /// Returns the aggregates over an input with hidden units.
    ///
    /// # Errors
    /// If a value that is added up stands and falls with no other.
    pub fn new(shape: &GatedShape, input: &Threaded) -> DfResult<Self> {
        let Some(bounds) = Bounds::of(&shape.rule) else { return Ok(Self::default()) };
        let function = Arc::new(AggregateUDF::from(Spread::new(bounds)));
        let (mut calls, mut of_groups): (Vec<AggregateFunction>, Vec<(usize, Vec<usize>)>) = (Vec::new(), Vec::new());
        for (aggregate, total) in shape.totals.iter().enumerate().filter(|(_, total)| !total.magnitudes.is_empty()) {
            let Some(group) = shape.value_groups.iter().position(|group| group.aggregates.contains(&aggregate)) else {
                return internal_err!("a measure is added up without a condition on its values");
            };
            for magnitude in &total.magnitudes {
                for unit in &input.units {
                    let args = vec![Expr::Column(unit.column(&input.plan)?), magnitude.value.clone()];
                    let filter = Some(Box::new(magnitude.met.clone()));
                    let call = AggregateFunction::new_udf(Arc::clone(&function), args, false, filter, vec![], None);
                    let index = calls.iter().position(|known| *known == call).unwrap_or_else(|| {
                        calls.push(call);
                        calls.len() - 1
                    });
                    match of_groups.iter_mut().find(|(of, _)| *of == group) {
                        Some((_, indexes)) if indexes.contains(&index) => {}
                        Some((_, indexes)) => indexes.push(index),
                        None => of_groups.push((group, vec![index])),
                    }
                }
            }
        }
        let named = calls.into_iter().map(Expr::AggregateFunction).enumerate();
        Ok(Self { aggregates: named.map(|(index, call)| call.alias(format!("__spread_{index}"))).collect(), of_groups })
    }
}
