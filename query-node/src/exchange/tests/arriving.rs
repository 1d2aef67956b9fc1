//! Arrival of releases as they were sent, of refusals in full, and of nothing that was not asked for.

use wanqu_fixtures::hostile::{LIES, Parts};

use super::*;

#[tokio::test]
async fn no_message_of_an_owner_brings_a_node_down() {
    let border = Border::new();
    let encoder = FlightDataEncoderBuilder::new().with_schema(schema()).build(stream::iter([Ok(batch())]));
    let messages: Vec<FlightData> = encoder.try_collect().await.unwrap();
    let (head, parts) = (messages[0].clone(), Parts::of(&messages[1]));
    let honest = [head.clone(), parts.message(), report(2, "MO")];
    let exchange = border.hostile(move || honest.iter().cloned().map(Ok).collect()).await;
    assert_eq!(ask(&exchange).await.unwrap().0, [batch()], "this test's own messages are right");
    for (name, lie) in LIES {
        let mut parts = parts.clone();
        lie(&mut parts);
        let messages = [head.clone(), parts.message(), report(2, "MO")];
        let exchange = border.hostile(move || messages.iter().cloned().map(Ok).collect()).await;
        let refusal = ask(&exchange).await.expect_err(name);
        assert_eq!((refusal.code, &refusal.owner), (Code::ReleaseShape, &Some(jid("MO"))), "{name}: {refusal}");
        assert!(refusal.subject.is_some() && refusal.rule.is_some(), "{name}: {refusal}");
    }
}

#[tokio::test]
async fn rows_of_nulls_alone_come_in_pieces() {
    let border = Border::new();
    let nothing = Arc::new(Schema::new(vec![Field::new("n", DataType::Null, true)]));
    let column: ArrayRef = Arc::new(arrow::array::NullArray::new(200_000));
    let rows = RecordBatch::try_new(Arc::clone(&nothing), vec![column]).unwrap();
    let messages: Vec<FlightData> =
        crate::doors::wire::encode(&nothing, stream::iter([Ok(rows)])).try_collect().await.unwrap();
    let sent = messages.into_iter().chain([report(200_000, "MO")]).collect::<Vec<_>>();
    let exchange = border.hostile(move || sent.iter().cloned().map(Ok).collect()).await;
    let (mut envelope, mut fragment) = question();
    (envelope.max_rows, fragment.schema) = (1 << 20, nothing);
    let release = exchange.send(&envelope, &fragment).await.unwrap();
    let batches: Vec<RecordBatch> = release.batches.try_collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 200_000);
}

#[tokio::test]
async fn a_release_arrives_as_it_was_sent() {
    let border = Border::new();
    let (exchange, _questions) = border.owner(ROWS).await;
    let (envelope, fragment) = question();
    let release = exchange.send(&envelope, &fragment).await.unwrap();
    let bytes = Arc::clone(&release.bytes);
    let batches: Vec<_> = release.batches.try_collect().await.unwrap();
    assert_eq!(batches, [batch()]);
    let report = release.report.await.unwrap();
    assert_eq!((report.owner, report.rows), (jid("MO"), 2));
    assert!(bytes.load(Ordering::Relaxed) > 200);
    assert!(border.tap.saw("HK", &envelope.sql) && border.tap.saw("MO", "Nossa Senhora"));
    // The same connection again; and the same envelope again, which is a replay.
    assert!(ask(&exchange).await.is_ok());
    let refusal = exchange.send(&envelope, &fragment).await.err().unwrap();
    assert_eq!((refusal.code, refusal.owner), (Code::Envelope, Some(jid("MO"))));
}

