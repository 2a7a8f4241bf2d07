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

    /// Runs `[n, c, h, w]` through the network. 64-bit floats are computed as such, with the weights that they are made of:
    /// what rounding does to 32-bit ones is seen beside them.
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
        let mut forward = Forward { weights: &self.weights, precision, rounds: Rounds::All };
        fold(&self.network.layers, &mut forward, input.shallow_clone())
    }

    /// Computes each layer by itself in the order of [`models::shapes::trace`]'s steps, `[n, c, h, w]` going into the first.
    /// `visit` gets what each makes of its inputs and may give other numbers in its place, `[n, c, h, w]`, which all that
    /// follows then starts from: what another runtime has there, so that the differences of earlier layers are not seen again
    /// in later ones; and the same before they were rounded to 16 bits.
    ///
    /// Of [`Precision::F16`] a convolution's input and weights are rounded, its output is not.
    ///
    /// # Errors
    /// Those of [`Self::forward`], and what `visit` gives.
    pub fn step_by_step<E: From<TchError>>(
        &self,
        precision: Precision,
        input: &Tensor,
        visit: impl FnMut(&Computed) -> Result<Option<[Tensor; 2]>, E>,
    ) -> Result<(), E> {
        let forward = Forward { weights: &self.weights, precision, rounds: Rounds::Inputs };
        let unrounded = Forward { weights: &self.weights, precision, rounds: Rounds::Weights };
        let mut stepper = Stepper { forward, unrounded, visit };
        fold(&self.network.layers, &mut stepper, Computed::of(input, input)?)?;
        Ok(())
    }
}

/// What one layer makes of its inputs.
#[derive(Debug)]
pub struct Computed {
    /// In 64-bit floats, which round nothing that counts.
    pub exact: Tensor,
    /// In 32-bit floats.
    pub float: Tensor,
    /// In 64-bit floats, of inputs that are off by up to a unit in the last place of 32-bit ones: how much the layer magnifies
    /// what anybody rounds. A norm does, whose channels differ little from a large mean.
    pub shaken: Tensor,
    /// In 64-bit floats, of inputs before they were rounded to 16 bits: a runtime that computes in more may leave that out
    /// between two layers.
    pub unrounded: Tensor,
}

impl Computed {
    fn of(numbers: &Tensor, unrounded: &Tensor) -> Result<Self, TchError> {
        let exact = numbers.f_to_kind(Kind::Double)?;
        let shaken = shaken(&exact)?;
        let unrounded = unrounded.f_to_kind(Kind::Double)?;
        Ok(Self { exact, float: numbers.f_to_kind(Kind::Float)?, shaken, unrounded })
    }
}

/// 64-bit floats that are each off by up to a unit in the last place of 32-bit ones: what comes of them shows how much anybody's
/// rounding is magnified.
///
/// # Errors
/// Those of libtorch.
pub fn shaken(exact: &Tensor) -> Result<Tensor, TchError> {
    // Multiples of the golden ratio, without their whole parts, lie in no order and everywhere alike.
    let places = Tensor::f_arange(exact.numel() as i64, (Kind::Double, exact.device()))?;
    let off = (places * 0.618_033_988_749_894_9).f_frac()? * 2.0 - 1.0;
    let off = off.f_view(exact.size().as_slice())? * f64::from(f32::EPSILON);
    exact.f_mul(&(off + 1.0))
}

/// A walk that lets go on with other numbers than it found.
struct Stepper<'a, V> {
    forward: Forward<'a>,
    unrounded: Forward<'a>,
    visit: V,
}

impl<V> Stepper<'_, V> {
    fn next<E: From<TchError>>(&mut self, found: Computed) -> Result<Computed, E>
    where
        V: FnMut(&Computed) -> Result<Option<[Tensor; 2]>, E>,
    {
        match (self.visit)(&found)? {
            Some([instead, unrounded]) => Ok(Computed::of(&instead, &unrounded)?),
            None => Ok(found),
        }
    }
}

impl<E: From<TchError>, V: FnMut(&Computed) -> Result<Option<[Tensor; 2]>, E>> Backend for Stepper<'_, V> {
    type Value = Computed;
    type Error = E;

    fn share(&mut self, value: &Computed) -> Computed {
        let Computed { exact, float, shaken, unrounded } = value;
        let [exact, float, shaken, unrounded] = [exact, float, shaken, unrounded].map(Tensor::shallow_clone);
        Computed { exact, float, shaken, unrounded }
    }

    fn leaf(&mut self, layer: &Layer, x: Computed) -> Result<Computed, E> {
        let exact = self.forward.leaf(layer, x.exact)?;
        let float = self.forward.leaf(layer, x.float)?;
        let shaken = self.forward.leaf(layer, x.shaken)?;
        let unrounded = self.unrounded.leaf(layer, x.unrounded)?;
        self.next(Computed { exact, float, shaken, unrounded })
    }

    fn join(&mut self, join: Join, body: Computed, carried: Computed) -> Result<Computed, E> {
        let exact = self.forward.join(join, body.exact, carried.exact)?;
        let float = self.forward.join(join, body.float, carried.float)?;
        let shaken = self.forward.join(join, body.shaken, carried.shaken)?;
        let unrounded = self.unrounded.join(join, body.unrounded, carried.unrounded)?;
        self.next(Computed { exact, float, shaken, unrounded })
    }
}

struct Forward<'a> {
    weights: &'a Weights,
    precision: Precision,
    rounds: Rounds,
}

/// What of a convolution is rounded to 16 bits, where it is computed in them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounds {
    /// Its weights.
    Weights,
    /// Its input too.
    Inputs,
    /// Its output too.
    All,
}

impl Forward<'_> {
    /// A layer's parameter as numbers of the kind of its input: 64-bit ones are made one layer at a time.
    fn parameter(&self, layer: &str, suffix: &str, x: &Tensor) -> Result<Tensor, TchError> {
        let name = format!("{layer}.{suffix}");
        self.weights.get(&name).expect("the weights were made from this network's table").f_to_kind(x.f_kind()?)
    }

    /// A convolution's input, weight and bias in the precision that it is computed in.
    fn operands(&self, layer: &str, x: &Tensor) -> Result<[Tensor; 3], TchError> {
        let [weight, bias] = [self.parameter(layer, "weight", x)?, self.parameter(layer, "bias", x)?];
        let cast = |tensor: &Tensor| match self.precision {
            Precision::F32 => Ok(tensor.shallow_clone()),
            Precision::Bf16 => tensor.f_to_kind(Kind::BFloat16),
            Precision::F16 => rounded(tensor),
        };
        let x = if self.rounds == Rounds::Weights { x.shallow_clone() } else { cast(x)? };
        Ok([x, cast(&weight)?, cast(&bias)?])
    }

    /// A convolution's output as the next layer takes it.
    fn result(&self, y: Tensor) -> Result<Tensor, TchError> {
        match self.precision {
            Precision::Bf16 => y.f_to_kind(Kind::Float),
            Precision::F16 if self.rounds == Rounds::All => rounded(&y),
            Precision::F32 | Precision::F16 => Ok(y),
        }
    }
}

/// Each number's nearest 16-bit float, in the kind that it has; infinity beyond 65504.
fn rounded(x: &Tensor) -> Result<Tensor, TchError> {
    x.f_to_kind(Kind::Half)?.f_to_kind(x.f_kind()?)
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
                let trained = |suffix| name.as_ref().map(|name| self.parameter(name, suffix, &x)).transpose();
                let [scale, bias] = [trained("weight")?, trained("bias")?];
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
