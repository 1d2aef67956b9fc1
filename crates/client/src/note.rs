//! Messages of an answer that carry no rows.

use serde::{Deserialize, Serialize};
use wanqu_model::answer::{Progress, Summary};

/// Message without rows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Note {
    /// Progress of the query.
    Progress(Progress),
    /// Account of the answer; the last message.
    Summary(Summary),
}
