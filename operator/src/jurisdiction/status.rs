//! Step 6: how a jurisdiction stands.

use k8s_openapi::api::apps::v1::StatefulSet;

use super::apply::Outcome;
use super::dereference::{Inputs, Place};
use super::identity::Identity;
use super::{Problem, reason_of};
use crate::framework::Error;
use crate::framework::conditions::{Claim, Reason, Type};
use crate::framework::findings::told;
use crate::realm::Verdict;

/// What is known so far; each step that is reached says more.
pub(super) struct Progress {
    valid: Claim,
    identity: Claim,
    bundle: Claim,
    workload: Claim,
    remote: bool,
}

impl Default for Progress {
    fn default() -> Self {
        let waiting = |of| Claim::unknown(of, Reason::Waiting, "something else comes first");
        Self {
            valid: waiting(Type::Valid),
            identity: waiting(Type::IdentityReady),
            bundle: waiting(Type::BundleCurrent),
            workload: waiting(Type::WorkloadReady),
            remote: false,
        }
    }
}

impl Progress {
    /// What the compiler says.
    pub(super) fn judged(&mut self, verdict: &Verdict, federated: bool) {
        self.valid = valid(verdict, federated);
    }

    /// Where it is placed is known.
    pub(super) fn placed(&mut self, place: &Place) {
        self.remote = matches!(place, Place::There { .. });
    }

    /// Somebody else runs it.
    pub(super) fn elsewhere(&mut self, inputs: &Inputs) {
        let message = external(inputs);
        self.identity = Claim::yes(Type::IdentityReady, Reason::External, message.clone());
        self.bundle = Claim::yes(Type::BundleCurrent, Reason::External, message.clone());
        self.workload = Claim::yes(Type::WorkloadReady, Reason::External, message);
    }

    /// A step failed: the first that has not said anything yet.
    pub(super) fn failed(&mut self, error: &Error) {
        let reason = reason_of(error, self.remote);
        let message = if reason == Reason::ClusterUnreachable {
            format!(
                "spec.placement.kubeconfigSecret: {error}; see that the other cluster runs, and that the kubeconfig's server \
                 is its address"
            )
        } else {
            error.to_string()
        };
        if self.identity.holds == Some(true) {
            self.workload = Claim::no(Type::WorkloadReady, reason, message);
        } else {
            self.identity = Claim::no(Type::IdentityReady, reason, message);
        }
    }

    /// Something keeps it from being placed.
    pub(super) fn faulty(&mut self, problem: &Problem) {
        let claim = Claim::no(problem.of, problem.reason, problem.told());
        match problem.of {
            Type::IdentityReady => self.identity = claim,
            Type::WorkloadReady => self.workload = claim,
            _ => self.valid = claim,
        }
    }

    /// It has certificates that hold.
    pub(super) fn identified(&mut self, identity: &Identity) {
        let whose = if identity.users_own { "the authority of its Secret" } else { "its own authority" };
        let rolled = identity.rolled.map(|rolled| format!("; {rolled}")).unwrap_or_default();
        let message = format!("{whose} issued certificates that are renewed before they end{rolled}");
        self.identity = Claim::yes(Type::IdentityReady, Reason::Issued, message);
    }

    /// Its objects are in the cluster, or why not.
    pub(super) fn applied(&mut self, inputs: &Inputs, outcome: &Outcome) {
        let no = |of, reason, message: String| Claim::no(of, reason, message);
        match outcome {
            Outcome::NoBundle => {
                let message = "there is no bundle yet: what the federation declares has not compiled, and its condition \
                               Valid says why; or its own authority is new, and about to be in one";
                self.bundle = no(Type::BundleCurrent, Reason::Waiting, message.to_owned());
                self.workload = no(Type::WorkloadReady, Reason::Waiting, message.to_owned());
            }
            Outcome::TooLarge(bytes) => {
                let message = format!(
                    "its bundle has {bytes} bytes, more than a ConfigMap holds; the node keeps the one before; let \
                     datasets and descriptions be fewer"
                );
                self.bundle = no(Type::BundleCurrent, Reason::TooLarge, message);
            }
            Outcome::Applied(resources, behind) => {
                self.bundle = bundle(inputs);
                if self.bundle.holds == Some(true) && !behind.is_empty() {
                    let message =
                        format!("{} runs another bundle still, or does not say; it follows", behind.join(", "));
                    self.bundle = no(Type::BundleCurrent, Reason::RollingOut, message);
                }
                self.workload = workload(resources.stateful_set.get(), inputs);
            }
            Outcome::Running(stateful_set) => {
                self.bundle = bundle(inputs);
                self.workload = workload(stateful_set, inputs);
            }
        }
    }

