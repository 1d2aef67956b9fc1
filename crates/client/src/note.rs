//! What travels beside the rows.

use serde::{Deserialize, Serialize};
use wanqu_model::answer::{Progress, Summary};

/// A message without rows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Note {
    /// How far it is.
    Progress(Progress),
    /// The account; the last message.
    Summary(Summary),
}
