//! From resources to node bundles.
//!
//! Pure, and complete in its report: a step that meets a problem notes it and goes on, so that one run names all problems.
//! Whatever depends on a broken part is left out without a second report.

mod advice;
mod agreements;
mod common;
mod consequences;
mod datasets;
mod files;
mod index;
mod mapping;
mod members;
mod partial;
mod policies;
mod projects;
mod queries;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use wanqu_model::bundle::{
    Agreement, BundleFormat, ColumnSpec, CommonTableInfo, Limits, Member, NodeBundle, Project, Slice, SourceSpec,
};
use wanqu_model::names::{JurisdictionId, ResourceName, SqlName};

use crate::finding::{Finding, Findings};
use crate::kinds::LimitsSpec;
use crate::placements::Placements;
use crate::resources::Resources;
pub use advice::advise;
pub use agreements::digest as agreement_digest;
use index::Index;
pub use partial::{Partial, partial};

/// Compiles the resources of one federation into one bundle per member.
///
/// A mapping reads only the columns of its own dataset, never another mapping's, so that there is no cycle to look for.
/// The type of a mapping's expression is checked against its common table only for a plain column. For any other expression it
/// takes an engine: the node checks it when it loads the bundle.
///
/// # Errors
/// Every problem of every resource, in the order of files and lines.
///
/// ```
/// use wanqu_crds::{Placements, compile, manifests};
///
/// let resources = manifests::parse(
///     "
/// apiVersion: wanqu.dev/v1alpha1
/// kind: Federation
/// metadata: {name: gba}
/// spec: {trustDomain: gba.example, members: [HK]}
/// ---
/// apiVersion: wanqu.dev/v1alpha1
/// kind: Jurisdiction
/// metadata: {name: hongkong}
/// spec: {id: HK, sqlName: hongkong}
/// ---
/// apiVersion: wanqu.dev/v1alpha1
/// kind: Dataset
/// metadata: {name: visits}
/// spec:
///   jurisdiction: HK
///   custodian: Hospital Authority
///   table: health.visits
///   source: {files: {path: visits.csv, format: csv}}
///   columns:
///     - {name: hkid, type: string, class: identifier}
///     - {name: fee, type: int64, class: measure, unit: HKD}
///   privacyUnit: fee
/// ",
///     "hongkong.yaml",
/// )
/// .unwrap();
/// let findings = compile(&resources, &Placements::default()).unwrap_err();
/// assert_eq!(
///     findings[0].to_string(),
///     "hongkong.yaml:23: Dataset visits spec.privacyUnit: column fee is measure; class the privacy unit as identifier"
/// );
/// ```
pub fn compile(
    resources: &Resources,
    placements: &Placements,
) -> Result<BTreeMap<JurisdictionId, NodeBundle>, Vec<Finding>> {
    let compiled = check(resources, placements)?;
    Ok(compiled.members().filter_map(|id| Some((id.clone(), compiled.bundle(id)?))).collect())
}

/// Compiles the resources of one federation without making the bundles: a federation of many members makes them one at a time,
/// with [`Compiled::bundle`].
///
/// # Errors
/// Every problem of every resource, in the order of files and lines.
pub fn check(resources: &Resources, placements: &Placements) -> Result<Compiled, Vec<Finding>> {
    let mut findings = Findings::from(resources.unreadable.as_slice());
    match pass(resources, placements, &mut findings) {
        Some(compiled) if findings.0.is_empty() => Ok(compiled),
        _ => Err(findings.into_sorted()),
    }
}

/// Compiles once, without the objects that `findings` has as left out, and notes what is wrong; returns none without a
/// Federation. If something is wrong, the outcome is of no use.
fn pass(resources: &Resources, placements: &Placements, findings: &mut Findings) -> Option<Compiled> {
    let index = Index::new(resources, findings);
    let members = members::members(&index, placements, findings);
    policies::check(&index, findings);
    let mut slices = datasets::slices(&index, findings);
    slices.extend(common::slices(&index, findings));
    slices.sort_by(|a, b| (&a.table, &a.jurisdiction).cmp(&(&b.table, &b.jurisdiction)));
    let common_tables = common::infos(&index, findings);
    let agreements = agreements::agreements(&index, findings);
    let projects = projects::projects(&index, findings);
    queries::check(resources, &index, findings);

    let (name, federation) = index.federation.as_ref()?;
    let closed = members::closed(&index, placements, &federation.resource.spec.members);
    let is_member =
        |id: &JurisdictionId| members.iter().chain(closed.listed.values()).any(|member| member.jurisdiction == *id);
    let missing = common::missing(&index, &slices, is_member);
    Some(Compiled {
        name: name.clone(),
        trust_domain: federation.resource.spec.trust_domain.clone(),
        nodes: index.jurisdictions.iter().map(|(&id, member)| (id.clone(), member.name().to_owned())).collect(),
        members,
        closed,
        slices,
        missing,
        common_tables,
        agreements,
        projects,
        limits: limits(&federation.resource.spec.defaults.limits),
        sources: datasets::sources(&index, placements),
    })
}

/// Compiled federation, with everything that any member's bundle is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    name: ResourceName,
    trust_domain: String,
    members: Vec<Member>,
    /// Names of the members' Jurisdictions.
    nodes: BTreeMap<JurisdictionId, String>,
    closed: Closed,
    slices: Vec<Slice>,
    /// Slices of common tables that are left out because of a fault.
    missing: Vec<Slice>,
    common_tables: Vec<CommonTableInfo>,
    agreements: Vec<Agreement>,
    projects: Vec<Project>,
    limits: Limits,
    sources: BTreeMap<JurisdictionId, Vec<SourceSpec>>,
}

