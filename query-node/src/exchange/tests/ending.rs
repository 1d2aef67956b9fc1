//! Ends: of the asking, of the time, of a connection, of a node.

use tokio::sync::watch;
use wanqu_testing::free_address;

use super::*;

#[tokio::test]
async fn going_away_cancels_the_owners_work() {
    let border = Border::new();
    let endless = || Ok((schema(), stream::repeat_with(|| Ok(batch())).boxed()));
    let (exchange, mut questions) = border.owner(endless).await;
    let (envelope, fragment) = question();
    let release = exchange.send(&envelope, &fragment).await.unwrap();
    let cancel = questions.recv().await.unwrap();
    assert!(!cancel.is_cancelled());
    drop(release);
    tokio::time::timeout(Duration::from_secs(20), cancel.cancelled()).await.expect("cancelled while sending");

    let (asked, mut questions) = mpsc::unbounded_channel();
    let owner = Owner { never_answers: true, ..Owner::new(Box::new(ROWS), asked) };
    let exchange = border.exchange(border.serve_as(node(&border.mo), listener().await, owner));
    let call = tokio::spawn(async move { ask(&exchange).await });
    let cancel = questions.recv().await.unwrap();
    call.abort();
    tokio::time::timeout(Duration::from_secs(20), cancel.cancelled()).await.expect("cancelled before sending");
}

#[tokio::test]
async fn the_deadline_ends_both_sides() {
    let border = Border::new();
    let (asked, mut questions) = mpsc::unbounded_channel();
    let owner = Owner { never_answers: true, ..Owner::new(Box::new(ROWS), asked) };
    let exchange = border.exchange(border.serve_as(node(&border.mo), listener().await, owner));
    // The time is for the question alone: the connection is there.
    exchange.agreements(&jid("MO")).await.unwrap();
    let (mut envelope, fragment) = question();
    envelope.deadline = Timestamp::now() + SignedDuration::from_secs(1);
    assert_eq!(exchange.send(&envelope, &fragment).await.err().unwrap().code, Code::Limit);
    let cancel = questions.recv().await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), cancel.cancelled()).await.expect("cancelled");

    let stalls = || Ok((schema(), stream::pending().boxed()));
    let (exchange, mut questions) = border.owner(stalls).await;
    // The time is for the question alone: the connection is there.
    exchange.agreements(&jid("MO")).await.unwrap();
    let (mut envelope, fragment) = question();
    envelope.deadline = Timestamp::now() + SignedDuration::from_secs(1);
    let release = exchange.send(&envelope, &fragment).await.unwrap();
    let outcome: Result<Vec<_>, _> = release.batches.try_collect().await;
    assert_eq!(outcome.unwrap_err().code, Code::Limit);
    let cancel = questions.recv().await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), cancel.cancelled()).await.expect("cancelled");
}

#[tokio::test]
async fn an_owner_that_is_away_is_named_and_found_again() {
    let border = Border::new();
    let address = free_address();
    let exchange = border.exchange(address);
    let refusal = ask(&exchange).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::OwnerUnavailable, Some(jid("MO"))));

    let (asked, _questions) = mpsc::unbounded_channel();
    let owner = Owner::new(Box::new(ROWS), asked);
    border.serve_as(node(&border.mo), TcpListener::bind(address).await.unwrap(), owner);
    assert!(ask(&exchange).await.is_ok(), "the next question connects anew");

    let (mut envelope, mut fragment) = question();
    envelope.to = jid("CN-SZ");
    fragment.owner = jid("CN-SZ");
    let refusal = exchange.send(&envelope, &fragment).await.err().unwrap();
    assert_eq!((refusal.code, refusal.owner), (Code::OwnerUnavailable, Some(jid("CN-SZ"))));
}

/// Serves on a runtime of its own, so that everything that it runs ends with it, connections included.
fn on_its_own(server: ExchangeServer, listener: TcpListener) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = listener.into_std().unwrap();
    runtime
        .spawn(async move { server.serve(TcpListener::from_std(listener).unwrap(), CancellationToken::new()).await });
    runtime
}

#[tokio::test]
async fn an_owner_that_was_restarted_is_asked_anew_and_never_twice_for_one_question() {
    let border = Border::new();
    let mut listening = listener().await;
    let address = listening.local_addr().unwrap();
    let exchange = border.exchange(address);
    for _ in 0..5 {
        let (asked, mut questions) = mpsc::unbounded_channel();
        let owner = Arc::new(Owner::new(Box::new(ROWS), asked));
        let server =
            ExchangeServer::new(&node(&border.mo).into(), border.trust.clone(), owner, Limits::default().into())
                .unwrap();
        let runtime = on_its_own(server, listening);
        // The home node may hear that the old connection is gone only when it uses it; then it does not ask by itself.
        let mut outcome = ask(&exchange).await;
        if outcome.as_ref().is_err_and(|refusal| refusal.code == Code::OwnerUnavailable) {
            assert!(questions.try_recv().is_err());
            outcome = ask(&exchange).await;
        }
        outcome.unwrap();
        assert!(questions.try_recv().is_ok() && questions.try_recv().is_err());
        runtime.shutdown_background();
        let bind = async || std::net::TcpListener::bind(address);
        let free = until("its address becoming free", Duration::from_secs(20), bind).await;
        free.set_nonblocking(true).unwrap();
        listening = free.try_into().unwrap();
    }
}

