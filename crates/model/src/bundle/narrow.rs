//! The part of a bundle that stays in force when its successor cannot be used.

use std::collections::{BTreeMap, BTreeSet};

use super::{Limits, Member, NodeBundle, Slice};
use crate::names::TableRef;

impl NodeBundle {
    /// Returns what may stay in force of this bundle when `successor` cannot be used: the permissions that both grant in
    /// the same words, the tables, members and issuers that both describe alike, and the lower of each of their limits.
    /// With `None`, where nothing is known of the successor, no permission, table or other member is left.
    ///
    /// Whatever the successor withdrew or made stricter is thereby out of force too, with more than that.
    #[must_use]
    pub fn narrowed(&self, successor: Option<&Self>) -> Self {
        let mut bundle = self.clone();
        let (before, after) = (slices_by_table(self), successor.map(slices_by_table).unwrap_or_default());
        let changed = before.iter().filter(|(table, slices)| after.get(*table) != Some(*slices));
        let mut changed: BTreeSet<TableRef> = changed.map(|(table, _)| (*table).clone()).collect();
        let infos = self.common_tables.iter().filter(|info| !successor.is_some_and(|s| s.common_tables.contains(info)));
        changed.extend(infos.map(|info| info.table.clone()));
        bundle.agreements.retain(|agreement| successor.is_some_and(|s| s.agreements.contains(agreement)));
        bundle.projects.retain(|project| successor.is_some_and(|s| s.projects.contains(project)));
        bundle.sources.retain(|source| successor.is_some_and(|s| s.sources.contains(source)));
        for member in &mut bundle.members {
            let after = successor.and_then(|s| s.members.iter().find(|m| m.jurisdiction == member.jurisdiction));
            narrow_member(member, after, member.jurisdiction == self.jurisdiction);
        }
        if let Some(successor) = successor {
            bundle.limits = lower(&bundle.limits, &successor.limits);
        }
        bundle.leave_out_tables(changed);
        bundle
    }

    /// Leaves out these tables, and those of this jurisdiction that cannot be read any more because their dataset has no
    /// source. Returns all that were left out.
    ///
    /// A table goes with the slices of all its owners: without one of them an answer would look complete and would not be.
    pub(super) fn leave_out_tables(&mut self, mut tables: BTreeSet<TableRef>) -> BTreeSet<TableRef> {
        self.slices.retain(|slice| !tables.contains(&slice.table));
        // The dataset's own table leads from its slices to its source.
        let own = || self.slices.iter().filter(|slice| slice.jurisdiction == self.jurisdiction);
        let has_source = |slice: &&Slice| self.sources.iter().any(|source| source.table == slice.table);
        let readable: BTreeSet<_> = own().filter(has_source).map(|slice| &slice.dataset).collect();
        let unreadable = own().filter(|slice| !readable.contains(&slice.dataset));
        tables.extend(unreadable.map(|slice| slice.table.clone()));
        self.slices.retain(|slice| !tables.contains(&slice.table));
        self.sources.retain(|source| !tables.contains(&source.table));
        self.common_tables.retain(|info| !tables.contains(&info.table));
        tables
    }
}

fn slices_by_table(bundle: &NodeBundle) -> BTreeMap<&TableRef, Vec<&Slice>> {
    let mut tables: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for slice in &bundle.slices {
        tables.entry(&slice.table).or_default().push(slice);
    }
    tables
}

/// Leaves of a member what its successor says too. The node's own authority stays: without it the node could show nothing.
fn narrow_member(member: &mut Member, after: Option<&Member>, own: bool) {
    member.issuers.retain(|issuer| after.is_some_and(|after| after.issuers.contains(issuer)));
    if !own && after.is_none_or(|after| after.ca != member.ca) {
        member.ca = None;
        member.endpoint = None;
    }
}

