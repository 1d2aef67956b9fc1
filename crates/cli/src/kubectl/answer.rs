//! Reading an answer from the `ConfigMap` in which the operator keeps it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, stream};
use serde::Deserialize;
use wanqu_client::decode::ipc_stream;
use wanqu_model::answer::{Answer, Event, Summary};
use wanqu_model::refusal::{Code, Refusal};

/// The fields of a `ConfigMap` that hold an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMap {
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    binary_data: BTreeMap<String, String>,
}

impl ConfigMap {
    /// Returns the answer that the operator wrote there.
    ///
    /// # Errors
    /// [`Code::ReleaseShape`] if a part is missing or cannot be read.
    pub fn answer(&self) -> Result<Answer, Refusal> {
        let unreadable = || {
            Refusal::new(Code::ReleaseShape, "the ConfigMap holds no answer that this version reads").with_remedy(
                "use the wanqu of the operator's version; if it is the same, ask again: the ConfigMap was changed",
            )
        };
        let account = self.data.get("account.json").ok_or_else(unreadable)?;
        let summary: Summary = serde_json::from_str(account).map_err(|_| unreadable())?;
        let rows = self.binary_data.get("rows.arrow").ok_or_else(unreadable)?;
        let bytes = STANDARD.decode(rows).map_err(|_| unreadable())?;
        let (schema, batches) = ipc_stream(&bytes).map_err(|why| unreadable().with_rule(why.reason()))?;
        let batches = batches.into_iter().map(|batch| Ok(Event::Batch(batch)));
        let events = std::iter::once(Ok(Event::Schema(schema))).chain(batches).chain([Ok(Event::Summary(summary))]);
        Ok(stream::iter(events).boxed())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use arrow::ipc::writer::StreamWriter;
    use serde_json::{Value, json};

    use super::*;
    use crate::tour::answered;

    fn read(map: Value) -> Result<Answer, Refusal> {
        serde_json::from_value::<ConfigMap>(map).unwrap().answer()
    }

    #[tokio::test]
    async fn an_answer_in_a_config_map_is_read_and_a_damaged_one_is_refused() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        let rows = STANDARD.encode(writer.into_inner().unwrap());
        let account = serde_json::to_string(&Summary { rows: 2, ..Summary::default() }).unwrap();
        let map = json!({"kind": "ConfigMap", "data": {"account.json": account}, "binaryData": {"rows.arrow": rows}});
        let seen = answered(async { read(map.clone()) }).await.unwrap();
        assert_eq!(seen.summary.rows, 2);
        assert_eq!(seen.batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
        for (part, key, wrong) in [
            ("data", "account.json", "{"),
            ("binaryData", "rows.arrow", "no base64!"),
            ("binaryData", "rows.arrow", "AAAA"),
        ] {
            let mut map = map.clone();
            map[part][key] = json!(wrong);
            assert_eq!(read(map).err().unwrap().code, Code::ReleaseShape, "{key}");
        }
        assert!(read(json!({"kind": "ConfigMap"})).is_err());
    }
}
