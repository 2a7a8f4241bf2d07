//! The two families: generators and discriminators of the paper and of its concatenating variant.
//!
//! `paper` is Zhu et al. 2017 (arXiv 1703.10593, appendix 7.2): reflection padding, residual blocks that add, instance
//! norm without trained scale, and the 70×70 PatchGAN of Isola et al. 2017. `concat` pads with zeros, concatenates each
//! block's output with its input, so that channels grow from block to block, trains the norms' scale and bias, and has a
//! norm before the last `tanh`, which gives every output the same mean and contrast per channel.

use serde::{Deserialize, Serialize};

use crate::{Join, Layer, Network, Pads};

/// A family of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Blocks that concatenate, zero padding, trained norms.
    Concat,
    /// Residual blocks, reflection padding, norms without parameters.
    Paper,
}

/// How a generator doubles its features' size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpConvolution {
    /// Transposed convolution, as in the paper.
    #[default]
    Transpose,
    /// Nearest neighbours twice as large, then a convolution: every output has the same number of inputs, so that no
    /// checkerboard comes from their overlap (Odena et al. 2016, distill.pub/2016/deconv-checkerboard).
    Resize,
}

/// What is free within a family of generators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorOptions {
    /// Channels after the first convolution: 64 in the paper.
    pub width: usize,
    /// Residual or concatenating blocks: 9 in the paper for 256×256, 6 for 128×128.
    pub blocks: usize,
    /// How the last stages double the size.
    pub up: UpConvolution,
    /// Whether `concat` has a norm before its last `tanh`. Without one the generator may choose brightness and contrast
    /// itself. The paper's has none anyway.
    pub output_norm: bool,
}

impl GeneratorOptions {
    /// The family's own layers in another size.
    pub const fn sized(width: usize, blocks: usize) -> Self {
        Self { width, blocks, up: UpConvolution::Transpose, output_norm: true }
    }
}

impl GeneratorOptions {
    /// The options with which `family` gives exactly this network; none where it gives no such one.
    pub fn of(family: Family, network: &Network) -> Option<Self> {
        let width = network.layers.iter().find_map(|layer| match layer {
            Layer::Conv { to, .. } => Some(*to),
            _ => None,
        })?;
        let blocks = network.layers.iter().filter(|layer| matches!(layer, Layer::Skip { .. })).count();
        let ups = [UpConvolution::Transpose, UpConvolution::Resize];
        let options =
            ups.into_iter().flat_map(|up| [true, false].map(|output_norm| Self { width, blocks, up, output_norm }));
        options.into_iter().find(|options| family.generator(*options) == *network)
    }
}

impl Default for GeneratorOptions {
    fn default() -> Self {
        Self::sized(64, 9)
    }
}

impl Family {
    /// The generator: `[n, 3, h, w]` in [-1, 1] to the same; `h` and `w` are multiples of 4.
    pub fn generator(self, options: GeneratorOptions) -> Network {
        let GeneratorOptions { width, blocks, up, output_norm } = options;
        let mut layers = self.same_conv("stem.conv", 3, width, 7); // [n, width, h, w]
        layers.extend(self.norm_relu("stem.norm", width));
        for (stage, from) in [("down1", width), ("down2", 2 * width)] {
            layers.push(self.down_conv(&format!("{stage}.conv"), from, 2 * from));
            layers.extend(self.norm_relu(&format!("{stage}.norm"), 2 * from));
        } // [n, 4·width, h/4, w/4]
        let inner = 4 * width;
        let mut channels = inner;
        for index in 1..=blocks {
            layers.push(self.block(&format!("block{index}"), channels, inner));
            if self == Self::Concat {
                channels += inner;
            }
        } // concat: [n, 4·width·(blocks + 1), h/4, w/4]
        for (stage, from, to) in [("up1", channels, 2 * width), ("up2", 2 * width, width)] {
            layers.extend(self.up_conv(up, &format!("{stage}.conv"), from, to));
            layers.extend(self.norm_relu(&format!("{stage}.norm"), to));
        } // [n, width, h, w]
        layers.extend(self.same_conv("head.conv", width, 3, 7)); // [n, 3, h, w]
        if self == Self::Concat && output_norm {
            layers.push(self.norm("head.norm", 3));
        }
        layers.push(Layer::Tanh);
        Network { channels: 3, layers }
    }