#[tokio::test]
async fn large_releases_come_in_pieces() {
    let border = Border::new();
    let text = "x".repeat(1000);
    let column: ArrayRef = Arc::new(StringViewArray::from(vec![text.as_str(); 12_000]));
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8View, true)]));
    let large = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
    let sent = large.clone();
    let (exchange, _questions) =
        border.owner(move || Ok((sent.schema(), stream::iter([Ok(sent.clone())]).boxed()))).await;
    let (mut envelope, mut fragment) = question();
    envelope.max_rows = 20_000;
    fragment.schema = schema;
    let release = exchange.send(&envelope, &fragment).await.unwrap();
    let bytes = Arc::clone(&release.bytes);
    let batches: Vec<_> = release.batches.try_collect().await.unwrap();
    assert!(batches.len() > 4);
    assert_eq!(arrow::compute::concat_batches(&large.schema(), &batches).unwrap(), large);
    assert!(bytes.load(Ordering::Relaxed) < 14_000_000, "no piece brings the others' buffers");
}

#[tokio::test]
async fn releases_that_nobody_reads_yet_do_not_stop_others() {
    let border = Border::new();
    let column: ArrayRef = Arc::new(StringViewArray::from(vec!["x".repeat(1000).as_str(); 1000]));
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8View, true)]));
    let part = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
    let (exchange, _questions) =
        border.owner(move || Ok((part.schema(), stream::repeat(part.clone()).take(10).map(Ok).boxed()))).await;
    let mut waiting = Vec::new();
    for _ in 0..24 {
        let (mut envelope, mut fragment) = question();
        envelope.max_rows = 20_000;
        fragment.schema = Arc::clone(&schema);
        waiting.push(exchange.send(&envelope, &fragment).await.unwrap());
    }
    let last = waiting.pop().unwrap();
    let rows: Vec<RecordBatch> = last.batches.try_collect().await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 10_000);
}

#[tokio::test]
async fn refusals_cross_whole_and_failures_without_their_words() {
    let border = Border::new();
    let refusal = Refusal::new(Code::ColumnClass, "“name” is sealed")
        .with_rule("no fragment reads a sealed column")
        .with_owner(jid("MO"))
        .with_remedy("leave it out");
    let said = refusal.clone();
    let (exchange, _questions) = border.owner(move || Err(said.clone())).await;
    assert_eq!(ask(&exchange).await.unwrap_err(), refusal);
    assert!(border.tap.saw("MO", "is sealed"), "a refusal crosses, so the tap sees it");

    let said = refusal.clone();
    let late = move || Ok((schema(), stream::iter([Ok(batch()), Err(said.clone())]).boxed()));
    let (exchange, _questions) = border.owner(late).await;
    assert_eq!(ask(&exchange).await.unwrap_err(), refusal);

    let (exchange, _questions) = border.owner(|| panic!("CANARY")).await;
    let failure = ask(&exchange).await.unwrap_err();
    assert_eq!(failure.code, Code::Internal);
    assert!(!failure.to_string().contains("CANARY") && !border.tap.saw("MO", "CANARY"));

    let panics = || Ok((schema(), stream::poll_fn(|_| panic!("CANARY")).boxed()));
    let (exchange, _questions) = border.owner(panics).await;
    assert_eq!(ask(&exchange).await.unwrap_err().code, Code::Internal);
}

#[tokio::test]
async fn a_release_of_another_shape_is_not_taken() {
    let border = Border::new();
    let text = |name: &str| Field::new(name, DataType::Utf8View, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    for fields in [
        vec![text("district")],
        vec![text("district"), number("visits"), number("extra")],
        vec![text("name"), number("visits")],
        vec![number("visits"), text("district")],
        vec![text("district"), Field::new("visits", DataType::Int32, true)],
    ] {
        let other = Arc::new(Schema::new(fields));
        let (exchange, _questions) = border.owner(move || Ok((Arc::clone(&other), stream::empty().boxed()))).await;
        assert_eq!(ask(&exchange).await.unwrap_err().code, Code::ReleaseShape);
    }
    // Nulls where the fragment allows none.
    let nullable = || {
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringViewArray::from(vec!["a"])), Arc::new(Int64Array::from(vec![None]))];
        Ok((schema(), stream::iter([Ok(RecordBatch::try_new(schema(), columns).unwrap())]).boxed()))
    };
    let (exchange, _questions) = border.owner(nullable).await;
    let (envelope, mut fragment) = question();
    fragment.schema = Arc::new(Schema::new(vec![text("district"), Field::new("visits", DataType::Int64, false)]));
    let release = exchange.send(&envelope, &fragment).await.unwrap();
    let outcome: Result<Vec<_>, _> = release.batches.try_collect().await;
    assert_eq!(outcome.unwrap_err().code, Code::ReleaseShape);
    assert_eq!(release.report.await.unwrap_err().code, Code::ReleaseShape);
}

