use proptest::prelude::*;

use super::*;
use crate::testing::draw;
use crate::threads::{Alone, Scoped};

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
    seed: u64,
}

impl Case {
    fn numbers(&self) -> [Vec<f32>; 3] {
        let pixels = self.images * self.inputs * self.size[0] * self.size[1];
        let weights = self.inputs * self.outputs * self.kernel * self.kernel;
        draw(self.seed, [pixels, weights, self.outputs].map(|count| (count, 0)))
    }

    fn layer(&self, machine: Machine) -> Transposed {
        let [_, weights, bias] = self.numbers();
        let &Self { inputs, outputs, kernel, crop, extra, relu, .. } = self;
        let problem = Problem { inputs, outputs, kernel, weights: &weights, bias: Some(&bias), crop, extra, relu };
        Transposed::new(machine, &problem).expect("there is memory")
    }

    fn run(&self, machine: Machine, threads: &dyn Threads, input: &[f32]) -> Vec<f32> {
        let layer = self.layer(machine);
        let [rows, columns] = layer.output_size(self.size).expect("something comes out");
        let mut output = vec![f32::NAN; self.images * self.outputs * rows * columns];
        let scratch = Scratch::default();
        // What an earlier task left there must not matter.
        scratch.tasks.give_back(Memory::of(f32::NAN));
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
    let sides = (0..3_usize, 0..3_usize, 0..3_usize, 0..3_usize, 0..2_usize, 0..2_usize);
    (shape, sides, any::<bool>(), any::<u64>())
        .prop_map(
            |(
                (images, inputs, outputs, kernel, rows, columns),
                (top, left, bottom, right, down, across),
                relu,
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
                seed,
            },
        )
        .prop_filter("something comes out", |case| case.layer(Machine::Portable).output_size(case.size).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn outputs_are_what_the_definition_says(case in cases()) {
        let [input, ..] = case.numbers();
        let expected = case.reference(&input);
        for machine in Machine::all() {
            let found = case.run(machine, &Alone, &input);
            for (found, [expected, terms]) in found.iter().zip(&expected) {
                // A rounding for each term in a block, each block, each tap, and the bias.
                let bound = f64::from(f32::EPSILON) * (64.0 + 2.0 + 16.0 + 1.0) * terms;
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
        wrong in prop_oneof![Just(f32::NAN), Just(f32::INFINITY)],
    ) {
        let case = Case { relu: false, ..case };
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
