//! Step 2: whether a jurisdiction can be placed as it says.

use kube::ResourceExt;
use wanqu_crds::kinds::Jurisdiction;

use super::Problem;
use super::dereference::Inputs;
use crate::framework::conditions::{Reason, Type};

/// The longest name of a Jurisdiction whose node's pods still have names: `NAME-exchange` is a DNS label.
const MAX_NAME: usize = 50;

/// Whether it can be placed.
pub(super) fn validate(jurisdiction: &Jurisdiction, inputs: &Inputs) -> Result<(), Problem> {
    let name = jurisdiction.name_any();
    if name.len() > MAX_NAME || name.contains('.') {
        return Err(Problem {
            of: Type::Valid,
            reason: Reason::Invalid,
            path: "metadata.name".to_owned(),
            problem: "names of Services are made of it, and it has a point or more than 50 letters".to_owned(),
            remedy: "give the Jurisdiction a shorter name without points".to_owned(),
        });
    }
    inputs.astray.clone().map_or(Ok(()), Err)
}
