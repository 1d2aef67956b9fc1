//! Seeds: valid inputs of each kind, and some that are known to be hostile.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch, StringViewArray};
use arrow::ipc::writer::StreamWriter;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetTables, CommandPreparedStatementQuery, CommandStatementQuery, ProstMessageExt,
    TicketStatementQuery,
};
use futures::executor::block_on;
use futures::{TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use prost::Message;
use query_node::exchange::sign;
use tokio_rustls::rustls::ClientConnection;
use uuid::Uuid;
use wanqu_fixtures::bundle;
use wanqu_fixtures::hostile::{LIES, Parts};
use wanqu_fixtures::identity::{TRUST_DOMAIN, authority, jid, node, trust};
use wanqu_identity::{DeliveryKey, client_config, node_dns, seal};
use wanqu_rules::envelope::{ENVELOPE_VERSION, Envelope};

use super::wire::{AUDIENCE, HONG_KONG, TOKENS, two_columns};
use crate::attacks;

/// Envelopes with their signature, and their JSON alone.
pub(super) fn envelopes() -> Vec<Vec<u8>> {
    let now = Timestamp::now();
    let envelope = Envelope {
        version: ENVELOPE_VERSION,
        query_id: Uuid::nil(),
        fragment: 0,
        from: jid("HK"),
        to: jid("MO"),
        sql: "SELECT count(*) AS n FROM macau.health.visits".to_owned(),
        requester: bundle::researcher(),
        project: Some("study".parse().expect("a name")),
        purpose: Some(bundle::PURPOSE.parse().expect("a purpose")),
        agreement: Some("hk-to-mo".to_owned()),
        issued_at: now,
        deadline: now + SignedDuration::from_secs(30),
        nonce: Uuid::nil(),
        max_rows: 1000,
        traceparent: None,
    };
    vec![
        sign(&envelope, &HONG_KONG).expect("an envelope can be signed"),
        serde_json::to_vec(&envelope).expect("an envelope can be written"),
    ]
}

pub(super) fn tickets() -> Vec<Vec<u8>> {
    let question = r#"{"sql":"SELECT 1 AS one","project":"study","purpose":"health-planning","partial":true}"#;
    let fetch = format!(r#"{{"result":"{}"}}"#, Uuid::nil());
    vec![question.into(), r#"{"sql":"SELECT 1"}"#.into(), fetch.into_bytes()]
}

/// Commands, tickets and handles of Flight SQL.
pub(super) fn flight_sql() -> Vec<Vec<u8>> {
    let handle = br#"{"question":{"sql":"SELECT ? AS one","project":"study"},"values":["'x'"]}"#;
    let fetch = format!(r#"{{"result":"{}"}}"#, Uuid::nil());
    let text = |text: &str| Some(text.to_owned());
    let tables = CommandGetTables {
        catalog: text("gba"),
        db_schema_filter_pattern: text("h%"),
        table_name_filter_pattern: text("v\\_s"),
        table_types: vec!["TABLE".to_owned()],
        include_schema: true,
    };
    let messages = [
        CommandStatementQuery { query: "SELECT 1 AS one".to_owned(), transaction_id: None }.as_any(),
        CommandPreparedStatementQuery { prepared_statement_handle: handle.as_slice().into() }.as_any(),
        TicketStatementQuery { statement_handle: fetch.into_bytes().into() }.as_any(),
        CommandGetSqlInfo { info: vec![8, 513] }.as_any(),
        tables.as_any(),
    ];
    let mut seeds: Vec<Vec<u8>> = messages.iter().map(Message::encode_to_vec).collect();
    seeds.push(handle.to_vec());
    // Options of a session: as a cookie, and as a request that sets one.
    seeds.push(b"wanqu-session=eyJwcm9qZWN0Ijoic3R1ZHkiLCJwYXJ0aWFsIjp0cnVlfQ".to_vec());
    seeds.push(b"\x0a\x12\x0a\x07project\x12\x07\x0a\x05study".to_vec());
    seeds
}

/// The first message of a member's node.
pub(super) fn handshakes() -> Vec<Vec<u8>> {
    let (hong_kong, macau) = (authority("HK"), authority("MO"));
    let config = client_config(&node(&hong_kong), &trust(&[("MO", &macau)]), jid("MO")).expect("an identity for TLS");
    let name = node_dns(TRUST_DOMAIN, &jid("MO")).try_into().expect("a name for DNS");
    let mut client = ClientConnection::new(config, name).expect("a client's side");
    let mut hello = vec![];
    client.write_tls(&mut hello).expect("bytes in memory");
    vec![hello]
}

/// Messages of columns and rows as [`rows`](super::wire::rows) takes them, honest and lying ones, and a stream.
pub(super) fn rows() -> Vec<Vec<u8>> {
    let schema = Arc::new(two_columns());
    let texts = StringViewArray::from(vec![Some("longer than twelve bytes"), None, Some("CAR")]);
    let numbers = Int64Array::from(vec![Some(1), None, Some(-3)]);
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(texts), Arc::new(numbers)]).expect("a batch");
    let encoder =
        FlightDataEncoderBuilder::new().with_schema(Arc::clone(&schema)).build(stream::iter([Ok(batch.clone())]));
    let messages: Vec<_> = block_on(encoder.try_collect()).expect("rows can be encoded");
    let [columns, honest] = &messages[..] else { panic!("columns and rows: {messages:?}") };
    let lying = LIES.iter().map(|(_, lie)| {
        let mut parts = Parts::of(honest);
        lie(&mut parts);
        parts.message()
    });
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).expect("a short message").to_le_bytes();
    let mut seeds: Vec<Vec<u8>> = [honest.clone()]
        .into_iter()
        .chain(lying)
        .map(|message| {
            let (columns, head) = (&columns.data_header[..], &message.data_header[..]);
            [&length(columns)[..], &length(head), columns, head, &message.data_body[..]].concat()
        })
        .collect();
    let mut stream = vec![];
    let mut writer = StreamWriter::try_new(&mut stream, &schema).expect("a stream in memory");
    writer.write(&batch).and_then(|()| writer.finish()).expect("a stream in memory");
    drop(writer);
    seeds.push(stream);
    seeds
}

pub(super) fn bundles() -> Vec<Vec<u8>> {
    let mut full = bundle::empty();
    full.agreements = vec![bundle::agreement("hk-to-sz", "HK", "CN-SZ"), bundle::agreement("sz-to-hk", "CN-SZ", "HK")];
    let (slice, _) = bundle::dataset(&full, "people", "id: int64 identifier; n: int64 measure", bundle::rule(5, 1));
    full.slices = vec![slice];
    [bundle::empty(), full].iter().map(|bundle| serde_json::to_vec(bundle).expect("a bundle")).collect()
}

pub(super) fn tokens() -> Vec<Vec<u8>> {
    let token = TOKENS.0.issue("wei", AUDIENCE, Timestamp::now(), Duration::from_hours(1)).expect("a token");
    let sealed = seal(&token, &DeliveryKey::new().public(), &["context"]).expect("a sealed token");
    vec![token.into_bytes(), sealed.into_bytes()]
}

pub(super) fn literals() -> Vec<Vec<u8>> {
    let texts = ["", "'", "x\\') OR true --", "a''b", "\"", "$$", "/* */", "\0", "\u{2019} OR 1 = 1", "case", "深圳"];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Attacks by SQL, and brackets within each other.
pub(super) fn queries() -> Vec<Vec<u8>> {
    let nested = [("CAST((", ") AS INT)"), ("(SELECT (", "))"), ("x IN ((", "))"), ("CASE (", ") WHEN 1 THEN 2 END")];
    let nested = nested.map(|(open, close)| format!("SELECT {}1 1{}", open.repeat(40), close.repeat(40)));
    let attacks = attacks::all().into_iter().map(|attack| attack.sql).filter(|sql| sql.len() < 2_000);
    attacks.chain(nested).map(String::into_bytes).collect()
}
