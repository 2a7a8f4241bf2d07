use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::padding::Fill;
use crate::testing::draw;
use crate::threads::{Alone, Scoped};

/// The most that rounding can do, in units of the last place of the sum over channels of the largest input times all weights: each
/// of the three maps, in both directions, can make numbers as many times as large as the sum of its largest row, and
/// rounds in each of its steps; then come the sums in blocks.
const ERROR_OF_FOUR: f64 = (10.0 * 10.0) * (0.5 * 0.5) * (19.0 * 19.0) * STEPS;
const ERROR_OF_SIX: f64 = (12.5 * 12.5) * (1.25 * 1.25) * (69.0 * 69.0) * STEPS;
/// Roundings on the way of one number: twice four in each map, and those of the sums.
const STEPS: f64 = 8.0 + 8.0 + 64.0 + 4.0;

#[derive(Clone, Debug)]
struct Case {
    images: usize,
    inputs: usize,
    outputs: usize,
    size: [usize; 2],
    padding: Padding,
    relu: bool,
    seed: u64,
    /// Powers of two by which weights and inputs are scaled.
    scales: [i32; 2],
}

impl Case {
    fn numbers(&self) -> [Vec<f32>; 3] {
        let [weights, inputs] = self.scales;
        let pixels = self.images * self.inputs * self.size[0] * self.size[1];
        let kernels = 9 * self.inputs * self.outputs;
        draw(self.seed, [(pixels, inputs), (kernels, weights), (self.outputs, weights + inputs)])
    }

    fn problem<'a>(&self, weights: &'a [f32], bias: &'a [f32]) -> Problem<'a> {
        let Self { inputs, outputs, padding, relu, .. } = *self;
        Problem { inputs, outputs, weights, bias: Some(bias), padding, relu }
    }

    fn shape(&self) -> [usize; 3] {
        [self.images, self.size[0], self.size[1]]
    }
}