    /// The discriminator: `[n, 3, h, w]` in [-1, 1] to a verdict on each patch, `[n, 1, …]`.
    pub fn discriminator(self, width: usize) -> Network {
        let strides: &[usize] = match self {
            Self::Concat => &[2, 2, 2, 2, 1], // 16×16 verdicts at 256×256
            Self::Paper => &[2, 2, 2, 1],     // 30×30 verdicts at 256×256, each on 70×70 pixels
        };
        let mut layers = Vec::new();
        let mut from = 3;
        for (index, &stride) in strides.iter().enumerate() {
            let stage = format!("layer{}", index + 1);
            let to = width * (1 << index.min(3));
            layers.push(self.patch_conv(&format!("{stage}.conv"), from, to, stride));
            if index > 0 {
                layers.push(self.norm(&format!("{stage}.norm"), to));
            }
            layers.push(Layer::LeakyRelu { slope: 0.2 });
            from = to;
        }
        layers.push(self.patch_conv("head.conv", from, 1, 1));
        Network { channels: 3, layers }
    }

    fn block(self, stage: &str, from: usize, inner: usize) -> Layer {
        let mut body = self.same_conv(&format!("{stage}.conv1"), from, inner, 3);
        body.extend(self.norm_relu(&format!("{stage}.norm1"), inner));
        body.extend(self.same_conv(&format!("{stage}.conv2"), inner, inner, 3));
        body.push(self.norm(&format!("{stage}.norm2"), inner));
        let join = match self {
            Self::Concat => Join::Concat,
            Self::Paper => Join::Add,
        };
        Layer::Skip { body, join }
    }

    /// A convolution that keeps the size, with the family's padding around it.
    fn same_conv(self, name: &str, from: usize, to: usize, kernel: usize) -> Vec<Layer> {
        let by = kernel / 2;
        match self {
            Self::Concat => vec![conv(name, from, to, kernel, 1, Pads::all(by))],
            Self::Paper => vec![Layer::ReflectPad { by }, conv(name, from, to, kernel, 1, Pads::NONE)],
        }
    }

    /// A convolution that halves the size.
    fn down_conv(self, name: &str, from: usize, to: usize) -> Layer {
        let pad = match self {
            Self::Concat => Pads::same(3, 2),
            Self::Paper => Pads::all(1),
        };
        conv(name, from, to, 3, 2, pad)
    }

    /// A discriminator's 4×4 convolution.
    fn patch_conv(self, name: &str, from: usize, to: usize, stride: usize) -> Layer {
        let pad = match self {
            Self::Concat => Pads::same(4, stride),
            Self::Paper => Pads::all(1),
        };
        conv(name, from, to, 4, stride, pad)
    }

    /// A convolution that doubles the size.
    fn up_conv(self, up: UpConvolution, name: &str, from: usize, to: usize) -> Vec<Layer> {
        if up == UpConvolution::Resize {
            let mut layers = vec![Layer::Upsample { factor: 2 }];
            layers.extend(self.same_conv(name, from, to, 3));
            return layers;
        }
        let (crop, extra) = match self {
            // The full output has 2n + 1 rows; TensorFlow's `same` drops the last.
            Self::Concat => (Pads { bottom: 1, right: 1, ..Pads::NONE }, 0),
            Self::Paper => (Pads::all(1), 1),
        };
        vec![Layer::ConvTranspose { name: name.into(), from, to, kernel: 3, stride: 2, crop, extra }]
    }

    fn norm(self, name: &str, channels: usize) -> Layer {
        match self {
            Self::Concat => Layer::InstanceNorm { name: Some(name.into()), channels, eps: 1e-3 },
            Self::Paper => Layer::InstanceNorm { name: None, channels, eps: 1e-5 },
        }
    }

    fn norm_relu(self, name: &str, channels: usize) -> [Layer; 2] {
        [self.norm(name, channels), Layer::Relu]
    }
}

