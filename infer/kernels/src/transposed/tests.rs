use proptest::prelude::*;

use super::*;
use crate::layer::Layer;
use crate::scratch::{Memory, Scratch};
use crate::testing::draw;
use crate::threads::{Alone, Scoped, Threads};

/// The most that rounding can do, as in Winograd's tests: the largest tile here is `F(4×4, 3×3)`.
const ERROR: f64 = (10.0 * 10.0) * (0.5 * 0.5) * (19.0 * 19.0) * (8.0 + 8.0 + 64.0 + 2.0);

#[derive(Clone, Debug)]
struct Case {
    images: usize,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    size: [usize; 2],
    crop: [usize; 4],
    extra: [usize; 2],
    relu: bool,
    /// Of the largest inputs and weights, to the base 2.
    exponents: [i32; 2],
    seed: u64,
}

impl Case {
    fn numbers(&self) -> [Vec<f32>; 3] {
        let pixels = self.images * self.inputs * self.size[0] * self.size[1];
        let weights = self.inputs * self.outputs * self.kernel * self.kernel;
        let [one, other] = self.exponents;
        draw(self.seed, [(pixels, one), (weights, other), (self.outputs, one + other)])
    }

    fn layer(&self, machine: Machine) -> Winograd {
        let [_, weights, bias] = self.numbers();
        let &Self { inputs, outputs, kernel, crop, extra, relu, .. } = self;
        let (parts, weights, bias) = (1, &weights[..], Some(&bias[..]));
        let problem = Problem { inputs, parts, outputs, kernel, weights, bias, crop, extra, relu };
        new(machine, &problem).expect("there is memory")
    }

    fn run(&self, machine: Machine, threads: &dyn Threads, input: &[f32]) -> Vec<f32> {
        let layer = self.layer(machine);
        let [rows, columns] = layer.output_size(self.size).expect("something comes out");
        let mut output = vec![f32::NAN; self.images * self.outputs * rows * columns];
        let scratch = Scratch::default();
        // What an earlier task left there must not matter.
        scratch.tasks.give_back(Memory::of(f32::NAN));
        scratch.points.give_back(Memory::of(f32::NAN));
        scratch.sums.give_back(Memory::of(f32::NAN));
        let shape = [self.images, self.size[0], self.size[1]];
        layer.run(&[input], shape, &mut output, &scratch, threads).expect("it computes");
        output
    }

    /// By definition, in 64 bits: each input adds the kernel to the output. With it, the sum of what was added without signs.
    fn reference(&self, input: &[f32]) -> Vec<[f64; 2]> {
        let [_, weights, bias] = self.numbers();
        let &Self { inputs, outputs, kernel, size: [rows, columns], crop: [top, left, ..], .. } = self;
        let [out_rows, out_columns] =
            self.layer(Machine::Portable).output_size(self.size).expect("something comes out");
        let plane = out_rows * out_columns;
        let mut output: Vec<[f64; 2]> = (0..self.images * outputs * plane)
            .map(|at| f64::from(bias[at / plane % outputs]))
            .map(|bias| [bias, bias.abs()])
            .collect();
        for (at, number) in input.iter().enumerate() {
            let (image, from) = (at / (inputs * rows * columns), at / (rows * columns) % inputs);
            let (row, column) = (at / columns % rows, at % columns);
            for (place, weight) in
                weights[from * outputs * kernel * kernel..][..outputs * kernel * kernel].iter().enumerate()
            {
                let (to, down, across) = (place / (kernel * kernel), place / kernel % kernel, place % kernel);
                let place = (2 * row + down).checked_sub(top).zip((2 * column + across).checked_sub(left));
                if let Some((row, column)) = place.filter(|(row, column)| *row < out_rows && *column < out_columns) {
                    let term = f64::from(*number) * f64::from(*weight);
                    let sum = &mut output[((image * outputs + to) * out_rows + row) * out_columns + column];
                    *sum = [sum[0] + term, sum[1] + term.abs()];
                }
            }
        }
        if self.relu {
            output.iter_mut().for_each(|[sum, _]| *sum = sum.max(0.0));
        }
        output
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (1..3_usize, 1..70_usize, 1..20_usize, 1..5_usize, 1..12_usize, 1..40_usize);
    let sides = (0..4_usize, 0..4_usize, 0..4_usize, 0..4_usize, 0..2_usize, 0..2_usize);
    // Down to numbers that have lost bits.
    let exponents = (-140..10_i32, -140..10_i32);
    (shape, sides, any::<bool>(), exponents, any::<u64>())
        .prop_map(
            |(
                (images, inputs, outputs, kernel, rows, columns),
                (top, left, bottom, right, down, across),
                relu,
                (one, other),
                seed,
            )| Case {
                images,
                inputs,
                outputs,
                kernel,
                size: [rows, columns],
                crop: [top, left, bottom, right],
                extra: [down, across],
                relu,
                exponents: [one, other],
                seed,
            },
        )
        .prop_filter("the kernel reaches the first output", |case| case.crop[0].max(case.crop[1]) < case.kernel)
        .prop_filter("something comes out", |case| case.layer(Machine::Portable).output_size(case.size).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn outputs_are_what_the_definition_says(case in cases()) {
        let [input, weights, bias] = case.numbers();
        let expected = case.reference(&input);
        let largest = |numbers: &[f32]| numbers.iter().fold(0.0_f64, |most, number| most.max(f64::from(number.abs())));
        // What is smaller rounds no better.
        let smallest = f64::from(f32::MIN_POSITIVE);
        let mut all = vec![smallest; case.outputs];
        for (pair, kernel) in weights.chunks_exact(case.kernel * case.kernel).enumerate() {
            all[pair % case.outputs] += kernel.iter().map(|weight| f64::from(weight.abs())).sum::<f64>();
        }
        let all = all.into_iter().fold(0.0, f64::max);
        let most = largest(&input).max(smallest);
        let bound = f64::from(f32::EPSILON) / 2.0 * (ERROR * most * all + 2.0 * largest(&bias)) + smallest;
        for machine in Machine::all() {
            let found = case.run(machine, &Alone, &input);
            for (found, [expected, _]) in found.iter().zip(&expected) {
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
    fn what_is_no_number_reaches_all_that_depends_on_it_and_nothing_beyond_its_tiles(
        case in cases(),
        place in any::<prop::sample::Index>(),
        wrong in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
    ) {
        /// Outputs of a tile, of both parities.
        const SIDE: usize = 8;
        let case = Case { relu: false, ..case };
        let [mut input, ..] = case.numbers();
        let place = place.index(input.len());
        let before = case.reference(&input);
        input[place] = 1000.0;
        let after = case.reference(&input);
        input[place] = wrong;
        let [rows, columns] = case.layer(Machine::Portable).output_size(case.size).expect("something comes out");
        let pixels = case.size[0] * case.size[1];
        let (image, row, column) = (place / pixels / case.inputs, place % pixels / case.size[1], place % case.size[1]);
        // As far as a tile that has it among its inputs.
        let is_near = |output: usize, input: usize| output.abs_diff(2 * input) < SIDE + case.kernel;
        for machine in Machine::all() {
            let found = case.run(machine, &Alone, &input);
            for (at, number) in found.iter().enumerate() {
                let depends = before[at] != after[at];
                prop_assert!(!depends || !number.is_finite(), "{:?}: {} at {}", machine, number, at);
                let is_in_reach = at / (rows * columns * case.outputs) == image
                    && is_near(at / columns % rows, row) && is_near(at % columns, column);
                prop_assert!(is_in_reach || number.is_finite(), "{:?}: {} at {}", machine, number, at);
            }
        }
    }
}
