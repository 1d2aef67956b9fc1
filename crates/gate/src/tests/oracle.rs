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
    /// For each group of values, in the order of the columns: its conditions, each with the family it is in and whether the row
    /// meets it.
    pub(super) values: Vec<Vec<(Family, bool)>>,
}

/// Family of conditions that are set against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// Those that select rows: rows that meet none are a part, too; and a part of nobody tells something of everybody.
    Rows,
    /// Those of them that are the other side of another one: nobody meets neither, so that only who meets it is counted.
    Other,
    /// Those that tell of a value whether it is there. Rows that meet none are a part; nobody tells nothing.
    Present,
    /// Those of the values of one measure.
    Measure,
}

/// A column of a group of values.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    /// One that has a value whatever there is to count.
    Count(usize),
    /// One that is NULL where no row meets its conditions.
    Sum(usize),
}

/// Columns that are withheld together, in the order in which that is decided.
pub(super) type Steps = &'static [&'static [Column]];

/// State of a group of values in one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    withheld: bool,
    /// True if no row meets all of its conditions.
    empty: bool,
}

/// Cells by their keys: the number of rows, and their groups of values.
type Cells = BTreeMap<Vec<String>, (usize, Vec<Told>)>;

/// Counts distinct units plainly. The cells that are released, and how many are not, or not whole.
fn oracle(rows: &[Seen], k: usize) -> (Cells, u64) {
    let mut groups: BTreeMap<&[String], Vec<&Seen>> = BTreeMap::new();
    for row in rows {
        groups.entry(&row.key).or_default().push(row);
    }
    let mut released = Cells::new();
    let mut suppressed = 0;
    for (key, rows) in groups {
        let first = rows[0];
        // The number of units, and whether there is any record at all.
        let count = |input: usize, of: &[&Seen]| {
            let found: Vec<Option<u32>> = of.iter().filter_map(|r| r.units[input]).map(|w| w.0).collect();
            (found.iter().flatten().collect::<BTreeSet<_>>().len(), !found.is_empty())
        };
        let none_or_enough = |(units, any): (usize, bool)| !any || units >= k;
        let inputs: Vec<usize> = (0..first.units.len()).collect();
        let passes = inputs.iter().all(|&i| {
            let all = count(i, &rows);
            if first.padded[i] { none_or_enough(all) } else { all.0 >= k }
        }) && inputs.iter().any(|&i| count(i, &rows).0 >= k);
        if !passes {
            suppressed += 1;
            continue;
        }
        // The places of the conditions of what is released so far.
        let mut chosen: Vec<(usize, usize)> = Vec::new();
        let mut told = Vec::new();
        for (group, conditions) in first.values.iter().enumerate() {
            let with: Vec<(usize, usize)> =
                chosen.iter().copied().chain((0..conditions.len()).map(|condition| (group, condition))).collect();
            let is_rows = |family: Family| family != Family::Measure;
            let fits = [true, false].iter().all(|of_rows| {
                let of_family: Vec<_> =
                    with.iter().filter(|(g, c)| is_rows(first.values[*g][*c].0) == *of_rows).collect();
                let mut parts: BTreeMap<Vec<bool>, Vec<&Seen>> = BTreeMap::new();
                for row in rows.iter().filter(|_| !of_family.is_empty()) {
                    let met: Vec<bool> = of_family.iter().map(|(g, c)| row.values[*g][*c].1).collect();
                    if *of_rows || met.contains(&true) {
                        parts.entry(met).or_default().push(row);
                    }
                }
                parts.values().all(|part| inputs.iter().all(|&i| none_or_enough(count(i, part))))
            });
            // Enough people meet a condition, enough do not, and no other condition holds for the same rows.
            let column = |(g, c): (usize, usize)| rows.iter().map(|row| row.values[g][c].1).collect::<Vec<bool>>();
            let common = |(g, c): &(usize, usize)| matches!(first.values[*g][*c].0, Family::Rows | Family::Other);
            let enough = |met: &[bool], is: bool| {
                let part: Vec<&Seen> =
                    rows.iter().zip(met).filter(|(_, met)| **met == is).map(|(row, _)| *row).collect();
                inputs.iter().all(|&i| count(i, &part).0 >= k || first.padded[i] && !count(i, &part).1)
                    && inputs.iter().any(|&i| count(i, &part).0 >= k)
            };
            let same = |one: (usize, usize), other: (usize, usize)| column(one) == column(other);
            let fits = fits
                && with.iter().filter(|one| one.0 == group && common(one)).all(|one| {
                    let met = column(*one);
                    enough(&met, true)
                        && (first.values[one.0][one.1].0 == Family::Other || enough(&met, false))
                        && with.iter().filter(|other| common(other)).all(|other| other == one || !same(*one, *other))
                });
            let empty = !rows.iter().any(|row| row.values[group].iter().all(|(_, met)| *met));
            told.push(Told { withheld: !fits, empty });
            if fits {
                chosen = with;
            }
        }
        suppressed += u64::from(told.iter().any(|told| told.withheld));
        released.insert(key.to_vec(), (rows.len(), told));
    }
    (released, suppressed)
}

pub(super) fn text_of(prefix: &str, number: Option<u32>) -> String {
    name(prefix, number).unwrap_or_else(|| "-".to_owned())
}

pub(super) fn seen_visits(
    visits: &[Visit],
    key: impl Fn(&Visit) -> Vec<String>,
    values: impl Fn(&Visit) -> Vec<Vec<(Family, bool)>>,
) -> Vec<Seen> {
    let seen = |v| Seen { key: key(v), units: vec![Some(Whose(v.unit))], padded: vec![false], values: values(v) };
    visits.iter().map(seen).collect()
}

/// Compares a release with the plain count. The last column of the queries is `count(*)`. `columns` are those of each group
/// of values.
pub(super) fn expect(found: &Released, rows: &[Seen], columns: Steps, k: usize, what: &str) {
    let (released, suppressed) = oracle(rows, k);
    let keys = rows.first().map_or(0, |row| row.key.len());
    let mut seen = BTreeMap::new();
    for row in &found.0 {
        let (key, n) = (row[..keys].to_vec(), row.last().unwrap().parse::<usize>().unwrap());
        let Some((rows, told)) = released.get(&key) else { panic!("{what}: {row:?} is released") };
        assert_eq!(told.len(), columns.len(), "{what}");
        for (told, columns) in told.iter().zip(columns) {
            for column in *columns {
                let (column, null) = match column {
                    Column::Count(column) => (column, told.withheld),
                    Column::Sum(column) => (column, told.withheld || told.empty),
                };
                assert_eq!(row[*column] == "-", null, "{what}: column {column} of {row:?}, {told:?}");
            }
        }
        assert_eq!(n, *rows, "{what}: {row:?}");
        assert!(seen.insert(key, n).is_none(), "{what}: a key comes twice");
    }
    assert_eq!(seen.len(), released.len(), "{what}: rows");
    assert_eq!(found.1, suppressed, "{what}: suppressed");
}
