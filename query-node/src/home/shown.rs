//! The columns of a merged answer that the researcher sees, and the marks of rows that may lack an owner's part.
//!
//! A part can be lacking for any reason: its owner did not answer, its release was lost on the way, or a rule kept cells
//! back. The merge plan marks the rows of which it can be told; where it cannot, every row may lack something.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use wanqu_model::answer::INCOMPLETE_COLUMN;
use wanqu_model::refusal::{Code, Refusal};

/// Marks of the rows that may lack a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// True if the last column of the merge plan marks rows.
    pub in_plan: bool,
    /// True if a part may be lacking that no mark tells: then every row may lack it.
    pub untold: bool,
    /// True if the researcher asked for the column of marks.
    pub shown: bool,
}

impl Marks {
    /// Returns the columns of the answer.
    pub fn schema(self, merged: &Schema) -> SchemaRef {
        let own = merged.fields().len() - usize::from(self.in_plan);
        let mut fields: Vec<_> = merged.fields().iter().take(own).cloned().collect();
        if self.shown {
            keep_free(&mut fields);
            fields.push(Arc::new(Field::new(INCOMPLETE_COLUMN, DataType::Boolean, false)));
        }
        Arc::new(Schema::new(fields))
    }

    /// Returns a merged batch under the columns of the answer, and how many of its rows may lack a part.
    ///
    /// # Errors
    /// [`Code::Internal`] if the batch is not of the merge plan.
    pub fn rows(self, merged: &RecordBatch, schema: &SchemaRef) -> Result<(RecordBatch, u64), Refusal> {
        let own = merged.num_columns() - usize::from(self.in_plan);
        let mut columns: Vec<ArrayRef> = merged.columns()[..own].to_vec();
        let marks = match merged.columns().last().filter(|_| self.in_plan && !self.untold) {
            Some(marks) => marks.as_boolean().clone(),
            None => BooleanArray::from(vec![self.untold; merged.num_rows()]),
        };
        let lacking = marks.true_count() as u64;
        if self.shown {
            columns.push(Arc::new(marks));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(merged.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
            .map_err(|_| Refusal::new(Code::Internal, "a batch of the answer does not fit its columns"))?;
        Ok((batch, lacking))
    }

    /// Returns the number of rows that may lack a part, as the account has it: `None` where it cannot be told by row.
    pub fn counted(self, lacking: u64) -> Option<u64> {
        (!self.untold).then_some(lacking)
    }
}

/// Renames columns of the researcher's own that have the name of the column of marks: `may_lack_a_part:2`.
fn keep_free(fields: &mut [Arc<Field>]) {
    let (mut number, mut names) = (1, fields.iter().map(|field| field.name().clone()).collect::<Vec<_>>());
    for field in fields.iter_mut().filter(|field| field.name() == INCOMPLETE_COLUMN) {
        let mut name = INCOMPLETE_COLUMN.to_owned();
        while names.contains(&name) {
            number += 1;
            name = format!("{INCOMPLETE_COLUMN}:{number}");
        }
        names.push(name.clone());
        *field = Arc::new(field.as_ref().clone().with_name(name));
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    /// The marks that are shown of two rows, the second of which the plan marks; and the count.
    fn shown(in_plan: bool, untold: bool) -> (Vec<bool>, Option<u64>) {
        let mut columns: Vec<(&str, ArrayRef)> = vec![("n", Arc::new(Int64Array::from(vec![7, 8])))];
        if in_plan {
            columns.push((INCOMPLETE_COLUMN, Arc::new(BooleanArray::from(vec![false, true]))));
        }
        let merged = RecordBatch::try_from_iter(columns).unwrap();
        let marks = Marks { in_plan, untold, shown: true };
        let (batch, lacking) = marks.rows(&merged, &marks.schema(&merged.schema())).unwrap();
        let shown: Vec<bool> = batch.column(1).as_boolean().iter().map(|mark| mark.unwrap()).collect();
        let hidden = Marks { shown: false, ..marks };
        let (without, same) = hidden.rows(&merged, &hidden.schema(&merged.schema())).unwrap();
        assert_eq!((without.num_columns(), same), (1, lacking), "the count does not depend on what is shown");
        (shown, marks.counted(lacking))
    }

    #[test]
    fn a_row_lacks_what_its_mark_tells_and_every_row_what_no_mark_tells() {
        assert_eq!(shown(false, false), (vec![false, false], Some(0)));
        assert_eq!(shown(true, false), (vec![false, true], Some(1)));
        assert_eq!(shown(false, true), (vec![true, true], None));
        assert_eq!(shown(true, true), (vec![true, true], None));
    }

    #[test]
    fn a_column_of_the_researcher_leaves_the_name_to_the_marks() {
        let names = ["may_lack_a_part", "n", "may_lack_a_part:2"];
        let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect();
        let named = |shown| {
            let shown = Marks { in_plan: false, untold: false, shown }.schema(&Schema::new(fields.clone()));
            shown.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
        };
        assert_eq!(named(true), ["may_lack_a_part:3", "n", "may_lack_a_part:2", "may_lack_a_part"]);
        assert_eq!(named(false), names);
    }

    #[test]
    fn an_answer_without_columns_keeps_its_rows() {
        let merged = RecordBatch::try_from_iter([(INCOMPLETE_COLUMN, Arc::new(BooleanArray::from(vec![true])) as _)]);
        let (merged, marks) = (merged.unwrap(), Marks { in_plan: true, untold: false, shown: false });
        let (batch, lacking) = marks.rows(&merged, &marks.schema(&merged.schema())).unwrap();
        assert_eq!((batch.num_rows(), batch.num_columns(), lacking), (1, 0, 1));
    }
}
