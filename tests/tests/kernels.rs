//! Whole generators on our own kernels for the CPU, beside ONNX Runtime's.

use kernels::{CpuKernels, Machine, Plan, Rewritten};
use models::families::{Family, GeneratorOptions};
use models_runtime::{Options, Session};
use program::Device;
use tests::{Problem, assert_close};

/// After `tanh`, in [-1, 1].
const OUTPUT: f32 = 2e-4;

/// What both make of a problem: ONNX Runtime, then our kernels on each machine and number of threads.
fn both(problem: &Problem, kernels: CpuKernels) -> (Vec<f32>, Vec<(String, Vec<f32>)>) {
    let bytes = problem.to_onnx();
    let model = models_onnx::parse(bytes.clone()).expect("our own file");
    let plan = Plan::new(&model, kernels);
    let convolutions = plan.decisions().iter().filter(|decision| decision.operator == "Conv");
    assert!(convolutions.filter(|decision| decision.replaced.is_ok()).count() >= 4, "{:?}", plan.decisions());
    let run = |threads, machine: Option<Machine>| {
        let options = Options { device: Device::Cpu, threads: Some(threads), ..Options::default() };
        let rewritten = || {
            machine.map(|machine| plan.apply(&model, machine, threads).and_then(Rewritten::operators).expect("memory"))
        };
        let session = Session::with_operators(&bytes, None, options, rewritten);
        let mut session = session.expect("a model that ONNX Runtime takes");
        session.run(&problem.input, problem.shape).expect("a shape that fits").0
    };
    let machines = Machine::all().into_iter().flat_map(|machine| [1, 2, 3].map(|threads| (machine, threads)));
    let found = machines
        .map(|(machine, threads)| (format!("{} with {threads} threads", machine.name()), run(threads, Some(machine))));
    (run(1, None), found.collect())
}

#[test]
fn whole_generators_compute_the_same_on_our_kernels_in_any_size_and_batch() {
    for family in [Family::Paper, Family::Concat] {
        let network = family.generator(GeneratorOptions::sized(8, 3));
        for (batch, height, width) in [(1, 64, 64), (2, 52, 76), (1, 12, 132)] {
            let problem = Problem::random(network.clone(), batch, height, width, 3);
            for kernels in [CpuKernels::Auto, CpuKernels::Winograd4, CpuKernels::Winograd6] {
                let (expected, found) = both(&problem, kernels);
                for (what, found) in &found {
                    let what = format!("{family:?} {batch}×{height}×{width}, {kernels} on {what}");
                    assert_close(&what, found, &expected, OUTPUT);
                }
                for pair in found.chunks(3) {
                    assert!(pair.iter().all(|(_, found)| *found == pair[0].1), "threads change nothing: {kernels}");
                }
            }
        }
    }
}

#[test]
fn generators_compute_the_same_on_our_kernels_in_full_width() {
    in_full_width(Family::Paper, 23);
    in_full_width(Family::Concat, 24);
}

fn in_full_width(family: Family, norms: usize) {
    let network = family.generator(GeneratorOptions::sized(64, 9));
    let problem = Problem::random(network, 1, 64, 64, 5);
    let bytes = problem.to_onnx();
    let model = models_onnx::parse(bytes.clone()).expect("our own file");
    let options = Options { device: Device::Cpu, threads: Some(2), ..Options::default() };
    let expected = Session::open(&bytes, options).and_then(|mut session| session.run(&problem.input, problem.shape));
    let (expected, _) = expected.expect("a model that ONNX Runtime takes");
    for kernels in [CpuKernels::Winograd4, CpuKernels::Winograd6] {
        let plan = Plan::new(&model, kernels);
        // Convolutions of the blocks, the last one, and those that go up.
        let replaced = plan.decisions().iter().filter(|decision| decision.replaced.is_ok()).count();
        assert_eq!(replaced, 18 + 1 + 2 + norms);
        let rewritten =
            || Some(plan.apply(&model, Machine::detect(), 2).and_then(Rewritten::operators).expect("memory"));
        let session = Session::with_operators(&bytes, None, options, rewritten);
        let (found, _) =
            session.and_then(|mut session| session.run(&problem.input, problem.shape)).expect("it still runs");
        assert_close(&format!("{family:?}, {kernels}"), &found, &expected, OUTPUT);
    }
}
