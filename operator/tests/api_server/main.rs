//! The operator against a real API server. Nothing here needs a running pod.

mod agreed;
mod conditions;
mod copies;
mod corpus;
mod cut;
mod disks;
mod drift;
mod faults;
mod grants;
mod identities;
mod kept;
mod leader;
mod malformed;
mod mutations;
mod observe;
mod placement;
mod pods;
mod quiet;
mod rbac;
mod renamed;
mod rolling;
mod scale;
mod silence;
mod stolen;

use wanqu_operator_bed::{bed, guard, rights};
