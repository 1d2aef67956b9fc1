//! The question of a run: asked at its home node in the requester's name, and its answer read to the end.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::ResourceExt;
use wanqu_client::Client;
use wanqu_crds::kinds::FederatedQuery;
use wanqu_model::answer::{Answer, Event, Keep, Question};
use wanqu_model::refusal::{Code, Refusal};

use super::dereference::OwnTokens;
use super::validate::Accepted;
use crate::context::Context;
use crate::runs::Answered;
use crate::runs::inline::Rows;

/// Lifetime of a token, if the gateway takes tokens that live for so long. The node checks it once, when the question arrives.
const TOKEN: Duration = Duration::from_mins(2);

/// Pauses before a gateway that did not begin with a question is asked again.
const PAUSES: &[Duration] =
    &[Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// Seconds for which the home node keeps an answer if the query does not say.
const KEEP: u32 = 7 * 24 * 60 * 60;

/// Everything that is needed to ask.
struct Asker {
    question: Question,
    inline_rows: u32,
    endpoint: String,
    server_name: String,
    ca: String,
    requester: String,
    tokens: OwnTokens,
    issuer: Arc<wanqu_identity::TokenIssuer>,
}

/// Returns the future that asks an accepted query.
pub(super) fn asking(
    context: &Context,
    query: &FederatedQuery,
    accepted: &Accepted,
) -> impl Future<Output = Result<Answered, Refusal>> + Send + 'static {
    let spec = &query.spec;
    // A query with a schedule does not finish, so no time counts from its end.
    let ttl = spec.ttl_seconds_after_finished.filter(|_| spec.schedule.is_none());
    let asker = Asker {
        question: Question {
            sql: spec.sql.clone(),
            project: spec.project.clone(),
            purpose: spec.purpose.clone(),
            partial: spec.partial,
            mark_incomplete: spec.mark_incomplete,
            keep: Some(Keep { ttl_seconds: ttl.unwrap_or(KEEP).max(60) }),
        },
        inline_rows: spec.inline_rows,
        endpoint: context.settings.gateway(&accepted.namespace, &accepted.service),
        server_name: accepted.server_name.clone(),
        ca: accepted.ca.clone(),
        requester: accepted.requester.clone(),
        tokens: accepted.tokens.clone(),
        issuer: Arc::clone(&accepted.issuer),
    };
    let name = query.name_any();
    async move { asker.ask(&name, PAUSES).await }
}

impl Asker {
    /// Asks until the gateway takes the question. What an owner may have begun with is never asked again: a connection that
    /// broke after the question was sent may have cost a release already.
    async fn ask(&self, name: &str, pauses: &[Duration]) -> Result<Answered, Refusal> {
        let mut pauses = pauses.iter();
        loop {
            let unanswered = match self.client()?.ask_once(&self.question).await {
                Ok(answer) => return self.take(answer).await,
                Err(unanswered) => unanswered,
            };
            let Some(pause) = pauses.next().filter(|_| !unanswered.may_have_begun) else {
                return Err(unanswered.refusal);
            };
            tracing::info!(name, code = %unanswered.refusal.code, "the gateway did not begin; it is asked again");
            tokio::time::sleep(*pause).await;
        }
    }

    /// Returns a client with a new token. The node judges that by its own clock, so it holds from the machine's time on.
    fn client(&self) -> Result<Client, Refusal> {
        let OwnTokens { audience, longest } = &self.tokens;
        let token = self.issuer.issue(&self.requester, audience, Timestamp::now(), TOKEN.min(*longest));
        let token = token.map_err(|error| Refusal::new(Code::Identity, error.to_string()))?;
        Client::connect(&self.endpoint, &self.ca, &token, Some(&self.server_name))
    }

    async fn take(&self, mut answer: Answer) -> Result<Answered, Refusal> {
        let mut rows = Rows::up_to(self.inline_rows);
        while let Some(event) = answer.next().await {
            match event? {
                Event::Progress(_) => {}
                Event::Schema(schema) => rows.begin(&schema),
                Event::Batch(batch) => rows.take(&batch),
                Event::Summary(summary) => return Ok(Answered { inline: rows.finish(&summary), summary }),
            }
        }
        Err(Refusal::new(Code::OwnerUnavailable, "the answer broke off before its end"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinSet;
    use tokio_rustls::TlsAcceptor;
    use wanqu_identity::{Authority, Slot, TokenIssuer, Validity, gateway_dns, gateway_server_config};
    use wanqu_model::audience::gateway_audience;

    use super::*;

    const DOMAIN: &str = "gba.example";
    const SHORT: &[Duration] = &[Duration::from_millis(1), Duration::from_millis(1)];

    /// A gateway that does `each` with every connection, and how many there were.
    async fn gateway<Done: Future<Output = ()> + Send + 'static>(
        each: impl Fn(TcpStream) -> Done + Send + 'static,
        servers: &mut JoinSet<()>,
    ) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, connections) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&connections);
        servers.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                each(stream).await;
            }
        });
        (address, connections)
    }

    fn asker(endpoint: String, authority: &Authority) -> Asker {
        Asker {
            question: Question { sql: "SELECT 1".to_owned(), ..Question::default() },
            inline_rows: 10,
            endpoint,
            server_name: gateway_dns(DOMAIN, &"HK".parse().unwrap()),
            ca: authority.certificate_pem().to_owned(),
            requester: "wei".to_owned(),
            tokens: OwnTokens {
                audience: gateway_audience(DOMAIN, &"HK".parse().unwrap()),
                longest: Duration::from_hours(1),
            },
            issuer: Arc::new(TokenIssuer::new("kubernetes").unwrap()),
        }
    }

    fn authority() -> Authority {
        let validity = Validity::lasting(Timestamp::now(), Duration::from_hours(1));
        Authority::new("HK".parse().unwrap(), DOMAIN, validity).unwrap()
    }

    #[tokio::test]
    async fn a_question_whose_connection_broke_after_it_was_sent_is_not_asked_again() {
        let (authority, mut servers) = (authority(), JoinSet::new());
        let identity = authority.issue_gateway(Validity::lasting(Timestamp::now(), Duration::from_hours(1))).unwrap();
        let tls = TlsAcceptor::from(gateway_server_config(&Slot::from(identity)).unwrap());
        let (address, connections) = gateway(
            move |stream| {
                let tls = tls.clone();
                async move {
                    let mut stream = tls.accept(stream).await.unwrap();
                    // The preface of HTTP/2 and the beginning of what follows: the question may be under way.
                    stream.read_exact(&mut [0; 32]).await.unwrap();
                }
            },
            &mut servers,
        )
        .await;
        let refusal = asker(address, &authority).ask("q", SHORT).await.err().unwrap();
        assert_eq!((refusal.code, connections.load(Ordering::Relaxed)), (Code::OwnerUnavailable, 1));
    }

    #[tokio::test]
    async fn a_gateway_that_is_not_there_yet_is_asked_again() {
        let mut servers = JoinSet::new();
        // Each connection ends before its handshake does: nothing was sent.
        let (address, connections) = gateway(|stream| async move { drop(stream) }, &mut servers).await;
        let refusal = asker(address, &authority()).ask("q", SHORT).await.err().unwrap();
        assert_eq!((refusal.code, connections.load(Ordering::Relaxed)), (Code::OwnerUnavailable, 1 + SHORT.len()));
    }
}
