//! Different objects of one name. Which of them holds is not said, and one may withdraw what another grants: none holds.

use std::collections::{BTreeMap, BTreeSet};

use super::{LeftOut, ReadBundle};

/// Leaves out agreements and projects that have one name, and tables of which an owner has two slices. What is repeated word
/// for word stays.
pub(super) fn without_doubles(mut read: ReadBundle) -> ReadBundle {
    let ReadBundle { bundle, left_out } = &mut read;
    let agreements = doubled(&bundle.agreements, |agreement| agreement.name.clone());
    bundle.agreements.retain(|agreement| !agreements.contains(&agreement.name));
    left_out.extend(agreements.iter().map(|name| gone(format!("agreement {name}"))));
    let projects = doubled(&bundle.projects, |project| project.name.clone());
    bundle.projects.retain(|project| !projects.contains(&project.name));
    left_out.extend(projects.iter().map(|name| gone(format!("project {name}"))));
    let slices = doubled(&bundle.slices, |slice| (slice.table.clone(), slice.jurisdiction.clone()));
    if !slices.is_empty() {
        let tables = bundle.leave_out_tables(slices.into_iter().map(|(table, _)| table).collect());
        left_out.extend(tables.iter().map(|table| gone(format!("table {table}"))));
    }
    read
}

fn gone(object: String) -> LeftOut {
    LeftOut { object, reason: "there are several of this name, and they differ".to_owned() }
}

/// Returns the names that different objects share.
fn doubled<T: PartialEq, K: Ord>(objects: &[T], name: impl Fn(&T) -> K) -> BTreeSet<K> {
    let mut first: BTreeMap<K, &T> = BTreeMap::new();
    let mut doubled = BTreeSet::new();
    for object in objects {
        if *first.entry(name(object)).or_insert(object) != object {
            doubled.insert(name(object));
        }
    }
    doubled
}
