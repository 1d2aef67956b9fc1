//! Consent of the namespace of a node. It comes before everything else: before a Federation, a compilation or a bundle is looked
//! at, since a grant that is withdrawn must close a node whatever state its federation is in.

use kube::ResourceExt;
use kube::api::DynamicObject;
use wanqu_crds::kinds::Jurisdiction;

use super::{Problem, finalizer, home};
use crate::context::Context;
use crate::framework::conditions::{Reason, Type};
use crate::framework::labels::is_made_for;
use crate::framework::{Guarded, Result};
use crate::grants::Placing;
use crate::host::Host;
use crate::names;

/// Returns what the placement lacks, if its namespace does not consent. Closes the node wherever it runs without consent: also in
/// a namespace of an earlier placement, which gets no bundle any more and would keep to permissions that are withdrawn.
pub(super) async fn ensure(context: &Context, object: &Guarded<Jurisdiction>) -> Result<Option<Problem>> {
    let (home, name) = (home(object), object.name_any());
    let lack =
        |target: &str, claim: Option<&str>| context.grants.lack(&Placing { home: &home, name: &name, target, claim });
    let placed = object.read_fields(&["spec.placement"]).filter(|placed| Host::of(placed).is_here());
    let target = placed.and_then(|placed| placed.spec.placement.namespace.as_deref());
    let claim = placed.and_then(|placed| placed.spec.data_claim.as_deref());
    let of_placement = |reason, problem, remedy| Problem {
        of: Type::WorkloadReady,
        reason,
        path: "spec.placement.namespace".to_owned(),
        problem,
        remedy,
    };
    let is_read = |namespace: &str| context.grants.are_read(namespace) && context.children.are_read(namespace);
    // The consent of a namespace that cannot be read is not known: nothing is made there, and a node that runs there is left alone.
    let unread = target.filter(|target| !is_read(target)).map(|target| {
        of_placement(
            Reason::NamespaceUnreadable,
            format!("this operator cannot read namespace {target}"),
            format!("give its account the chart's Role in {target}, or place the node in another namespace"),
        )
    });
    let ungranted = || {
        let lack = lack(target?, claim)?;
        Some(of_placement(Reason::PlacementNotGranted, lack.problem, lack.remedy))
    };
    let problem = unread.or_else(ungranted);
    let stays = |namespace: &str| {
        let workload = context.children.get("StatefulSet", namespace, &names::node(&name));
        let own = workload.filter(|workload| is_made_for(&**workload, &home, &name));
        !is_read(namespace) || problem.is_none() && lack(namespace, own.as_deref().and_then(mounted)).is_none()
    };
    finalizer::close(context, object, stays).await?;
    Ok(problem)
}

/// Returns the claim that a workload mounts.
fn mounted(workload: &DynamicObject) -> Option<&str> {
    let volumes = workload.data.pointer("/spec/template/spec/volumes")?.as_array()?;
    volumes.iter().find_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str())
}
