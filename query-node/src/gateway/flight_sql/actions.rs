//! Actions of Flight SQL, of its sessions, and of cancelling.

use arrow_flight::sql::{ActionCancelQueryResult, Any, Command, ProstMessageExt};
use arrow_flight::{Action, CancelFlightInfoRequest, CancelFlightInfoResult};
use prost::Message;
use tonic::metadata::MetadataMap;
use wanqu_identity::Bearer;
use wanqu_model::refusal::{Code, Refusal};

use super::{not_offered, request, session};
use crate::doors::flight::Acted;
use crate::gateway::Gateway;

/// Result of an action that cancels a query: there is nothing to cancel.
const NOT_CANCELLABLE: i32 = 3;

impl Gateway {
    /// Performs an action of Flight SQL. Returns its result, if it has one.
    pub(in crate::gateway) async fn sql_action(
        &self,
        bearer: Bearer,
        headers: &MetadataMap,
        action: &Action,
    ) -> Result<Acted, Refusal> {
        match action.r#type.as_str() {
            "CreatePreparedStatement" => match request::command(&action.body)? {
                Command::ActionCreatePreparedStatementRequest(request) => {
                    self.prepared(bearer, headers, request).await.map(Acted::with)
                }
                _ => Err(Refusal::new(Code::Envelope, "the action does not fit its name")
                    .with_rule("CreatePreparedStatement has the text of a statement")),
            },
            // Nothing is held for a handle.
            "ClosePreparedStatement" => Ok(Acted::default()),
            "CloseSession" => Ok(session::close()),
            "GetSessionOptions" => session::get(headers),
            "SetSessionOptions" => session::set(headers, &action.body),
            "CancelFlightInfo" => {
                let request = CancelFlightInfoRequest::decode(action.body.clone()).map_err(|_| {
                    Refusal::new(Code::Envelope, "the action does not fit its name")
                        .with_rule("CancelFlightInfo has the FlightInfo of a statement")
                })?;
                let status = self.polled.cancel(&bearer.subject, &request.info.unwrap_or_default());
                Ok(Acted::with(CancelFlightInfoResult::new(status).encode_to_vec()))
            }
            // A query has ended when its client hears of it by this way; one that runs is cancelled by CancelFlightInfo, or by
            // hanging up.
            "CancelQuery" => {
                Ok(Acted::with(Any::encode_to_vec(&ActionCancelQueryResult { result: NOT_CANCELLABLE }.as_any())))
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
