//! The objects that a chart renders.

use serde_json::Value;

/// Every object, in the order of the text.
#[derive(Debug)]
pub struct Rendered {
    text: String,
    objects: Vec<Value>,
}

impl Rendered {
    /// Reads YAML documents.
    ///
    /// # Panics
    /// If it is not YAML.
    #[must_use]
    pub fn parse(text: String) -> Self {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("the chart renders no YAML: {error}"));
        // A template that renders nothing leaves an empty document.
        let objects = documents.into_iter().filter(Value::is_object).collect();
        Self { text, objects }
    }

    /// The text, comments and all.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All objects.
    #[must_use]
    pub fn objects(&self) -> &[Value] {
        &self.objects
    }

    /// The objects of a kind.
    #[must_use]
    pub fn of(&self, kind: &str) -> Vec<&Value> {
        self.objects.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The one object of a kind.
    ///
    /// # Panics
    /// If there is none, or more than one.
    #[must_use]
    pub fn one(&self, kind: &str) -> &Value {
        match self.of(kind)[..] {
            [object] => object,
            ref objects => panic!("{} objects of kind {kind}", objects.len()),
        }
    }

    /// The object of a kind and name.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn named(&self, kind: &str, name: &str) -> &Value {
        let found = self.of(kind).into_iter().find(|object| object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))
    }
}