    /// All that is claimed: ready is what everything else holds of.
    pub(super) fn claims(self) -> Vec<Claim> {
        let mut claims = vec![self.valid, self.identity, self.bundle, self.workload];
        let ready = match claims.iter().find(|claim| claim.holds != Some(true)) {
            Some(claim) => Claim { of: Type::Ready, holds: Some(false), ..claim.clone() },
            None if claims[3].reason == Reason::External => Claim { of: Type::Ready, ..claims[3].clone() },
            None => Claim::yes(Type::Ready, Reason::AsDeclared, "its node runs what is declared"),
        };
        claims.push(ready);
        claims
    }
}

/// Whether it is in order, as the compiler sees it.
fn valid(verdict: &Verdict, federated: bool) -> Claim {
    match verdict {
        _ if !federated => {
            let message = "there is no Federation in its namespace; add one with its trustDomain and members";
            Claim::unknown(Type::Valid, Reason::NoFederation, message)
        }
        Verdict::Unseen => Claim::unknown(Type::Valid, Reason::Waiting, "it has not been compiled yet"),
        Verdict::InOrder => Claim::yes(Type::Valid, Reason::Compiled, "it fits everything that it refers to"),
        Verdict::Faulty(findings) => Claim::no(Type::Valid, Reason::Invalid, told(findings)),
    }
}

/// What is said of a member that somebody else runs.
fn external(inputs: &Inputs) -> String {
    let message = "its node is run by another operator; whether both hold the same terms is said by the condition Agreed \
                   of each agreement with it";
    with_unsaid(message.to_owned(), inputs)
}

/// What is said, and what the jurisdiction itself does not say of its addresses and should.
fn with_unsaid(mut message: String, inputs: &Inputs) -> String {
    if let Some(unsaid) = inputs.unsaid {
        message.extend(["; ", unsaid]);
    }
    message
}

fn bundle(inputs: &Inputs) -> Claim {
    match &inputs.bundle {
        Some(file) if inputs.current => {
            let message = format!("it has the bundle of what is declared, sha256:{}", file.digest);
            Claim::yes(Type::BundleCurrent, Reason::Compiled, message)
        }
        _ => {
            let message = "what the federation declares does not compile; the node runs what compiled last";
            Claim::no(Type::BundleCurrent, Reason::Invalid, message)
        }
    }
}

fn workload(stateful_set: &StatefulSet, inputs: &Inputs) -> Claim {
    let wanted = stateful_set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = stateful_set.status.clone().unwrap_or_default();
    let seen = status.observed_generation >= stateful_set.metadata.generation;
    let (ready, updated) = (status.ready_replicas.unwrap_or(0), status.updated_replicas.unwrap_or(0));
    if seen && ready == wanted && updated == wanted {
        let message = with_unsaid(format!("{ready} of {wanted} copies are ready"), inputs);
        return Claim::yes(Type::WorkloadReady, Reason::Available, message);
    }
    let why = match &inputs.complaints[..] {
        [] => "kubectl describe pod tells why one is not".to_owned(),
        complaints => complaints.join("; "),
    };
    let message = format!("{ready} of {wanted} copies are ready and {updated} run the latest version; {why}");
    Claim::no(Type::WorkloadReady, Reason::RollingOut, message)
}