fn report(rows: u64, owner: &str) -> FlightData {
    let report = ReleaseReport {
        owner: jid(owner),
        rows,
        min_units: None,
        rounding: 1,
        publish_zeros: true,
        policies: Vec::new(),
        fetched_bytes: 0,
        left_out: Vec::new(),
        earlier_values: false,
        audit_sequence: 1,
        audit_digest: String::new(),
        receipt: None,
    };
    note(&report).unwrap()
}

#[tokio::test]
async fn an_owner_cannot_cut_short_or_add_to_a_release() {
    let border = Border::new();
    let encoder = FlightDataEncoderBuilder::new().with_schema(schema()).build(stream::iter([Ok(batch())]));
    let messages: Vec<FlightData> = encoder.try_collect().await.unwrap();
    let (head, rows) = (messages[0].clone(), messages[1].clone());
    let garbage = FlightData { data_header: vec![7; 64].into(), ..FlightData::default() };
    let mut broken = rows.clone();
    broken.data_body = broken.data_body.slice(..8);
    let odd_note = FlightData { app_metadata: b"{}".to_vec().into(), ..FlightData::default() };
    let cases: Vec<(&str, Vec<FlightData>, Code)> = vec![
        ("nothing", vec![], Code::OwnerUnavailable),
        ("only the schema", vec![head.clone()], Code::OwnerUnavailable),
        ("no report", vec![head.clone(), rows.clone()], Code::OwnerUnavailable),
        ("rows first", vec![rows.clone(), report(2, "MO")], Code::ReleaseShape),
        ("fewer rows than reported", vec![head.clone(), report(2, "MO")], Code::ReleaseShape),
        ("more rows than reported", vec![head.clone(), rows.clone(), report(1, "MO")], Code::ReleaseShape),
        ("rows after the report", vec![head.clone(), report(2, "MO"), rows.clone()], Code::ReleaseShape),
        ("another's report", vec![head.clone(), rows.clone(), report(2, "CN-SZ")], Code::ReleaseShape),
        ("a second schema", vec![head.clone(), head.clone(), report(0, "MO")], Code::ReleaseShape),
        ("garbage", vec![head.clone(), garbage.clone(), report(0, "MO")], Code::ReleaseShape),
        ("garbage first", vec![garbage], Code::ReleaseShape),
        ("rows cut off", vec![head.clone(), broken, report(2, "MO")], Code::ReleaseShape),
        ("a report that is none", vec![head.clone(), rows.clone(), odd_note], Code::ReleaseShape),
    ];
    for (what, messages, code) in cases {
        let exchange = border.hostile(move || messages.iter().cloned().map(Ok).collect()).await;
        assert_eq!(ask(&exchange).await.expect_err(what).code, code, "{what}");
    }
    let honest = [head.clone(), rows.clone(), report(2, "MO")];
    let exchange = border.hostile(move || honest.iter().cloned().map(Ok).collect()).await;
    assert!(ask(&exchange).await.is_ok(), "this test's own messages are right");
    let exchange = border.hostile(|| vec![Err(Status::internal("engine text with CANARY"))]).await;
    let failure = ask(&exchange).await.unwrap_err();
    assert!(failure.code == Code::Internal && !failure.to_string().contains("CANARY"));
    let endless = move || std::iter::once(head.clone()).chain(vec![rows.clone(); 600]).map(Ok).collect();
    let exchange = border.hostile(endless).await;
    assert_eq!(ask(&exchange).await.unwrap_err().code, Code::Limit, "more rows than the home node takes");
}