#[tokio::test]
async fn an_owner_killed_in_mid_stream_never_looks_complete() {
    let border = Border::new();
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let (asked, _questions) = mpsc::unbounded_channel();
    let stalls = || Ok((schema(), stream::iter([Ok(batch())]).chain(stream::pending()).boxed()));
    let owner: Arc<dyn OwnerService> = Arc::new(Owner::new(Box::new(stalls), asked));
    let server =
        ExchangeServer::new(&node(&border.mo).into(), border.trust.clone(), owner, Limits::default().into()).unwrap();
    let runtime = on_its_own(server, listener);
    let exchange = border.exchange(address);
    let (envelope, fragment) = question();
    let mut release = exchange.send(&envelope, &fragment).await.unwrap();
    assert!(release.batches.next().await.unwrap().is_ok());
    runtime.shutdown_background();
    assert_eq!(release.batches.next().await.unwrap().unwrap_err().code, Code::OwnerUnavailable);
    assert!(release.report.await.is_err());
}

/// A way to a node that can be cut so that neither side hears of it, as where a machine loses its power.
async fn severable(to: SocketAddr) -> (SocketAddr, CancellationToken) {
    let (listener, cut) = (listener().await, CancellationToken::new());
    let (address, severed) = (listener.local_addr().unwrap(), cut.clone());
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut outside, _) = listener.accept().await.unwrap();
            if severed.is_cancelled() {
                held.push(outside);
                continue;
            }
            let mut inside = TcpStream::connect(to).await.unwrap();
            let severed = severed.clone();
            tokio::spawn(async move {
                let end = severed.run_until_cancelled(tokio::io::copy_bidirectional(&mut outside, &mut inside)).await;
                if end.is_none() {
                    // Nothing is closed, and nothing passes any more.
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (address, cut)
}

#[tokio::test]
async fn an_owner_that_falls_silent_is_given_up_long_before_the_deadline() {
    let border = Border::new();
    let (asked, mut questions) = mpsc::unbounded_channel();
    let owner = Owner { never_answers: true, ..Owner::new(Box::new(ROWS), asked) };
    let (address, cut) = severable(border.serve_as(node(&border.mo), listener().await, owner)).await;
    let exchange = border.exchange(address);
    let call = tokio::spawn(async move { ask(&exchange).await });
    questions.recv().await.unwrap();
    cut.cancel();
    let outcome = tokio::time::timeout(Duration::from_secs(30), call).await.expect("it is not waited for").unwrap();
    let refusal = outcome.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::OwnerUnavailable, Some(jid("MO"))));
}

/// A way to a node whose connections can be broken; those that are made afterwards are led on as before.
async fn breakable(to: SocketAddr) -> (SocketAddr, watch::Sender<()>) {
    let (listener, (breaks, watched)) = (listener().await, watch::channel(()));
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut outside, _) = listener.accept().await.unwrap();
            let mut watched = watched.clone();
            watched.mark_unchanged();
            tokio::spawn(async move {
                let mut inside = TcpStream::connect(to).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut outside, &mut inside) => {}
                    _ = watched.changed() => {}
                }
            });
        }
    });
    (address, breaks)
}

#[tokio::test]
async fn a_fragment_that_may_have_been_answered_is_not_asked_again() {
    let border = Border::new();
    let (asked, mut questions) = mpsc::unbounded_channel();
    let owner = Owner { never_answers: true, ..Owner::new(Box::new(ROWS), asked) };
    let (address, breaks) = breakable(border.serve_as(node(&border.mo), listener().await, owner)).await;
    let exchange = border.exchange(address);
    let call = tokio::spawn(async move { ask(&exchange).await });
    questions.recv().await.unwrap();
    breaks.send_replace(());
    let outcome = tokio::time::timeout(Duration::from_secs(20), call).await.expect("it is not waited for").unwrap();
    let refusal = outcome.unwrap_err();
    assert_eq!((refusal.code, &refusal.owner), (Code::OwnerUnavailable, &Some(jid("MO"))));
    assert!(refusal.message.contains("may have been answered"), "{refusal}");
    assert!(refusal.remedy.unwrap().contains("audit log of MO"));
    assert!(questions.try_recv().is_err(), "it was asked twice");
}

