//! Families of conditions that can be set against each other, so that their differences must hold enough units too.
//!
//! Two totals of one cell, one over the rows that meet `a` and one over those that meet `a AND NOT b`, differ by the rows
//! of `a AND b`. Three and more conditions can be added and subtracted in many ways; but whatever is done with them, rows
//! that meet the same ones of them stay together. So the conditions of a family divide the rows of a cell into parts, one
//! for each combination that occurs, and the gate asks of every part what it asks of a group: nobody, or enough. What is
//! then computed from the totals is made of parts that are each large enough.
//!
//! Totals are set against each other only where they add up the same thing: numbers of rows, or one measure. That a cell
//! holds a few visits with a cost and without a length of stay does not matter to `avg(cost)` beside `avg(days)`; it does
//! beside `avg(cost + days)`, which would leave their cost alone in the difference.
//!
//! That nobody meets a condition, or everybody does, is an attribute of all people of a cell, however many they are. Where a
//! condition chooses rows by attributes of people, those who meet it and those who do not are therefore each enough, and no two
//! conditions hold for the same rows; unless zeros may be published.
//!
//! A cell of which a part is too small does not lose its row. Its values are taken in the order of their columns, those of
//! the same conditions at once ([`ValueGroup`]), and one is withheld if its conditions, with those of the values that were
//! released before it, divide the cell into a part that is too small. So a row holds what a query for these columns alone
//! would release.

use std::collections::BTreeSet;

use datafusion::logical_expr::Expr;

use super::total::Total;

/// One condition inside an aggregate: a `FILTER`, a `CASE` that keeps or drops, an argument that can be NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// A boolean expression over the schema of the aggregate's input. A row meets it only if it is TRUE: NULL is not met.
    pub met: Expr,
    /// True if the units with a row that does not meet it must be none or enough, too.
    pub complement: bool,
    /// True if it selects rows by attributes of people, and not only by whether a measure was taken.
    pub chooses: bool,
    /// True if it tells an attribute of everybody in a cell where nobody meets it: there must be enough who meet it, and, with
    /// `complement`, enough who do not.
    pub common: bool,
    /// The measures whose sums over the rows that meet it are released, by table and column.
    pub measures: BTreeSet<String>,
}

impl Condition {
    /// Makes a condition that selects rows: a `FILTER`, a `CASE`, a NULL that tells something of somebody.
    #[must_use]
    pub fn chooses(met: Expr, complement: bool) -> Self {
        Self { met, complement, chooses: true, common: false, measures: BTreeSet::new() }
    }

    /// Makes a condition on an attribute that a whole cell may have in common.
    #[must_use]
    pub fn selects(met: Expr, complement: bool) -> Self {
        Self { common: true, ..Self::chooses(met, complement) }
    }

    /// Returns the condition as one that tells nothing of a cell whose rows it is the same for.
    fn of_keys(self, keys: &[Expr]) -> Self {
        let common =
            self.common && !self.met.column_refs().iter().all(|column| keys.contains(&Expr::Column((*column).clone())));
        Self { common, ..self }
    }
}

/// Conditions whose totals add up the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Indexes into the conditions of the fragment, ascending.
    pub conditions: Vec<usize>,
    /// True if the rows that meet none of the conditions are a part, too.
    pub rest: bool,
}

impl Family {
    /// Returns true if the family holds more than one condition, so that there are differences to count.
    #[must_use]
    pub fn divides(&self) -> bool {
        self.conditions.len() > 1
    }
}

/// Values of a row that are released together or not at all: the aggregates that depend on the same conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueGroup {
    /// Indexes into the conditions of the fragment, ascending; never empty.
    pub conditions: Vec<usize>,
    /// Indexes into the aggregates of the fragment, ascending; never empty.
    pub aggregates: Vec<usize>,
}

/// The conditions of a fragment, and the values that depend on them.
pub(super) struct Values {
    /// The conditions, no two of them equal.
    pub conditions: Vec<Condition>,
    /// The groups of values, in the order of their first columns.
    pub groups: Vec<ValueGroup>,
    /// What each aggregate adds up.
    pub totals: Vec<Total>,
    /// Leaves of which each row enters the aggregate at most once.
    pub once: BTreeSet<usize>,
}

impl Values {
    /// Collects the conditions of each aggregate of cells with these keys. One without conditions is in no group.
    pub fn new(of_aggregates: Vec<Vec<Condition>>, keys: &[Expr]) -> Self {
        let mut conditions: Vec<Condition> = Vec::new();
        let mut groups: Vec<ValueGroup> = Vec::new();
        for (aggregate, own) in of_aggregates.into_iter().enumerate() {
            let indexes: BTreeSet<usize> =
                own.into_iter().map(|one| index_of(&mut conditions, one.of_keys(keys))).collect();
            let indexes: Vec<usize> = indexes.into_iter().collect();
            match groups.iter_mut().find(|group| group.conditions == indexes) {
                Some(group) => group.aggregates.push(aggregate),
                None if indexes.is_empty() => {}
                None => groups.push(ValueGroup { conditions: indexes, aggregates: vec![aggregate] }),
            }
        }
        Self { conditions, groups, totals: vec![], once: BTreeSet::new() }
    }
}

