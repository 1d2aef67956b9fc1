//! Oracle of a release: units counted plainly.

use std::collections::{BTreeMap, BTreeSet};

use super::{Released, Visit, name};

/// Unit of a record; `None` if the record does not say whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whose(pub(super) Option<u32>);

/// One row at the aggregate's input, as the oracle sees it.
pub(super) struct Seen {
    pub(super) key: Vec<String>,
    /// For each input: the record that is in the row, if an outer join found one.
    pub(super) units: Vec<Option<Whose>>,
    pub(super) padded: Vec<bool>,
    /// For each condition whose units are counted: whether the row is one of them.
    pub(super) conditions: Vec<bool>,
}

/// Counts distinct units plainly. The keys that are released with their number of rows, and how many are not.
fn oracle(rows: &[Seen], k: usize) -> (BTreeMap<Vec<String>, usize>, u64) {
    let mut groups: BTreeMap<&[String], Vec<&Seen>> = BTreeMap::new();
    for row in rows {
        groups.entry(&row.key).or_default().push(row);
    }
    let mut released = BTreeMap::new();
    let mut kept_back = 0;
    for (key, rows) in groups {
        let first = rows[0];
        // The number of units, and whether there is any record at all.
        let count = |input: usize, of: &dyn Fn(&Seen) -> bool| {
            let found: Vec<Option<u32>> =
                rows.iter().filter(|r| of(r)).filter_map(|r| r.units[input]).map(|w| w.0).collect();
            (found.iter().flatten().collect::<BTreeSet<_>>().len(), !found.is_empty())
        };
        let none_or_enough = |(units, any): (usize, bool)| !any || units >= k;
        let inputs: Vec<usize> = (0..first.units.len()).collect();
        let passes = inputs.iter().all(|&i| {
            let all = count(i, &|_| true);
            (if first.padded[i] { none_or_enough(all) } else { all.0 >= k })
                && (0..first.conditions.len()).all(|c| none_or_enough(count(i, &|row: &Seen| row.conditions[c])))
        }) && inputs.iter().any(|&i| count(i, &|_| true).0 >= k);
        if passes {
            released.insert(key.to_vec(), rows.len());
        } else {
            kept_back += 1;
        }
    }
    (released, kept_back)
}

pub(super) fn text_of(prefix: &str, number: Option<u32>) -> String {
    name(prefix, number).unwrap_or_else(|| "-".to_owned())
}

pub(super) fn seen_visits(
    visits: &[Visit],
    key: impl Fn(&Visit) -> Vec<String>,
    conditions: impl Fn(&Visit) -> Vec<bool>,
) -> Vec<Seen> {
    let seen =
        |v| Seen { key: key(v), units: vec![Some(Whose(v.unit))], padded: vec![false], conditions: conditions(v) };
    visits.iter().map(seen).collect()
}

/// The last column of the queries is `count(*)`.
pub(super) fn expect(found: &Released, rows: &[Seen], k: usize, what: &str) {
    let (released, kept_back) = oracle(rows, k);
    let keys = rows.first().map_or(0, |row| row.key.len());
    let cells: BTreeMap<Vec<String>, usize> =
        found.0.iter().map(|row| (row[..keys].to_vec(), row.last().unwrap().parse().unwrap())).collect();
    assert_eq!(cells.len(), found.0.len(), "{what}: a key comes twice");
    assert_eq!(cells, released, "{what}");
    assert_eq!(found.1, kept_back, "{what}: suppressed");
}
