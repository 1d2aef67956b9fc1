//! YAML documents as trees with line numbers.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

/// Value and the line that it begins on.
#[derive(Debug)]
pub(super) struct Node {
    line: u64,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Shape>::deserialize(deserializer)?;
        Ok(Self { line: spanned.referenced.line(), shape: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has too")
    }
    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Null))
    }
    fn visit_none<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Null))
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        Shape::deserialize(deserializer)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Bool(value)))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Shape, E> {
        Number::from_f64(value).map(|n| Shape::Scalar(n.into())).ok_or_else(|| E::custom("not a finite number"))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Shape::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Shape, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Shape::Map(entries))
    }
}

impl Node {
    /// Returns the plain value, and the line of every path in it.
    pub(super) fn into_value(self) -> (Value, BTreeMap<String, u64>) {
        let mut lines = BTreeMap::from([(String::new(), self.line)]);
        let value = self.flatten("", &mut lines);
        (value, lines)
    }

    fn flatten(self, path: &str, lines: &mut BTreeMap<String, u64>) -> Value {
        match self.shape {
            Shape::Scalar(value) => value,
            Shape::List(items) => items
                .into_iter()
                .enumerate()
                .map(|(position, item)| {
                    let path = format!("{path}[{position}]");
                    lines.insert(path.clone(), item.line);
                    item.flatten(&path, lines)
                })
                .collect(),
            Shape::Map(entries) => {
                let entry = |(key, node): (Spanned<String>, Node)| {
                    let path = if path.is_empty() { key.value.clone() } else { format!("{path}.{}", key.value) };
                    // The line of the key: a nested value begins below it.
                    lines.insert(path.clone(), key.referenced.line());
                    (key.value, node.flatten(&path, lines))
                };
                Value::Object(entries.into_iter().map(entry).collect::<Map<_, _>>())
            }
        }
    }
}
