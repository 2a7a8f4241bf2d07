//! Two files' tensors, number by number.

use std::collections::BTreeMap;

use models::{Weight, weights_hash};
use serde::Serialize;

/// What differs between the weights of two files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct WeightChanges {
    pub a_sha256: String,
    pub b_sha256: String,
    /// Tensors that are the same in both.
    pub same: usize,
    /// Biases that one of both files has and the other leaves out, since a norm takes them away: no difference.
    pub left_out: Vec<String>,
    pub tensors: Vec<TensorChange>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct TensorChange {
    pub tensor: String,
    #[serde(flatten)]
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(super) enum Change {
    /// B has no such tensor.
    OnlyInA { shape: Vec<usize> },
    /// A has no such tensor.
    OnlyInB { shape: Vec<usize> },
    /// Another shape: the numbers are not compared.
    Shape { a: Vec<usize>, b: Vec<usize> },
    /// Other numbers.
    Values {
        /// Largest absolute difference; infinite, in JSON null, where either number is not finite.
        largest: f64,
        /// Mean absolute difference over all numbers; infinite likewise.
        mean: f64,
        /// Numbers whose bits are not the same.
        differing: u64,
        /// All numbers of the tensor.
        numbers: u64,
    },
}

/// What differs; `left_out` is what each file leaves out on purpose.
pub(super) fn changes(one: &[Weight], other: &[Weight], left_out: [&[String]; 2]) -> WeightChanges {
    let by_name: BTreeMap<&str, &Weight> = other.iter().map(|weight| (weight.name.as_str(), weight)).collect();
    let first: BTreeMap<&str, &Weight> = one.iter().map(|weight| (weight.name.as_str(), weight)).collect();
    let (mut tensors, mut omitted) = (Vec::new(), Vec::new());
    for weight in one {
        let change = match by_name.get(weight.name.as_str()) {
            None if left_out[1].contains(&weight.name) => {
                omitted.push(weight.name.clone());
                None
            }
            None => Some(Change::OnlyInA { shape: weight.shape.clone() }),
            Some(other) => compare(weight, other),
        };
        tensors.extend(change.map(|change| TensorChange { tensor: weight.name.clone(), change }));
    }
    let same = one.len() - tensors.len() - omitted.len();
    for Weight { name, shape, .. } in other.iter().filter(|weight| !first.contains_key(weight.name.as_str())) {
        if left_out[0].contains(name) {
            omitted.push(name.clone());
            continue;
        }
        tensors.push(TensorChange { tensor: name.clone(), change: Change::OnlyInB { shape: shape.clone() } });
    }
    WeightChanges { a_sha256: weights_hash(one), b_sha256: weights_hash(other), same, left_out: omitted, tensors }
}

fn compare(one: &Weight, other: &Weight) -> Option<Change> {
    if one.shape != other.shape {
        return Some(Change::Shape { a: one.shape.clone(), b: other.shape.clone() });
    }
    if one.bytes == other.bytes {
        return None;
    }
    let (mut largest, mut sum, mut differing, mut numbers) = (0.0_f64, 0.0, 0, 0);
    for (one, other) in one.values().zip(other.values()) {
        numbers += 1;
        if one.to_bits() != other.to_bits() {
            let difference = (f64::from(one) - f64::from(other)).abs();
            let difference = if difference.is_nan() { f64::INFINITY } else { difference };
            largest = largest.max(difference);
            sum += difference;
            differing += 1;
        }
    }
    Some(Change::Values { largest, mean: sum / numbers as f64, differing, numbers })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(name: &str, shape: &[usize], values: &[f32]) -> Weight {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        Weight { name: name.into(), shape: shape.into(), bytes: bytes.into() }
    }

    #[test]
    fn the_order_of_tensors_is_no_difference() {
        let (a, b) = (weight("a", &[1], &[1.0]), weight("b", &[2], &[2.0, 3.0]));
        let found = changes(&[a.clone(), b.clone()], &[b, a], [&[], &[]]);
        assert_eq!((found.tensors.len(), found.same), (0, 2));
        assert_eq!(found.a_sha256, found.b_sha256);
    }

    #[test]
    fn each_kind_of_difference_is_told_with_its_numbers() {
        let one = [
            weight("same", &[1], &[1.0]),
            weight("gone", &[2], &[1.0, 2.0]),
            weight("gone too", &[2], &[1.0, 2.0]),
            weight("shape", &[1, 2], &[1.0, 2.0]),
            weight("values", &[4], &[1.0, 2.0, 3.0, 0.0]),
            weight("odd", &[2], &[1.0, f32::NAN]),
        ];
        let other = [
            weight("odd", &[2], &[1.0, 1.0]),
            weight("values", &[4], &[1.0, 2.5, 1.0, -0.0]),
            weight("shape", &[2, 1], &[1.0, 2.0]),
            weight("same", &[1], &[1.0]),
            weight("new", &[1], &[1.0]),
        ];
        let found = changes(&one, &other, [&[], &["gone too".into()]]);
        let expected = [
            ("gone", Change::OnlyInA { shape: vec![2] }),
            ("shape", Change::Shape { a: vec![1, 2], b: vec![2, 1] }),
            ("values", Change::Values { largest: 2.0, mean: 0.625, differing: 3, numbers: 4 }),
            ("odd", Change::Values { largest: f64::INFINITY, mean: f64::INFINITY, differing: 1, numbers: 2 }),
            ("new", Change::OnlyInB { shape: vec![1] }),
        ];
        let expected = expected.map(|(tensor, change)| TensorChange { tensor: tensor.into(), change });
        assert_eq!((found.tensors.as_slice(), found.same), (expected.as_slice(), 1));
        assert_eq!(found.left_out, ["gone too"], "on purpose");
        assert_ne!(found.a_sha256, found.b_sha256);
    }
}
