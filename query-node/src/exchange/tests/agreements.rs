//! Agreements between two members, as each tells the other of them.

use arrow_flight::Action;

use super::*;

/// An owner that says whatever it likes of its agreements.
struct Talker(Vec<u8>);

#[async_trait]
impl Door for Talker {
    fn longest_message(&self) -> usize {
        1 << 20
    }

    async fn get(&self, _call: Call, _ticket: Ticket) -> Result<Messages<FlightData>, Status> {
        Err(Status::unimplemented("no"))
    }

    async fn action(&self, _call: Call, _action: Action) -> Result<Acted, Status> {
        Ok(Acted::with(self.0.clone()))
    }
}

#[tokio::test]
async fn a_member_is_told_of_the_agreements_that_it_is_a_party_to() {
    let border = Border::new();
    let (exchange, _questions) = border.owner(ROWS).await;
    let held = exchange.agreements(&jid("MO")).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].name.as_str(), held[0].state), ("mo-to-hk", AgreementState::Active));
    assert!(border.tap.saw("MO", "mo-to-hk"), "whatever crosses can be watched");
}

#[tokio::test]
async fn a_stranger_is_told_nothing_and_an_impostor_is_not_believed() {
    let border = Border::new();
    let (asked, _questions) = mpsc::unbounded_channel();
    let owner = Owner::new(Box::new(ROWS), asked);
    let address = border.serve_as(node(&border.mo), listener().await, owner);
    let stranger = Exchange::new(node(&authority("HK")), border.trust.clone(), [(jid("MO"), address.to_string())]);
    assert_eq!(stranger.agreements(&jid("MO")).await.unwrap_err().code, Code::OwnerUnavailable);
    assert!(border.tap.messages.lock().is_empty(), "nothing crossed");

    let (asked, _questions) = mpsc::unbounded_channel();
    let owner = Owner::new(Box::new(ROWS), asked);
    let exchange = border.exchange(border.serve_as(node(&authority("MO")), listener().await, owner));
    assert_eq!(exchange.agreements(&jid("MO")).await.unwrap_err().code, Code::Identity);
}

#[tokio::test]
async fn a_peers_answer_that_is_no_list_of_agreements_is_not_shown() {
    let border = Border::new();
    for answer in [
        b"CANARY".to_vec(),
        br#"[{"name": "a", "digest": "CANARY", "state": "Active"}]"#.to_vec(),
        format!(r#"[{{"name": "CANARY\u001b", "digest": "{}", "state": "Active"}}]"#, "a".repeat(64)).into_bytes(),
        vec![b' '; 2 << 20],
        Vec::new(),
    ] {
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let how = Accepting { tls: server_config(&node(&border.mo).into(), &border.trust).unwrap(), tap: None };
        tokio::spawn(serve(Talker(answer), listener, how, 8, border.stop.clone()));
        let refusal = border.exchange(address).agreements(&jid("MO")).await.unwrap_err();
        assert!(matches!(refusal.code, Code::ReleaseShape | Code::Limit), "{refusal}");
        assert!(!refusal.to_string().contains("CANARY"));
    }
}
