//! The gate: the disclosure control that every release passes at its owner.

mod release;

pub use release::{AuditReference, AuditedRelease, GateAccount, GatedRelease};
