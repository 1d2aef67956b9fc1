//! Public tables of other members, fetched by this node for joins with its own tables.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use async_trait::async_trait;
use futures::{StreamExt, future, stream};
use jiff::Timestamp;
use parking_lot::Mutex;
use uuid::Uuid;
use wanqu_model::bundle::Slice;
use wanqu_model::names::{JurisdictionId, SqlName};
use wanqu_model::refusal::Refusal;
use wanqu_model::report::LeftOutRecords;
use wanqu_rules::Fetched;
use wanqu_rules::catalog::{arrow_type, bare_name_text};
use wanqu_rules::envelope::{ENVELOPE_VERSION, Envelope, node_itself};
use wanqu_rules::fragment::Fragment;

use crate::clock::Clock;
use crate::engine::RemotePublic;
use crate::exchange::Owners;
use crate::trace;

/// Most rows that are fetched of a public table.
const MAX_ROWS: u64 = 10_000_000;

/// Public tables of the other members, fetched over the exchange.
pub struct PeerTables {
    own: JurisdictionId,
    owners: Arc<dyn Owners>,
    clock: Arc<dyn Clock>,
}

impl PeerTables {
    /// Creates the tables for the node of `own`, which asks `owners` for them.
    #[must_use]
    pub fn new(own: JurisdictionId, owners: Arc<dyn Owners>, clock: Arc<dyn Clock>) -> Self {
        Self { own, owners, clock }
    }
}

impl fmt::Debug for PeerTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTables").field("own", &self.own).finish_non_exhaustive()
    }
}

#[async_trait]
impl RemotePublic for PeerTables {
    async fn fetch(
        &self,
        slice: &Slice,
        columns: &[SqlName],
        conditions: &[String],
        deadline: Timestamp,
    ) -> Result<Fetched, Refusal> {
        let list = columns.iter().map(|name| bare_name_text(name.as_str())).collect::<Vec<_>>().join(", ");
        let mut sql = format!("SELECT {list} FROM {}", slice.table);
        if !conditions.is_empty() {
            sql += &format!(" WHERE {}", conditions.join(" AND "));
        }
        let declared = columns.iter().filter_map(|name| slice.columns.iter().find(|c| c.name == *name));
        let fields: Vec<Field> =
            declared.map(|c| Field::new(c.name.as_str(), arrow_type(&c.data_type), true)).collect();
        let envelope = Envelope {
            version: ENVELOPE_VERSION,
            query_id: Uuid::new_v4(),
            fragment: 0,
            from: self.own.clone(),
            to: slice.jurisdiction.clone(),
            sql: sql.clone(),
            // The node asks for itself; a public table needs no project.
            requester: node_itself(&self.own),
            project: None,
            purpose: None,
            agreement: None,
            issued_at: self.clock.now(),
            deadline,
            nonce: Uuid::new_v4(),
            max_rows: MAX_ROWS,
            traceparent: trace::current().map(|context| context.next().to_string()),
        };
        let fragment = Fragment {
            id: 0,
            group: 0,
            owner: slice.jurisdiction.clone(),
            sql,
            schema: Arc::new(Schema::new(fields)),
            public: true,
        };
        let release = self.owners.ask(&envelope, &fragment).await?;
        let left_out = Arc::<Mutex<Vec<LeftOutRecords>>>::default();
        let (told, report) = (Arc::clone(&left_out), release.report);
        // The report comes after the last row. It is about one dataset, whatever it says.
        let end = stream::once(async move {
            if let Ok(report) = report.await {
                told.lock().extend(report.left_out.into_iter().take(1));
            }
        });
        let batches = release.batches.chain(end.filter_map(|()| future::ready(None))).boxed();
        Ok(Fetched { batches, bytes: release.bytes, left_out })
    }
}
