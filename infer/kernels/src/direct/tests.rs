use proptest::prelude::*;

use super::*;
use crate::padding::Fill;
use crate::testing::draw;
use crate::threads::{Alone, Scoped};

#[derive(Clone, Debug)]
struct Case {
    images: usize,
    inputs: usize,
    outputs: usize,
    kernel: [usize; 2],
    size: [usize; 2],
    padding: Padding,
    relu: bool,
    seed: u64,
    /// Power of two by which inputs are scaled: down to those that have lost bits.
    scale: i32,
}

impl Case {
    fn numbers(&self) -> [Vec<f32>; 3] {
        let pixels = self.images * self.inputs * self.size[0] * self.size[1];
        let weights = self.inputs * self.outputs * self.kernel[0] * self.kernel[1];
        draw(self.seed, [(pixels, self.scale), (weights, 0), (self.outputs, self.scale)])
    }

    fn output_size(&self) -> Result<[usize; 2], KernelError> {
        self.padding.output_size(self.size, self.kernel)
    }

    fn run(&self, machine: Machine, threads: &dyn Threads, input: &[f32]) -> Vec<f32> {
        let [_, weights, bias] = self.numbers();
        let &Self { inputs, outputs, kernel, padding, relu, .. } = self;
        let problem = Problem { inputs, outputs, kernel, weights: &weights, bias: Some(&bias), padding, relu };
        let layer = Direct::new(machine, &problem).expect("there is memory");
        let [rows, columns] = layer.output_size(self.size).expect("a size that fits");
        let mut output = vec![f32::NAN; self.images * outputs * rows * columns];
        let scratch = Scratch::default();
        // What an earlier task left there must not matter.
        scratch.tasks.give_back(Memory::of(f32::NAN));
        layer
            .run(&[input], [self.images, self.size[0], self.size[1]], &mut output, &scratch, threads)
            .expect("it computes");
        output
    }

    /// By definition, in 64 bits, with the sum of all terms without signs.
    fn reference(&self, input: &[f32]) -> Vec<[f64; 2]> {
        let [_, weights, bias] = self.numbers();
        let [rows, columns] = self.size;
        let [high, wide] = self.kernel;
        let [out_rows, out_columns] = self.output_size().expect("a size that fits");
        let mut output = Vec::new();
        for image in input.chunks_exact(self.inputs * rows * columns) {
            for (kernels, bias) in weights.chunks_exact(self.inputs * high * wide).zip(&bias) {
                for (row, column) in (0..out_rows).flat_map(|row| (0..out_columns).map(move |column| (row, column))) {
                    let mut sum = [f64::from(*bias), f64::from(bias.abs())];
                    for (plane, kernel) in image.chunks_exact(rows * columns).zip(kernels.chunks_exact(high * wide)) {
                        for (place, weight) in kernel.iter().enumerate() {
                            let from = self.padding.row(row + place / wide, rows);
                            let from = from.zip(self.padding.column(column + place % wide, columns));
                            let number = from.map_or(0.0, |(row, column)| f64::from(plane[row * columns + column]));
                            let term = number * f64::from(*weight);
                            sum = [sum[0] + term, sum[1] + term.abs()];
                        }
                    }
                    output.push(if self.relu { [sum[0].max(0.0), sum[1]] } else { sum });
                }
            }
        }
        output
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let fill = prop_oneof![Just(Fill::Zero), Just(Fill::Reflect)];
    let pads = (0..5_usize, 0..5_usize, 0..5_usize, 0..5_usize, fill);
    let padding = pads.prop_map(|(top, left, bottom, right, fill)| Padding { top, left, bottom, right, fill });
    let shape = (1..3_usize, 1..20_usize, 1..=MOST_OUTPUTS, (1..17_usize, 1..17_usize), (1..40_usize, 1..150_usize));
    (shape, padding, any::<bool>(), any::<u64>(), -140..10_i32)
        .prop_map(|((images, inputs, outputs, kernel, size), padding, relu, seed, scale)| Case {
            images,
            inputs,
            outputs,
            kernel: kernel.into(),
            size: size.into(),
            padding,
            relu,
            seed,
            scale,
        })
        .prop_filter("the picture is large enough", |case| case.output_size().is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn outputs_are_what_the_definition_says(case in cases()) {
        let [input, ..] = case.numbers();
        let expected = case.reference(&input);
        // A rounding for each weight of a kernel, each channel, and the bias.
        let steps = (case.kernel[0] * case.kernel[1] + case.inputs + 2) as f64;
        for machine in Machine::all() {
            let found = case.run(machine, &Alone, &input);
            for (found, [expected, terms]) in found.iter().zip(&expected) {
                let bound = f64::from(f32::EPSILON) * steps * terms + f64::from(f32::MIN_POSITIVE);
                prop_assert!((f64::from(*found) - expected).abs() <= bound, "{machine:?}: {found} for {expected}");
            }
        }
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads(case in cases(), threads in 2..7_usize) {
        let [input, ..] = case.numbers();
        for machine in Machine::all() {
            let bits = |numbers: Vec<f32>| numbers.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            prop_assert_eq!(bits(case.run(machine, &Scoped(threads), &input)), bits(case.run(machine, &Alone, &input)));
        }
    }

    #[test]
    fn what_is_no_number_reaches_what_depends_on_it_and_nothing_else(
        case in cases(),
        place in any::<prop::sample::Index>(),
        wrong in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
    ) {
        let case = Case { relu: false, scale: 0, ..case };
        let [mut input, ..] = case.numbers();
        let place = place.index(input.len());
        let before = case.reference(&input);
        input[place] = 1000.0;
        let after = case.reference(&input);
        input[place] = wrong;
        for machine in Machine::all() {
            let found = case.run(machine, &Alone, &input);
            for (at, number) in found.iter().enumerate() {
                prop_assert_eq!(number.is_finite(), before[at] == after[at], "{:?}: {} at {}", machine, number, at);
            }
        }
    }
}
