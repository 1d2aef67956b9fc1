//! Step 6: the conditions of a jurisdiction.

use k8s_openapi::api::apps::v1::StatefulSet;
use wanqu_model::bundle::Agreement;

use super::apply::Bundled;
use super::dereference::{Inputs, Target};
use super::identity::Identity;
use super::workload::Workload;
use super::{Problem, reason_of};
use crate::compilation::Verdict;
use crate::framework::Error;
use crate::framework::conditions::{Claim, Reason, Type};
use crate::framework::findings::message;
use crate::node_reports::Copies;

/// Greatest number of objects left out of a bundle that a condition names.
const MOST_NAMED: usize = 10;

/// Conditions as they are known so far; each step adds to them.
pub(super) struct Progress {
    valid: Claim,
    identity: Claim,
    bundle: Claim,
    workload: Claim,
    remote: bool,
    agreements: Option<Vec<Agreement>>,
    step: Type,
}

impl Default for Progress {
    fn default() -> Self {
        let waiting = |of| Claim::unknown(of, Reason::Waiting, "an earlier step has not succeeded yet");
        Self {
            valid: waiting(Type::Valid),
            identity: waiting(Type::IdentityReady),
            bundle: waiting(Type::BundleCurrent),
            workload: waiting(Type::WorkloadReady),
            remote: false,
            agreements: None,
            step: Type::IdentityReady,
        }
    }
}

impl Progress {
    /// Adds the result of the compilation.
    pub(super) fn judged(&mut self, verdict: &Verdict, federated: bool) {
        self.valid = valid(verdict, federated);
    }

    /// Adds the cluster of its node.
    pub(super) fn placed(&mut self, target: &Target) {
        self.remote = matches!(target, Target::Remote { .. });
    }

    /// Adds that another operator runs the node.
    pub(super) fn elsewhere(&mut self, inputs: &Inputs) {
        let message = external(inputs);
        self.identity = Claim::yes(Type::IdentityReady, Reason::External, message.clone());
        self.bundle = Claim::yes(Type::BundleCurrent, Reason::External, message.clone());
        self.workload = Claim::yes(Type::WorkloadReady, Reason::External, message);
    }

    /// Sets the condition that an error from now on is about.
    pub(super) fn fails_at(&mut self, step: Type) {
        self.step = step;
    }

    /// Adds an error, to the condition of the step that it was met in.
    pub(super) fn failed(&mut self, error: &Error) {
        let reason = reason_of(error, self.remote);
        let message = if reason == Reason::ClusterUnreachable {
            format!(
                "spec.placement.kubeconfigSecret: {error}; check that the other cluster runs, and that the kubeconfig's \
                 server is its address"
            )
        } else {
            error.to_string()
        };
        let claim = Claim::no(self.step, reason, message);
        match self.step {
            Type::BundleCurrent => self.bundle = claim,
            Type::WorkloadReady => self.workload = claim,
            _ => self.identity = claim,
        }
    }

    /// Adds a problem that keeps the node from being placed.
    pub(super) fn faulty(&mut self, problem: &Problem) {
        let claim = Claim::no(problem.of, problem.reason, problem.message());
        match problem.of {
            Type::IdentityReady => self.identity = claim,
            Type::WorkloadReady => self.workload = claim,
            _ => self.valid = claim,
        }
    }

    /// Adds that the node has valid certificates.
    pub(super) fn identified(&mut self, identity: &Identity) {
        let whose = if identity.users_own { "the authority of its Secret" } else { "its own authority" };
        let rotation = identity.rotation.map(|rotation| format!("; {rotation}")).unwrap_or_default();
        let message = format!("{whose} issued certificates, which are renewed before they expire{rotation}");
        self.identity = Claim::yes(Type::IdentityReady, Reason::Issued, message);
    }

    /// Adds the outcome of writing the bundle.
    pub(super) fn bundled(&mut self, inputs: &Inputs, bundled: &Bundled) {
        match bundled {
            Bundled::Nothing => {
                let message = "there is no bundle yet: either the federation has not compiled, and its condition Valid says \
                               why; or the authority of this jurisdiction is new, and the next bundle will have it";
                self.bundle = Claim::no(Type::BundleCurrent, Reason::Waiting, message);
                self.workload = Claim::no(Type::WorkloadReady, Reason::Waiting, message);
            }
            Bundled::TooLarge(bytes) => {
                let message = format!(
                    "its bundle has {bytes} bytes, more than a ConfigMap holds; the node keeps the one before; declare fewer \
                     datasets, or shorten descriptions"
                );
                self.bundle = Claim::no(Type::BundleCurrent, Reason::TooLarge, message);
            }
            Bundled::Told(copies) => {
                self.agreements = inputs.bundle.as_ref().map(|_| inputs.agreements.clone());
                self.bundle = bundle(inputs);
                if self.bundle.holds == Some(true)
                    && let Some(lacking) = lacking(copies)
                {
                    self.bundle = lacking;
                }
            }
        }
    }