fn conv(name: &str, from: usize, to: usize, kernel: usize, stride: usize, pad: Pads) -> Layer {
    Layer::Conv { name: name.into(), from, to, kernel, stride, pad }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parameters, shapes};

    /// The paper generator has the 11.378 M parameters that the published code prints; those of concat are summed by hand
    /// from its layers. Multiply-adds are the figures of the design document, which counts
    /// a transposed convolution at its input's resolution.
    #[test]
    fn full_size_generators_have_the_published_size() {
        for (family, parameters, gigamacs) in [(Family::Paper, 11_378_179, 49.6), (Family::Concat, 35_276_553, 147.0)] {
            let network = family.generator(GeneratorOptions::default());
            let table = parameters::table(&network);
            assert_eq!(parameters::count(&table), parameters, "{family:?}");
            let summary = shapes::trace(&network, 256, 256).expect("256 fits");
            let measured = summary.multiply_adds() as f64 / 1e9;
            assert!((measured - gigamacs).abs() < gigamacs * 0.005, "{family:?}: {measured} G");
        }
    }

    #[test]
    fn the_output_norm_is_all_that_is_left_out() {
        let with = GeneratorOptions::sized(4, 1);
        let without = GeneratorOptions { output_norm: false, ..with };
        let names = |network: &Network| {
            parameters::table(network).into_iter().map(|parameter| parameter.name).collect::<Vec<_>>()
        };
        assert_eq!(Family::Paper.generator(without), Family::Paper.generator(with));
        let (with, without) = (Family::Concat.generator(with), Family::Concat.generator(without));
        let mut expected = names(&with);
        expected.retain(|name| !name.starts_with("head.norm"));
        assert_eq!(names(&without), expected);
        assert_eq!(without.layers.last(), Some(&Layer::Tanh));
    }

    #[test]
    fn a_networks_options_are_found_from_its_layers() {
        for family in [Family::Paper, Family::Concat] {
            for up in [UpConvolution::Transpose, UpConvolution::Resize] {
                let options = GeneratorOptions { width: 6, blocks: 3, up, output_norm: family == Family::Paper };
                assert_eq!(
                    GeneratorOptions::of(family, &family.generator(options)).map(|found| (found.up, found.blocks)),
                    Some((up, 3))
                );
                let mut other = family.generator(options);
                other.layers.pop();
                assert_eq!(GeneratorOptions::of(family, &other), None);
            }
        }
    }

    #[test]
    fn resize_convolution_keeps_every_shape_but_the_up_convolutions_weights() {
        for family in [Family::Paper, Family::Concat] {
            let transpose = GeneratorOptions::sized(4, 1);
            let resize = GeneratorOptions { up: UpConvolution::Resize, ..transpose };
            let [old, new] = [transpose, resize].map(|options| family.generator(options));
            let output = |network: &Network| shapes::trace(network, 16, 20).expect("16×20 fits").output();
            assert_eq!(output(&new), output(&old), "{family:?}");
            let differing: Vec<String> = parameters::table(&old)
                .into_iter()
                .zip(parameters::table(&new))
                .filter(|(old, new)| old != new)
                .map(|(old, new)| format!("{} {:?} {:?}", old.name, old.shape, new.shape))
                .collect();
            let up1 =
                if family == Family::Paper { "[16, 8, 3, 3] [8, 16, 3, 3]" } else { "[32, 8, 3, 3] [8, 32, 3, 3]" };
            assert_eq!(
                differing,
                [format!("up1.conv.weight {up1}"), "up2.conv.weight [8, 4, 3, 3] [4, 8, 3, 3]".into()],
                "{family:?}"
            );
        }
    }

    #[test]
    fn discriminators_judge_patches() {
        for (family, side) in [(Family::Paper, 30), (Family::Concat, 16)] {
            let trace = shapes::trace(&family.discriminator(64), 256, 256).expect("256 fits");
            assert_eq!(trace.output(), shapes::Shape { channels: 1, height: side, width: side }, "{family:?}");
        }
    }

    #[test]
    fn a_network_survives_its_json() {
        for family in [Family::Paper, Family::Concat] {
            let network = family.generator(GeneratorOptions::sized(8, 2));
            let json = serde_json::to_string(&network).expect("a tree of plain values");
            assert_eq!(serde_json::from_str::<Network>(&json).expect("its own JSON"), network);
        }
    }
}
