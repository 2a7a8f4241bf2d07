use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::padding::Fill;
use crate::scratch::Memory;
use crate::testing::draw;
use crate::threads::{Alone, Scoped};

/// The most that rounding can do, in units of the last place of the sum over channels of the largest input times all weights: each
/// of the three maps, in both directions, can make numbers as many times as large as the sum of its largest row, and
/// rounds in each of its steps; then come the sums in blocks.
const ERROR_OF_FOUR: f64 = (10.0 * 10.0) * (0.5 * 0.5) * (19.0 * 19.0) * STEPS;
const ERROR_OF_SIX: f64 = (12.5 * 12.5) * (1.25 * 1.25) * (69.0 * 69.0) * STEPS;
/// Roundings on the way of one number: twice four in each map, those of a block of channels, and when up to 17 blocks are added.
const STEPS: f64 = 8.0 + 8.0 + 64.0 + 16.0;

#[derive(Clone, Debug)]
struct Case {
    images: usize,
    inputs: usize,
    /// What convolutions read: the channels of each part, and whether its points are kept.
    parts: Vec<(usize, bool)>,
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

    fn problem<'a>(&self, parts: &'a [Part], weights: &'a [f32], bias: &'a [f32]) -> Problem<'a> {
        let Self { inputs, outputs, padding, relu, .. } = *self;
        Problem { inputs, parts, outputs, weights, bias: Some(bias), padding, relu }
    }

    /// The input in its parts: some channels of all images, or the points of these.
    fn split(&self, machine: Machine, tiles: Tiles, threads: &dyn Threads, input: &[f32]) -> Vec<(Part, Vec<f32>)> {
        let (pixels, mut first) = (self.size[0] * self.size[1], 0);
        let part = |&(channels, is_kept): &(usize, bool)| {
            let some = |image: &[f32]| image[first * pixels..(first + channels) * pixels].to_vec();
            let picture: Vec<f32> = input.chunks_exact(self.inputs * pixels).flat_map(some).collect();
            first += channels;
            if !is_kept {
                return (Part::Picture, picture);
            }
            let points = Points { machine, tiles, channels, padding: self.padding };
            let depth = points.depth(self.size).expect("a size that fits");
            let mut kept = vec![f32::NAN; self.images * depth * pixels];
            points.run(&picture, self.shape(), &mut kept, &used(), threads).expect("it computes");
            (Part::Points(channels), kept)
        };
        self.parts.iter().map(part).collect()
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
    let (parts, numbers): (Vec<_>, Vec<_>) = case.split(machine, tiles, threads, input).into_iter().unzip();
    let winograd = Winograd::new(machine, tiles, &case.problem(&parts, &weights, &bias)).expect("there is memory");
    let [rows, columns] = winograd.output_size(case.size).expect("a size that fits");
    let mut output = vec![f32::NAN; case.images * case.outputs * rows * columns];
    let numbers: Vec<&[f32]> = numbers.iter().map(Vec::as_slice).collect();
    winograd.run(&numbers, case.shape(), &mut output, &used(), threads).expect("it computes");
    output
}

/// Memory in which something was left, which must not matter.
fn used() -> Scratch {
    let scratch = Scratch::default();
    scratch.tasks.give_back(Memory::of(f32::NAN));
    scratch.points.give_back(Memory::of(f32::NAN));
    scratch.sums.give_back(Memory::of(f32::NAN));
    scratch
}

fn cases() -> impl Strategy<Value = Case> {
    let fill = prop_oneof![Just(Fill::Zero), Just(Fill::Reflect)];
    let pads = (0..3_usize, 0..3_usize, 0..3_usize, 0..3_usize, fill);
    let padding = pads.prop_map(|(top, left, bottom, right, fill)| Padding { top, left, bottom, right, fill });
    let parts = vec((1..36_usize, any::<bool>()), 1..4);
    let shape = (1..3_usize, parts, 1..20_usize, 1..40_usize, 1..75_usize);
    // Down to numbers that have lost bits.
    (shape, padding, any::<bool>(), any::<u64>(), -140..10_i32, -140..10_i32)
        .prop_map(|((images, parts, outputs, rows, columns), padding, relu, seed, one, other)| Case {
            images,
            inputs: parts.iter().map(|(channels, _)| channels).sum(),
            parts,
            outputs,
            size: [rows, columns],
            padding,
            relu,
            seed,
            scales: [one, other],
        })
        .prop_filter("the picture is large enough", |case| case.padding.output_size(case.size, [3, 3]).is_ok())
}

