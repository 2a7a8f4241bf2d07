//! Instance norm with what follows it: a rectifier, or the sum with what was carried past.
//!
//! Each plane is read three times while it is in a cache, instead of from memory by each of the operators in turn.

use crate::error::KernelError;
use crate::raw::{Bands, Machine, Vector, Work, dispatch};
use crate::threads::Threads;

/// Ulyanov et al., "Instance Normalization" (2016): each plane to mean 0 and variance 1, then scaled and shifted.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// Of each channel.
    pub scale: Vec<f32>,
    /// Of each channel.
    pub bias: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether what is below zero becomes zero.
    pub relu: bool,
}

/// Numbers that are summed in 32 bits before they are added to the others in 64.
const BLOCK: usize = 4096;

impl Norm {
    /// Normalizes `[images, channels, pixels]` numbers, and adds as many `carried` ones.
    ///
    /// # Errors
    /// If sizes do not fit, or the threads fail.
    pub fn run(
        &self,
        machine: Machine,
        input: &[f32],
        [images, pixels]: [usize; 2],
        carried: Option<&[f32]>,
        output: &mut [f32],
        threads: &dyn Threads,
    ) -> Result<(), KernelError> {
        let channels = self.scale.len();
        let count = images * channels * pixels;
        let fits = self.bias.len() == channels && carried.is_none_or(|carried| carried.len() == count);
        if !fits || input.len() != count || output.len() != count {
            return Err(KernelError::Shape);
        }
        if count == 0 {
            return Ok(());
        }
        let planes = Bands::new(output, [images * channels, 1, 1, pixels], [1, 1]);
        threads.each(planes.len(), &|plane| {
            let mut band = planes.take(plane);
            let part = plane * pixels..(plane + 1) * pixels;
            dispatch(
                machine,
                Plane {
                    norm: self,
                    channel: plane % channels,
                    input: &input[part.clone()],
                    carried: carried.map(|carried| &carried[part]),
                    output: band.row(0, 0),
                },
            );
            Ok(())
        })
    }
}

struct Plane<'a> {
    norm: &'a Norm,
    channel: usize,
    input: &'a [f32],
    carried: Option<&'a [f32]>,
    output: &'a mut [f32],
}

impl Work for Plane<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Plane { norm, channel, input, carried, output } = self;
        let count = input.len() as f64;
        // Beyond the first number: of a plane of one color nothing must be left, or what follows would blow it up, as much as
        // the square root of epsilon is small.
        let first = input.first().copied().unwrap_or_default();
        let exact = f64::from(first) + sum::<V>(input, V::splat(first), false) / count;
        let mean = exact as f32;
        let rest = (exact - f64::from(mean)) as f32;
        // Of what is left after the mean: the difference of two large sums would lose it.
        let variance = sum::<V>(input, V::splat(mean), true) / count - f64::from(rest).powi(2);
        let factor = f64::from(norm.scale[channel]) / (variance.max(0.0) + f64::from(norm.epsilon)).sqrt();
        let [factor, bias] = [factor as f32, norm.bias[channel]];
        let (means, rests, factors, biases) = (V::splat(mean), V::splat(rest), V::splat(factor), V::splat(bias));
        let whole = input.len() / V::LANES * V::LANES;
        for place in (0..whole).step_by(V::LANES) {
            let number = V::load(&input[place..]).sub(means).sub(rests).mul_add(factors, biases);
            let number = if norm.relu { number.relu() } else { number };
            // Not `map_or`: what a closure does would be compiled for any processor.
            let number = if let Some(carried) = carried { number.add(V::load(&carried[place..])) } else { number };
            number.store(&mut output[place..]);
        }
        for place in whole..input.len() {
            let number = (input[place] - mean - rest) * factor + bias;
            let number = if norm.relu && number < 0.0 { 0.0 } else { number };
            output[place] = carried.map_or(number, |carried| number + carried[place]);
        }
    }
}