/// The long way, in 64 bits.
fn reference(case: &Case, input: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f64> {
    let [rows, columns] = case.size;
    let [out_rows, out_columns] = case.padding.output_size(case.size, [3, 3]).expect("a size that fits");
    let mut output = Vec::new();
    for image in input.chunks_exact(case.inputs * rows * columns) {
        for (kernels, bias) in weights.chunks_exact(9 * case.inputs).zip(bias) {
            for row in 0..out_rows {
                for column in 0..out_columns {
                    let mut sum = f64::from(*bias);
                    for (plane, kernel) in image.chunks_exact(rows * columns).zip(kernels.chunks_exact(9)) {
                        for (place, weight) in kernel.iter().enumerate() {
                            let from = (case.padding.row(row + place / 3, rows))
                                .zip(case.padding.column(column + place % 3, columns));
                            sum += from.map_or(0.0, |(row, column)| f64::from(plane[row * columns + column]))
                                * f64::from(*weight);
                        }
                    }
                    output.push(if case.relu { sum.max(0.0) } else { sum });
                }
            }
        }
    }
    output
}

fn run(machine: Machine, tiles: Tiles, case: &Case, threads: &dyn Threads, input: &[f32]) -> Vec<f32> {
    let [_, weights, bias] = case.numbers();
    let winograd = Winograd::new(machine, tiles, &case.problem(&weights, &bias)).expect("there is memory");
    let [rows, columns] = winograd.output_size(case.size).expect("a size that fits");
    let mut output = vec![f32::NAN; case.images * case.outputs * rows * columns];
    let scratch = Scratch::default();
    // What an earlier task left there must not matter.
    scratch.give_back(Memory::of(f32::NAN));
    winograd.run(&[input], case.shape(), &mut output, &scratch, threads).expect("it computes");
    output
}

fn cases() -> impl Strategy<Value = Case> {
    let fill = prop_oneof![Just(Fill::Zero), Just(Fill::Reflect)];
    let pads = (0..3_usize, 0..3_usize, 0..3_usize, 0..3_usize, fill);
    let padding = pads.prop_map(|(top, left, bottom, right, fill)| Padding { top, left, bottom, right, fill });
    let shape = (1..3_usize, 1..70_usize, 1..20_usize, 1..40_usize, 1..75_usize);
    // Down to numbers that have lost bits.
    (shape, padding, any::<bool>(), any::<u64>(), -140..10_i32, -140..10_i32)
        .prop_map(|((images, inputs, outputs, rows, columns), padding, relu, seed, one, other)| Case {
            images,
            inputs,
            outputs,
            size: [rows, columns],
            padding,
            relu,
            seed,
            scales: [one, other],
        })
        .prop_filter("the picture is large enough", |case| case.padding.output_size(case.size, [3, 3]).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn convolutions_are_as_exact_as_their_algorithm_says(case in cases()) {
        let [input, weights, bias] = case.numbers();
        let expected = reference(&case, &input, &weights, &bias);
        let largest = |numbers: &[f32]| numbers.iter().fold(0.0_f64, |most, number| most.max(f64::from(number.abs())));
        // What is smaller rounds no better.
        let smallest = f64::from(f32::MIN_POSITIVE);
        let (most, bias) = (largest(&input).max(smallest), largest(&bias));
        let sums = weights.chunks_exact(9 * case.inputs);
        let all = sums.map(|kernels| kernels.iter().map(|weight| f64::from(weight.abs())).sum::<f64>()).fold(smallest, f64::max);
        for machine in Machine::all() {
            for (tiles, error) in [(Tiles::Four, ERROR_OF_FOUR), (Tiles::Six, ERROR_OF_SIX)] {
                let bound = (error * most * all + 2.0 * bias) * f64::from(f32::EPSILON) / 2.0 + smallest;
                let found = run(machine, tiles, &case, &Alone, &input);
                for (found, expected) in found.iter().zip(&expected) {
                    let error = (f64::from(*found) - expected).abs();
                    prop_assert!(error <= bound, "{machine:?} {tiles:?}: {found} for {expected}, beyond {bound:e}");
                }
            }
        }
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads(case in cases(), threads in 2..7_usize) {
        let [input, ..] = case.numbers();
        for machine in Machine::all() {
            let bits = |numbers: Vec<f32>| numbers.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            let alone = bits(run(machine, Tiles::Four, &case, &Alone, &input));
            prop_assert_eq!(bits(run(machine, Tiles::Four, &case, &Scoped(threads), &input)), alone);
        }
    }

    #[test]
    fn what_is_no_number_reaches_all_that_depends_on_it_and_nothing_beyond_its_tiles(
        case in cases(),
        place in any::<prop::sample::Index>(),
        wrong in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
    ) {
        let case = Case { relu: false, scales: [0, 0], ..case };
        let [mut input, weights, bias] = case.numbers();
        let place = place.index(input.len());
        let before = reference(&case, &input, &weights, &bias);
        input[place] = 1000.0; // Seen by all that depends on it.
        let depends: Vec<bool> =
            reference(&case, &input, &weights, &bias).iter().zip(&before).map(|(one, other)| one != other).collect();
        input[place] = wrong;
        let [rows, columns] = case.padding.output_size(case.size, [3, 3]).expect("a size that fits");
        for machine in Machine::all() {
            for (tiles, side) in [(Tiles::Four, 4), (Tiles::Six, 6)] {
                let found = run(machine, tiles, &case, &Alone, &input);
                let tile = |at: usize| (at / (rows * columns * case.outputs), at / columns % rows / side, at % columns / side);
                let reached: std::collections::HashSet<_> =
                    (0..found.len()).filter(|at| depends[*at]).map(tile).collect();
                for (at, number) in found.iter().enumerate() {
                    prop_assert!(!depends[at] || !number.is_finite(), "{machine:?} {tiles:?}: {number} at {at}");
                    prop_assert!(reached.contains(&tile(at)) || number.is_finite(), "{machine:?} {tiles:?}: {number} at {at}");
                }
            }
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_errors(rows in 0..3_usize, columns in 0..3_usize, by in 0..4_usize) {
        let padding = Padding::all(by, Fill::Reflect);
        let size = padding.output_size([rows, columns], [3, 3]);
        prop_assert_eq!(size.is_ok(), rows.min(columns) > by && rows.min(columns) + 2 * by > 2);
    }
}

#[test]
fn numbers_of_ordinary_size_lose_little() {
    for (machine, (tiles, most)) in Machine::all()
        .into_iter()
        .flat_map(|machine| [(Tiles::Four, 2e-5), (Tiles::Six, 6e-5)].map(|tiles| (machine, tiles)))
    {
        let padding = Padding::all(1, Fill::Reflect);
        let case = Case {
            images: 1,
            inputs: 256,
            outputs: 16,
            size: [24, 24],
            padding,
            relu: false,
            seed: 7,
            scales: [-5, 0],
        };
        let [input, weights, bias] = case.numbers();
        let expected = reference(&case, &input, &weights, &bias);
        let found = run(machine, tiles, &case, &Alone, &input);
        let errors = found.iter().zip(&expected).map(|(found, expected)| (f64::from(*found) - expected).abs());
        let (largest, spread) =
            (errors.fold(0.0, f64::max), expected.iter().map(|number| number * number).sum::<f64>());
        let spread = (spread / expected.len() as f64).sqrt();
        assert!(largest / spread < most, "{machine:?} {tiles:?}: {largest:e} of {spread}");
    }
}

proptest! {
    #[test]
    fn a_row_of_zeros_gives_the_bias(bias in vec(-1e3..1e3_f32, 1..9)) {
        let problem = Problem {
            inputs: 1,
            outputs: bias.len(),
            weights: &vec![1.0; 9 * bias.len()],
            bias: Some(&bias),
            padding: Padding::all(1, Fill::Zero),
            relu: false,
        };
        let winograd = Winograd::new(Machine::detect(), Tiles::Four, &problem).expect("there is memory");
        let mut output = vec![0.0; bias.len()];
        winograd.run(&[&[0.0]], [1, 1, 1], &mut output, &Scratch::default(), &Alone).expect("it computes");
        prop_assert_eq!(output, bias);
    }
}

#[test]
fn tasks_fill_panels_and_threads_share_the_outputs_of_a_small_picture() {
    assert_eq!(split(256, [1, 16, 16], 32, 2), (256, 4), "four tasks, two for each thread");
    assert_eq!(split(256, [1, 16, 24], 32, 2), (256, 4), "96 tiles: three would take as many panels");
    assert_eq!(split(256, [1, 4, 4], 32, 2), (128, 4), "both threads, though there is one panel");
    assert_eq!(split(256, [2, 4, 4], 32, 2), (256, 4), "a picture each");
    assert_eq!(split(3, [1, 1, 1], 32, 16), (1, 1), "no thread has less than an output");
}
