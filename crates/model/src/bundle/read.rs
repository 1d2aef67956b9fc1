//! Reading a bundle that an operator of any version wrote.
//!
//! ```text
//! bytes ─▶ as this build knows it ─────────────────────────────────────▶ the bundle, nothing left out
//!            └ not possible ─▶ object by object ─▶ some not understood ─▶ the bundle without these
//!                                               └▶ the whole is not ────▶ ReadError::NotUnderstood
//! ```

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::doubles::without_doubles;
use super::lenient;
use super::{Agreement, BundleFormat, CommonTableInfo, Limits, Member, NodeBundle, Project, Slice, SourceSpec};
use crate::names::{JurisdictionId, TableRef};

/// A bundle as far as this build understands it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadBundle {
    /// The bundle without what was left out.
    pub bundle: NodeBundle,
    /// The objects that were left out, with what depends on them; empty if the whole bundle was understood.
    pub left_out: Vec<LeftOut>,
}

/// An object of a bundle that this build does not understand, or that cannot be used without such an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The object: `agreements[2] mo-to-sz`, or `table gba.health.visits`.
    pub object: String,
    /// The field or value that is not known.
    pub reason: String,
}

/// Reason for which bytes are not a bundle that this build can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// They are not JSON, or no bundle. Nothing can be concluded from them.
    #[error("{0}")]
    NotABundle(String),
    /// They are a bundle, and something that concerns all of it is not known. It may withdraw any permission.
    #[error("{reason}")]
    NotUnderstood {
        /// The node that it is for, where it says so.
        jurisdiction: Option<JurisdictionId>,
        /// The field, value, version or feature that is not known.
        reason: String,
    },
}

impl NodeBundle {
    /// Reads a bundle from JSON, by the rules that [`NodeBundle`] states.
    ///
    /// # Errors
    /// [`ReadError`]: the bytes are no bundle, or one that this build does not understand as a whole.
    pub fn read(json: &[u8]) -> Result<ReadBundle, ReadError> {
        match serde_json::from_slice::<Self>(json) {
            Ok(bundle) => match bundle.format.lacking() {
                None => Ok(without_doubles(ReadBundle { bundle, left_out: Vec::new() })),
                Some(reason) => Err(ReadError::NotUnderstood { jurisdiction: Some(bundle.jurisdiction), reason }),
            },
            Err(error) => match lenient::value(json) {
                Some(value) => by_object(value),
                None => Err(ReadError::NotABundle(error.to_string())),
            },
        }
    }
}

/// Reads a bundle object by object.
fn by_object(mut bundle: Value) -> Result<ReadBundle, ReadError> {
    if !bundle.is_object() {
        return Err(ReadError::NotABundle("it is JSON, but not an object".to_owned()));
    }
    let id = bundle.get("jurisdiction").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let format = match bundle.get("format") {
        None => BundleFormat::default(),
        Some(format) => typed(format.clone(), "format").map_err(|reason| not_understood(id.as_ref(), reason))?,
    };
    if let Some(reason) = format.lacking() {
        return Err(not_understood(id.as_ref(), reason));
    }
    let Some(id) = id else {
        return Err(ReadError::NotABundle("`jurisdiction` is missing or is no jurisdiction's id".to_owned()));
    };
    format.strip(&mut bundle);
    let Value::Object(fields) = bundle else { return Err(ReadError::NotABundle("it is no object".to_owned())) };
    Parts { fields, left_out: Vec::new(), tables: BTreeSet::new(), lacking: BTreeSet::new() }
        .read(&id, format)
        .map_err(|reason| not_understood(Some(&id), reason))
}

fn not_understood(jurisdiction: Option<&JurisdictionId>, reason: String) -> ReadError {
    ReadError::NotUnderstood { jurisdiction: jurisdiction.cloned(), reason }
}

/// The fields of a bundle that are still to be read, and what was left out so far.
struct Parts {
    fields: Map<String, Value>,
    left_out: Vec<LeftOut>,
    /// Tables that no query may name, because something about one of their slices is not known.
    tables: BTreeSet<TableRef>,
    /// Members that are left out.
    lacking: BTreeSet<JurisdictionId>,
}

