//! Learned tensors between libraries, and their identity independent of the file that holds them.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::parameters::Parameter;

/// A learned tensor as every library here can give and take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Its name: a layer's, and `.weight` or `.bias`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers in row-major order, 32-bit floats, little-endian. Often a part of the file that it is from, shared with
    /// the tensors beside it: a copy of each would double the memory.
    pub bytes: Bytes,
}

impl Weight {
    /// Its numbers.
    pub fn values(&self) -> impl Iterator<Item = f32> + '_ {
        let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("chunks of four"));
        self.bytes.chunks_exact(4).map(number)
    }

    /// Puts another number in the place of each, by its index and itself. Bytes that are shared stay as they are.
    pub fn replace(&mut self, function: impl Fn(usize, f32) -> f32) {
        let numbers = self.values().enumerate().map(|(index, number)| function(index, number));
        self.bytes = numbers.flat_map(f32::to_le_bytes).collect::<Vec<u8>>().into();
    }
}

/// Tensors that do not fit a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// One that the network needs is not there.
    #[error("tensor `{name}` is missing; the network needs it as {shape:?}")]
    Missing {
        /// Its name.
        name: String,
        /// The shape that the network needs.
        shape: Vec<usize>,
    },
    /// One has another shape.
    #[error("tensor `{name}` is {found:?}, the network needs {expected:?}; was it trained with another --width?")]
    Shape {
        /// Its name.
        name: String,
        /// The shape that the network needs.
        expected: Vec<usize>,
        /// The shape found.
        found: Vec<usize>,
    },
    /// One that the network has no place for.
    #[error(
        "tensor `{name}` {shape:?} has no place in the network; was it trained with more --blocks or another --preset?"
    )]
    Unknown {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
}

/// Checks in both directions that tensors are exactly those of a parameter table.
///
/// # Errors
/// The first parameter, in the table's order, that is missing or has another shape; then the first tensor without a
/// place.
pub fn check_weights<'a>(
    table: &[Parameter],
    found: impl IntoIterator<Item = (&'a str, &'a [usize])>,
) -> Result<(), WeightsError> {
    let mut left: std::collections::BTreeMap<&str, &[usize]> = found.into_iter().collect();
    for Parameter { name, shape, .. } in table {
        match left.remove(name.as_str()) {
            None => return Err(WeightsError::Missing { name: name.clone(), shape: shape.clone() }),
            Some(found) if found != shape => {
                let (expected, found) = (shape.clone(), found.to_vec());
                return Err(WeightsError::Shape { name: name.clone(), expected, found });
            }
            Some(_) => {}
        }
    }
    match left.first_key_value() {
        Some((&name, &shape)) => Err(WeightsError::Unknown { name: name.into(), shape: shape.to_vec() }),
        None => Ok(()),
    }
}

/// SHA-256 in hexadecimal over name, shape and bytes of every tensor, in the order of their names.
pub fn weights_hash(weights: &[Weight]) -> String {
    let mut sorted: Vec<_> = weights.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    let mut hash = Sha256::new();
    for weight in sorted {
        // Lengths before what they count: no two different lists of tensors give the same stream.
        hash.update((weight.name.len() as u64).to_le_bytes());
        hash.update(&weight.name);
        hash.update((weight.shape.len() as u64).to_le_bytes());
        for &side in &weight.shape {
            hash.update((side as u64).to_le_bytes());
        }
        hash.update(&weight.bytes);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::ParameterKind;

    fn weight(name: &str, shape: &[usize], values: &[f32]) -> Weight {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Weight { name: name.into(), shape: shape.to_vec(), bytes }
    }

    #[test]
    fn the_order_of_tensors_does_not_matter_but_name_shape_and_values_do() {
        let (a, b) = (weight("a", &[2], &[1.0, 2.0]), weight("b", &[1], &[3.0]));
        let hash = weights_hash(&[a.clone(), b.clone()]);
        assert_eq!(hash, weights_hash(&[b.clone(), a]));
        let others =
            [weight("c", &[2], &[1.0, 2.0]), weight("a", &[1, 2], &[1.0, 2.0]), weight("a", &[2], &[1.0, 2.5])];
        for changed in others {
            assert_ne!(hash, weights_hash(&[changed, b.clone()]));
        }
    }

    #[test]
    fn tensors_must_fit_in_both_directions() {
        let parameter = |name: &str| Parameter { name: name.into(), shape: vec![2], kind: ParameterKind::Bias };
        let table = [parameter("a"), parameter("b")];
        type Found<'a> = &'a [(&'a str, &'a [usize])];
        let cases: [(Found<'_>, &str); 4] = [
            (&[("a", &[2]), ("b", &[2])], ""),
            (&[("a", &[2])], "tensor `b` is missing; the network needs it as [2]"),
            (
                &[("a", &[3]), ("b", &[2])],
                "tensor `a` is [3], the network needs [2]; was it trained with another --width?",
            ),
            (&[("a", &[2]), ("b", &[2]), ("c", &[1])], "tensor `c` [1] has no place in the network"),
        ];
        for (found, expected) in cases {
            let message =
                check_weights(&table, found.iter().copied()).map_or_else(|error| error.to_string(), |()| String::new());
            assert!(message.starts_with(expected) && message.is_empty() == expected.is_empty(), "{message}");
        }
    }
}