/// The sum of what lies beyond `origin`, or of its squares.
#[inline(always)]
fn sum<V: Vector>(numbers: &[f32], origin: V, squares: bool) -> f64 {
    let mut lanes = [0.0; 16];
    origin.store(&mut lanes);
    let first = lanes[0];
    let mut total = 0.0;
    for block in numbers.chunks(BLOCK) {
        let mut sums = [V::splat(0.0); 4];
        let chunks = block.chunks_exact(4 * V::LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for (sum, numbers) in sums.iter_mut().zip(chunk.chunks_exact(V::LANES)) {
                let number = V::load(numbers).sub(origin);
                *sum = if squares { number.mul_add(number, *sum) } else { sum.add(number) };
            }
        }
        sums[0].add(sums[1]).add(sums[2].add(sums[3])).store(&mut lanes);
        total += lanes[..V::LANES].iter().copied().map(f64::from).sum::<f64>();
        let beyond = rest.iter().map(|number| f64::from(number - first));
        total += beyond.map(|number| if squares { number * number } else { number }).sum::<f64>();
    }
    total
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::threads::{Alone, Scoped};

    /// The most that rounding can do: mean and numbers are 32-bit floats, each as far from the truth as its last bit, which
    /// is blown up with them; then come the factor, the bias (2 at most) and the sum.
    fn most_error(largest: f32, variance: f64, output: f64) -> f64 {
        let bit = f64::from(f32::EPSILON) * f64::from(largest) + f64::from(f32::from_bits(1));
        bit * 2.0 * 2.0 / (variance + 1e-5).sqrt() + 4.0 * f64::from(f32::EPSILON) * (output + 2.0)
    }

    proptest! {
        #[test]
        fn planes_are_normalized_then_rectified_or_added(
            images in 1..3_usize,
            pixels in 1..300_usize,
            numbers in vec(-1.0..1.0_f32, 1..50),
            // Some planes are far from zero.
            far in prop_oneof![Just(0.0_f32), -100.0..100.0_f32],
            // Down to numbers that have lost bits.
            exponent in -140..10_i32,
            channels in vec((-2.0..2.0_f32, -2.0..2.0_f32), 1..4),
            relu: bool,
            adds: bool,
        ) {
            let count = images * channels.len() * pixels;
            let size = (exponent as f32).exp2();
            let number = |place| numbers[place * 7 % numbers.len()] * (1 + place % 3) as f32;
            let input: Vec<f32> = (0..count).map(|place| number(place) * size + far * size).collect();
            let carried: Vec<f32> = input.iter().rev().copied().collect();
            let (scale, bias) = channels.iter().copied().unzip();
            let norm = Norm { scale, bias, epsilon: 1e-5, relu };
            for machine in Machine::all() {
                let run = |threads: &dyn Threads| {
                    let mut output = vec![f32::NAN; count];
                    let carried = adds.then_some(&carried[..]);
                    norm.run(machine, &input, [images, pixels], carried, &mut output, threads).expect("it fits");
                    output
                };
                let output = run(&Alone);
                prop_assert_eq!(&run(&Scoped(3)), &output);
                for (plane, (input, output)) in input.chunks(pixels).zip(output.chunks(pixels)).enumerate() {
                    let wide = || input.iter().copied().map(f64::from);
                    let mean = wide().sum::<f64>() / pixels as f64;
                    let variance = wide().map(|number| (number - mean).powi(2)).sum::<f64>() / pixels as f64;
                    let (scale, bias) = channels[plane % channels.len()];
                    for (place, (number, found)) in wide().zip(output).enumerate() {
                        let expected = (number - mean) / (variance + 1e-5).sqrt() * f64::from(scale) + f64::from(bias);
                        let expected = if relu { expected.max(0.0) } else { expected };
                        let carried = if adds { f64::from(carried[plane * pixels + place]) } else { 0.0 };
                        let bound = most_error((far.abs() + 4.0) * size, variance, expected.abs() + carried.abs());
                        let error = (f64::from(*found) - expected - carried).abs();
                        prop_assert!(error <= bound, "{machine:?}: {found} for {}, {error:e}", expected + carried);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn of_a_plane_of_one_number_nothing_is_left_but_the_bias(
            number in -1e3..1e3_f32,
            pixels in 1..10_000_usize,
            bias in -2.0..2.0_f32,
        ) {
            let norm = Norm { scale: vec![3.0], bias: vec![bias], epsilon: 1e-5, relu: false };
            for machine in Machine::all() {
                let mut output = vec![f32::NAN; pixels];
                norm.run(machine, &vec![number; pixels], [1, pixels], None, &mut output, &Alone).expect("it fits");
                prop_assert!(output.iter().all(|output| *output == bias), "{machine:?}: {output:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_in_its_plane() {
        let norm = Norm { scale: vec![1.0; 2], bias: vec![0.0; 2], epsilon: 1e-5, relu: true };
        for (machine, wrong) in Machine::all()
            .into_iter()
            .flat_map(|machine| [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(|wrong| (machine, wrong)))
        {
            let mut input: Vec<f32> = (0..200).map(|place| place as f32).collect();
            input[40] = wrong;
            let mut output = [0.0; 200];
            norm.run(machine, &input, [1, 100], None, &mut output, &Alone).expect("it fits");
            assert!(output[..100].iter().all(|number| !number.is_finite()), "{machine:?}");
            assert!(output[100..].iter().all(|number| number.is_finite()), "{machine:?}");
        }
    }
}
