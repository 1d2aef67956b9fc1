//! Step 2: whether a node can be placed as its Jurisdiction says. Pure.

use kube::ResourceExt;
use wanqu_crds::kinds::Jurisdiction;

use super::Problem;
use super::dereference::Inputs;
use crate::framework::conditions::{Reason, Type};

/// The longest name of a Jurisdiction: `NAME-exchange` and the names of pods are DNS labels.
const MAX_NAME: usize = 50;

/// Checks that the node can be placed.
pub(super) fn validate(jurisdiction: &Jurisdiction, inputs: &Inputs) -> Result<(), Problem> {
    let name = jurisdiction.name_any();
    if name.len() > MAX_NAME || name.contains('.') {
        return Err(Problem {
            of: Type::Valid,
            reason: Reason::Invalid,
            path: "metadata.name".to_owned(),
            problem: "names of Services are made of it, so it may have no dot and at most 50 characters".to_owned(),
            remedy: "give the Jurisdiction a shorter name without dots".to_owned(),
        });
    }
    inputs.access_problem.clone().map_or(Ok(()), Err)
}
