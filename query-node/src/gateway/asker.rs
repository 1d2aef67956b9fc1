//! Asker of questions: each has a place before anybody is asked.

use std::sync::Arc;

use wanqu_identity::{Bearer, TokenFault, TokenVerifier};
use wanqu_model::answer::{Answer, TicketRequest};
use wanqu_model::listing::TableListing;
use wanqu_model::refusal::{Code, Refusal};

use super::listing::{list, marked, marked_elsewhere};
use super::work::Work;
use crate::doors::Doorway;
use crate::home::HomeService;

/// Bytes of a question beside its SQL text.
const QUESTION_SLACK: usize = 16 * 1024;

/// Rule of every call.
const RULE: &str = "a question comes with a token for this gateway, of an issuer that this jurisdiction accepts";

/// How clients of others' bring a token.
const BRING: &str = "bring a token of your issuer as the header `authorization: Bearer TOKEN`: in ADBC as the option \
                     adbc.flight.sql.authorization_header, in JDBC as the property token";

/// What asks the home node. Clones share one state.
#[derive(Clone)]
pub(super) struct Asker {
    pub tokens: TokenVerifier,
    pub service: Arc<dyn HomeService>,
    pub door: Doorway,
}

impl Asker {
    /// Returns the bearer of a token; `other_proof` is true if a proof of another kind was sent.
    ///
    /// # Errors
    /// [`Code::Identity`] if there is none that holds.
    pub fn bearer(&self, token: Option<&str>, other_proof: bool) -> Result<Bearer, Refusal> {
        let token = token.ok_or_else(|| {
            if other_proof {
                return Refusal::new(Code::Identity, "this gateway takes no user's name and password")
                    .with_rule(RULE)
                    .with_remedy(BRING);
            }
            Refusal::new(Code::Identity, "there is no token")
                .with_rule(RULE)
                .with_remedy("send it as metadata, `authorization: Bearer TOKEN`")
        })?;
        self.tokens.verify(token, self.door.clock.now()).map_err(|fault| refused(&fault))
    }

    /// Returns the length of the longest question that is accepted now, in bytes.
    pub fn max_question(&self) -> usize {
        self.door.limits.now().sql_bytes as usize * 2 + QUESTION_SLACK
    }

    /// Returns the tables that a question can name, with those marked that cannot be read.
    pub fn tables(&self) -> Vec<TableListing> {
        let mut tables = list(&self.service.catalog());
        if let Some((own, unavailable)) = self.service.unavailable() {
            tables = marked(tables, &own, &unavailable);
        }
        marked_elsewhere(tables, &self.service.unavailable_elsewhere())
    }

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

fn refused(fault: &TokenFault) -> Refusal {
    Refusal::new(Code::Identity, fault.to_string()).with_rule(RULE).with_remedy(fault.remedy())
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
