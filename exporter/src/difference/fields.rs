//! Facts with a name and two values.

use models::Metadata;
use serde::Serialize;
use serde_json::{Map, Value};

/// A fact that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Field {
    pub field: String,
    /// None where A does not have it.
    pub a: Option<Value>,
    /// None where B does not have it.
    pub b: Option<Value>,
}

/// What differs in metadata, but for the network, which is compared by layers, and the stored hash, which only exported
/// files have: the weights themselves are compared.
pub(super) fn of_metadata(one: Option<&Metadata>, other: Option<&Metadata>) -> Vec<Field> {
    let object = |metadata: Option<&Metadata>| {
        let value = serde_json::to_value(metadata).expect("plain values and string keys");
        let mut object = if let Value::Object(object) = value { object } else { Map::new() };
        object.retain(|field, _| !["network", "weights_sha256"].contains(&field.as_str()));
        object
    };
    between(&object(one), &object(other))
}

/// The entries of two objects that differ, in the order of their names.
pub(super) fn between(one: &Map<String, Value>, other: &Map<String, Value>) -> Vec<Field> {
    let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differing = names.into_iter().filter(|&name| one.get(name) != other.get(name));
    differing
        .map(|name| Field { field: name.clone(), a: one.get(name).cloned(), b: other.get(name).cloned() })
        .collect()
}

/// A value for a person: a text without its quotes, a dash where there is none.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None => "–".into(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
