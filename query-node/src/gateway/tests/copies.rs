//! Copies of a gateway behind one address, which come and go.

use std::net::SocketAddr;

use wanqu_testing::free_address;

use super::*;

/// A door that leads each connection to the next of these copies, and every further one to the last.
async fn service(copies: Vec<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for turn in 0.. {
            let (mut outside, _) = listener.accept().await.unwrap();
            let copy = copies[turn.min(copies.len() - 1)];
            tokio::spawn(async move {
                // A copy that is gone is seen as a connection that closes.
                if let Ok(mut inside) = TcpStream::connect(copy).await {
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                }
            });
        }
    });
    address
}

fn address(house: &House) -> SocketAddr {
    house.endpoint.trim_start_matches("https://").parse().unwrap()
}

#[tokio::test]
async fn a_question_that_a_copy_did_not_begin_is_asked_of_another() {
    let mut first = House::new(|| Ok(of(answer()))).await;
    let limits = Limits::default();
    let (hk, issuer) = (Arc::clone(&first.hk), Arc::clone(&first.issuer));
    let mut second = House::of(hk, issuer, || Ok(of(answer())), &limits).await;
    first.drain.begin();
    let service = service(vec![address(&first), free_address(), address(&second)]).await;
    let client = Client::connect(&service.to_string(), first.hk.certificate_pem(), &first.token(), None).unwrap();
    let events: Vec<Event> = client.ask(&question()).await.unwrap().try_collect().await.unwrap();
    assert!(matches!(events.last(), Some(Event::Summary(_))));
    assert!(first.questions.try_recv().is_err());
    assert!(second.questions.try_recv().is_ok() && second.questions.try_recv().is_err(), "it was asked once");
}

#[tokio::test]
async fn a_gateway_that_stays_away_or_goes_on_ending_says_so() {
    let house = House::new(|| Ok(of(answer()))).await;
    house.drain.begin();
    assert_eq!(house.ask().await.unwrap_err().code, Code::Draining);
    let nowhere = service(vec![free_address()]).await;
    let client = Client::connect(&nowhere.to_string(), house.hk.certificate_pem(), &house.token(), None).unwrap();
    assert_eq!(client.ask(&question()).await.err().unwrap().code, Code::OwnerUnavailable);
}

/// The home node has begun, and other owners may have released: to ask again is for whoever asked.
#[tokio::test]
async fn a_question_that_was_begun_is_asked_once_whatever_becomes_of_it() {
    for code in [Code::Draining, Code::OwnerUnavailable] {
        let mut house = House::new(move || Err(Refusal::new(code, "no").with_owner(jid("MO")))).await;
        assert_eq!(house.ask().await.unwrap_err().code, code);
        assert!(house.questions.try_recv().is_ok() && house.questions.try_recv().is_err(), "{code}");
    }
}
