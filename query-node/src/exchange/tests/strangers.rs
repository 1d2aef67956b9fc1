//! Envelopes and connections that are not what they say.

use super::*;

#[tokio::test]
async fn a_forged_or_oversized_envelope_reaches_no_owner_and_is_told_of() {
    let border = Border::new();
    let (asked, mut questions) = mpsc::unbounded_channel();
    let owner = Owner::new(Box::new(ROWS), asked);
    let turned_away = Arc::clone(&owner.turned_away);
    let exchange = border.exchange(border.serve_as(node(&border.mo), listener().await, owner));
    let (mut envelope, fragment) = question();
    envelope.from = jid("MO");
    assert_eq!(exchange.send(&envelope, &fragment).await.err().unwrap().code, Code::Identity);
    let (mut envelope, mut fragment) = question();
    envelope.sql = "x".repeat(1 << 20);
    fragment.sql.clone_from(&envelope.sql);
    assert_eq!(exchange.send(&envelope, &fragment).await.err().unwrap().code, Code::Limit);
    let (mut envelope, fragment) = question();
    envelope.deadline = envelope.issued_at + SignedDuration::from_secs(7200);
    assert_eq!(exchange.send(&envelope, &fragment).await.err().unwrap().code, Code::Envelope);
    assert!(questions.try_recv().is_err());
    // A message larger than the bound is not even received.
    assert_eq!(*turned_away.lock(), [Code::Identity, Code::Envelope]);
}

#[tokio::test]
async fn an_impostor_of_an_owner_gets_no_envelope() {
    let border = Border::new();
    for identity in [
        border.hk.issue_node(validity()).unwrap(),
        border.hk.issue_node_named(&jid("MO"), validity()).unwrap(),
        node(&authority("MO")),
    ] {
        let (asked, mut questions) = mpsc::unbounded_channel();
        let owner = Owner::new(Box::new(ROWS), asked);
        let exchange = border.exchange(border.serve_as(identity, listener().await, owner));
        let refusal = ask(&exchange).await.unwrap_err();
        assert_eq!((refusal.code, refusal.owner), (Code::Identity, Some(jid("MO"))));
        assert!(questions.try_recv().is_err());
    }
    assert!(border.tap.messages.lock().is_empty(), "nothing was sent to an impostor");
}

#[tokio::test]
async fn strangers_and_plaintext_are_refused_and_noted() {
    let border = Border::new();
    let (asked, mut questions) = mpsc::unbounded_channel();
    let owner = Owner::new(Box::new(ROWS), asked);
    let address = border.serve_as(node(&border.mo), listener().await, owner);

    // Another authority in Hong Kong's name, and Hong Kong's own in Macau's.
    for (identity, reason) in [
        (node(&authority("HK")), "BadSignature"),
        (border.hk.issue_node_named(&jid("MO"), validity()).unwrap(), "UnknownIssuer"),
    ] {
        let exchange = Exchange::new(identity, border.trust.clone(), [(jid("MO"), address.to_string())]);
        assert_eq!(ask(&exchange).await.unwrap_err().code, Code::OwnerUnavailable);
        border.tap.refuses(reason).await;
    }

    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    // The node may close the connection before or after its last words.
    let _ = plain.read_to_end(&mut rest).await;
    border.tap.refuses("corrupt message").await;
    assert!(questions.try_recv().is_err());
}
