//! Each kind of layer on random problems: libtorch against ONNX Runtime, and both against sums written out here.

use models::{Join, Layer, Network, Pads};
use proptest::prelude::*;
use tests::{Problem, assert_close, on_onnx_runtime, on_torch};

/// A layer sums at most some 500 products near 1; each runtime rounds them in its own order, to 6e-8 of the sum. A norm
/// divides by a deviation that may be as small as 0.1.
const LAYER: f32 = 2e-5;

/// One picture's features in a layer's naive reference: `[c, h, w]` with any index outside read as zero.
struct Features<'a> {
    channels: usize,
    height: usize,
    width: usize,
    values: &'a [f32],
}

impl Features<'_> {
    fn at(&self, channel: usize, row: i64, column: i64) -> f64 {
        let inside = (0..self.height as i64).contains(&row) && (0..self.width as i64).contains(&column);
        if !inside {
            return 0.0;
        }
        f64::from(self.values[(channel * self.height + row as usize) * self.width + column as usize])
    }

    /// New features from a function of channel, row and column.
    fn map(channels: usize, height: usize, width: usize, value: impl Fn(usize, i64, i64) -> f64) -> Vec<f32> {
        let mut values = Vec::new();
        for channel in 0..channels {
            for row in 0..height as i64 {
                for column in 0..width as i64 {
                    values.push(value(channel, row, column) as f32);
                }
            }
        }
        values
    }
}

/// The layer written as its documentation says, in float64 and without any thought of speed.
fn naive(layer: &Layer, weights: &[Vec<f32>], x: &Features<'_>) -> Vec<f32> {
    let same = |value: &dyn Fn(f64) -> f64| {
        Features::map(x.channels, x.height, x.width, |channel, row, column| value(x.at(channel, row, column)))
    };
    match layer {
        Layer::Conv { from, to, kernel, stride, pad, .. } => {
            let side = |size: usize, pads: usize| (size + pads - kernel) / stride + 1;
            let (height, width) = (side(x.height, pad.top + pad.bottom), side(x.width, pad.left + pad.right));
            Features::map(*to, height, width, |channel, row, column| {
                let mut sum = f64::from(weights[1][channel]);
                for input in 0..*from {
                    for ky in 0..*kernel {
                        for kx in 0..*kernel {
                            let weight = weights[0][((channel * from + input) * kernel + ky) * kernel + kx];
                            let y = row * *stride as i64 + ky as i64 - pad.top as i64;
                            let z = column * *stride as i64 + kx as i64 - pad.left as i64;
                            sum += f64::from(weight) * x.at(input, y, z);
                        }
                    }
                }
                sum
            })
        }
        Layer::ConvTranspose { from, to, kernel, stride, crop, extra, .. } => {
            let side = |size: usize, cropped: usize| (size - 1) * stride + kernel + extra - cropped;
            let (height, width) = (side(x.height, crop.top + crop.bottom), side(x.width, crop.left + crop.right));
            Features::map(*to, height, width, |channel, row, column| {
                let mut sum = f64::from(weights[1][channel]);
                // Each input is spread over a kernel's worth of outputs.
                for input in 0..*from {
                    for y in 0..x.height {
                        for z in 0..x.width {
                            let ky = row + crop.top as i64 - (y * stride) as i64;
                            let kx = column + crop.left as i64 - (z * stride) as i64;
                            let reached = (0..*kernel as i64).contains(&ky) && (0..*kernel as i64).contains(&kx);
                            if reached {
                                let place = ((input * to + channel) * kernel + ky as usize) * kernel + kx as usize;
                                sum += f64::from(weights[0][place]) * x.at(input, y as i64, z as i64);
                            }
                        }
                    }
                }
                sum
            })
        }
        Layer::InstanceNorm { name, eps, .. } => {
            let pixels = (x.height * x.width) as f64;
            let over = |channel: usize, value: &dyn Fn(f64) -> f64| {
                let plane = &x.values[channel * x.height * x.width..][..x.height * x.width];
                plane.iter().map(|&number| value(f64::from(number))).sum::<f64>() / pixels
            };
            Features::map(x.channels, x.height, x.width, |channel, row, column| {
                let mean = over(channel, &|number| number);
                let variance = over(channel, &|number| (number - mean).powi(2));
                let normal = (x.at(channel, row, column) - mean) / (variance + eps).sqrt();
                match name {
                    Some(_) => normal * f64::from(weights[0][channel]) + f64::from(weights[1][channel]),
                    None => normal,
                }
            })
        }
        Layer::ReflectPad { by } => {
            Features::map(x.channels, x.height + 2 * by, x.width + 2 * by, |channel, row, column| {
                let mirror = |place: i64, size: usize| {
                    let place = (place - *by as i64).abs();
                    let last = size as i64 - 1;
                    last - (last - place).abs()
                };
                x.at(channel, mirror(row, x.height), mirror(column, x.width))
            })
        }
        Layer::Upsample { factor } => {
            let factor = *factor as i64;
            Features::map(x.channels, x.height * factor as usize, x.width * factor as usize, |channel, row, column| {
                x.at(channel, row / factor, column / factor)
            })
        }
        Layer::Relu => same(&|value| value.max(0.0)),
        Layer::LeakyRelu { slope } => same(&|value| if value > 0.0 { value } else { slope * value }),
        Layer::Tanh => same(&f64::tanh),
        Layer::Skip { body, join } => {
            let [inner] = body.as_slice() else { panic!("the tests carry around one layer") };
            let through = naive(inner, weights, x);
            match join {
                Join::Add => through.iter().zip(x.values).map(|(one, other)| one + other).collect(),
                Join::Concat => [through.as_slice(), x.values].concat(),
            }
        }
    }
}

