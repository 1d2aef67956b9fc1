//! The parts of a message of rows, against its columns and its body.

use arrow::datatypes::{DataType, Schema};
use arrow::ipc::{self, FieldNode};

use super::{MAX_ROWS_WITHOUT_BYTES, Unreadable};

/// Checks that a message has exactly the parts that its columns need, that each lies within the body, and that no byte of the
/// body belongs to two of them.
pub(super) fn fits(batch: &ipc::RecordBatch<'_>, columns: &Schema, body: usize) -> Result<(), Unreadable> {
    let (Some(nodes), Some(buffers)) = (batch.nodes(), batch.buffers()) else {
        return Err(Unreadable("a message of rows lacks its parts"));
    };
    let most = (body.saturating_mul(8)).saturating_add(MAX_ROWS_WITHOUT_BYTES);
    let variadic = batch.variadicBufferCounts();
    let mut parts = Parts {
        nodes: nodes.iter(),
        buffers: buffers.iter(),
        variadic: variadic.into_iter().flatten(),
        most: i64::try_from(most).unwrap_or(i64::MAX),
        body,
        used: 0,
    };
    parts.length(batch.length())?;
    for column in columns.fields() {
        let node = parts.column(column.data_type())?;
        if node.length() != batch.length() {
            return Err(Unreadable("a column has another number of rows than its message"));
        }
    }
    parts.end()
}

/// Parts that have not been taken yet.
struct Parts<N, B, V> {
    nodes: N,
    buffers: B,
    variadic: V,
    /// Greatest number of values of a column.
    most: i64,
    body: usize,
    /// End of the last part within the body.
    used: usize,
}

impl<'a, N, B, V> Parts<N, B, V>
where
    N: Iterator<Item = &'a FieldNode>,
    B: Iterator<Item = &'a ipc::Buffer>,
    V: Iterator<Item = i64>,
{
    /// Takes the parts of a column. Returns its node.
    fn column(&mut self, data_type: &DataType) -> Result<&'a FieldNode, Unreadable> {
        let node = self.nodes.next().ok_or(Unreadable("a message has fewer columns than were announced"))?;
        self.length(node.length())?;
        if !(0..=node.length()).contains(&node.null_count()) {
            return Err(Unreadable("a column has more NULLs than values"));
        }
        match data_type {
            DataType::Null => {}
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => self.buffers(3)?,
            DataType::Utf8View | DataType::BinaryView => {
                let data = self.variadic.next().ok_or(Unreadable("a column of texts lacks its number of parts"))?;
                let data = usize::try_from(data).map_err(|_| Unreadable("a column has a negative number of parts"))?;
                self.buffers(2)?;
                self.buffers(data)?;
            }
            DataType::List(child) | DataType::LargeList(child) | DataType::Map(child, _) => {
                self.buffers(2)?;
                self.column(child.data_type())?;
            }
            DataType::ListView(child) | DataType::LargeListView(child) => {
                self.buffers(3)?;
                self.column(child.data_type())?;
            }
            DataType::FixedSizeList(child, _) => {
                self.buffers(1)?;
                self.column(child.data_type())?;
            }
            DataType::Struct(children) => {
                self.buffers(1)?;
                for child in children {
                    if self.column(child.data_type())?.length() != node.length() {
                        return Err(Unreadable("a part of a column has another number of values than the column"));
                    }
                }
            }
            DataType::Dictionary(..) | DataType::RunEndEncoded(..) | DataType::Union(..) => {
                return Err(Unreadable("a column has a type that nodes do not send"));
            }
            _ => self.buffers(2)?,
        }
        Ok(node)
    }

    fn length(&self, length: i64) -> Result<(), Unreadable> {
        if (0..=self.most).contains(&length) {
            return Ok(());
        }
        Err(Unreadable("a message has more values than its bytes can hold"))
    }

    /// Takes the next buffers: each behind the one before it, and within the body.
    fn buffers(&mut self, number: usize) -> Result<(), Unreadable> {
        for _ in 0..number {
            let buffer = self.buffers.next().ok_or(Unreadable("a message has fewer parts than its columns need"))?;
            let (start, length) = (usize::try_from(buffer.offset()), usize::try_from(buffer.length()));
            let (Ok(start), Ok(length)) = (start, length) else {
                return Err(Unreadable("a part of a message lies before its body"));
            };
            let end = start.checked_add(length).filter(|end| *end <= self.body);
            let end = end.ok_or(Unreadable("a part of a message lies behind its body"))?;
            if length > 0 && start < self.used {
                return Err(Unreadable("parts of a message overlap"));
            }
            self.used = self.used.max(end);
        }
        Ok(())
    }

    /// Checks that no part is left.
    fn end(&mut self) -> Result<(), Unreadable> {
        if self.nodes.next().is_some() || self.buffers.next().is_some() || self.variadic.next().is_some() {
            return Err(Unreadable("a message has more parts than its columns need"));
        }
        Ok(())
    }
}
