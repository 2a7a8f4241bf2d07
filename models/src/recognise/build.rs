//! A structure and settings to a network and the weights that are its own.

use super::RecogniseError;
use super::arrangement::{Place, Placed};
use super::choices::{BlockActivation, OutputActivation, Padding, StridedPadding};
use super::layers::{Convolution, Norm};
use super::settings::{NormIs, Settings};
use super::structure::{Stage, Structure};
use crate::{Layer, Network, Pads, Weight};

impl Settings {
    /// Behind every norm but the last of a block and of the network.
    fn activation(&self) -> Layer {
        match self.leaky_slope {
            0.0 => Layer::Relu,
            slope => Layer::LeakyRelu { slope },
        }
    }
}

/// The network and its weights under the names of its parameter table.
pub(super) fn build(
    structure: &Structure,
    settings: &Settings,
    weights: Vec<Weight>,
) -> Result<(Network, Vec<Weight>), RecogniseError> {
    let mut build = Build { settings, found: weights.into_iter().map(Some).collect(), weights: Vec::new() };
    let mut layers = Vec::new();
    let mut body = Vec::new();
    for stage in &structure.stages {
        let made = build.stage(stage)?;
        match stage.placed.place {
            Place::Block(_, 1) => body = made,
            Place::Block(..) => {
                let mut whole = std::mem::take(&mut body);
                whole.extend(made);
                layers.push(Layer::Skip { body: whole, join: structure.join });
                layers.extend((settings.block_activation == BlockActivation::Same).then(|| settings.activation()));
            }
            _ => layers.extend(made),
        }
    }
    let channels = structure.stages.first().map_or(0, |stage| stage.placed.from);
    Ok((Network { channels, layers }, build.weights))
}

struct Build<'a> {
    settings: &'a Settings,
    /// The file's tensors; each moves once.
    found: Vec<Option<Weight>>,
    weights: Vec<Weight>,
}

