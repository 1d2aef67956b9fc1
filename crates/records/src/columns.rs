//! The columns that a manifest declares of text files, with what holds for each alone.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use wanqu_model::bundle::{TextSpec, ValueSyntax};

use crate::fault::Fault;
use crate::values::Values;

/// Declared columns of text files.
#[derive(Debug, Clone)]
pub struct Columns {
    schema: SchemaRef,
    general: ValueSyntax,
    each: Arc<[One]>,
}

/// Declarations about one column.
#[derive(Debug, Clone)]
struct One {
    optional: bool,
    /// Name in the Dataset, where it is known to be another than in the file.
    called: Option<String>,
    values: Values,
}

impl Columns {
    /// Returns the columns of a schema. Each must be in every file, and its values are written as `text` says.
    #[must_use]
    pub fn new(schema: SchemaRef, text: &TextSpec) -> Self {
        let general = text.values.clone().unwrap_or_default();
        let one = One { optional: false, called: None, values: Values::new(&general) };
        let each = vec![one; schema.fields().len()].into();
        Self { schema, general, each }
    }

    /// Lets files lack the columns at these positions, if the flag there is set.
    #[must_use]
    pub fn with_optional(mut self, optional: impl IntoIterator<Item = bool>) -> Self {
        let each = self.each.iter().zip(optional).map(|(one, optional)| One { optional, ..one.clone() });
        self.each = each.collect();
        self
    }

    /// Tells what the columns are called in the Dataset, if the file calls them by their places.
    #[must_use]
    pub fn with_names<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let called = |(one, name): (&One, &str)| One { called: Some(name.to_owned()), ..one.clone() };
        self.each = self.each.iter().zip(names).map(called).collect();
        self
    }

    /// Declares for each position how the values of its column are written, where that is not as in the others.
    #[must_use]
    pub fn with_values<'v>(mut self, values: impl IntoIterator<Item = Option<&'v ValueSyntax>>) -> Self {
        let own = |one: &One, values: Option<&ValueSyntax>| match values {
            Some(values) => One { values: Values::new(&values.over(&self.general)), ..one.clone() },
            None => one.clone(),
        };
        self.each = self.each.iter().zip(values).map(|(one, values)| own(one, values)).collect();
        self
    }

    /// Returns the names and types of the columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns true if files may lack the column at a position.
    pub(crate) fn is_optional(&self, index: usize) -> bool {
        self.each[index].optional
    }

    /// Returns the name in the Dataset of the column at a position, if it is known.
    pub(crate) fn called(&self, index: usize) -> Option<&str> {
        self.each[index].called.as_deref()
    }

    /// Returns how the values of the column at a position are written.
    pub(crate) fn values(&self, index: usize) -> &Values {
        &self.each[index].values
    }

    /// Returns the fault of a file that has the column at a position not under its name, but under one of `others`; `None`
    /// if the column is optional and not there at all.
    pub(crate) fn absent<'n>(&self, index: usize, others: impl IntoIterator<Item = &'n str>) -> Option<Fault> {
        let name = self.schema.field(index).name();
        let like = |text: &str| text.trim().to_lowercase();
        if others.into_iter().any(|other| like(other) == like(name)) {
            // Read as NULL, it would be a column without any value, and nobody would notice.
            return Some(Fault::ColumnLetters(name.clone()));
        }
        (!self.is_optional(index)).then(|| Fault::MissingColumn(name.clone()))
    }

    /// Returns the fault of a file that has none of the columns.
    pub(crate) fn none(&self) -> Option<Fault> {
        self.schema.fields().first().map(|field| Fault::MissingColumn(field.name().clone()))
    }
}
