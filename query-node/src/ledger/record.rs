//! One record of a ledger as bytes: what was new in one release.

use wanqu_gate::ledger::{Addend, Addition, BUCKETS, Entry, Sketch, Value};

/// Writes an entry.
pub(super) fn write(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    text(&mut bytes, &entry.circle);
    count(&mut bytes, entry.tables.len());
    entry.tables.iter().for_each(|table| text(&mut bytes, table));
    count(&mut bytes, entry.additions.len());
    for Addition { table, sketch, name, adds, values } in &entry.additions {
        count(&mut bytes, *table);
        bytes.extend(name.to_le_bytes());
        sketch.words().iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        count(&mut bytes, adds.len());
        for addend in adds {
            let (kind, one, other) = match addend {
                Addend::Rows => (0_u8, 0, 0),
                Addend::Measure { table, column } => (1, *table, *column),
                Addend::Condition(condition) => (2, *condition, 0),
            };
            bytes.push(kind);
            bytes.extend(one.to_le_bytes());
            bytes.extend(other.to_le_bytes());
        }
        count(&mut bytes, values.len());
        for (name, value) in values {
            bytes.extend(name.to_le_bytes());
            bytes.push(u8::from(value.is_some()));
            bytes.extend(value.unwrap_or_default().to_le_bytes());
        }
    }
    bytes
}

fn count(bytes: &mut Vec<u8>, count: usize) {
    // One that does not fit makes an entry that is not read, and there are at most some hundred thousand populations.
    bytes.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    count(bytes, text.len());
    bytes.extend(text.as_bytes());
}

/// Reads an entry; `None` if it is none.
pub(super) fn read(bytes: &[u8]) -> Option<Entry> {
    let mut reader = Reader(bytes);
    let circle = reader.text()?;
    let tables = (0..reader.count()?).map(|_| reader.text()).collect::<Option<Vec<_>>>()?;
    let additions = (0..reader.count()?).map(|_| reader.addition()).collect::<Option<Vec<_>>>()?;
    reader.0.is_empty().then_some(Entry { circle, tables, additions })
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn count(&mut self) -> Option<usize> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn word(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.count()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    fn addition(&mut self) -> Option<Addition> {
        let table = self.count()?;
        let name = self.array().map(u128::from_le_bytes)?;
        let words = (0..BUCKETS).map(|_| self.word()).collect::<Option<Vec<_>>>()?;
        let adds = (0..self.count()?).map(|_| self.addend()).collect::<Option<Vec<_>>>()?;
        let values = (0..self.count()?).map(|_| self.value()).collect::<Option<Vec<_>>>()?;
        Some(Addition { table, sketch: Sketch::read(&words)?, name, adds, values })
    }

    fn addend(&mut self) -> Option<Addend> {
        let [kind] = self.array()?;
        let (one, other) = (self.word()?, self.word()?);
        match kind {
            0 => Some(Addend::Rows),
            1 => Some(Addend::Measure { table: one, column: other }),
            2 => Some(Addend::Condition(one)),
            _ => None,
        }
    }

    fn value(&mut self) -> Option<(u128, Value)> {
        let name = self.array().map(u128::from_le_bytes)?;
        let [is_some] = self.array()?;
        let bits = self.array().map(i128::from_le_bytes)?;
        Some((name, (is_some == 1).then_some(bits)))
    }
}
