//! Two ONNX graphs, but for the tensors that are compared as weights.

use std::collections::{BTreeMap, BTreeSet};

use models_onnx::proto::{AttributeProto, ModelProto, NodeProto, TensorProto};
use serde_json::{Map, Value, json};

use super::fields::{self, Field};

/// What differs between two graphs; `weights` are the tensors that are compared elsewhere.
pub(super) fn changes(one: &ModelProto, other: &ModelProto, weights: &BTreeSet<&str>) -> Vec<Field> {
    let mut found = fields::between(&facts(one), &facts(other));
    found.extend(first_node(nodes(one), nodes(other)));
    found.extend(tensors(&constants(one, weights), &constants(other, weights)));
    if one.functions != other.functions {
        found.push(Field { field: "functions".into(), a: Some(json!("some")), b: Some(json!("others")) });
    }
    found
}

/// Version, interface, operators, properties: by name, so that each that differs is one line. What is compared as
/// metadata is left out.
fn facts(model: &ModelProto) -> Map<String, Value> {
    let summary = models_onnx::summary(model);
    let mut facts = Map::new();
    facts.insert("IR version".into(), json!(summary.ir_version));
    facts.insert("producer".into(), json!(summary.producer));
    facts.extend(summary.opsets.iter().map(|(domain, version)| (format!("opset {domain}"), json!(version))));
    facts.extend(summary.operators.iter().map(|(operator, count)| (format!("nodes {operator}"), json!(count))));
    for (kind, ends) in [("input", &summary.inputs), ("output", &summary.outputs)] {
        facts.extend(ends.iter().map(|end| {
            let shape = serde_json::to_value(&end.shape).expect("numbers and strings");
            (format!("{kind} {}", end.name), json!(format!("{} {shape}", end.kind)))
        }));
    }
    let properties = model.metadata_props.iter().filter(|entry| entry.key != models_onnx::METADATA_KEY);
    facts.extend(properties.map(|entry| (format!("property {}", entry.key), json!(entry.value))));
    facts
}

fn nodes(model: &ModelProto) -> &[NodeProto] {
    model.graph.as_ref().map_or(&[], |graph| &graph.node)
}

/// The first node that differs. Behind it, names and inputs may all be others for its sake.
fn first_node(one: &[NodeProto], other: &[NodeProto]) -> Option<Field> {
    let longest = one.len().max(other.len());
    let place = (0..longest).find(|&place| one.get(place) != other.get(place))?;
    let (one, other) = (one.get(place), other.get(place));
    let field = |part: &str| format!("node {place}{part}");
    if let (Some(one), Some(other)) = (one, other)
        && (&one.name, &one.op_type, &one.input, &one.output)
            == (&other.name, &other.op_type, &other.input, &other.output)
    {
        let (first, second) = (attributes(one), attributes(other));
        let differing = fields::between(&first, &second).into_iter().next();
        let part = format!(", {}", described(one));
        return Some(match differing {
            Some(Field { field: name, a, b }) => Field { field: format!("{}, {name}", field(&part)), a, b },
            None => Field { field: field(&part), a: Some(json!("one")), b: Some(json!("another")) }, // an inner graph
        });
    }
    let value = |node: Option<&NodeProto>| {
        node.map(|node| {
            json!(format!("{} of {} to {}", described(node), node.input.join(", "), node.output.join(", ")))
        })
    };
    Some(Field { field: field(""), a: value(one), b: value(other) })
}

fn described(node: &NodeProto) -> String {
    format!("{} `{}`", node.op_type, node.name)
}

fn attributes(node: &NodeProto) -> Map<String, Value> {
    let value = |attribute: &AttributeProto| {
        let AttributeProto { f, i, s, floats, ints, .. } = attribute;
        match (ints.is_empty(), floats.is_empty(), s.is_empty()) {
            (false, ..) => json!(ints),
            (_, false, _) => json!(floats),
            (.., false) => json!(String::from_utf8_lossy(s)),
            _ if *f != 0.0 => json!(f),
            _ => json!(i),
        }
    };
    node.attribute.iter().map(|attribute| (attribute.name.clone(), value(attribute))).collect()
}

/// The graph's tensors that are not among the weights.
fn constants<'a>(model: &'a ModelProto, weights: &BTreeSet<&str>) -> BTreeMap<&'a str, &'a TensorProto> {
    let initializers = model.graph.iter().flat_map(|graph| &graph.initializer);
    let named = initializers.map(|tensor| (tensor.name.as_str(), tensor));
    named.filter(|(name, _)| !weights.contains(name)).collect()
}

fn tensors(one: &BTreeMap<&str, &TensorProto>, other: &BTreeMap<&str, &TensorProto>) -> Vec<Field> {
    let names: BTreeSet<&&str> = one.keys().chain(other.keys()).collect();
    let differing = names.into_iter().filter(|&&name| one.get(name) != other.get(name));
    let value =
        |tensor: Option<&&TensorProto>, beside: &str| tensor.map(|tensor| json!(format!("{:?}{beside}", tensor.dims)));
    let field = |&name: &&str| {
        let (a, b) = (one.get(name), other.get(name));
        let beside = if a.is_some() { ", other numbers" } else { "" };
        Field { field: format!("constant {name}"), a: value(a, ""), b: value(b, beside) }
    };
    differing.map(field).collect()
}
