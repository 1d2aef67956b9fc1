//! An answer that lies in a `ConfigMap`, as the stream that it once was.

use arrow::ipc::reader::StreamReader;
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use wanqu_client::answer::{Answer, Event, Summary};
use wanqu_client::refusal::{Code, Refusal};

/// Reads it.
///
/// # Errors
/// It is not what the operator wrote.
pub fn of_config_map(map: ConfigMap) -> Result<Answer, Refusal> {
    let unreadable = || Refusal::new(Code::Internal, "the ConfigMap does not hold an answer that can be read");
    let account = map.data.as_ref().and_then(|data| data.get("account.json")).ok_or_else(unreadable)?;
    let summary: Summary = serde_json::from_str(account).map_err(|_| unreadable())?;
    let bytes = map.binary_data.and_then(|mut data| data.remove("rows.arrow")).ok_or_else(unreadable)?.0;
    let reader = StreamReader::try_new(std::io::Cursor::new(bytes), None).map_err(|_| unreadable())?;
    let schema = reader.schema();
    let batches = reader.map(move |batch| batch.map(Event::Batch).map_err(|_| unreadable()));
    let events = std::iter::once(Ok(Event::Schema(schema))).chain(batches).chain([Ok(Event::Summary(summary))]);
    Ok(stream::iter(events.collect::<Vec<_>>()).boxed())
}
