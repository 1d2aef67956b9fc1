//! The custom resources of Wanqu, and the pure compiler from them to node bundles.
//!
//! ```text
//! files ─▶ manifests ─▶ Resources ─┐
//!                                  ├─▶ compile ─▶ one NodeBundle per jurisdiction, or every Finding
//! cluster ───────────▶ Resources ──┘      ▲
//!                                    Placements (addresses, CAs, keys, folders)
//! ```

mod audiences;
mod compile;
mod finding;
pub mod generated;
pub mod kinds;
mod local_table;
pub mod manifests;
mod placements;
mod reference;
mod resources;
mod schedule;
mod schema;
mod sourced;

pub use audiences::Audiences;
pub use compile::{Compiled, Partial, advise, agreement_digest, check, compile, partial};
pub use finding::Finding;
pub use placements::{Placement, Placements};
pub use resources::Resources;
pub use schedule::{Schedule, ScheduleError};
pub use sourced::{Origin, Sourced};
