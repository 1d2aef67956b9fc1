//! Asker of questions: each has a place before anybody is asked.

use std::sync::Arc;

use wanqu_identity::{Bearer, TokenVerifier};
use wanqu_model::answer::{Answer, TicketRequest};
use wanqu_model::refusal::{Code, Refusal};

use super::server::refused;
use super::work::Work;
use crate::doors::Doorway;
use crate::home::HomeService;

/// What asks the home node. Clones share one state.
#[derive(Clone)]
pub(super) struct Asker {
    pub tokens: TokenVerifier,
    pub service: Arc<dyn HomeService>,
    pub door: Doorway,
}

impl Asker {
    /// Runs a request, once there is a place for it. `told` hears how many go first while there is none.
    pub async fn begun(
        &self,
        bearer: Bearer,
        request: TicketRequest,
        told: impl Fn(usize) + Send,
    ) -> Result<(Answer, Work), Refusal> {
        may_request(&bearer, &request)?;
        let work = Work::begin(&self.door, &bearer.subject, told).await?;
        self.ask(bearer, request, work).await
    }

    /// Runs a request for which there is a place.
    pub async fn ask(&self, bearer: Bearer, request: TicketRequest, work: Work) -> Result<(Answer, Work), Refusal> {
        let Bearer { subject: requester, single_use } = bearer;
        // Used up when there is a place for it, and not before: whoever is sent away comes again with the same token.
        if let Some(single_use) = &single_use {
            self.tokens.spend(single_use, self.door.clock.now()).map_err(|fault| refused(&fault))?;
        }
        let answer = match request {
            TicketRequest::Question(question) => self.service.ask(requester, question, work.cancel.clone()),
            TicketRequest::Fetch(fetch) => self.service.fetch(requester, fetch.result),
        };
        let answer = work.run(answer).await?;
        Ok((answer, work))
    }
}

/// Refuses a token for one result to everything else.
pub(super) fn may_request(bearer: &Bearer, request: &TicketRequest) -> Result<(), Refusal> {
    match request {
        TicketRequest::Question(_) if bearer.single_use.is_some() => Err(of_one_result()),
        _ => Ok(()),
    }
}

pub(super) fn of_one_result() -> Refusal {
    Refusal::new(Code::Identity, "the token is good for fetching one result, and for nothing else")
        .with_rule("a token that the operator delivers fetches one kept answer, once")
        .with_remedy("ask with a token of your own issuer")
}
