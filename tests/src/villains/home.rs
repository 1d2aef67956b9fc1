//! Hostile home: a gateway with a valid identity that keeps the tokens it is shown, and shows them elsewhere.

use std::sync::Arc;

use arrow_flight::flight_service_server::FlightServiceServer;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Server;
use wanqu_client::Client;
use wanqu_identity::{Slot, Validity, gateway_server_config};

use super::owner::{Service, accepted};
use crate::federation::{Federation, jid};

/// Hostile home. Its gateway is open until this is dropped.
pub struct HostileHome {
    address: String,
    ca: String,
    tokens: Arc<Mutex<Vec<String>>>,
    _stop: DropGuard,
}

impl HostileHome {
    /// Opens a gateway with the identity of `jurisdiction`, which answers nothing.
    ///
    /// # Panics
    /// If the jurisdiction is no member, or nothing can be listened to.
    pub async fn open(federation: &Federation, jurisdiction: &str) -> Self {
        let authority = federation.local.authority(&jid(jurisdiction)).expect("a member");
        let identity = authority.issue_gateway(Validity::days(Timestamp::now(), 1)).expect("an identity");
        let tls = TlsAcceptor::from(gateway_server_config(&Slot::from(identity)).expect("an identity for TLS"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let tokens = Arc::<Mutex<Vec<String>>>::default();
        let stop = CancellationToken::new();
        let service = FlightServiceServer::new(Service { answer: Arc::default(), tokens: Arc::clone(&tokens) });
        let until = stop.clone().cancelled_owned();
        tokio::spawn(Server::builder().serve_with_incoming_shutdown(service, accepted(listener, tls), until));
        Self { address, ca: authority.certificate_pem().to_owned(), tokens, _stop: stop.drop_guard() }
    }

    /// Returns a client of its gateway, as a researcher has one. Nothing tells the gateway from an honest one.
    ///
    /// # Panics
    /// If the token cannot be sent.
    #[must_use]
    pub fn client(&self, token: &str) -> Client {
        Client::connect(&self.address, &self.ca, token, None).expect("a client")
    }

    /// Returns the tokens that it was shown.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        self.tokens.lock().clone()
    }

    /// Shows another gateway the last token that it was shown.
    ///
    /// # Panics
    /// If it was shown none, or the other is no member.
    #[must_use]
    pub fn replay_at(&self, federation: &Federation, other: &str) -> Client {
        let token = self.tokens.lock().last().expect("a token").clone();
        let (gateway, ca) = (federation.local.gateway(&jid(other)), federation.local.ca(&jid(other)));
        Client::connect(&gateway.expect("a member"), ca.expect("a member"), &token, None).expect("a client")
    }
}
