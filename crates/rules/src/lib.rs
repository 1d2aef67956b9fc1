//! All that decides and reads no data: which tables a text can name, what an owner admits, how a query is split, and the
//! plan that merges what was released.
//!
//! ```text
//! at home      SQL ─▶ catalog ─▶ planner ─▶ fragments, and a plan over releases (merge)
//! at an owner  envelope ─▶ catalog ─▶ admission ─▶ AdmittedFragment
//! ```
//!
//! Values in, a decision out. The crate names no runtime, no wire and no store of its own; DataFusion's planner brings the
//! first and the last below it.

pub mod admission;
mod casts;
pub mod catalog;
pub mod envelope;
mod expressions;
mod fault;
mod fetched;
pub mod fragment;
mod functions;
mod half_away;
mod harmless;
pub mod merge;
pub mod parameters;
pub mod planner;
pub mod promise;
mod range;
pub mod row;
mod spell;
pub mod unit;
mod wanted;
mod words;
mod workarounds;

pub use fault::{error_kind, refusal_over_public, refusal_over_released, refusal_without_values};
pub use fetched::{Fetched, FetchedBytes};
pub use functions::{as_written, casts_of_texts, checked, one_form_of};
pub use harmless::{harmless, harmless_expr, maybe_null};
pub use wanted::while_wanted;