/// Returns the lower of each limit: all of them are upper bounds.
fn lower(before: &Limits, after: &Limits) -> Limits {
    let Limits { deadline_seconds, memory_mib, sql_bytes, release_rows, release_mib, concurrent_queries } = after;
    Limits {
        deadline_seconds: before.deadline_seconds.min(*deadline_seconds),
        memory_mib: before.memory_mib.min(*memory_mib),
        sql_bytes: before.sql_bytes.min(*sql_bytes),
        release_rows: before.release_rows.min(*release_rows),
        release_mib: before.release_mib.min(*release_mib),
        concurrent_queries: before.concurrent_queries.min(*concurrent_queries),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::bundle;
    use super::*;
    use crate::bundle::{AgreementState, SourceKind};

    #[test]
    fn a_bundle_is_not_narrowed_by_a_successor_that_says_the_same() {
        let bundle = bundle();
        assert_eq!(bundle.narrowed(Some(&bundle)), bundle);
    }

    #[test]
    fn a_narrowed_bundle_lacks_all_that_its_successor_withdraws_or_changes() {
        let before = bundle();
        let narrowed = |change: fn(&mut NodeBundle)| {
            let mut after = before.clone();
            change(&mut after);
            before.narrowed(Some(&after))
        };
        assert!(narrowed(|b| b.agreements.clear()).agreements.is_empty());
        let suspended = narrowed(|b| b.agreements[0].state = AgreementState::Suspended);
        assert_eq!(suspended.agreements, before.agreements[1..]);
        assert!(narrowed(|b| drop(b.projects[0].subjects.pop())).projects.is_empty());
        let moved = narrowed(|b| b.members[0].ca = Some("ANOTHER".to_owned()));
        assert_eq!((&moved.members[0].ca, &moved.members[0].endpoint), (&None, &None));
        assert_eq!(moved.members[1].ca, before.members[1].ca, "the node's own");
        assert!(narrowed(|b| b.members[1].issuers.clear()).members[1].issuers.is_empty());

        let tables = |b: &NodeBundle| b.slices.iter().map(|s| s.table.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(tables(&before), "gba.health.visits gba.health.visits macau.health.visits hongkong.health.visits");
        let stricter = narrowed(|b| b.slices[0].policy.min_units = 50);
        assert_eq!(tables(&stricter), "macau.health.visits hongkong.health.visits", "the table of all owners");
        assert!(stricter.common_tables.is_empty());
        let elsewhere = narrowed(|b| {
            let SourceKind::Files(files) = &mut b.sources[0].kind;
            files.path = "elsewhere".to_owned();
        });
        assert_eq!(tables(&elsewhere), "macau.health.visits", "what is read from there");
    }

    #[test]
    fn a_narrowed_bundle_has_the_lower_of_each_two_limits() {
        let limits = |deadline_seconds, memory_mib, sql_bytes, release_rows, concurrent_queries| Limits {
            deadline_seconds,
            memory_mib,
            sql_bytes,
            release_rows,
            release_mib: memory_mib,
            concurrent_queries,
        };
        let narrowed = |before, after| {
            let with = |limits| NodeBundle { limits, ..bundle() };
            with(before).narrowed(Some(&with(after))).limits
        };
        let (low, high) = (limits(1, 2, 3, 4, 5), limits(10, 20, 30, 40, 50));
        assert_eq!(narrowed(high.clone(), low.clone()), low, "the successor's are stricter");
        assert_eq!(narrowed(low.clone(), high.clone()), low, "what the successor allows beyond them is not in force");
        assert_eq!(narrowed(limits(10, 2, 30, 4, 50), limits(1, 20, 3, 40, 5)), low, "each for itself");
        assert_eq!(NodeBundle { limits: high.clone(), ..bundle() }.narrowed(None).limits, high);
    }

    #[test]
    fn a_bundle_with_an_unknown_successor_is_narrowed_to_no_permission() {
        let left = bundle().narrowed(None);
        assert!(left.agreements.is_empty() && left.projects.is_empty() && left.slices.is_empty());
        assert!(left.sources.is_empty() && left.common_tables.is_empty());
        let known: Vec<_> = left.members.iter().map(|m| (m.jurisdiction.to_string(), m.ca.is_some())).collect();
        assert_eq!(known, [("MO".to_owned(), false), ("HK".to_owned(), true)]);
    }
}
