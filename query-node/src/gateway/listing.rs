//! The catalog as the gateway lists it.

use std::collections::BTreeMap;

use wanqu_model::listing::{ColumnListing, TableListing};
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_rules::catalog::Catalog;

use crate::engine::Unavailable;

/// Returns every table of a catalog, by name.
#[must_use]
pub fn list(catalog: &Catalog) -> Vec<TableListing> {
    catalog
        .tables()
        .filter_map(|table| {
            let first = table.slices.first()?;
            let columns = first.columns.iter().map(|column| ColumnListing {
                name: column.name.to_string(),
                data_type: column.data_type.to_string(),
                class: table.class_of(column.name.as_str()),
                unit: column.unit.clone(),
                description: column.description.clone(),
            });
            Some(TableListing {
                name: table.name.to_string(),
                description: first.description.clone(),
                public: table.is_public(),
                owners: table.slices.iter().map(|slice| (slice.jurisdiction.clone(), slice.policy.clone())).collect(),
                unavailable: Vec::new(),
                columns: columns.collect(),
            })
        })
        .collect()
}

/// Returns the list with the tables marked that the listing node cannot read.
pub(super) fn marked(
    mut tables: Vec<TableListing>,
    own: &JurisdictionId,
    unavailable: &[Unavailable],
) -> Vec<TableListing> {
    for table in &mut tables {
        let found = unavailable.iter().find(|one| one.table.to_string() == table.name);
        table.unavailable.extend(found.map(|one| (own.clone(), one.reason.clone())));
    }
    tables
}

/// Returns the list with the tables marked that other members say they cannot read. Each speaks for its own part alone.
pub(super) fn marked_elsewhere(
    mut tables: Vec<TableListing>,
    unavailable: &BTreeMap<JurisdictionId, Vec<TableRef>>,
) -> Vec<TableListing> {
    for table in &mut tables {
        let told = |owner: &JurisdictionId| {
            unavailable.get(owner).is_some_and(|tables| tables.iter().any(|one| one.to_string() == table.name))
        };
        let marked: Vec<_> = table.owners.iter().map(|(owner, _)| owner).filter(|owner| told(owner)).cloned().collect();
        let known = std::mem::take(&mut table.unavailable);
        let new = marked.into_iter().filter(|owner| !known.iter().any(|(other, _)| other == owner));
        let new: Vec<_> = new.map(|owner| (owner, "its node cannot read it now".to_owned())).collect();
        table.unavailable = known.into_iter().chain(new).collect();
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use wanqu_fixtures::identity::jid;
    use wanqu_model::bundle::{ContributionRule, ReleaseRule};

    #[test]
    fn a_member_marks_its_own_part_alone() {
        let rule = || ReleaseRule {
            policies: Vec::new(),
            min_units: 1,
            rounding: 1,
            publish_zeros: true,
            remember_cells: false,
            contributions: ContributionRule::default(),
        };
        let table = TableListing {
            name: "gba.d.t".to_owned(),
            description: String::new(),
            public: true,
            owners: vec![(jid("HK"), rule()), (jid("MO"), rule())],
            unavailable: vec![(jid("HK"), "no file is there".to_owned())],
            columns: Vec::new(),
        };
        let told = |members: &[&str]| {
            let tables = vec!["gba.d.t".parse().unwrap(), "gba.d.u".parse().unwrap()];
            let all = members.iter().map(|member| (jid(member), tables.clone())).collect();
            marked_elsewhere(vec![table.clone()], &all).remove(0).unavailable
        };
        let own = (jid("HK"), "no file is there".to_owned());
        assert_eq!(told(&["CN-SZ"]), std::slice::from_ref(&own), "it has no part of the table");
        assert_eq!(told(&["MO", "HK"]), [own, (jid("MO"), "its node cannot read it now".to_owned())]);
    }
}
