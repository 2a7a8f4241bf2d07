//! The fold over libtorch tensors.

use models::{Backend, Join, Layer, Network, Pads, Weight, WeightsError, fold, parameters};
use tch::{Device, Kind, TchError, Tensor};

use crate::Weights;

/// What convolutions are computed in. Weights, norms and all that lies between layers stay 32-bit floats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// bfloat16, by casts around each convolution: libtorch's autocast is not reachable for it from here.
    Bf16,
    /// 16-bit floats: what an exported file of that precision asks of a runtime. Each convolution's input, weights and output
    /// are rounded to them, and its sums made in 32 bits as GPUs do, since a CPU's own 16-bit convolutions take ten times as
    /// long.
    F16,
}

/// A network with its weights, ready to run.
#[derive(Debug)]
pub struct Module {
    network: Network,
    weights: Weights,
    precision: Precision,
}

impl Module {
    /// A network with first weights.
    ///
    /// # Errors
    /// If the device has no memory for them.
    pub fn initialise(network: Network, random: &mut impl rand::Rng, device: Device) -> Result<Self, TchError> {
        let weights = Weights::initialise(parameters::table(&network), random, device)?;
        Ok(Self { network, weights, precision: Precision::F32 })
    }

    /// A network with weights from elsewhere.
    ///
    /// # Errors
    /// If the weights are not exactly the network's.
    pub fn from_weights(network: Network, weights: &[Weight], device: Device) -> Result<Self, WeightsError> {
        let weights = Weights::from_weights(parameters::table(&network), weights, device)?;
        Ok(Self { network, weights, precision: Precision::F32 })
    }

    /// The same, with convolutions computed in another precision.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The same network with other numbers as weights, flat in the table's order; they are copied.
    ///
    /// # Errors
    /// If they are of another count, or the device has no memory left.
    pub fn with_flat_weights(&self, flat: &Tensor) -> Result<Self, TchError> {
        let weights = self.weights.with_flat(flat)?;
        Ok(Self { network: self.network.clone(), weights, precision: self.precision })
    }

    /// Its tree of layers.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Its weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Runs `[n, c, h, w]` through the network.
    ///
    /// # Errors
    /// libtorch's own: a shape that does not fit (check it with [`models::shapes`] before), or no memory.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor, TchError> {
        self.forward_in(self.precision, input)
    }

    /// The same with convolutions computed in a precision for this once.
    ///
    /// # Errors
    /// Those of [`Module::forward`].
    pub fn forward_in(&self, precision: Precision, input: &Tensor) -> Result<Tensor, TchError> {
        fold(&self.network.layers, &mut Forward { weights: &self.weights, precision }, input.shallow_clone())
    }

    /// Runs `[n, c, h, w]` through the network and gives every layer's output, in the order of
    /// [`models::shapes::trace`]'s steps. All of them are in memory at once.
    ///
    /// # Errors
    /// Those of [`Self::forward`].
    pub fn outputs(&self, input: &Tensor) -> Result<Vec<Tensor>, TchError> {
        let walk = Forward { weights: &self.weights, precision: self.precision };
        let mut recording = Recording { walk, outputs: Vec::new() };
        let _last = fold(&self.network.layers, &mut recording, input.shallow_clone())?;
        Ok(recording.outputs)
    }

    /// The same network with the same weights as 64-bit floats, which take such inputs: what rounding does to the 32-bit
    /// ones is seen beside it.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn into_double(self) -> Result<Self, TchError> {
        Ok(Self { weights: self.weights.into_kind(Kind::Double)?, ..self })
    }
}

/// A walk that keeps what it passes.
struct Recording<'a> {
    walk: Forward<'a>,
    outputs: Vec<Tensor>,
}

