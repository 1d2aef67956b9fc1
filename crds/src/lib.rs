//! The language of Wanqu: its custom resources, and the pure compiler from them to node bundles.
//!
//! ```text
//! files ─▶ manifests ─▶ Resources ─┐
//!                                  ├─▶ compile ─▶ one NodeBundle per jurisdiction, or every Finding
//! cluster ───────────▶ Resources ──┘      ▲
//!                                    Placements (addresses, CAs, keys, folders)
//! ```

pub mod bundle;
pub mod columns;
mod compile;
mod finding;
pub mod generated;
pub mod kinds;
pub mod manifests;
pub mod names;
mod placements;
mod reference;
mod resources;
mod schedule;
mod schema;

pub use compile::{Compiled, advise, agreement_digest, check, compile};
pub use finding::{Finding, Origin};
pub use placements::{Placement, Placements};
pub use resources::{Resources, Sourced};
pub use schedule::{Schedule, ScheduleError};
