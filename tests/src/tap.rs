//! Listening in: everything that crosses the exchange, searched for planted values in every form that they could take.

use std::net::SocketAddr;
use std::sync::Mutex;

use query_node::exchange::WireTap;
use wanqu_model::names::JurisdictionId;

use crate::health::Canaries;

/// A form of a planted value to look for.
#[derive(Debug, Clone)]
pub struct Needle {
    /// What it is, for people.
    pub name: String,
    bytes: Vec<u8>,
}

/// Every form of every planted value: text, decimal digits, and the little-endian bytes of Arrow's arrays.
#[must_use]
pub fn needles(canaries: &Canaries) -> Vec<Needle> {
    let mut all: Vec<Needle> = Vec::new();
    let mut add = |name: String, bytes: &[u8]| {
        if !all.iter().any(|needle| needle.bytes == bytes) {
            all.push(Needle { name, bytes: bytes.to_vec() });
        }
    };
    for text in &canaries.texts {
        add(format!("text {text}"), text.as_bytes());
    }
    for float in &canaries.floats {
        add(format!("float {float}, encoded"), &float.to_le_bytes());
        // Without the last digits, in case somebody rounds it.
        let digits = float.to_string();
        add(format!("float {float}, written"), &digits.as_bytes()[..digits.len().min(11)]);
    }
    for unscaled in &canaries.hundredths {
        add(format!("decimal {unscaled}, encoded"), &unscaled.to_le_bytes());
        add(format!("decimal {unscaled}, written"), format!("{}.{:02}", unscaled / 100, unscaled % 100).as_bytes());
        // The same as a float.
        let float = *unscaled as f64 / 100.0;
        add(format!("decimal {unscaled}, as a float"), &float.to_le_bytes());
    }
    for integer in &canaries.integers {
        add(format!("integer {integer}, encoded"), &integer.to_le_bytes());
        add(format!("integer {integer}, written"), integer.to_string().as_bytes());
        if let Ok(short) = i32::try_from(*integer) {
            add(format!("integer {integer}, in 32 bits"), &short.to_le_bytes());
        }
    }
    all
}

/// The needles that occur in a haystack.
#[must_use]
pub fn found(needles: &[Needle], haystack: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for needle in needles {
        let Some((first, rest)) = needle.bytes.split_first() else { continue };
        let mut position = 0;
        while let Some(offset) = haystack[position..].iter().position(|byte| byte == first) {
            position += offset + 1;
            if haystack[position..].starts_with(rest) {
                names.push(needle.name.clone());
                break;
            }
        }
    }
    names
}

/// One message that crossed.
#[derive(Debug, Clone)]
pub struct Crossing {
    /// Who sent it.
    pub from: JurisdictionId,
    /// Who received it.
    pub to: JurisdictionId,
    /// What it was, before encryption.
    pub bytes: Vec<u8>,
}

/// Records what crosses.
#[derive(Debug, Default)]
pub struct Recorder {
    crossings: Mutex<Vec<Crossing>>,
    refused: Mutex<Vec<String>>,
}

impl Recorder {
    /// What has crossed since this was last asked.
    #[must_use]
    pub fn take(&self) -> Vec<Crossing> {
        self.crossings.lock().map(|mut all| std::mem::take(&mut *all)).unwrap_or_default()
    }

    /// What has crossed since it was last taken.
    #[must_use]
    pub fn heard(&self) -> Vec<Crossing> {
        self.crossings.lock().map(|all| all.clone()).unwrap_or_default()
    }

    /// The reasons for which connections were refused.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.refused.lock().map(|all| all.clone()).unwrap_or_default()
    }
}

impl WireTap for Recorder {
    fn crossed(&self, from: &JurisdictionId, to: &JurisdictionId, bytes: &[u8]) {
        if let Ok(mut all) = self.crossings.lock() {
            all.push(Crossing { from: from.clone(), to: to.clone(), bytes: bytes.to_vec() });
        }
    }

    fn refused(&self, _address: SocketAddr, reason: &str) {
        if let Ok(mut all) = self.refused.lock() {
            all.push(reason.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch};
    use arrow::ipc::writer::StreamWriter;

    use super::*;
    use crate::columns::{float64, hundredths, int32, text, timestamp};
    use crate::health::Planted;

    fn encoded(column: ArrayRef) -> Vec<u8> {
        let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn a_planted_value_is_found_in_every_form_that_arrow_sends() {
        let needles = needles(&Canaries::planted());
        for city in 0..3 {
            let planted = Planted { city };
            let columns = [
                text([Some("x"), Some(planted.patient())]),
                Arc::new(arrow::array::StringViewArray::from(vec!["x", planted.district()])),
                float64([Some(1.0), Some(planted.pain())]),
                hundredths([Some(1), Some(planted.cost())]).unwrap(),
                int32([Some(1), Some(planted.stay_days())]),
                timestamp([Some(1), Some(planted.seen_at())]),
            ];
            for column in columns {
                let kind = column.data_type().clone();
                assert!(!found(&needles, &encoded(column)).is_empty(), "{kind} of city {city}");
            }
        }
        assert!(found(&needles, &encoded(int32((0..10_000).map(Some)))).is_empty());
    }
}
