//! Two networks, layer by layer.

use std::collections::{BTreeMap, BTreeSet};

use models::{Layer, Network, shapes};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::fields::{self, Field};

/// What differs at one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct LayerChange {
    /// Its name; one without a name is called after the last named one before it.
    pub layer: String,
    #[serde(flatten)]
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(super) enum Change {
    /// B has no such layer.
    OnlyInA { kind: String },
    /// A has no such layer.
    OnlyInB { kind: String },
    /// Both have it, with other values.
    Attributes { attributes: Vec<Field> },
    /// Both have it, but not behind the same layers.
    Order,
}

/// A layer on its own: its kind and attributes, without what is inside it.
type Attributes = Map<String, Value>;

/// What differs between two networks. Layers are told by their names, so that one more in the middle is one difference.
pub(super) fn changes(one: &Network, other: &Network) -> Vec<LayerChange> {
    let (first, second) = (flat(one), flat(other));
    let names = |layers: &[(String, Attributes)]| layers.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
    let (in_first, in_second) = (names(&first), names(&second));
    let by_name: BTreeMap<&String, &Attributes> = second.iter().map(|(name, layer)| (name, layer)).collect();

    let mut found = Vec::new();
    for (name, layer) in &first {
        let change = match by_name.get(name) {
            None => Change::OnlyInA { kind: kind(layer) },
            Some(other) if *other == layer => continue,
            Some(other) => Change::Attributes { attributes: fields::between(layer, other) },
        };
        found.push(LayerChange { layer: name.clone(), change });
    }
    for (name, layer) in second.iter().filter(|(name, _)| !in_first.contains(name)) {
        found.push(LayerChange { layer: name.clone(), change: Change::OnlyInB { kind: kind(layer) } });
    }
    let common = |layers: &[(String, Attributes)], others: &BTreeSet<String>| {
        layers.iter().map(|(name, _)| name.clone()).filter(|name| others.contains(name)).collect::<Vec<_>>()
    };
    let orders = common(&first, &in_second).into_iter().zip(common(&second, &in_first));
    // Behind the first that is out of its place, all others may be: one line says it.
    if let Some((name, _)) = orders.into_iter().find(|(one, other)| one != other) {
        found.push(LayerChange { layer: name, change: Change::Order });
    }
    found
}

fn kind(layer: &Attributes) -> String {
    layer.get("layer").and_then(Value::as_str).unwrap_or_default().into()
}

/// All layers under names that are unique; a skip connection is there twice, where it begins and where it ends.
fn flat(network: &Network) -> Vec<(String, Attributes)> {
    let mut list = List { layers: Vec::new(), last_named: "input".into(), taken: BTreeMap::new() };
    list.push("input".into(), Map::from_iter([("channels".to_owned(), json!(network.channels))]));
    list.add(&network.layers);
    list.layers
}

struct List {
    layers: Vec<(String, Attributes)>,
    last_named: String,
    /// How many layers already have a name.
    taken: BTreeMap<String, usize>,
}

impl List {
    fn add(&mut self, layers: &[Layer]) {
        for layer in layers {
            let own_name = match layer {
                Layer::Conv { name, .. }
                | Layer::ConvTranspose { name, .. }
                | Layer::InstanceNorm { name: Some(name), .. } => Some(name.clone()),
                Layer::InstanceNorm { name: None, .. }
                | Layer::ReflectPad { .. }
                | Layer::Upsample { .. }
                | Layer::Relu
                | Layer::LeakyRelu { .. }
                | Layer::Tanh
                | Layer::Skip { .. } => None,
            };
            let name = own_name.clone().unwrap_or_else(|| format!("{}.{}", self.last_named, shapes::label(layer)));
            self.last_named = own_name.unwrap_or_else(|| self.last_named.clone());
            if let Layer::Skip { body, join } = layer {
                self.push(name, kind_alone("skip"));
                self.add(body);
                let mut end = kind_alone("join");
                end.insert("join".into(), json!(join));
                self.push(format!("{}.join", self.last_named), end);
            } else {
                self.push(name, attributes(layer));
            }
        }
    }

    fn push(&mut self, name: String, layer: Attributes) {
        let number = self.taken.entry(name.clone()).and_modify(|number| *number += 1).or_insert(1);
        let unique = if *number == 1 { name } else { format!("{name}{number}") };
        self.layers.push((unique, layer));
    }
}

fn kind_alone(kind: &str) -> Attributes {
    Map::from_iter([("layer".to_owned(), json!(kind))])
}

/// Those of a layer that has none inside it.
fn attributes(layer: &Layer) -> Attributes {
    match serde_json::to_value(layer).expect("plain values and string keys") {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use models::Join;
    use models::families::{Family, GeneratorOptions};

    use super::*;

    fn generator(blocks: usize) -> Network {
        Family::Paper.generator(GeneratorOptions::sized(4, blocks))
    }

    fn only(changes: &[LayerChange]) -> Vec<(&str, &Change)> {
        changes.iter().map(|change| (change.layer.as_str(), &change.change)).collect()
    }

    #[test]
    fn a_network_does_not_differ_from_itself() {
        assert_eq!(changes(&generator(2), &generator(2)), []);
    }

    #[test]
    fn one_more_block_is_named_as_such_from_either_side() {
        let added: Vec<_> = changes(&generator(2), &generator(3)).into_iter().map(|change| change.layer).collect();
        let expected = ["block3.conv1", "block3.conv1.norm", "block3.conv1.relu", "block3.conv1.reflect"];
        for name in expected {
            assert!(added.iter().any(|layer| layer == name), "{name} in {added:?}");
        }
        assert!(added.iter().all(|name| name.contains("block3") || name.starts_with("block2.conv2.")), "{added:?}");
        let removed = changes(&generator(3), &generator(2));
        assert_eq!(removed.len(), added.len());
        assert!(removed.iter().all(|change| matches!(change.change, Change::OnlyInA { .. })));
    }

    #[test]
    fn every_kind_of_change_is_told() {
        let same = generator(1);
        let mut strided = same.clone();
        let Some(Layer::Conv { stride, .. }) = strided.layers.get_mut(4) else { panic!("down1.conv") };
        *stride = 1;
        let mut joined = same.clone();
        for layer in &mut joined.layers {
            if let Layer::Skip { join, .. } = layer {
                *join = Join::Concat;
            }
        }
        let mut moved = same.clone();
        moved.layers.swap(2, 3);
        let mut channels = same.clone();
        channels.channels = 1;

        let attribute = |field: &str, a: Value, b: Value| Change::Attributes {
            attributes: vec![Field { field: field.into(), a: Some(a), b: Some(b) }],
        };
        assert_eq!(only(&changes(&same, &strided)), [("down1.conv", &attribute("stride", json!(2), json!(1)))]);
        let joins = attribute("join", json!("add"), json!("concat"));
        assert_eq!(only(&changes(&same, &joined)), [("block1.conv2.join", &joins)]);
        assert_eq!(only(&changes(&same, &moved)), [("stem.conv.norm", &Change::Order)]);
        assert_eq!(only(&changes(&same, &channels)), [("input", &attribute("channels", json!(3), json!(1)))]);
    }
}
