//! Readers of bytes that come over connections, and of bundles.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema};
use arrow_flight::FlightData;
use jiff::Timestamp;
use query_node::exchange::{MAX_DEADLINE, ReplayGuard, open, sign_json};
use tokio_rustls::rustls::{ServerConfig, ServerConnection};
use wanqu_client::decode::{self, MAX_ROWS_WITHOUT_BYTES};
use wanqu_fixtures::identity::{authority, jid, node, trust};
use wanqu_identity::{DeliveryKey, NodeIdentity, Slot, TokenIssuer, TokenVerifier, server_config};
use wanqu_model::answer::TicketRequest;
use wanqu_model::bundle::NodeBundle;

/// The longest envelope that is read, in bytes.
const MOST_ENVELOPE: usize = 64 * 1024;
/// Bytes that a column of a message may take beyond those of the message: builders round up.
const MOST_BESIDE: usize = 4 * 1024 * 1024;

/// The node that sends envelopes.
pub(super) static HONG_KONG: LazyLock<NodeIdentity> = LazyLock::new(|| node(&authority("HK")));

/// The gateway that tokens are for.
pub(super) const AUDIENCE: &str = "wanqu:gba.test/HK";

/// Issuer of tokens, and the verifier of the gateway that they are for.
pub(super) static TOKENS: LazyLock<(TokenIssuer, TokenVerifier)> = LazyLock::new(|| {
    let issuer = TokenIssuer::new("https://id.example").expect("an issuer");
    let verifier = TokenVerifier::new(&[issuer.as_issuer(AUDIENCE)]).expect("a key of an issuer");
    (issuer, verifier)
});

/// Opens bytes as an envelope: as they are, and as the JSON of one with a signature that holds.
pub(super) fn envelope(bytes: &[u8]) {
    let now = Timestamp::now();
    let signed = sign_json(bytes, &HONG_KONG);
    for bytes in [bytes, &signed] {
        let guard = ReplayGuard::default();
        let peer = HONG_KONG.as_peer();
        let Ok(envelope) = open(bytes, &peer, &jid("MO"), MOST_ENVELOPE, &guard, now) else { continue };
        assert!(envelope.from == jid("HK") && envelope.to == jid("MO"), "{envelope:?}");
        assert!(envelope.deadline > now && envelope.deadline <= now + MAX_DEADLINE, "{envelope:?}");
        let again = open(bytes, &peer, &jid("MO"), MOST_ENVELOPE, &guard, now);
        assert!(again.is_err(), "one envelope was opened twice: {envelope:?}");
    }
}

/// Reads bytes as the ticket of a question.
pub(super) fn ticket(bytes: &[u8]) {
    let Ok(request) = serde_json::from_slice::<TicketRequest>(bytes) else { return };
    let written = serde_json::to_vec(&request).expect("a ticket can be written");
    let read: TicketRequest = serde_json::from_slice(&written).expect("a ticket that was written can be read");
    assert_eq!(serde_json::to_vec(&read).expect("a ticket can be written"), written);
}

/// Gives bytes to the exchange's side of a TLS handshake. They never complete it: the sender has no key.
pub(super) fn handshake(bytes: &[u8]) {
    static CONFIG: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
        let macau = authority("MO");
        let identity: Slot<_> = node(&macau).into();
        server_config(&identity, &trust(&[("MO", &macau)])).expect("an identity for TLS")
    });
    let mut server = ServerConnection::new(Arc::clone(&CONFIG)).expect("a server's side");
    let mut input = Cursor::new(bytes);
    while server.wants_read() && server.read_tls(&mut input).is_ok_and(|read| read > 0) {
        if server.process_new_packets().is_err() {
            break;
        }
        let mut output = vec![];
        let _ = server.write_tls(&mut output);
    }
    assert!(server.is_handshaking() && server.peer_certificates().is_none(), "a handshake without a key");
}

/// Reads bytes as messages of columns and rows, of which the first four bytes give the lengths, and as a stream of Arrow IPC.
pub(super) fn rows(bytes: &[u8]) {
    if let Some((lengths, rest)) = bytes.split_first_chunk::<4>() {
        let [a, b, c, d] = *lengths;
        let (columns, rest) = rest.split_at(usize::from(u16::from_le_bytes([a, b])).min(rest.len()));
        let (head, body) = rest.split_at(usize::from(u16::from_le_bytes([c, d])).min(rest.len()));
        let announced = FlightData { data_header: columns.to_vec().into(), ..FlightData::default() };
        let message =
            FlightData { data_header: head.to_vec().into(), data_body: body.to_vec().into(), ..FlightData::default() };
        let schema = decode::columns(&announced).unwrap_or_else(|_| two_columns());
        if let Ok(batch) = decode::rows(&message, &Arc::new(schema)) {
            assert!(batch.num_rows() <= MAX_ROWS_WITHOUT_BYTES + 8 * bytes.len(), "{} rows", batch.num_rows());
            assert!(batch.get_array_memory_size() <= MOST_BESIDE + 16 * bytes.len());
        }
    }
    if let Ok((_, batches)) = decode::ipc_stream(bytes) {
        let rows: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
        assert!(rows <= (MAX_ROWS_WITHOUT_BYTES + 8) * (1 + bytes.len() / 8), "{rows} rows");
    }
}

/// Columns of texts and integers.
pub(super) fn two_columns() -> Schema {
    Schema::new(vec![Field::new("t", DataType::Utf8View, true), Field::new("n", DataType::Int64, true)])
}

/// Reads bytes as the bundle of a node. The bundle that is read can be written and read again, with nothing left out.
pub(super) fn bundle(bytes: &[u8]) {
    let Ok(read) = NodeBundle::read(bytes) else { return };
    let written = serde_json::to_vec(&read.bundle).expect("a bundle can be written");
    let again = NodeBundle::read(&written).unwrap_or_else(|error| panic!("what is left of a bundle is none: {error}"));
    assert!(again.left_out.is_empty(), "{:?}", again.left_out);
    assert_eq!(again.bundle, read.bundle);
}

/// Verifies bytes as a token, and opens them as a sealed one. Only tokens that the issuer made hold.
pub(super) fn token(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let now = Timestamp::now();
    if let Ok(bearer) = TOKENS.1.verify(text, now) {
        let subject = bearer.subject;
        assert_eq!((subject.issuer.as_str(), subject.subject.as_str()), ("https://id.example", "wei"));
    }
    assert!(DeliveryKey::new().open(text, &["context"]).is_err(), "a token for a key that nobody has seen");
}