impl Backend for Recording<'_> {
    type Value = Tensor;
    type Error = TchError;

    fn share(&mut self, value: &Tensor) -> Tensor {
        value.shallow_clone()
    }

    fn leaf(&mut self, layer: &Layer, x: Tensor) -> Result<Tensor, TchError> {
        let output = self.walk.leaf(layer, x)?;
        self.outputs.push(output.shallow_clone());
        Ok(output)
    }

    fn join(&mut self, join: Join, body: Tensor, carried: Tensor) -> Result<Tensor, TchError> {
        let output = self.walk.join(join, body, carried)?;
        self.outputs.push(output.shallow_clone());
        Ok(output)
    }
}

struct Forward<'a> {
    weights: &'a Weights,
    precision: Precision,
}

impl Forward<'_> {
    fn parameter(&self, layer: &str, suffix: &str) -> &Tensor {
        let name = format!("{layer}.{suffix}");
        self.weights.get(&name).expect("the weights were made from this network's table")
    }

    /// A convolution's input, weight and bias in the precision that it is computed in.
    fn operands(&self, layer: &str, x: &Tensor) -> Result<[Tensor; 3], TchError> {
        let [weight, bias] = ["weight", "bias"].map(|suffix| self.parameter(layer, suffix));
        let cast = |tensor: &Tensor| match self.precision {
            Precision::F32 => Ok(tensor.shallow_clone()),
            Precision::Bf16 => tensor.f_to_kind(Kind::BFloat16),
            Precision::F16 => rounded(tensor),
        };
        Ok([cast(x)?, cast(weight)?, cast(bias)?])
    }

    /// A convolution's output as the next layer takes it.
    fn result(&self, y: Tensor) -> Result<Tensor, TchError> {
        match self.precision {
            Precision::F32 => Ok(y),
            Precision::Bf16 => y.f_to_kind(Kind::Float),
            Precision::F16 => rounded(&y),
        }
    }
}

/// Each number's nearest 16-bit float, as a 32-bit one; infinity beyond 65504.
fn rounded(x: &Tensor) -> Result<Tensor, TchError> {
    x.f_to_kind(Kind::Half)?.f_to_kind(Kind::Float)
}

impl Backend for Forward<'_> {
    type Value = Tensor;
    type Error = TchError;

    fn share(&mut self, value: &Tensor) -> Tensor {
        value.shallow_clone()
    }

    fn leaf(&mut self, layer: &Layer, x: Tensor) -> Result<Tensor, TchError> {
        match layer {
            Layer::Conv { name, to, kernel, stride, pad, .. } => {
                let [x, weight, bias] = self.operands(name, &x)?;
                let (x, padding) = match pad.is_symmetric() {
                    true => (x, [pad.top as i64, pad.left as i64]),
                    false => (x.f_constant_pad_nd(last_axis_first(*pad))?, [0, 0]),
                };
                if self.precision == Precision::F32
                    && *stride == 1
                    && *to <= FEW_CHANNELS
                    && *kernel >= LARGE_KERNEL
                    && x.device() == Device::Cpu
                {
                    return self.result(by_rows(&x, &weight, &bias, padding)?);
                }
                self.result(x.f_conv2d(&weight, Some(&bias), [*stride as i64; 2], padding, [1, 1], 1)?)
            }
            Layer::ConvTranspose { name, stride, crop, extra, .. } => {
                let [x, weight, bias] = self.operands(name, &x)?;
                // libtorch crops alike on both sides; what is left to crop beyond that is cut off its output.
                let (rows, columns) = (crop.top.min(crop.bottom), crop.left.min(crop.right));
                let [padding, extra, stride] =
                    [[rows, columns], [*extra; 2], [*stride; 2]].map(|pair| pair.map(|side| side as i64));
                let y = x.f_conv_transpose2d(&weight, Some(&bias), stride, padding, extra, 1, [1, 1])?;
                let y = self.result(y)?;
                match crop.is_symmetric() {
                    true => Ok(y),
                    false => cut(
                        &y,
                        Pads {
                            top: crop.top - rows,
                            bottom: crop.bottom - rows,
                            left: crop.left - columns,
                            right: crop.right - columns,
                        },
                    ),
                }
            }
            Layer::InstanceNorm { name, channels, eps } => {
                // Group norm with one channel a group is the same, and faster on CPU than libtorch's own instance norm,
                // which goes through batch norm.
                let scale = name.as_ref().map(|name| self.parameter(name, "weight"));
                let bias = name.as_ref().map(|name| self.parameter(name, "bias"));
                x.f_group_norm(*channels as i64, scale, bias, *eps, true)
            }
            Layer::ReflectPad { by } => x.f_reflection_pad2d([*by as i64; 4]),
            Layer::Upsample { factor } => {
                let (_, _, height, width) = x.size4()?;
                let factor = *factor as i64;
                x.f_upsample_nearest2d([height * factor, width * factor], None, None)
            }
            Layer::Relu => x.f_relu(),
            // tch's leaky_relu knows only the slope 0.01; prelu takes it as a tensor, made where it is needed: a copy from
            // the CPU would wait for the device.
            Layer::LeakyRelu { slope } => x.f_prelu(&Tensor::f_full([1], *slope, (x.f_kind()?, x.device()))?),
            Layer::Tanh => x.f_tanh(),
            Layer::Skip { .. } => unreachable!("the fold opens skip connections itself"),
        }
    }

    fn join(&mut self, join: Join, body: Tensor, carried: Tensor) -> Result<Tensor, TchError> {
        match join {
            Join::Add => body.f_add(&carried),
            Join::Concat => Tensor::f_cat(&[body, carried], 1),
        }
    }
}

