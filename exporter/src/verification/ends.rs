//! What a graph does between the bytes of pictures, or floats of another kind, and its network's numbers.

use half::f16;
use models_onnx::{BYTES_IN, BYTES_OUT, Io, OUTPUT};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::Pair;
use super::cases::Case;
use super::search::{Expected, Search};

/// How far beyond black and white the numbers reach that the output's steps are tried with, where those are 2 apart.
const BEYOND: f32 = 0.5;

/// Looks for the input's steps; gives what the first layer takes: the graph's own numbers where they are as they must be.
pub(super) fn input(pair: &Pair<'_>, case: &Case, search: &mut Search<'_>) -> Vec<f32> {
    if pair.interface.io != Io::Uint8 {
        return case.values.clone(); // they are such as the graph takes
    }
    let [batch, height, width] = case.shape;
    let shape = [batch, pair.channels()[0], height, width];
    let scale = pair.scale;
    let bytes: Vec<f32> = case.values.iter().map(|&value| f32::from(scale.to_picture(value))).collect();
    let [planes, scaled, shifted] = BYTES_IN;
    let mut steps = Steps { search, shape, in_16_bits: false, numbers: bytes };
    steps.next(planes, "layout of the input's bytes", |byte| byte);
    steps.next(scaled, "scale of the input's bytes", |byte| byte / f64::from(scale.step));
    steps.next(shifted, "shift of the input's bytes", |number| number + f64::from(scale.black));
    steps.numbers
}

/// What the output's steps are tried with.
pub(super) fn numbers_for_output(pair: &Pair<'_>, shape: [usize; 4], in_16_bits: bool) -> Vec<f32> {
    let mut random = Pcg64::seed_from_u64(1);
    let number = |_| pair.scale.of_usual(random.random_range(-1.0 - BEYOND..1.0 + BEYOND));
    let given = |number: f32| if in_16_bits { f16::from_f32(number).to_f32() } else { number };
    (0..shape.iter().product()).map(number).map(given).collect()
}

/// Looks for the output's steps behind the last layer's value, which has these numbers.
pub(super) fn output(pair: &Pair<'_>, given: &[f32], shape: [usize; 4], search: &mut Search<'_>) {
    let mut steps = Steps { search, shape, in_16_bits: pair.interface.io == Io::F16, numbers: given.to_vec() };
    if pair.interface.io != Io::Uint8 {
        return steps.next(OUTPUT, "the output's numbers", |number| number);
    }
    let scale = pair.scale;
    let [shifted, scaled, clamped, rounded, output] = BYTES_OUT;
    steps.next(shifted, "shift of the output's bytes", |number| number - f64::from(scale.black));
    steps.next(scaled, "scale of the output's bytes", |number| number * f64::from(scale.step));
    steps.next(clamped, "clamping of the output's bytes", |number| number.clamp(0.0, 255.0));
    steps.next(rounded, "rounding of the output's bytes", f64::round_ties_even);
    let [batch, channels, height, width] = shape;
    steps.numbers = interleaved(&steps.numbers, channels, height * width);
    steps.shape = [batch, height, width, channels];
    steps.next(output, "layout of the output's bytes", |byte| byte);
}

/// Planes, picture by picture, as pixels.
pub(super) fn interleaved<T: Copy>(planes: &[T], channels: usize, pixels: usize) -> Vec<T> {
    let picture = |planes: &[T]| -> Vec<T> {
        (0..pixels)
            .flat_map(|pixel| (0..channels).map(move |channel| channel * pixels + pixel))
            .map(|place| planes[place])
            .collect()
    };
    planes.chunks(channels * pixels).flat_map(picture).collect()
}

/// Pixels, picture by picture, as planes.
pub(super) fn planes<T: Copy>(interleaved: &[T], channels: usize, pixels: usize) -> Vec<T> {
    // The same with both sides in each other's place.
    self::interleaved(interleaved, pixels, channels)
}

/// Numbers on their way through steps.
struct Steps<'s, 'v> {
    search: &'s mut Search<'v>,
    shape: [usize; 4],
    in_16_bits: bool,
    numbers: Vec<f32>,
}

impl Steps<'_, '_> {
    fn next(&mut self, name: &str, kind: &str, function: impl Fn(f64) -> f64) {
        if self.search.is_settled {
            return;
        }
        let exact: Vec<f32> = self.numbers.iter().map(|&number| function(f64::from(number)) as f32).collect();
        let [float, shaken, unrounded] = [&exact; 3].map(Clone::clone);
        let (name, kind, shape) = (name.into(), kind.into(), self.shape);
        let in_16_bits = self.in_16_bits;
        let expected = Expected { name, kind, shape, in_16_bits, exact, float, shaken, unrounded, is_centred: false };
        self.numbers = match self.search.next(&expected) {
            Some(same) => same.value.numbers.clone(),
            None => expected.exact,
        };
    }
}