/// Whether what comes out is as exact as the algorithm says, on each machine with each tile.
fn is_exact(case: &Case) -> Result<(), TestCaseError> {
    let [input, weights, bias] = case.numbers();
    let expected = reference(case, &input, &weights, &bias);
    let largest = |numbers: &[f32]| numbers.iter().fold(0.0_f64, |most, number| most.max(f64::from(number.abs())));
    // What is smaller rounds no better.
    let smallest = f64::from(f32::MIN_POSITIVE);
    let (most, bias) = (largest(&input).max(smallest), largest(&bias));
    let sums = weights.chunks_exact(9 * case.inputs);
    let all =
        sums.map(|kernels| kernels.iter().map(|weight| f64::from(weight.abs())).sum::<f64>()).fold(smallest, f64::max);
    for machine in Machine::all() {
        for (tiles, error) in [(Tiles::Four, ERROR_OF_FOUR), (Tiles::Six, ERROR_OF_SIX)] {
            let bound = (error * most * all + 2.0 * bias) * f64::from(f32::EPSILON) / 2.0 + smallest;
            let found = run(machine, tiles, case, &Alone, &input);
            for (found, expected) in found.iter().zip(&expected) {
                let error = (f64::from(*found) - expected).abs();
                prop_assert!(error <= bound, "{machine:?} {tiles:?}: {found} for {expected}, beyond {bound:e}");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn convolutions_are_as_exact_as_their_algorithm_says(case in cases()) {
        is_exact(&case)?;
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
    fn points_that_are_kept_give_the_same(case in cases()) {
        let [input, ..] = case.numbers();
        let bits = |is_kept, machine, tiles| {
            let parts = case.parts.iter().map(|(channels, _)| (*channels, is_kept)).collect();
            let case = Case { parts, ..case.clone() };
            run(machine, tiles, &case, &Scoped(2), &input).into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        for machine in Machine::all() {
            for tiles in [Tiles::Four, Tiles::Six] {
                prop_assert_eq!(bits(true, machine, tiles), bits(false, machine, tiles));
            }
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_errors(rows in 0..3_usize, columns in 0..3_usize, by in 0..4_usize) {
        let padding = Padding::all(by, Fill::Reflect);
        let size = padding.output_size([rows, columns], [3, 3]);
        prop_assert_eq!(size.is_ok(), rows.min(columns) > by && rows.min(columns) + 2 * by > 2);
        // No padding makes a picture of nothing.
        let size = Padding::all(by, Fill::Zero).output_size([rows, columns], [3, 3]);
        prop_assert_eq!(size.is_ok(), rows.min(columns) > 0 && rows.min(columns) + 2 * by > 2);
    }
}

#[test]
fn more_channels_and_tiles_than_are_done_at_a_time_are_as_exact() {
    let case = Case {
        images: 1,
        inputs: 1000,
        parts: vec![(530, false), (150, true), (320, false)],
        outputs: 270,
        size: [5, 6],
        padding: Padding::all(1, Fill::Reflect),
        relu: false,
        seed: 3,
        scales: [0, 0],
    };
    let large =
        Case { images: 2, inputs: 3, parts: vec![(2, true), (1, false)], outputs: 2, size: [100, 90], ..case.clone() };
    for case in [case, large] {
        is_exact(&case).expect("as exact as its algorithm says");
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
            parts: vec![(256, false)],
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
            parts: &[Part::Picture],
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
