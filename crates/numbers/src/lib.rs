//! Arithmetic over Arrow columns, as fast as arithmetic without checks or nearly so.
//!
//! The kernels are here, apart from the rules that use them, so that they are optimised in every profile.

mod floats;
mod integers;

pub use floats::in_one_form;
pub use integers::{Operation, in_range};
