//! Merging moments: each owner releases finished statistics of its part (a count, means, sums of squared deviations),
//! and the home node combines them without seeing a row.
//!
//! Source: T. F. Chan, G. H. Golub, R. J. `LeVeque`, "Updating Formulae and a Pairwise Algorithm for Computing Sample
//! Variances", 1979: for two parts, `M2 = M2a + M2b + (mb - ma)² · na · nb / (na + nb)`, and likewise for the
//! co-moment. Deviations are kept instead of sums of squares, so that large means do not cancel small variances.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::as_float64_array;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use wanqu_model::aggregates::Statistic;

/// Count, means and (co-)deviations of a set of pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    n: f64,
    mean_y: f64,
    mean_x: f64,
    syy: f64,
    sxx: f64,
    sxy: f64,
}

impl Moments {
    const WIDTH: usize = 6;

    fn from_row(columns: &[&Float64Array], row: usize) -> Option<Self> {
        let at = |i: usize| columns.get(i).filter(|c| c.is_valid(row)).map_or(0.0, |c| c.value(row));
        let n = at(0);
        (n > 0.0).then(|| Self { n, mean_y: at(1), mean_x: at(2), syy: at(3), sxx: at(4), sxy: at(5) })
    }

    /// Returns those of one pair.
    pub(crate) fn pair(y: f64, x: f64) -> Self {
        // A finite value deviates from itself by nothing, and any other by no number.
        let deviation = |value: f64| if value.is_finite() { 0.0 } else { f64::NAN };
        let (dy, dx) = (deviation(y), deviation(x));
        Self { n: 1.0, mean_y: y, mean_x: x, syy: dy * dy, sxx: dx * dx, sxy: dy * dx }
    }

    /// Takes in those of other pairs.
    pub(crate) fn merge(&mut self, other: Self) {
        let n = self.n + other.n;
        let weight = self.n * other.n / n;
        let (dy, dx) = (other.mean_y - self.mean_y, other.mean_x - self.mean_x);
        self.syy += other.syy + dy * dy * weight;
        self.sxx += other.sxx + dx * dx * weight;
        self.sxy += other.sxy + dx * dy * weight;
        self.mean_y += dy * other.n / n;
        self.mean_x += dx * other.n / n;
        self.n = n;
    }

    /// Returns the statistic; `None` where the engine gives NULL: too few pairs, or no spread to divide by.
    pub(crate) fn statistic(&self, which: Statistic) -> Option<f64> {
        let Self { n, mean_y, mean_x, syy, sxx, sxy } = *self;
        let some = n >= 1.0;
        let slope = (n > 1.0 && sxx != 0.0).then(|| sxy / sxx);
        match which {
            Statistic::VarPop => some.then(|| syy / n),
            Statistic::VarSamp => (n > 1.0).then(|| syy / (n - 1.0)),
            Statistic::StddevPop => some.then(|| (syy / n).sqrt()),
            Statistic::StddevSamp => (n > 1.0).then(|| (syy / (n - 1.0)).sqrt()),
            Statistic::CovarPop => some.then(|| sxy / n),
            Statistic::CovarSamp => (n > 1.0).then(|| sxy / (n - 1.0)),
            Statistic::Corr => (n > 1.0 && sxx != 0.0 && syy != 0.0).then(|| sxy / (sxx * syy).sqrt()),
            Statistic::RegrSlope => slope,
            Statistic::RegrIntercept => slope.map(|b| mean_y - b * mean_x),
            // Where y does not vary there is nothing that x leaves unexplained (SQL:2023, part 2, 10.9).
            Statistic::RegrR2 => {
                (n > 1.0 && sxx != 0.0).then(|| if syy == 0.0 { 1.0 } else { sxy * sxy / (sxx * syy) })
            }
            Statistic::RegrAvgX => some.then_some(mean_x),
            Statistic::RegrAvgY => some.then_some(mean_y),
            Statistic::RegrSxx => some.then_some(sxx),
            Statistic::RegrSyy => some.then_some(syy),
            Statistic::RegrSxy => some.then_some(sxy),
        }
    }
}

/// Returns the aggregate function over releases. Its arguments are count, mean y, mean x, syy, sxx, sxy, all Float64.
/// Statistics of one variable give 0 for everything about x.
#[must_use]
pub fn merge_moments(which: Statistic) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(MergeMoments {
        name: format!("merge_{which:?}").to_lowercase(),
        which,
        signature: Signature::exact(vec![DataType::Float64; Moments::WIDTH], Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MergeMoments {
    name: String,
    which: Statistic,
    signature: Signature,
}

impl AggregateUDFImpl for MergeMoments {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(MomentsAccumulator { moments: Moments::default(), which: self.which }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |i| Arc::new(Field::new(format!("{}[{i}]", args.name), DataType::Float64, true));
        Ok((0..Moments::WIDTH).map(field).collect())
    }
}

#[derive(Debug)]
struct MomentsAccumulator {
    moments: Moments,
    which: Statistic,
}

impl Accumulator for MomentsAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let columns = values.iter().map(|v| as_float64_array(v)).collect::<Result<Vec<_>>>()?;
        let rows = columns.first().map_or(0, Array::len);
        for part in (0..rows).filter_map(|row| Moments::from_row(&columns, row)) {
            self.moments.merge(part);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.moments.statistic(self.which)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Moments { n, mean_y, mean_x, syy, sxx, sxy } = self.moments;
        Ok([n, mean_y, mean_x, syy, sxx, sxy].map(ScalarValue::from).to_vec())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(pairs: &[(f64, f64)]) -> Moments {
        let mut all = Moments::default();
        for &(y, x) in pairs {
            all.merge(Moments { n: 1.0, mean_y: y, mean_x: x, ..Moments::default() });
        }
        all
    }

    #[test]
    fn parts_merge_to_the_moments_of_the_whole() {
        let pairs: Vec<(f64, f64)> = (0..40).map(|i| (1e6 + f64::from(i * i % 17), f64::from(i) * 0.5)).collect();
        let whole = moments(&pairs);
        for cut in 1..pairs.len() {
            let mut merged = moments(&pairs[..cut]);
            merged.merge(moments(&pairs[cut..]));
            for which in [Statistic::VarSamp, Statistic::Corr, Statistic::RegrSlope, Statistic::RegrIntercept] {
                let (a, b) = (merged.statistic(which).unwrap(), whole.statistic(which).unwrap());
                assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{which:?} at {cut}: {a} {b}");
            }
        }
    }

    #[test]
    fn too_few_pairs_give_no_statistic() {
        assert_eq!(moments(&[]).statistic(Statistic::VarPop), None);
        assert_eq!(moments(&[(1.0, 2.0)]).statistic(Statistic::VarPop), Some(0.0));
        assert_eq!(moments(&[(1.0, 2.0)]).statistic(Statistic::VarSamp), None);
        assert_eq!(moments(&[(1.0, 2.0), (2.0, 2.0)]).statistic(Statistic::RegrSlope), None);
    }
}