/// Macau's node with a clock and an end of its own.
async fn macau(border: &Border, change: impl FnOnce(&mut Doorway)) -> SocketAddr {
    let (asked, mut questions) = mpsc::unbounded_channel();
    // Nobody looks at the questions.
    tokio::spawn(async move { while questions.recv().await.is_some() {} });
    let owner = Arc::new(Owner::new(Box::new(ROWS), asked));
    let mut door = Limits::default().into();
    change(&mut door);
    let server = ExchangeServer::new(&node(&border.mo).into(), border.trust.clone(), owner, door).unwrap();
    let server = server.with_tap(Some(Arc::clone(&border.tap) as _));
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(server.serve(listener, border.stop.clone()));
    address
}

/// A clock that can be put forward.
#[derive(Clone)]
struct Later(Arc<Mutex<SignedDuration>>);

impl crate::clock::Clock for Later {
    fn now(&self) -> Timestamp {
        Timestamp::now() + *self.0.lock()
    }
}

#[tokio::test]
async fn a_connection_does_not_outlive_its_certificate() {
    let border = Border::new();
    let clock = Later(Arc::default());
    let address = macau(&border, |door| door.clock = Arc::new(clock.clone())).await;
    let exchange = border.exchange(address);
    ask(&exchange).await.unwrap();
    *clock.0.lock() = SignedDuration::from_hours(25);
    let refusal = ask(&exchange).await.unwrap_err();
    assert_eq!(refusal.code, Code::Identity);
    assert!(refusal.message.contains("no longer trusted"), "{refusal}");
}

#[tokio::test]
async fn an_owner_that_ends_is_asked_once_more_and_named() {
    let border = Border::new();
    let mut drain = Drain::default();
    let address = macau(&border, |door| drain = door.drain.clone()).await;
    let exchange = border.exchange(address);
    ask(&exchange).await.unwrap();
    let sent = || border.tap.messages.lock().iter().filter(|(from, _, _)| *from == jid("HK")).count();
    assert_eq!(sent(), 1);
    drain.begin();
    let refusal = ask(&exchange).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::Draining, Some(jid("MO"))));
    assert_eq!(sent(), 3, "another replica might have answered the second time");
}

/// A Service may lead to a copy that is gone for as long as it has not heard of it.
#[tokio::test]
async fn an_owner_that_comes_in_a_moment_is_found_within_the_same_question() {
    let border = Border::new();
    let gone = listener().await;
    let address = gone.local_addr().unwrap();
    let exchange = border.exchange(address);
    let come = async {
        // The first try finds somebody who hangs up, and nobody from then on.
        drop(gone.accept().await.unwrap());
        drop(gone);
        let (asked, questions) = mpsc::unbounded_channel();
        let listener = TcpListener::bind(address).await.unwrap();
        border.serve_as(node(&border.mo), listener, Owner::new(Box::new(ROWS), asked));
        questions
    };
    let (outcome, mut questions) = tokio::join!(ask(&exchange), come);
    outcome.unwrap();
    assert!(questions.try_recv().is_ok() && questions.try_recv().is_err(), "it was asked once");
}

#[tokio::test]
async fn new_certificates_take_the_next_fragment_and_leave_the_running_one_alone() {
    let border = Border::new();
    let address = macau(&border, |_| ()).await;
    let slot = wanqu_identity::Slot::from(node(&border.hk));
    let exchange = Exchange::new(slot.clone(), border.trust.clone(), [(jid("MO"), address.to_string())]);
    let (envelope, fragment) = question();
    let running = exchange.send(&envelope, &fragment).await.unwrap();
    slot.replace(node(&border.hk));
    ask(&exchange).await.unwrap();
    let rows: Vec<_> = running.batches.try_collect().await.unwrap();
    assert_eq!(rows.len(), 1);
    running.report.await.unwrap();
}

/// Replicas of one node show one certificate and remember nonces each for itself.
#[tokio::test]
async fn an_envelope_is_of_no_use_to_anybody_but_its_sender_at_any_replica() {
    let (now, hk, first, second) =
        (Timestamp::now(), node(&authority("HK")), ReplayGuard::default(), ReplayGuard::default());
    let bytes = sign(&envelope(now), &hk).unwrap();
    let at = |peer: &NodeIdentity, replica| open(&bytes, &peer.as_peer(), &jid("MO"), 1 << 16, replica, now);
    assert!(at(&hk, &first).is_ok());
    assert_eq!(at(&hk, &first).unwrap_err().code, Code::Envelope, "once at one replica");
    // Whoever saw it, another node or the first replica itself, has no connection of Hong Kong's to send it over.
    for thief in [node(&authority("MO")), node(&authority("CN-SZ")), node(&authority("HK"))] {
        assert_eq!(at(&thief, &second).unwrap_err().code, Code::Identity);
    }
    // Hong Kong itself may ask each replica once: no more than by signing a second envelope.
    assert!(at(&hk, &second).is_ok());
}
