//! The workload of a node. Selector and disks of a `StatefulSet` cannot be changed, so one that is to have others is made anew:
//! it is deleted without its pods, which run on, and the new one takes them over.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use wanqu_crds::kinds::Jurisdiction;

use super::Problem;
use super::dereference::Inputs;
use crate::context::Context;
use crate::framework::apply::{Applier, Built, display_name};
use crate::framework::conditions::{Reason, Type};
use crate::framework::labels::{MANAGER, is_made_for};
use crate::framework::quantity::Quantity;
use crate::framework::watched::in_namespace;
use crate::framework::{Error, Result};
use crate::host::{self, Host};
use crate::names;

/// Outcome of writing the workload.
pub(super) enum Workload {
    /// It is so, as desired or as it is left.
    Is(Box<StatefulSet>),
    /// It is as desired but for its disks, which cannot be so.
    ButDisks(Problem),
    /// It is being made anew, while its pods run on.
    Anew,
    /// It is as it was: its change waits for the workload of this member, whose copies do not all run.
    Waits(String),
}

/// What becomes of a workload. Pure.
struct Plan {
    /// The workload as it can be.
    desired: StatefulSet,
    /// True if it has to be made anew.
    anew: bool,
    /// The size to which the disks grow before.
    grow: Option<String>,
    /// The reason for which the disks stay as they are.
    problem: Option<Problem>,
}

/// Brings the workload to what is desired, as far as it can be.
pub(super) async fn ensure(
    context: &Context,
    jurisdiction: &Jurisdiction,
    inputs: &Inputs,
    applier: &Applier<'_>,
    desired: StatefulSet,
) -> Result<Workload> {
    let (namespace, name) = (inputs.target.namespace(), desired.name_any());
    let Some(seen) = applier.get::<StatefulSet>(namespace, &name).await? else {
        return written(applier, desired, None).await;
    };
    let plan = plan(&seen, desired.clone());
    if !plan.anew && seen.metadata.deletion_timestamp.is_none() {
        // Held until the change is written, so that of two members one sees the other's.
        let _rolling = context.rolling.lock().await;
        if is_whole(&seen)
            && applier.restarts(&seen, &plan.desired)
            && let Some(other) = first_rolling(context, jurisdiction).await?
        {
            return Ok(Workload::Waits(other));
        }
        return written(applier, plan.desired, plan.problem).await;
    }
    // The store may lag behind: it may have been made anew already.
    let Some(live) = applier.live::<StatefulSet>(namespace, &name).await? else {
        return written(applier, desired, None).await;
    };
    if live.metadata.deletion_timestamp.is_some() {
        return Ok(Workload::Anew);
    }
    let mut plan = self::plan(&live, desired);
    if let Some(size) = &plan.grow
        && let Some(client) = inputs.target.client(context)
        && let Err(problem) = grow(&client, jurisdiction, namespace, &live, size).await?
    {
        plan = plan.without_disks(&live, problem);
    }
    if !plan.anew {
        return written(applier, plan.desired, plan.problem).await;
    }
    applier.orphan(&live).await?;
    let note = "its StatefulSet is made anew, because its selector or its disks change; its pods run on".to_owned();
    context.events.normal(jurisdiction, "MakeAnew", "WorkloadMadeAnew", note).await;
    Ok(Workload::Anew)
}

async fn written(applier: &Applier<'_>, desired: StatefulSet, problem: Option<Problem>) -> Result<Workload> {
    let set = applier.apply(Built::new(desired)).await?.get().clone();
    Ok(problem.map_or_else(|| Workload::Is(Box::new(set)), Workload::ButDisks))
}

/// Returns true if all copies run as the workload says.
fn is_whole(set: &StatefulSet) -> bool {
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let Some(status) = &set.status else { return false };
    status.observed_generation >= set.metadata.generation
        && status.ready_replicas.unwrap_or(0) == wanted
        && status.updated_replicas.unwrap_or(0) == wanted
}

