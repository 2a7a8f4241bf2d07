//! Two files' tensors, number by number.

use std::collections::BTreeMap;

use half::f16;
use models::{Weight, weights_hash};
use serde::Serialize;

/// What differs between the weights of two files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct WeightChanges {
    pub a_sha256: String,
    pub b_sha256: String,
    /// Tensors that are the same in both.
    pub same: usize,
    /// The file whose numbers are exactly the other's, each as the nearest 16-bit float, wherever tensors differ.
    pub rounded: Option<Side>,
    /// Biases that one of both files has and the other leaves out, since a norm takes them away: no difference.
    pub left_out: Vec<String>,
    pub tensors: Vec<TensorChange>,
}

/// One of both files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    A,
    B,
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
    let rounded = match tensors.is_empty() {
        true => None,
        false => {
            let pairs: Option<Vec<_>> = tensors.iter().map(|change| pair(change, &first, &by_name)).collect();
            pairs.and_then(|pairs| rounded(&pairs))
        }
    };
    let same = one.len() - tensors.len() - omitted.len();
    for Weight { name, shape, .. } in other.iter().filter(|weight| !first.contains_key(weight.name.as_str())) {
        if left_out[0].contains(name) {
            omitted.push(name.clone());
            continue;
        }
        tensors.push(TensorChange { tensor: name.clone(), change: Change::OnlyInB { shape: shape.clone() } });
    }
    let [a_sha256, b_sha256] = [one, other].map(weights_hash);
    WeightChanges { a_sha256, b_sha256, same, rounded, left_out: omitted, tensors }
}

/// The two tensors of a change, where both files have them in one shape.
fn pair<'a>(
    change: &TensorChange,
    one: &BTreeMap<&str, &'a Weight>,
    other: &BTreeMap<&str, &'a Weight>,
) -> Option<[&'a Weight; 2]> {
    let name = change.tensor.as_str();
    matches!(change.change, Change::Values { .. }).then(|| [one[name], other[name]])
}

/// The side of all pairs that is the other one, rounded.
fn rounded(pairs: &[[&Weight; 2]]) -> Option<Side> {
    let nearest = |number: f32| f16::from_f32(number).to_f32().to_bits();
    let is_rounding = |exact: &Weight, coarse: &Weight| {
        exact.values().zip(coarse.values()).all(|(exact, coarse)| nearest(exact) == coarse.to_bits())
    };
    let all = |coarse: usize| pairs.iter().all(|pair| is_rounding(pair[1 - coarse], pair[coarse]));
    if all(1) { Some(Side::B) } else { all(0).then_some(Side::A) }
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
        assert_eq!((found.left_out, found.rounded), (vec!["gone too".to_owned()], None), "on purpose");
        assert_ne!(found.a_sha256, found.b_sha256);
    }
    #[test]
    fn rounding_to_16_bits_is_told_from_other_values() {
        let exact = [weight("a", &[3], &[0.1, 1e-9, 1.0]), weight("b", &[1], &[3.3])];
        let coarse = |number: f32| f16::from_f32(number).to_f32();
        let round = |exact: &Weight| {
            let mut rounded = exact.clone();
            rounded.replace(|_, number| coarse(number));
            rounded
        };
        let rounded = exact.each_ref().map(round);
        let told = |one: &[Weight], other: &[Weight]| changes(one, other, [&[], &[]]).rounded;
        assert_eq!(told(&exact, &rounded), Some(Side::B));
        assert_eq!(told(&rounded, &exact), Some(Side::A));
        assert_eq!(told(&exact, &exact), None, "nothing differs");
        assert_eq!(
            told(&[exact[0].clone(), rounded[1].clone()], &[rounded[0].clone(), exact[1].clone()]),
            None,
            "both"
        );
        let mut off = rounded.clone();
        off[0].replace(|index, number| if index == 2 { number + 0.001 } else { number });
        assert_eq!(told(&exact, &off), None, "one number is another");
        assert_eq!(told(&exact, &rounded[..1]), None, "one is missing");
    }
}
