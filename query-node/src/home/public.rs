//! Public tables of other members, fetched by this node for a join with what may not leave it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Field, Schema};
use async_trait::async_trait;
use jiff::SignedDuration;
use uuid::Uuid;
use wanqu_model::bundle::{Slice, Subject};
use wanqu_model::names::{JurisdictionId, SqlName};
use wanqu_model::refusal::Refusal;
use wanqu_rules::Fetched;
use wanqu_rules::catalog::arrow_type;
use wanqu_rules::envelope::{ENVELOPE_VERSION, Envelope};
use wanqu_rules::fragment::Fragment;

use crate::clock::Clock;
use crate::engine::RemotePublic;
use crate::exchange::Exchange;
use crate::trace;

/// How long a public table may take to arrive.
const PATIENCE: Duration = Duration::from_mins(1);

/// The most rows of a public table that is fetched for a join.
const MAX_ROWS: u64 = 10_000_000;

/// Public tables of the other members.
pub struct PeerTables {
    own: JurisdictionId,
    exchange: Arc<Exchange>,
    clock: Arc<dyn Clock>,
}

impl PeerTables {
    /// The tables that the others hold, for the node of `own`.
    #[must_use]
    pub fn new(own: JurisdictionId, exchange: Arc<Exchange>, clock: Arc<dyn Clock>) -> Self {
        Self { own, exchange, clock }
    }
}

impl fmt::Debug for PeerTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTables").field("own", &self.own).finish_non_exhaustive()
    }
}

#[async_trait]
impl RemotePublic for PeerTables {
    async fn fetch(&self, slice: &Slice, columns: &[SqlName], conditions: &[String]) -> Result<Fetched, Refusal> {
        let list = columns.iter().map(SqlName::as_str).collect::<Vec<_>>().join(", ");
        let mut sql = format!("SELECT {list} FROM {}", slice.table);
        if !conditions.is_empty() {
            sql += &format!(" WHERE {}", conditions.join(" AND "));
        }
        let declared = columns.iter().filter_map(|name| slice.columns.iter().find(|c| c.name == *name));
        let fields: Vec<Field> =
            declared.map(|c| Field::new(c.name.as_str(), arrow_type(&c.data_type), true)).collect();
        let now = self.clock.now();
        let envelope = Envelope {
            version: ENVELOPE_VERSION,
            query_id: Uuid::new_v4(),
            fragment: 0,
            from: self.own.clone(),
            to: slice.jurisdiction.clone(),
            sql: sql.clone(),
            // The node asks for itself; a public table needs no project.
            requester: Subject { issuer: "urn:wanqu:node".to_owned(), subject: self.own.to_string() },
            project: None,
            purpose: None,
            agreement: None,
            issued_at: now,
            deadline: now + SignedDuration::try_from(PATIENCE).unwrap_or_default(),
            nonce: Uuid::new_v4(),
            max_rows: MAX_ROWS,
            traceparent: trace::current().map(|place| place.next().to_string()),
        };
        let fragment = Fragment {
            id: 0,
            group: 0,
            owner: slice.jurisdiction.clone(),
            sql,
            schema: Arc::new(Schema::new(fields)),
            public: true,
        };
        let release = self.exchange.send(&envelope, &fragment).await?;
        Ok(Fetched { batches: release.batches, bytes: release.bytes })
    }
}
