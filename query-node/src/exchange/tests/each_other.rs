//! Owners that read each other's public tables while they work.

use tokio::sync::Barrier;

use super::*;

const READ: &str = "SELECT district, visits FROM hongkong.health.wards";

/// An owner whose every fragment reads a table of whoever asks for it, once all fragments everywhere hold their places.
struct Reader {
    exchange: Arc<Exchange>,
    all_begun: Arc<Barrier>,
}

#[async_trait]
impl OwnerService for Reader {
    async fn answer(&self, request: VerifiedRequest, _cancel: CancellationToken) -> Result<AuditedRelease, Refusal> {
        let Envelope { from, to, sql, .. } = request.envelope();
        if sql == READ {
            request.begin(Work::PublicRead)?;
        } else {
            request.begin(Work::Fragment)?;
            self.all_begun.wait().await;
            read(&self.exchange, to, from, READ).await?;
        }
        let (schema, batches) = ROWS()?;
        passed::passed(to.clone(), schema, batches).await
    }

    async fn turned_away(&self, _peer: &JurisdictionId, refusal: Refusal) -> Refusal {
        refusal
    }

    fn agreements_with(&self, _peer: &JurisdictionId) -> Vec<HeldAgreement> {
        Vec::new()
    }
}

/// The rows that `to` releases for a text of `from`'s.
async fn read(
    exchange: &Exchange,
    from: &JurisdictionId,
    to: &JurisdictionId,
    sql: &str,
) -> Result<Vec<RecordBatch>, Refusal> {
    let (mut envelope, mut fragment) = question();
    (envelope.from, envelope.to, envelope.sql) = (from.clone(), to.clone(), sql.to_owned());
    (fragment.owner, fragment.sql) = (to.clone(), sql.to_owned());
    exchange.send(&envelope, &fragment).await?.batches.try_collect().await
}

#[tokio::test]
async fn fragments_that_hold_every_place_of_two_owners_can_read_each_others_public_tables() {
    const PLACES: usize = 16;
    let border = Border::new();
    let limits = Limits { concurrent_queries: 1, ..Limits::default() };
    let all_begun = Arc::new(Barrier::new(2 * PLACES));
    let (at_hk, at_mo) = (listener().await, listener().await);
    let endpoints = [&at_hk, &at_mo].map(|listener| listener.local_addr().unwrap().to_string());
    let [to_hk, to_mo] = endpoints;
    let nodes = [(jid("HK"), &border.hk, at_hk, jid("MO"), to_mo), (jid("MO"), &border.mo, at_mo, jid("HK"), to_hk)];
    let mut asked = Vec::new();
    for (own, authority, listener, other, endpoint) in nodes {
        let identity = node(authority);
        let exchange = Arc::new(Exchange::new(node(authority), border.trust.clone(), [(other.clone(), endpoint)]));
        let reader = Reader { exchange: Arc::clone(&exchange), all_begun: Arc::clone(&all_begun) };
        let server =
            ExchangeServer::new(&identity.into(), border.trust.clone(), Arc::new(reader), limits.clone().into());
        tokio::spawn(server.unwrap().serve(listener, border.stop.clone()));
        for _ in 0..PLACES {
            let (exchange, own, other) = (Arc::clone(&exchange), own.clone(), other.clone());
            asked.push(tokio::spawn(async move { read(&exchange, &own, &other, "SELECT 1 AS n").await }));
        }
    }
    for answer in asked {
        let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.expect("they wait for each other");
        assert_eq!(answer.unwrap().unwrap(), [batch()]);
    }
}
