//! Values of parameters, as rows of Arrow.

use std::sync::Arc;

use arrow_flight::FlightData;
use datafusion::common::ScalarValue;
use wanqu_client::decode;
use wanqu_client::status::internal;
use wanqu_client::wire::is_note;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::parameters::literal;

/// Returns the values in the one row of these messages, of which the first has the columns, as literals.
///
/// # Errors
/// [`Code::Envelope`] for messages that cannot be read; [`Code::InvalidSql`] if there is not one row, or a value cannot be bound.
pub(super) fn values(messages: &[FlightData]) -> Result<Vec<String>, Refusal> {
    let unreadable = |reason: decode::Unreadable| {
        Refusal::new(Code::Envelope, "the values of the parameters cannot be read")
            .with_rule(reason.reason())
            .with_remedy("bind numbers, text, true and false, dates or times, without dictionaries or compression")
    };
    let mut messages = messages.iter().filter(|message| !is_note(message));
    let Some(head) = messages.next() else { return Err(rows_but_one(0)) };
    let columns = Arc::new(decode::columns(head).map_err(unreadable)?);
    let mut row = None;
    let mut rows = 0;
    for message in messages {
        let batch = decode::rows(message, &columns).map_err(unreadable)?;
        rows += batch.num_rows();
        if batch.num_rows() == 1 {
            row = Some(batch);
        }
    }
    let Some(row) = row.filter(|_| rows == 1) else { return Err(rows_but_one(rows)) };
    let value = |column| ScalarValue::try_from_array(column, 0).map_err(|_| internal());
    row.columns().iter().map(|column| literal(&value(column)?)).collect()
}

fn rows_but_one(rows: usize) -> Refusal {
    Refusal::new(Code::InvalidSql, format!("{rows} rows of values are bound to the parameters"))
        .with_rule("a query is asked once, with one row of values")
        .with_remedy("execute the statement once for each row, or write the values as a list: WHERE x IN (?, ?, ?)")
}
