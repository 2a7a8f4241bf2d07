//! The parameter table: what a network learns, by name and shape, in the order of its layers.
//!
//! The same names and shapes are those of the libtorch weights and of the ONNX initializers.

use std::convert::Infallible;

use crate::{Backend, Join, Layer, Network, fold};

/// What a parameter is, which decides how it is initialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Weight of a (transposed) convolution: drawn from N(0, 0.02) at first.
    ConvWeight,
    /// Bias of a convolution or norm: 0 at first.
    Bias,
    /// Scale of a norm: 1 at first.
    Scale,
}

/// One learned tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its layer's name and `.weight` or `.bias`.
    pub name: String,
    /// PyTorch's layout: `[to, from, k, k]`, transposed convolutions `[from, to, k, k]`, vectors `[channels]`.
    pub shape: Vec<usize>,
    /// What it is.
    pub kind: ParameterKind,
}

impl Parameter {
    /// Numbers in it. A file may claim any shape: past all bounds this stays at the largest number.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |product: usize, &side| product.saturating_mul(side))
    }

    /// Whether it holds no number, which no layer of the families does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The parameters of one layer that is not a skip connection, weight before bias.
pub fn of_layer(layer: &Layer) -> Vec<Parameter> {
    let convolution = |name: &str, first: usize, second: usize, kernel: usize, to: usize| {
        vec![
            parameter(name, "weight", vec![first, second, kernel, kernel], ParameterKind::ConvWeight),
            parameter(name, "bias", vec![to], ParameterKind::Bias),
        ]
    };
    match layer {
        Layer::Conv { name, from, to, kernel, .. } => convolution(name, *to, *from, *kernel, *to),
        Layer::ConvTranspose { name, from, to, kernel, .. } => convolution(name, *from, *to, *kernel, *to),
        Layer::InstanceNorm { name: Some(name), channels, .. } => vec![
            parameter(name, "weight", vec![*channels], ParameterKind::Scale),
            parameter(name, "bias", vec![*channels], ParameterKind::Bias),
        ],
        Layer::InstanceNorm { name: None, .. }
        | Layer::ReflectPad { .. }
        | Layer::Upsample { .. }
        | Layer::Relu
        | Layer::LeakyRelu { .. }
        | Layer::Tanh
        | Layer::Skip { .. } => Vec::new(),
    }
}

fn parameter(name: &str, suffix: &str, shape: Vec<usize>, kind: ParameterKind) -> Parameter {
    Parameter { name: format!("{name}.{suffix}"), shape, kind }
}

/// All parameters of a network, in the order of its layers.
pub fn table(network: &Network) -> Vec<Parameter> {
    let mut table = Table(Vec::new());
    match fold(&network.layers, &mut table, ()) {
        Ok(()) => table.0,
        Err(never) => match never {},
    }
}

/// Numbers in a table.
pub fn count(table: &[Parameter]) -> usize {
    table.iter().map(Parameter::len).fold(0, usize::saturating_add)
}

struct Table(Vec<Parameter>);

impl Backend for Table {
    type Value = ();
    type Error = Infallible;

    fn share(&mut self, (): &()) {}

    fn leaf(&mut self, layer: &Layer, (): ()) -> Result<(), Infallible> {
        self.0.extend(of_layer(layer));
        Ok(())
    }

    fn join(&mut self, _: Join, (): (), (): ()) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::{Family, GeneratorOptions};

    #[test]
    fn names_are_unique() {
        for family in [Family::Paper, Family::Concat] {
            let networks = [family.generator(GeneratorOptions::sized(4, 3)), family.discriminator(4)];
            for network in networks {
                let mut names: Vec<_> = table(&network).into_iter().map(|parameter| parameter.name).collect();
                let all = names.len();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), all, "{family:?}");
            }
        }
    }

    /// Worked out by hand from the concat row of the design: the second block reads 2 · 16 channels, the first
    /// up-convolution 3 · 16.
    #[test]
    fn concatenating_blocks_read_all_earlier_features() {
        let table = table(&Family::Concat.generator(GeneratorOptions::sized(4, 2)));
        let shape = |name: &str| &table.iter().find(|parameter| parameter.name == name).expect(name).shape;
        assert_eq!(shape("block2.conv1.weight"), &[16, 32, 3, 3]);
        assert_eq!(shape("up1.conv.weight"), &[48, 8, 3, 3]);
    }
}