impl Build<'_> {
    /// A convolution with all that stands around it.
    fn stage(&mut self, Stage { placed, convolution, norm }: &Stage) -> Result<Vec<Layer>, RecogniseError> {
        let (name, norm_name) = match placed.place {
            Place::Stem => ("stem.conv".into(), "stem.norm".into()),
            Place::Down(stage) => (format!("down{stage}.conv"), format!("down{stage}.norm")),
            Place::Block(block, part) => (format!("block{block}.conv{part}"), format!("block{block}.norm{part}")),
            Place::Up(stage) => (format!("up{stage}.conv"), format!("up{stage}.norm")),
            Place::Head => ("head.conv".into(), "head.norm".into()),
        };
        let has_norm = placed.place != Place::Head || norm.is_some();
        let folded = norm.as_ref().filter(|_| self.settings.norm == NormIs::Folded);
        self.convolution(&name, placed, convolution, folded)?;
        let mut layers = self.padded(name, placed);
        if has_norm && self.settings.norm == NormIs::Instance {
            let affine = norm.as_ref().and_then(|norm| norm.affine);
            let channels = placed.to;
            if let Some([scale, bias]) = affine {
                self.take(scale, format!("{norm_name}.weight"));
                self.take(bias, format!("{norm_name}.bias"));
            }
            let eps = self.settings.norm_eps;
            layers.push(Layer::InstanceNorm { name: affine.map(|_| norm_name), channels, eps });
        }
        match placed.place {
            Place::Block(_, 2) => {}
            Place::Head => {
                layers.extend((self.settings.output_activation == OutputActivation::Tanh).then_some(Layer::Tanh));
            }
            _ => layers.push(self.settings.activation()),
        }
        Ok(layers)
    }

    /// The layers of a convolution and its padding.
    fn padded(&self, name: String, placed: &Placed) -> Vec<Layer> {
        let Placed { from, to, kernel, .. } = *placed;
        let settings = self.settings;
        let half = (kernel - 1) / 2;
        let (padding, mut layers) = match placed.place {
            Place::Stem => (settings.stem_padding, Vec::new()),
            Place::Head => (settings.head_padding, Vec::new()),
            Place::Block(..) => (settings.block_padding, Vec::new()),
            Place::Up(_) if !placed.transposed => (settings.upsample_padding, vec![Layer::Upsample { factor: 2 }]),
            Place::Up(_) => {
                // As many rows and columns as twice the input.
                let (crop, extra) = match settings.strided_padding {
                    StridedPadding::Symmetric | StridedPadding::Reflect => (Pads::all(half), kernel % 2),
                    StridedPadding::Same => (Pads::same(kernel, 2), 0),
                };
                return vec![Layer::ConvTranspose { name, from, to, kernel, stride: 2, crop, extra }];
            }
            Place::Down(_) => {
                let mut layers = Vec::new();
                let (mirrored, pad) = match settings.strided_padding {
                    StridedPadding::Symmetric => (0, Pads::all(half)),
                    StridedPadding::Same => (0, Pads::same(kernel, 2)),
                    StridedPadding::Reflect => (half, Pads::NONE),
                };
                layers.extend((mirrored > 0).then_some(Layer::ReflectPad { by: mirrored }));
                layers.push(Layer::Conv { name, from, to, kernel, stride: 2, pad });
                return layers;
            }
        };
        let pad = match padding {
            Padding::Reflect => Pads::NONE,
            Padding::Zero => Pads::all(half),
        };
        if padding == Padding::Reflect && half > 0 {
            layers.push(Layer::ReflectPad { by: half });
        }
        layers.push(Layer::Conv { name, from, to, kernel, stride: 1, pad });
        layers
    }

    /// Moves a convolution's weight and bias, zeros where it has none, and folds a norm into them:
    /// `s · (w·x + b − mean) + shift` with `s = scale / √(variance + eps)`.
    fn convolution(
        &mut self,
        name: &str,
        placed: &Placed,
        convolution: &Convolution,
        folded: Option<&Norm>,
    ) -> Result<(), RecogniseError> {
        let channels = placed.to;
        let bias_name = format!("{name}.bias");
        let bias = convolution.bias.and_then(|(index, _)| self.found[index].take());
        let bias = bias.map(|bias| Weight { name: bias_name.clone(), ..bias });
        let mut bias = bias.unwrap_or_else(|| Weight {
            name: bias_name,
            shape: vec![channels],
            bytes: vec![0; 4 * channels].into(),
        });
        self.take(convolution.weight, format!("{name}.weight"));
        if let Some(norm) = folded {
            let Norm { affine, statistics: Some([mean, variance]), .. } = norm else {
                unreachable!("settings fold only norms that store statistics")
            };
            let values = |index: usize| -> Vec<f64> {
                self.found[index].iter().flat_map(Weight::values).map(f64::from).collect()
            };
            let (mean, variances) = (values(*mean), values(*variance));
            let [scale, shift] = affine.map_or([vec![1.0; channels], vec![0.0; channels]], |pair| pair.map(values));
            let bad = |value: &f64| !(value + self.settings.norm_eps > 0.0 && value.is_finite());
            if variances.iter().any(bad) {
                let name = format!("{}.running_var", norm.name);
                return Err(RecogniseError::Numbers { name, what: "holds a variance that is negative or no number" });
            }
            let factors: Vec<f64> = scale
                .iter()
                .zip(&variances)
                .map(|(scale, variance)| scale / (variance + self.settings.norm_eps).sqrt())
                .collect();
            let weight = self.weights.last_mut().expect("just taken");
            // Channels out are the first axis; of a transposed convolution the second.
            let inner = placed.kernel * placed.kernel * if placed.transposed { 1 } else { placed.from };
            weight.replace(|index, value| (factors[index / inner % channels] * f64::from(value)) as f32);
            bias.replace(|index, value| (factors[index] * (f64::from(value) - mean[index]) + shift[index]) as f32);
        }
        self.weights.push(bias);
        Ok(())
    }

    fn take(&mut self, index: usize, name: String) {
        let weight = self.found[index].take().expect("each tensor belongs to one layer");
        self.weights.push(Weight { name, ..weight });
    }
}