/// Jurisdictions that are at fault or no members. Their nodes get bundles that grant nothing.
#[derive(Debug, Clone, Default, PartialEq)]
struct Closed {
    /// All of them, as their own nodes know them.
    own: BTreeMap<JurisdictionId, (String, Member)>,
    /// Those that the Federation lists, as others know them: by their names alone.
    listed: BTreeMap<JurisdictionId, Member>,
}

impl Compiled {
    /// Returns the members that are in order, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = &JurisdictionId> {
        self.members.iter().map(|member| &member.jurisdiction)
    }

    /// Returns every agreement, ordered by name.
    #[must_use]
    pub fn agreements(&self) -> &[Agreement] {
        &self.agreements
    }

    /// Returns true if a bundle has a dataset of this name.
    #[must_use]
    pub fn has_dataset(&self, name: &str) -> bool {
        self.slices.iter().any(|slice| slice.dataset.as_str() == name)
    }

    /// Returns true if the node of this id is that of the Jurisdiction of this name: of two with one id, the first.
    #[must_use]
    pub fn is_node_of(&self, id: &JurisdictionId, jurisdiction: &str) -> bool {
        let closed = || self.closed.own.get(id).map(|(name, _)| name);
        self.nodes.get(id).or_else(closed).is_some_and(|name| name == jurisdiction)
    }

    /// Returns one member's bundle; for a jurisdiction that is at fault or no member, one that grants nothing; `None` if there is
    /// no such jurisdiction.
    #[must_use]
    pub fn bundle(&self, id: &JurisdictionId) -> Option<NodeBundle> {
        if self.members().any(|member| member == id) {
            return Some(self.seen_by(id));
        }
        self.closed.own.get(id).map(|(_, member)| self.without_grants(id, vec![member.clone()]))
    }

    /// Returns the format with the fields that older nodes may ignore: without [`Slice::one_row_per_unit`] they judge as they did.
    fn format(&self) -> BundleFormat {
        let used = self.slices.iter().any(|slice| slice.one_row_per_unit);
        let ignorable = if used { vec!["slices[].oneRowPerUnit".to_owned()] } else { Vec::new() };
        BundleFormat { ignorable, ..BundleFormat::default() }
    }

    fn seen_by(&self, id: &JurisdictionId) -> NodeBundle {
        let mut slices = self.slices.clone();
        let own: BTreeSet<_> = self.missing.iter().filter(|s| s.jurisdiction == *id).map(|s| &s.table).collect();
        let elsewhere = self.missing.iter().filter(|slice| slice.jurisdiction != *id);
        slices.extend(elsewhere.cloned());
        // The table goes with the slices of all owners: without its own one, an answer at home would look complete.
        slices.retain(|slice| !own.contains(&slice.table));
        slices.sort_by(|a, b| (&a.table, &a.jurisdiction).cmp(&(&b.table, &b.jurisdiction)));
        // Another owner's expressions would tell the names of the columns of its datasets.
        for slice in slices.iter_mut().filter(|slice| slice.jurisdiction != *id) {
            // Which of the columns is the privacy unit has to be known, or no join by it could be planned.
            let unit = slice.privacy_unit.as_ref().map(SqlName::as_str);
            let named = |column: &&ColumnSpec| unit.is_some() && column.expression.as_deref().map(str::trim) == unit;
            if let Some(column) = slice.columns.iter().find(named) {
                slice.privacy_unit = Some(column.name.clone());
            }
            slice.columns.iter_mut().for_each(|column| column.expression = None);
        }
        let mut members: Vec<Member> = self.members.iter().chain(self.closed.listed.values()).cloned().collect();
        members.sort_by(|a, b| a.jurisdiction.cmp(&b.jurisdiction));
        NodeBundle {
            members,
            slices,
            common_tables: self.common_tables.iter().filter(|info| !own.contains(&info.table)).cloned().collect(),
            sources: self.sources.get(id).cloned().unwrap_or_default(),
            agreements: self.agreements.iter().filter(|a| a.from == *id || a.to == *id).cloned().collect(),
            projects: self.projects.clone(),
            ..self.without_grants(id, Vec::new())
        }
    }

    /// Returns a bundle of these members that grants nothing.
    fn without_grants(&self, id: &JurisdictionId, members: Vec<Member>) -> NodeBundle {
        NodeBundle {
            federation: self.name.clone(),
            trust_domain: self.trust_domain.clone(),
            jurisdiction: id.clone(),
            members,
            slices: Vec::new(),
            common_tables: Vec::new(),
            sources: Vec::new(),
            agreements: Vec::new(),
            projects: Vec::new(),
            limits: self.limits.clone(),
            format: self.format(),
        }
    }
}

/// Returns the federation's limits, with the defaults for those that it does not set.
fn limits(spec: &LimitsSpec) -> Limits {
    let usual = Limits::default();
    Limits {
        deadline_seconds: spec.deadline_seconds.unwrap_or(usual.deadline_seconds),
        memory_mib: spec.memory_mib.unwrap_or(usual.memory_mib),
        sql_bytes: spec.sql_bytes.unwrap_or(usual.sql_bytes),
        release_rows: spec.release_rows.unwrap_or(usual.release_rows),
        release_mib: spec.release_mib.unwrap_or(usual.release_mib),
        concurrent_queries: spec.concurrent_queries.unwrap_or(usual.concurrent_queries),
    }
}