impl Parts {
    /// Puts the bundle together. The error says what concerns the whole of it.
    fn read(mut self, id: &JurisdictionId, format: BundleFormat) -> Result<ReadBundle, String> {
        let members = self.list::<Member>("members", Self::without_member)?;
        if !members.iter().any(|member| member.jurisdiction == *id) && self.lacking.contains(id) {
            return Err(format!("the member {id} itself is not understood"));
        }
        let slices = self.list::<Slice>("slices", Self::without_table)?;
        let common_tables = self.list::<CommonTableInfo>("commonTables", Self::without_table)?;
        let sources = self.list::<SourceSpec>("sources", Self::without_table)?;
        let agreements = self.list::<Agreement>("agreements", |_, _| Ok(()))?;
        let projects = self.list::<Project>("projects", |_, _| Ok(()))?;
        let bundle = NodeBundle {
            federation: self.field("federation")?,
            trust_domain: self.field("trustDomain")?,
            jurisdiction: self.field("jurisdiction")?,
            members,
            slices,
            common_tables,
            sources,
            agreements,
            projects,
            limits: self.field::<Limits>("limits")?,
            format,
        };
        self.fields.remove("format");
        match self.fields.keys().next() {
            Some(mark) if mark.starts_with('\0') => Err("it holds a field whose name is not Unicode".to_owned()),
            Some(unknown) => Err(format!("`{unknown}` is not known")),
            None => Ok(without_doubles(self.without_tables(bundle))),
        }
    }

    fn field<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, String> {
        typed(self.fields.remove(name).ok_or_else(|| format!("`{name}` is missing"))?, name)
    }

    /// Reads the objects of a list that are understood. `gone` is told of each one that is not.
    fn list<T: DeserializeOwned>(
        &mut self,
        name: &str,
        gone: fn(&mut Self, &Value) -> Result<(), String>,
    ) -> Result<Vec<T>, String> {
        let mut read = Vec::new();
        for (position, item) in self.field::<Vec<Value>>(name)?.into_iter().enumerate() {
            match T::deserialize(&item) {
                Ok(item) => read.push(item),
                Err(error) => {
                    let object = format!("{name}[{position}]{}", name_of(&item));
                    gone(self, &item).map_err(|lacks| format!("{object}: {error}; {lacks}"))?;
                    let reason = lenient::fault(&item).map_or_else(|| first_clause(&error), holds);
                    self.left_out.push(LeftOut { object, reason });
                }
            }
        }
        Ok(read)
    }

    fn without_member(&mut self, member: &Value) -> Result<(), String> {
        let id = text(member, "jurisdiction").parse().map_err(|_| "it does not say which member it is".to_owned())?;
        self.lacking.insert(id);
        Ok(())
    }

    fn without_table(&mut self, object: &Value) -> Result<(), String> {
        let table = text(object, "table").parse().map_err(|_| "it does not say which table it is of".to_owned())?;
        self.tables.insert(table);
        Ok(())
    }

    /// Leaves out the tables that cannot be asked, and what was there for them alone.
    fn without_tables(mut self, mut bundle: NodeBundle) -> ReadBundle {
        let of_lacking = bundle.slices.iter().filter(|slice| self.lacking.contains(&slice.jurisdiction));
        self.tables.extend(of_lacking.map(|slice| slice.table.clone()));
        let reason = "it, a part of it or what it is read from is not understood".to_owned();
        let gone = |table| LeftOut { object: format!("table {table}"), reason: reason.clone() };
        self.left_out.extend(bundle.leave_out_tables(self.tables).into_iter().map(gone));
        ReadBundle { bundle, left_out: self.left_out }
    }
}

fn typed<T: DeserializeOwned>(value: Value, name: &str) -> Result<T, String> {
    // The items of a list are read one by one.
    let fault = if value.is_array() { None } else { lenient::fault(&value).map(holds) };
    let read = serde_json::from_value(value);
    read.map_err(|error| format!("`{name}`: {}", fault.unwrap_or_else(|| first_clause(&error))))
}

fn holds(fault: &str) -> String {
    format!("it holds {fault}")
}

/// Returns the error without its list of everything that is known.
fn first_clause(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let known = text.find(", expected").filter(|_| text.starts_with("unknown "));
    known.map_or_else(|| text.clone(), |end| text[..end].to_owned())
}

/// Returns the name of an object for messages, with a space before it; an empty text if it has none.
fn name_of(object: &Value) -> String {
    let named = ["name", "table", "jurisdiction"].into_iter().map(|field| text(object, field)).find(|n| !n.is_empty());
    named.map_or_else(String::new, |name| format!(" {}", name.chars().take(200).collect::<String>()))
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}
