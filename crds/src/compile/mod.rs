//! From resources to node bundles.
//!
//! Pure, and complete in its report: a step that meets a problem notes it and goes on, so that one run names all problems.
//! Whatever depends on a broken part is left out without a second report.

mod advice;
mod agreements;
mod common;
mod datasets;
mod files;
mod index;
mod mapping;
mod members;
mod policies;
mod projects;
mod queries;
mod types;

use std::collections::BTreeMap;

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
    let index = Index::new(resources, &mut findings);
    let members = members::members(&index, placements, &mut findings);
    policies::check(&index, &mut findings);
    let mut slices = datasets::slices(&index, &mut findings);
    slices.extend(common::slices(&index, &mut findings));
    slices.sort_by(|a, b| (&a.table, &a.jurisdiction).cmp(&(&b.table, &b.jurisdiction)));
    let common_tables = common::infos(&index, &mut findings);
    let agreements = agreements::agreements(&index, &mut findings);
    let projects = projects::projects(&index, &mut findings);
    queries::check(resources, &index, &mut findings);

    let Some((name, federation)) = index.federation.as_ref().filter(|_| findings.0.is_empty()) else {
        return Err(findings.into_sorted());
    };
    Ok(Compiled {
        name: name.clone(),
        trust_domain: federation.resource.spec.trust_domain.clone(),
        members,
        slices,
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
    slices: Vec<Slice>,
    common_tables: Vec<CommonTableInfo>,
    agreements: Vec<Agreement>,
    projects: Vec<Project>,
    limits: Limits,
    sources: BTreeMap<JurisdictionId, Vec<SourceSpec>>,
}

impl Compiled {
    /// Returns the members, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = &JurisdictionId> {
        self.members.iter().map(|member| &member.jurisdiction)
    }

    /// Returns every agreement, ordered by name.
    #[must_use]
    pub fn agreements(&self) -> &[Agreement] {
        &self.agreements
    }

    /// Returns one member's bundle; `None` if it is no member.
    #[must_use]
    pub fn bundle(&self, id: &JurisdictionId) -> Option<NodeBundle> {
        self.members().any(|member| member == id).then(|| self.seen_by(id))
    }

    /// Returns the format with the fields that older nodes may ignore: without [`Slice::one_row_per_unit`] they judge as they did.
    fn format(&self) -> BundleFormat {
        let used = self.slices.iter().any(|slice| slice.one_row_per_unit);
        let ignorable = if used { vec!["slices[].oneRowPerUnit".to_owned()] } else { Vec::new() };
        BundleFormat { ignorable, ..BundleFormat::default() }
    }

    fn seen_by(&self, id: &JurisdictionId) -> NodeBundle {
        let mut slices = self.slices.clone();
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
        NodeBundle {
            federation: self.name.clone(),
            trust_domain: self.trust_domain.clone(),
            jurisdiction: id.clone(),
            members: self.members.clone(),
            slices,
            common_tables: self.common_tables.clone(),
            sources: self.sources.get(id).cloned().unwrap_or_default(),
            agreements: self.agreements.iter().filter(|a| a.from == *id || a.to == *id).cloned().collect(),
            projects: self.projects.clone(),
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