fn pads(most: usize) -> impl Strategy<Value = Pads> {
    [0..=most, 0..=most, 0..=most, 0..=most].prop_map(|[top, left, bottom, right]| Pads { top, left, bottom, right })
}

/// Any layer without a body, for features with a given number of channels.
fn leaf(channels: usize) -> impl Strategy<Value = Layer> {
    let name = || "layer".to_owned();
    prop_oneof![
        3 => (1..6_usize, 1..8_usize, 1..4_usize, pads(3)).prop_map(move |(to, kernel, stride, pad)| {
            Layer::Conv { name: name(), from: channels, to, kernel, stride, pad }
        }),
        3 => (1..6_usize, 1..5_usize, 1..4_usize, pads(1), 0..3_usize).prop_filter_map(
            "runtimes ask that the extra is less than the stride, and that something is left",
            move |(to, kernel, stride, crop, extra)| {
                let fits = extra < stride && kernel > crop.top + crop.bottom && kernel > crop.left + crop.right;
                fits.then(|| Layer::ConvTranspose { name: name(), from: channels, to, kernel, stride, crop, extra })
            }
        ),
        2 => (proptest::option::of(Just(name())), prop_oneof![Just(1e-3), Just(1e-5)])
            .prop_map(move |(name, eps)| Layer::InstanceNorm { name, channels, eps }),
        1 => (1..4_usize).prop_map(|by| Layer::ReflectPad { by }),
        1 => (1..4_usize).prop_map(|factor| Layer::Upsample { factor }),
        1 => Just(Layer::Relu),
        1 => (0.0..0.5).prop_map(|slope| Layer::LeakyRelu { slope }),
        1 => Just(Layer::Tanh),
    ]
}

/// Any layer: a skip connection carries around a convolution that keeps the size.
fn layer(channels: usize) -> impl Strategy<Value = Layer> {
    let skip = (1..6_usize, prop_oneof![Just(Join::Add), Just(Join::Concat)]).prop_map(move |(to, join)| {
        let to = if join == Join::Add { channels } else { to };
        let conv = Layer::Conv { name: "layer".into(), from: channels, to, kernel: 3, stride: 1, pad: Pads::all(1) };
        Layer::Skip { body: vec![conv], join }
    });
    prop_oneof![6 => leaf(channels), 1 => skip]
}

fn problem() -> impl Strategy<Value = (Layer, Problem)> {
    (1..5_usize, 1..3_usize, 4..14_usize, 4..14_usize, any::<u64>()).prop_flat_map(
        |(channels, batch, height, width, seed)| {
            layer(channels).prop_map(move |layer| {
                let network = Network { channels, layers: vec![layer.clone()] };
                (layer, Problem::random(network, batch, height, width, seed))
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_layer_is_the_same_in_libtorch_in_onnx_runtime_and_written_out((layer, problem) in problem()) {
        let [_, channels, height, width] = problem.shape;
        prop_assume!(models::shapes::trace(&problem.network, height, width).is_ok());
        let weights: Vec<Vec<f32>> = problem.weights.iter().map(|weight| weight.values().collect()).collect();
        let pictures = problem.input.chunks(channels * height * width);
        let expected: Vec<f32> = pictures
            .flat_map(|values| naive(&layer, &weights, &Features { channels, height, width, values }))
            .collect();
        assert_close(&format!("libtorch, {layer:?}"), &on_torch(&problem), &expected, LAYER);
        assert_close(&format!("ONNX Runtime, {layer:?}"), &on_onnx_runtime(&problem), &expected, LAYER);
    }
}
