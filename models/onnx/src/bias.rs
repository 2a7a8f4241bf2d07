//! Biases without effect.

use std::collections::BTreeSet;

use models::{Layer, Network};

/// Names of the biases, `layer.bias`, that the instance norm right behind their convolution takes away again: it subtracts
/// each channel's mean, and a bias is the same number all over a channel. So nothing changes without them, whatever the
/// variance and epsilon are; what is rounded less is even closer to the truth.
///
/// A norm behind a skip connection counts for the last convolution inside: adding the same number all over a channel, or
/// putting channels beside others, leaves a bias a bias. One that is carried around the norm is kept, and so is one with
/// anything between: a padding would not matter, but a rectifier does.
pub fn cancelled_biases(network: &Network) -> BTreeSet<String> {
    let mut cancelled = BTreeSet::new();
    walk(&network.layers, None, &mut cancelled);
    cancelled
}

/// `after` is what follows the last of `layers`.
fn walk(layers: &[Layer], after: Option<&Layer>, cancelled: &mut BTreeSet<String>) {
    for (place, layer) in layers.iter().enumerate() {
        let next = layers.get(place + 1).or(after);
        match layer {
            Layer::Conv { name, .. } | Layer::ConvTranspose { name, .. }
                if matches!(next, Some(Layer::InstanceNorm { .. })) =>
            {
                cancelled.insert(format!("{name}.bias"));
            }
            Layer::Skip { body, .. } => walk(body, next, cancelled),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use models::families::{Family, GeneratorOptions};
    use models::{Join, Pads};

    use super::*;

    fn conv(name: &str) -> Layer {
        Layer::Conv { name: name.into(), from: 3, to: 3, kernel: 1, stride: 1, pad: Pads::NONE }
    }

    fn norm() -> Layer {
        Layer::InstanceNorm { name: None, channels: 3, eps: 1e-5 }
    }

    fn names(layers: Vec<Layer>) -> Vec<String> {
        cancelled_biases(&Network { channels: 3, layers }).into_iter().collect()
    }

    #[test]
    fn only_a_bias_right_before_a_norm_has_no_effect() {
        assert_eq!(names(vec![conv("a"), norm(), conv("b"), Layer::Relu, norm(), conv("c")]), ["a.bias"]);
        assert_eq!(names(vec![conv("a"), Layer::ReflectPad { by: 1 }, norm()]), [""; 0]);
    }

    #[test]
    fn skip_connections_hand_a_bias_on_but_may_carry_it_around_the_norm() {
        for join in [Join::Add, Join::Concat] {
            let body = vec![conv("inner"), Layer::Relu, conv("last")];
            assert_eq!(names(vec![Layer::Skip { body: body.clone(), join }, norm()]), ["last.bias"], "{join:?}");
            assert_eq!(names(vec![Layer::Skip { body, join }, Layer::Tanh]), [""; 0], "{join:?}");
            let carried = Layer::Skip { body: vec![norm(), Layer::Relu], join };
            assert_eq!(names(vec![conv("a"), carried]), [""; 0], "{join:?}");
        }
    }

    #[test]
    fn the_families_lose_all_but_the_last() {
        let size = GeneratorOptions::sized(4, 2);
        for (family, kept) in [(Family::Paper, 1), (Family::Concat, 0)] {
            let network = family.generator(size); // concat's has a norm before its tanh
            assert_eq!(cancelled_biases(&network).len(), 10 - kept, "{family:?}");
            assert_eq!(cancelled_biases(&network).contains("head.conv.bias"), kept == 0);
        }
    }
}
