//! Actions of Flight SQL, of its sessions, and of cancelling.

use arrow_flight::sql::{ActionCancelQueryResult, Any, Command, ProstMessageExt};
use arrow_flight::{Action, CancelFlightInfoResult, CancelStatus};
use prost::Message;
use tonic::metadata::MetadataMap;
use wanqu_identity::Bearer;
use wanqu_model::refusal::{Code, Refusal};

use super::options::HOW;
use super::{not_offered, request};
use crate::gateway::Gateway;

/// Result of an action that closes a session. arrow-flight 59 has no messages of sessions.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct CloseSessionResult {
    /// What became of it: 1 is "closed".
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Session that is closed.
const CLOSED: CloseSessionResult = CloseSessionResult { status: 1 };

/// Result of an action that cancels a query: there is nothing to cancel.
const NOT_CANCELLABLE: i32 = 3;

impl Gateway {
    /// Performs an action of Flight SQL. Returns its result, if it has one.
    pub(in crate::gateway) async fn sql_action(
        &self,
        bearer: Bearer,
        headers: &MetadataMap,
        action: &Action,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        match action.r#type.as_str() {
            "CreatePreparedStatement" => match request::command(&action.body)? {
                Command::ActionCreatePreparedStatementRequest(request) => {
                    self.prepared(bearer, headers, request).await.map(Some)
                }
                _ => Err(Refusal::new(Code::Envelope, "the action does not fit its name")
                    .with_rule("CreatePreparedStatement has the text of a statement")),
            },
            // Nothing is held for a handle.
            "ClosePreparedStatement" => Ok(None),
            "CloseSession" => Ok(Some(CLOSED.encode_to_vec())),
            // No session has options: an empty list.
            "GetSessionOptions" => Ok(Some(Vec::new())),
            "SetSessionOptions" => Err(not_offered("an option of a session", HOW)),
            // A question is over when its client knows of it; before that, hanging up cancels it.
            "CancelFlightInfo" => Ok(Some(CancelFlightInfoResult::new(CancelStatus::NotCancellable).encode_to_vec())),
            "CancelQuery" => {
                Ok(Some(Any::encode_to_vec(&ActionCancelQueryResult { result: NOT_CANCELLABLE }.as_any())))
            }
            "RenewFlightEndpoint" => Err(not_offered("a longer time for an answer", "run the statement again")),
            "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => {
                Err(not_offered("a transaction", "ask without one: in Python, connect with autocommit=True"))
            }
            "CreatePreparedSubstraitPlan" => Err(not_offered("a plan of Substrait", "send the query as SQL")),
            _ => Err(Refusal::new(Code::UnknownName, "there is no such action")
                .with_rule("the actions are `catalog` and those of Flight SQL")
                .with_remedy("`catalog` lists the tables that a query can name")),
        }
    }
}