/// Returns the index of a condition among those known, which it joins if it is new.
fn index_of(known: &mut Vec<Condition>, condition: Condition) -> usize {
    let Some(index) = known.iter().position(|c| c.met == condition.met) else {
        known.push(condition);
        return known.len() - 1;
    };
    let same = &mut known[index];
    same.complement |= condition.complement;
    same.chooses |= condition.chooses;
    same.common |= condition.common;
    same.measures.extend(condition.measures);
    index
}

/// Returns the families of a fragment's conditions: those that select rows, and those of each set of connected measures.
pub(super) fn families(conditions: &[Condition]) -> Vec<Family> {
    let mut families = Vec::new();
    let chosen: Vec<usize> = indexes(conditions, |condition| condition.chooses);
    if !chosen.is_empty() {
        let rest = chosen.iter().any(|index| conditions[*index].complement);
        families.push(Family { conditions: chosen, rest });
    }
    let mut connected: Vec<BTreeSet<&str>> = Vec::new();
    for condition in conditions.iter().filter(|condition| !condition.measures.is_empty()) {
        let mut measures: BTreeSet<&str> = condition.measures.iter().map(String::as_str).collect();
        let (joined, apart) = connected.into_iter().partition(|known: &BTreeSet<&str>| !known.is_disjoint(&measures));
        connected = apart;
        measures.extend(joined.into_iter().flatten());
        connected.push(measures);
    }
    for measures in connected {
        let of_them = |condition: &Condition| condition.measures.iter().any(|m| measures.contains(m.as_str()));
        families.push(Family { conditions: indexes(conditions, of_them), rest: false });
    }
    families
}

fn indexes(conditions: &[Condition], chosen: impl Fn(&Condition) -> bool) -> Vec<usize> {
    conditions.iter().enumerate().filter(|(_, condition)| chosen(condition)).map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::col;

    fn of(measures: &[&str]) -> Condition {
        let measures = measures.iter().map(|m| (*m).to_owned()).collect();
        Condition { met: col("m"), complement: false, chooses: false, common: false, measures }
    }

    fn family(conditions: &[usize], rest: bool) -> Family {
        Family { conditions: conditions.to_vec(), rest }
    }

    #[test]
    fn conditions_that_choose_rows_are_one_family() {
        let plain = Condition::chooses(col("a"), false);
        let whole = Condition::chooses(col("b"), true);
        assert_eq!(families(&[]), []);
        assert_eq!(families(std::slice::from_ref(&plain)), [family(&[0], false)]);
        assert_eq!(families(&[plain, whole]), [family(&[0, 1], true)]);
    }

    #[test]
    fn values_of_the_same_conditions_are_one_group() {
        let (a, b) = (Condition::chooses(col("a"), false), Condition::chooses(col("b"), true));
        let present = |chooses| Condition { chooses, complement: chooses, ..of(&["cost"]) };
        let of_aggregates = vec![
            vec![],
            vec![b.clone(), a.clone()],
            vec![present(false)],
            vec![a.clone()],
            vec![a.clone(), b.clone()],
            vec![present(true)],
        ];
        let Values { conditions, groups, .. } = Values::new(of_aggregates, &[]);
        assert_eq!(conditions, [b, a, present(true)], "a condition that two aggregates have is as strict as either");
        let group = |conditions: &[usize], aggregates: &[usize]| ValueGroup {
            conditions: conditions.to_vec(),
            aggregates: aggregates.to_vec(),
        };
        assert_eq!(groups, [group(&[0, 1], &[1, 4]), group(&[2], &[2, 5]), group(&[1], &[3])]);
        assert!(Values::new(vec![vec![]], &[]).groups.is_empty());
    }

    #[test]
    fn measures_are_set_against_each_other_where_one_sum_holds_both() {
        let (cost, days, pain) = (of(&["cost"]), of(&["days"]), of(&["pain"]));
        let apart = families(&[cost.clone(), days.clone()]);
        assert_eq!(apart, [family(&[0], false), family(&[1], false)]);
        let together = families(&[cost, pain, days, of(&["cost", "days"])]);
        assert_eq!(together, [family(&[1], false), family(&[0, 2, 3], false)]);
    }

    #[test]
    fn a_condition_of_a_null_that_tells_is_in_the_family_of_rows_and_of_measures() {
        let tells = Condition { chooses: true, complement: true, ..of(&["cost"]) };
        assert_eq!(families(&[tells]), [family(&[0], true), family(&[0], false)]);
    }
}