/// Output channels for which, on a CPU, a convolution is computed [`by_rows`], and the side of its kernel from which on.
const FEW_CHANNELS: usize = 4;
const LARGE_KERNEL: usize = 4;

/// A convolution of stride 1, `[n, c, h, w]`, whose kernel's rows are channels of a convolution with a kernel one row
/// high, then added up, each a row further down. The same products are summed: a CPU computes 16 output channels at a time
/// whether there are as many or not, so 3 channels of 7×7 take twice as long as 21 of 1×7.
fn by_rows(x: &Tensor, weight: &Tensor, bias: &Tensor, padding: [i64; 2]) -> Result<Tensor, TchError> {
    let (to, from, rows, columns) = weight.size4()?;
    let weight = weight.f_permute([0, 2, 1, 3])?.f_reshape([to * rows, from, 1, columns])?;
    // Rows are padded afterwards: there are fewer channels then, and kernels one row high are slow with rows of padding.
    let [above, beside] = padding;
    let y = x.f_conv2d(&weight, None::<Tensor>, [1, 1], [0, beside], [1, 1], 1)?; // [n, to · rows, h, w]
    let y = if above == 0 { y } else { y.f_constant_pad_nd([0, 0, above, above])? };
    let (n, _, height, width) = y.size4()?;
    // One row more for each of the kernel's: then row i of part r lies where row i + r of it was.
    let y = y.f_reshape([n, to, rows * height, width])?.f_constant_pad_nd([0, 0, 0, rows])?;
    let y = y.f_reshape([n, to, rows, height + 1, width])?.f_narrow(3, 0, height + 1 - rows)?;
    y.f_sum_dim_intlist([2].as_slice(), false, None)?.f_add(&bias.f_view([1, to, 1, 1])?)
}

/// libtorch's order of padding: last axis first, before and after.
fn last_axis_first(pads: Pads) -> [i64; 4] {
    [pads.left, pads.right, pads.top, pads.bottom].map(|side| side as i64)
}

/// `x` without its outermost rows and columns. A negative padding.
fn cut(x: &Tensor, pads: Pads) -> Result<Tensor, TchError> {
    x.f_constant_pad_nd(last_axis_first(pads).map(|side| -side))
}
