//! The head of a message: a flatbuffer, verified within bounds of its own size.

use arrow::ipc::{self, Endianness, Message, MessageHeader, MetadataVersion};
use flatbuffers::VerifierOptions;

use super::Unreadable;

/// Greatest length of a head, in bytes: about 10,000 columns.
pub(super) const MAX_HEAD: usize = 1024 * 1024;

/// Greatest depth of tables within a head. A column of lists of lists has one for each.
const MAX_DEPTH: usize = 40;

/// A verified head.
pub(super) struct Head<'a>(Message<'a>);

impl<'a> Head<'a> {
    /// Verifies a head. Parts that it refers to more than once are counted each time, since each becomes a value of its own.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        if bytes.len() > MAX_HEAD {
            return Err(Unreadable("the head of a message is too large"));
        }
        let options = VerifierOptions {
            max_depth: MAX_DEPTH,
            max_tables: bytes.len() / 8 + 16,
            // Tables share the descriptions of their layout, which are counted with each of them.
            max_apparent_size: bytes.len() * 4 + 1024,
            ..VerifierOptions::default()
        };
        let message = ipc::root_as_message_with_opts(&options, bytes)
            .map_err(|_| Unreadable("the head of a message is damaged"))?;
        if message.version() != MetadataVersion::V5 {
            return Err(Unreadable("a message is of another version of the format than 5"));
        }
        Ok(Self(message))
    }

    /// Returns the version of the format.
    pub fn version(&self) -> MetadataVersion {
        self.0.version()
    }

    /// Returns the length that the body has by the head.
    pub fn body_length(&self) -> Result<usize, Unreadable> {
        usize::try_from(self.0.bodyLength()).map_err(|_| Unreadable("a message has a body of a negative length"))
    }

    /// Returns the columns that a message announces.
    pub fn columns(&self) -> Result<ipc::Schema<'a>, Unreadable> {
        let schema = self.0.header_as_schema().filter(|_| self.0.header_type() == MessageHeader::Schema);
        let schema = schema.ok_or(Unreadable("a message announces no columns where they are expected"))?;
        if schema.endianness() != Endianness::Little || schema.fields().is_none() {
            return Err(Unreadable("the columns of a message are not described as they must be"));
        }
        Ok(schema)
    }

    /// Returns the description of the rows of a message whose body has this length.
    pub fn rows(&self, body: usize) -> Result<ipc::RecordBatch<'a>, Unreadable> {
        match self.0.header_type() {
            MessageHeader::RecordBatch => {}
            MessageHeader::DictionaryBatch => return Err(Unreadable("a message has a dictionary instead of rows")),
            _ => return Err(Unreadable("a message has something else than rows")),
        }
        let batch = self.0.header_as_record_batch().ok_or(Unreadable("a message has no rows"))?;
        if batch.compression().is_some() {
            return Err(Unreadable("rows are compressed"));
        }
        if self.body_length()? != body {
            return Err(Unreadable("a message says that its body has another length than it has"));
        }
        Ok(batch)
    }
}