/// Returns the name of another member of the federation in this cluster whose copies do not all run, by the API server and no store:
/// its workload may have been changed a moment ago.
async fn first_rolling(context: &Context, jurisdiction: &Jurisdiction) -> Result<Option<String>> {
    let home = super::home(jurisdiction);
    for other in in_namespace(&context.catalogue.jurisdictions, &home) {
        let name = other.name_any();
        let placed = other.read_fields(&["spec.placement"]).filter(|placed| Host::of(placed).is_here());
        let Some(namespace) = placed.and_then(|placed| host::namespace(placed, &home)) else { continue };
        if name == jurisdiction.name_any() || !context.children.are_read(&namespace) {
            continue;
        }
        let sets: Api<StatefulSet> = Api::namespaced(context.client.clone(), &namespace);
        let doing = format!("get {}", display_name::<StatefulSet>(&namespace, &names::node(&name)));
        let set = sets.get_opt(&names::node(&name)).await.map_err(|error| Error::api(doing, error))?;
        if set.is_some_and(|set| is_made_for(&set, &home, &name) && !is_whole(&set)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Decides what becomes of a workload that is there.
fn plan(live: &StatefulSet, desired: StatefulSet) -> Plan {
    let plan = Plan { anew: differs(live, &desired), desired, grow: None, problem: None };
    let (Some(has), Some(wants)) = (disk(live), disk(&plan.desired)) else { return plan };
    if has.storage_class_name != wants.storage_class_name {
        let class =
            has.storage_class_name.as_deref().map_or("the cluster's default".to_owned(), |name| format!("{name:?}"));
        let problem = problem("className", &format!("the disks are of class {class}, and a disk stays in its class"));
        return plan.without_disks(live, problem);
    }
    let (Some(before), Some(after)) = (size(has), size(wants)) else { return plan };
    let text = after.to_owned();
    match (Quantity::parse(before), Quantity::parse(after)) {
        (Some(before_amount), Some(after_amount)) if after_amount.is_less_than(before_amount) => {
            let problem = problem("size", &format!("the disks have {before}, and a disk does not shrink to {after}"));
            plan.without_disks(live, problem)
        }
        (before, after) if before == after => plan,
        _ => Plan { anew: true, grow: Some(text), ..plan },
    }
}

impl Plan {
    /// The same with the disks that are there.
    fn without_disks(mut self, live: &StatefulSet, problem: Problem) -> Self {
        if let (Some(spec), Some(has)) = (self.desired.spec.as_mut(), live.spec.as_ref()) {
            spec.volume_claim_templates.clone_from(&has.volume_claim_templates);
        }
        let anew = differs(live, &self.desired);
        Self { anew, grow: None, problem: Some(problem), ..self }
    }
}

/// Returns true if fields differ that cannot be changed, other than disks.
fn differs(live: &StatefulSet, desired: &StatefulSet) -> bool {
    let fixed = |set: &StatefulSet| {
        let spec = set.spec.clone().unwrap_or_default();
        (spec.selector.match_labels, spec.service_name, spec.pod_management_policy)
    };
    fixed(live) != fixed(desired)
}

fn disk(set: &StatefulSet) -> Option<&PersistentVolumeClaimSpec> {
    let claims = set.spec.as_ref()?.volume_claim_templates.as_ref()?;
    claims.iter().find(|claim| claim.metadata.name.as_deref() == Some(names::DISK))?.spec.as_ref()
}

fn size(claim: &PersistentVolumeClaimSpec) -> Option<&str> {
    Some(&claim.resources.as_ref()?.requests.as_ref()?.get("storage")?.0)
}

fn problem(field: &str, problem: &str) -> Problem {
    Problem {
        of: Type::WorkloadReady,
        reason: Reason::StorageUnchanged,
        path: format!("spec.storage.{field}"),
        problem: format!("{problem}; everything else is as declared"),
        remedy: "take the change back".to_owned(),
    }
}

/// Has the disks of all copies grow, as far as there are any; what keeps one of them from it is a problem.
async fn grow(
    client: &Client,
    jurisdiction: &Jurisdiction,
    namespace: &str,
    live: &StatefulSet,
    size: &str,
) -> Result<Result<(), Problem>> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let copies = live.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    for copy in 0..u32::try_from(copies).unwrap_or_default().max(jurisdiction.spec.replicas) {
        let name = names::disk(&jurisdiction.name_any(), copy);
        let doing = |verb: &str| format!("{verb} {}", display_name::<PersistentVolumeClaim>(namespace, &name));
        let found = claims.get_opt(&name).await.map_err(|error| Error::api(doing("get"), error))?;
        let Some(claim) = found else { continue };
        let has = claim.spec.as_ref().and_then(self::size).and_then(Quantity::parse);
        let wants = Quantity::parse(size);
        if has.zip(wants).is_none_or(|(has, wants)| !has.is_less_than(wants)) {
            continue;
        }
        let patch = json!({"metadata": {"uid": claim.uid()}, "spec": {"resources": {"requests": {"storage": size}}}});
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match claims
            .patch(&name, &params, &Patch::Merge(&patch))
            .await
            .map_err(|error| Error::api(doing("grow"), error))
        {
            Ok(_) => tracing::info!(claim = name, namespace, size, "a disk grows"),
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => return Ok(Err(problem("size", &error.to_string()))),
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn set(size: &str, class: &Value, selector: &str) -> StatefulSet {
        let claim = json!({
            "metadata": {"name": "state"},
            "spec": {"storageClassName": class, "resources": {"requests": {"storage": size}}},
        });
        let object = json!({
            "metadata": {"name": "hongkong-node"},
            "spec": {
                "replicas": 2, "serviceName": "hongkong-node", "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": {"a": selector}}, "template": {}, "volumeClaimTemplates": [claim],
            },
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn disks_grow_and_do_not_shrink_or_change_their_class() {
        let live = set("5Gi", &json!("fast"), "b");
        let told = |desired: StatefulSet| {
            let plan = plan(&live, desired);
            let left = disk(&plan.desired).and_then(size).unwrap().to_owned();
            (plan.anew, plan.grow, left, plan.problem.map(|problem| problem.message()))
        };
        assert_eq!(told(live.clone()), (false, None, "5Gi".to_owned(), None));
        assert_eq!(told(set("5120Mi", &json!("fast"), "b")), (false, None, "5120Mi".to_owned(), None), "as much");
        assert_eq!(told(set("6Gi", &json!("fast"), "b")), (true, Some("6Gi".to_owned()), "6Gi".to_owned(), None));
        let (anew, grow, left, problem) = told(set("4Gi", &json!("fast"), "b"));
        assert_eq!(
            (anew, grow, left),
            (false, None, "5Gi".to_owned()),
            "the rest is written with the disks as they are"
        );
        assert_eq!(
            problem.unwrap(),
            "spec.storage.size: the disks have 5Gi, and a disk does not shrink to 4Gi; everything else is as declared; take the \
             change back"
        );
        for class in [json!("slow"), Value::Null] {
            let (anew, _, left, problem) = told(set("9Gi", &class, "b"));
            assert_eq!((anew, left), (false, "5Gi".to_owned()));
            assert!(problem.unwrap().starts_with("spec.storage.className: the disks are of class \"fast\""));
        }
    }

    #[test]
    fn another_selector_makes_it_anew_whatever_its_disks_can_be() {
        let live = set("5Gi", &Value::Null, "before");
        let other = plan(&live, set("5Gi", &Value::Null, "b"));
        assert!(other.anew && other.grow.is_none() && other.problem.is_none());
        let smaller = plan(&live, set("4Gi", &Value::Null, "b"));
        assert!(smaller.anew && smaller.problem.is_some());
        assert_eq!(disk(&smaller.desired).and_then(size), Some("5Gi"));
    }
}