    /// Adds the outcome of writing the workload; without one, that waits for a bundle.
    pub(super) fn applied(&mut self, inputs: &Inputs, written: Option<&Workload>) {
        match written {
            None => {}
            Some(Workload::Is(stateful_set)) => self.workload = workload(stateful_set, inputs),
            Some(Workload::ButDisks(problem)) => self.faulty(problem),
            Some(Workload::Waits(other)) => {
                let message = format!(
                    "its copies run as before, and restart once those of Jurisdiction {other} all run: one member restarts at a time"
                );
                self.workload = Claim::no(Type::WorkloadReady, Reason::RollingOut, message);
            }
            Some(Workload::Anew) => {
                let message = "its StatefulSet is being made anew, because its selector or its disks change, which cannot be \
                               changed in one that is there; its pods run on";
                self.workload = Claim::no(Type::WorkloadReady, Reason::RollingOut, message);
            }
        }
    }

    /// Adds that its workload is left as it is.
    pub(super) fn paused(&mut self) {
        self.workload.message.push_str("; spec.paused is true, so its workload stays as it is until it is false");
    }

    /// Adds that an earlier node of it may run on in a namespace that cannot be read.
    pub(super) fn out_of_sight(&mut self, namespace: &str) {
        let message = format!(
            "in namespace {namespace}, where its node was placed before, it may run on by permissions that have been withdrawn: this \
             operator cannot read that namespace; give its account the chart's Role there, so that the node is removed"
        );
        self.workload = Claim::no(Type::WorkloadReady, Reason::NamespaceUnreadable, message);
    }

    /// Returns the agreements of the bundle that was written; `None` if none was.
    pub(super) fn agreements(&self) -> Option<&[Agreement]> {
        self.agreements.as_deref()
    }

    /// Returns the reason for which the node is not known to run the latest bundle; `None` if it runs that.
    pub(super) fn lacking(&self) -> Option<&str> {
        (self.bundle.holds != Some(true)).then_some(&*self.bundle.message)
    }

    /// Returns all conditions. Ready is true if all others are.
    pub(super) fn claims(self) -> Vec<Claim> {
        let mut claims = vec![self.valid, self.identity, self.bundle, self.workload];
        // One that waits for an earlier step says less than the one at fault.
        let at_fault = claims.iter().find(|claim| claim.holds == Some(false) || claim.reason == Reason::NoFederation);
        let ready = match at_fault.or_else(|| claims.iter().find(|claim| claim.holds != Some(true))) {
            Some(claim) => Claim { of: Type::Ready, holds: Some(false), ..claim.clone() },
            None if claims[3].reason == Reason::External => Claim { of: Type::Ready, ..claims[3].clone() },
            None => Claim::yes(Type::Ready, Reason::AsDeclared, "its node runs the latest bundle"),
        };
        claims.push(ready);
        claims
    }
}

/// Returns the condition `Valid`, by the result of the compilation.
fn valid(verdict: &Verdict, federated: bool) -> Claim {
    match verdict {
        _ if !federated => {
            let message =
                "there is no Federation in its namespace that can be read; add one with its trustDomain and members";
            Claim::unknown(Type::Valid, Reason::NoFederation, message)
        }
        Verdict::NotCompiled => Claim::unknown(Type::Valid, Reason::Waiting, "it has not been compiled yet"),
        Verdict::Valid => {
            Claim::yes(Type::Valid, Reason::Compiled, "it is valid, and so is everything that it refers to")
        }
        Verdict::Invalid(findings) => Claim::no(Type::Valid, Reason::Invalid, message(findings)),
        Verdict::LeftOut(findings) => Claim::no(Type::Valid, Reason::LeftOut, message(findings)),
    }
}

/// Returns the message about a member that another operator runs.
fn external(inputs: &Inputs) -> String {
    let message = "its node is run by another operator; the condition Agreed of each agreement with it says whether both \
                   hold the same terms";
    with_missing_addresses(message.to_owned(), inputs)
}

/// Adds what follows from the addresses that the Jurisdiction does not give.
fn with_missing_addresses(mut message: String, inputs: &Inputs) -> String {
    if let Some(missing_addresses) = inputs.missing_addresses {
        message.extend(["; ", missing_addresses]);
    }
    message
}

