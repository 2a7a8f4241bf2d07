//! Whole networks: the parameter table everywhere, parity of the runtimes, and the way of a file from `.ot` to `.onnx`.

use models::families::{Family, GeneratorOptions, UpConvolution};
use models::{parameters, weights_hash};
use models_onnx::Target;
use models_torch::{Format, SavedNetwork, Weights};
use program::Device;
use rand::SeedableRng;
use rten::{Model, NodeId};
use tests::{Problem, assert_close, on_onnx_runtime, on_torch};

/// Generators of some twenty layers, outputs in [-1, 1]; the design measured about 1e-5 for a whole one.
const NETWORK: f32 = 1e-4;

const FAMILIES: [Family; 2] = [Family::Paper, Family::Concat];
const SIZE: GeneratorOptions = GeneratorOptions::sized(6, 3);

/// Height and width, also not square, and the smallest that the paper's generator takes.
const SIZES: [(usize, usize, usize); 4] = [(1, 8, 8), (1, 32, 32), (1, 24, 52), (2, 16, 16)];

#[test]
fn the_parameter_table_the_libtorch_weights_and_the_onnx_initializers_agree() {
    for family in FAMILIES {
        let network = family.generator(SIZE);
        let table: Vec<_> =
            parameters::table(&network).into_iter().map(|parameter| (parameter.name, parameter.shape)).collect();
        let mut random = rand_pcg::Pcg64::seed_from_u64(0);
        let weights = Weights::initialise(parameters::table(&network), &mut random, tch::Device::Cpu).expect("small");
        let in_libtorch: Vec<_> = weights
            .table()
            .iter()
            .zip(weights.views())
            .map(|(parameter, view)| (parameter.name.clone(), view.size().iter().map(|&side| side as usize).collect()))
            .collect();
        assert_eq!(table, in_libtorch, "{family:?}");

        let target = Target { keep_bias: true, ..Target::default() };
        let file = Problem::random(network, 1, 16, 16, 1).exported(&target).model;
        let model = models_onnx::parse(file).expect("our own file");
        let in_onnx: Vec<_> = models_onnx::weights(&model)
            .expect("our own storage")
            .into_iter()
            .map(|weight| (weight.name, weight.shape))
            .collect();
        assert_eq!(table, in_onnx, "{family:?}");
    }
}

#[test]
fn whole_generators_are_the_same_in_libtorch_and_in_onnx_runtime() {
    for family in FAMILIES {
        for (seed, (batch, height, width)) in (0..).zip(SIZES) {
            let problem = Problem::random(family.generator(SIZE), batch, height, width, seed);
            let what = format!("{family:?}, {batch} × {height}×{width}");
            assert_close(&what, &on_onnx_runtime(&problem), &on_torch(&problem), NETWORK);
        }
    }
}

#[test]
fn what_is_exported_means_the_same_to_a_second_runtime() {
    for family in FAMILIES {
        for up in [UpConvolution::Transpose, UpConvolution::Resize] {
            let network = family.generator(GeneratorOptions { up, ..SIZE });
            for (seed, (batch, height, width)) in (0..).zip(SIZES) {
                let problem = Problem::random(network.clone(), batch, height, width, seed);
                let what = format!("rten, {family:?}, {batch} × {height}×{width}");
                assert_close(&what, &on_rten(&problem), &on_torch(&problem), NETWORK);
            }
        }
    }
}

fn on_rten(problem: &Problem) -> Vec<f32> {
    let model = Model::load(problem.to_onnx()).expect("a model that rten takes");
    let id = |name: &str| -> NodeId { model.node_id(name).expect("our names") };
    let input =
        rten::Value::from_shape(problem.shape.as_slice(), problem.input.clone()).expect("as many numbers as the shape");
    let outputs =
        model.run(vec![(id(models_onnx::INPUT), input.into())], &[id(models_onnx::OUTPUT)], None).expect("it runs");
    let output = outputs.into_iter().next().expect("one output");
    output.into_shape_vec::<f32, 4>().expect("[n, c, h, w] floats").1
}

#[test]
fn a_network_keeps_its_weights_and_metadata_from_ot_to_onnx() {
    let problem = Problem::random(Family::Concat.generator(SIZE), 1, 16, 16, 5);
    let exported = models_onnx::parse(problem.to_onnx()).expect("our own file");
    let metadata = models_onnx::metadata(&exported).expect("our own metadata");
    let saved = SavedNetwork { metadata: metadata.clone(), weights: problem.weights.clone() };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (format, name) in [(Format::Ot, "g_ab.ot"), (Format::Safetensors, "g_ab.safetensors")] {
        let path = folder.path().join(name);
        program::files::write_whole(&path, &models_torch::encode(&saved, format).expect("fits")).expect("writable");
        let read = models_torch::read(&path).expect("our own file");
        let again = models_onnx::export(&read.metadata, read.weights, &Target::default()).expect("fits").model;
        assert_eq!(again, problem.to_onnx(), "{name}: the same bytes as without the detour");
    }
    assert_eq!(metadata.weights_sha256, Some(weights_hash(&problem.weights)));
}

#[test]
fn a_size_that_does_not_fit_is_refused_by_the_runtime_too() {
    // What models::shapes refuses must not be something that would have worked.
    let problem = Problem::random(Family::Paper.generator(SIZE), 1, 4, 4, 1);
    assert!(models::shapes::check_size(&problem.network, 4, 4).is_err());
    let options = models_runtime::Options { device: Device::Cpu, ..Default::default() };
    let mut session = models_runtime::Session::open(&problem.to_onnx(), options).expect("a good model");
    assert!(session.run(&problem.input, problem.shape).is_err(), "the block mirrors the one pixel that is left");
}
