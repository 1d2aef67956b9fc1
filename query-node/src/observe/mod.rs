//! What may be seen of a node from outside its two doors: whether it is fit to be asked, which bundle is in force, and
//! how much of what it did. Plain HTTP, for the cluster's own eyes: nothing of the data, of a question's text or of a
//! person is served there.

mod course;
mod metrics;

pub use course::Course;
pub use metrics::{Door, Metrics};
