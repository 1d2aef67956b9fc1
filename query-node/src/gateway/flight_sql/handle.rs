//! Handles of prepared statements: the question with the values of its parameters, so that none is held at the node.

use serde::{Deserialize, Serialize};
use tonic::metadata::MetadataMap;
use wanqu_client::status::internal;
use wanqu_model::answer::Question;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::parameters::Parameters;

use super::options::with_options;

/// A prepared statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Handle {
    /// Question, whose text may have parameters.
    pub question: Question,
    /// Values of the parameters, as literals; `None` before any were bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
}

impl Handle {
    /// Reads a handle.
    ///
    /// # Errors
    /// [`Code::Envelope`] for bytes that are none.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(bytes).map_err(|_| {
            Refusal::new(Code::Envelope, "the handle of the prepared statement cannot be read")
                .with_rule("a handle is what this gateway gave for a prepared statement")
                .with_remedy("prepare the statement again")
        })
    }

    /// Returns the handle as the client keeps it.
    ///
    /// # Errors
    /// [`Code::Limit`] if it would be longer than `most` bytes.
    pub fn write(&self, most: usize) -> Result<Vec<u8>, Refusal> {
        let bytes = serde_json::to_vec(self).map_err(|_| internal())?;
        if bytes.len() <= most {
            return Ok(bytes);
        }
        Err(Refusal::new(Code::Limit, "the statement is too long to be prepared")
            .with_rule(format!("a statement and the values of its parameters have at most {most} bytes"))
            .with_remedy("load long lists as a registered public table and join it"))
    }

    /// Returns the question that is asked, with the options of this call.
    ///
    /// # Errors
    /// If a parameter has no value, or an option cannot be read.
    pub fn asked(&self, headers: &MetadataMap) -> Result<Question, Refusal> {
        let question = with_options(self.question.clone(), headers)?;
        let parameters = Parameters::of(&question.sql)?;
        let sql = parameters.bound(&question.sql, self.values.as_deref().unwrap_or_default())?;
        Ok(Question { sql, ..question })
    }
}

/// Returns the question that a text asks with the options of this call.
///
/// # Errors
/// If it has parameters, or an option cannot be read.
pub(super) fn statement(sql: String, headers: &MetadataMap) -> Result<Question, Refusal> {
    Handle { question: Question { sql, ..Question::default() }, values: None }.asked(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_the_question_and_its_values() {
        let question = Question { sql: "SELECT ? AS a".to_owned(), ..Question::default() };
        let handle = Handle { question, values: Some(vec!["'x'".to_owned()]) };
        let read = Handle::read(&handle.write(1000).unwrap()).unwrap();
        assert_eq!(read, handle);
        assert_eq!(read.asked(&MetadataMap::new()).unwrap().sql, "SELECT ('x') AS a");
        assert_eq!(handle.write(10).unwrap_err().code, Code::Limit);
        let unbound = Handle { values: None, ..handle };
        assert!(unbound.asked(&MetadataMap::new()).unwrap_err().message.contains("1 parameters, and 0 values"));
        assert_eq!(Handle::read(b"{}").unwrap_err().code, Code::Envelope);
    }
}
