//! The plan of the merge at home: the leaves that read releases, and the functions that combine them.

mod average;
mod if_released;
mod moments;
mod narrow;
mod release_table;

pub use average::decimal_average;
pub use if_released::if_released;
pub(crate) use moments::Moments;
pub use moments::merge_moments;
pub use narrow::narrow;
pub use release_table::{OWNER_COLUMN, Part, Reading, ReleaseTable};