fn bundle(inputs: &Inputs) -> Claim {
    match &inputs.bundle {
        _ if !inputs.federation.there => {
            let message = "there is no Federation in its namespace that can be read, so nothing is compiled; the node runs what it \
                           has, with certificates that are renewed";
            Claim::no(Type::BundleCurrent, Reason::NoFederation, message)
        }
        Some(file) if inputs.current => {
            let message = format!("it has the latest bundle, sha256:{}", file.digest);
            Claim::yes(Type::BundleCurrent, Reason::Compiled, message)
        }
        None if inputs.current => {
            let message = "the authority of this jurisdiction is new, and the next bundle will have it";
            Claim::no(Type::BundleCurrent, Reason::Waiting, message)
        }
        _ => {
            let message = "nothing can be compiled, and the Federation's condition Valid says why; the node runs what compiled last";
            Claim::no(Type::BundleCurrent, Reason::Invalid, message)
        }
    }
}

/// Returns the condition `BundleCurrent` while copies lack the latest bundle or a part of it; `None` if none do.
fn lacking(copies: &Copies) -> Option<Claim> {
    if !copies.too_old.is_empty() {
        let mut objects: Vec<String> = copies.left_out.iter().take(MOST_NAMED).cloned().collect();
        if copies.left_out.len() > MOST_NAMED {
            objects.push(format!("{} more", copies.left_out.len() - MOST_NAMED));
        }
        let message = format!(
            "{} has the latest bundle and leaves out what its version does not understand, so that nobody can use it: {}; \
             upgrade the nodes' image to version {} (the chart's value image), or take the new fields back",
            copies.too_old.join(", "),
            objects.join(", "),
            env!("CARGO_PKG_VERSION")
        );
        return Some(Claim::no(Type::BundleCurrent, Reason::NodeTooOld, message));
    }
    let behind = copies.behind.join(", ");
    let message = format!("{behind} runs another bundle still, or does not report it; this is checked again");
    (!behind.is_empty()).then(|| Claim::no(Type::BundleCurrent, Reason::RollingOut, message))
}

fn workload(stateful_set: &StatefulSet, inputs: &Inputs) -> Claim {
    let wanted = stateful_set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = stateful_set.status.clone().unwrap_or_default();
    let seen = status.observed_generation >= stateful_set.metadata.generation;
    let (ready, updated) = (status.ready_replicas.unwrap_or(0), status.updated_replicas.unwrap_or(0));
    if seen && ready == wanted && updated == wanted {
        let message = with_missing_addresses(format!("{ready} of {wanted} copies are ready"), inputs);
        return Claim::yes(Type::WorkloadReady, Reason::Available, message);
    }
    let why = match &inputs.pod_problems[..] {
        [] => "kubectl describe pod says why".to_owned(),
        pod_problems => pod_problems.join("; "),
    };
    let message = format!("{ready} of {wanted} copies are ready and {updated} run the latest version; {why}");
    Claim::no(Type::WorkloadReady, Reason::RollingOut, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(behind: &[&str], too_old: &[&str], left_out: impl IntoIterator<Item = String>) -> Copies {
        let names = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        Copies { behind: names(behind), too_old: names(too_old), left_out: left_out.into_iter().collect() }
    }

    #[test]
    fn copies_that_are_too_old_are_told_from_those_that_are_about_to_load_the_bundle() {
        assert_eq!(lacking(&Copies::default()), None);
        let claim = lacking(&copies(&["hk-0", "hk-1"], &[], [])).unwrap();
        assert_eq!((claim.holds, claim.reason), (Some(false), Reason::RollingOut));
        assert!(claim.message.starts_with("hk-0, hk-1 runs another bundle still"), "{}", claim.message);

        let claim = lacking(&copies(&["hk-1"], &["hk-0"], ["table t: unknown".to_owned()])).unwrap();
        assert_eq!((claim.holds, claim.reason), (Some(false), Reason::NodeTooOld));
        assert!(claim.message.contains("so that nobody can use it: table t: unknown; upgrade the nodes' image"));
        assert!(claim.message.contains(env!("CARGO_PKG_VERSION")), "{}", claim.message);
    }

    #[test]
    fn a_condition_names_some_of_the_objects_that_are_left_out_and_counts_the_rest() {
        let claim = lacking(&copies(&[], &["hk-0"], (0..25).map(|number| format!("table t{number:02}")))).unwrap();
        assert!(
            claim.message.contains("table t00, table t01") && claim.message.contains("table t09, 15 more; upgrade")
        );
        assert!(!claim.message.contains("table t10"), "{}", claim.message);
    }
}
