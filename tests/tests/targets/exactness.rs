//! What holds to the last bit, or nearly.

use models::{Join, Layer, Network, Pads, pixels};
use models_onnx::proto::ModelProto;
use models_onnx::{Io, OPSETS, Target};
use models_runtime::{Options, Session};
use program::Device;
use prost::Message;
use tests::{Problem, assert_close, on_torch, random_values};

fn conv(name: &str, from: usize, to: usize, kernel: usize) -> Layer {
    Layer::Conv { name: name.into(), from, to, kernel, stride: 1, pad: Pads::all(kernel / 2) }
}

fn norm(channels: usize, eps: f64) -> Layer {
    Layer::InstanceNorm { name: None, channels, eps }
}

fn session(file: &[u8]) -> Session {
    // As written: what ONNX Runtime rewrites is not the file's.
    let options = Options { device: Device::Cpu, threads: Some(1), as_written: true, ..Options::default() };
    Session::open(file, options).expect("a model that ONNX Runtime takes")
}

fn set(problem: &mut Problem, name: &str, value: impl Fn(usize, f32) -> f32) {
    let weight = problem.weights.iter_mut().find(|weight| weight.name == name);
    weight.expect("the network has it").replace(value);
}

/// A 1×1 convolution, whose sums of three products do not depend on what stands around it, over all bytes.
fn every_byte() -> (Problem, Vec<u8>) {
    let network = Network { channels: 3, layers: vec![conv("mix", 3, 3, 1)] };
    let bytes: Vec<u8> = (0..16 * 16 * 3_usize).map(|place| (place / 3 * (1 + 2 * (place % 3))) as u8).collect();
    let mut problem = Problem::random(network, 1, 16, 16, 3);
    pixels::to_planes(&bytes, &mut problem.input);
    (problem, bytes)
}

/// The bytes that a graph of bytes gives, and those that a client makes of what the same network gives in floats.
fn as_bytes_and_as_floats(problem: &Problem, bytes: &[u8]) -> [Vec<u8>; 2] {
    let [_, channels, height, width] = problem.shape;
    let target = Target { io: Io::Uint8, ..Target::default() };
    let (in_graph, _) =
        session(&problem.exported(&target).model).run_bytes(bytes, [1, height, width, channels]).expect("it fits");
    let (floats, _) = session(&problem.to_onnx()).run(&problem.input, problem.shape).expect("it fits");
    [in_graph, pixels::to_interleaved(&floats)]
}

#[test]
fn a_graph_of_bytes_gives_exactly_what_a_client_with_the_floats_would() {
    let (mut problem, bytes) = every_byte();
    // The identity, then sums far beyond both ends, then halves between two bytes alone.
    set(&mut problem, "mix.bias", |_, _| 0.0);
    set(&mut problem, "mix.weight", |place, _| if place / 3 == place % 3 { 1.0 } else { 0.0 });
    let [in_graph, by_client] = as_bytes_and_as_floats(&problem, &bytes);
    assert_eq!(in_graph, bytes);
    assert_eq!(by_client, bytes);

    let spread = random_values(7, 9);
    set(&mut problem, "mix.weight", |place, _| 3.0 * spread[place]);
    let [in_graph, by_client] = as_bytes_and_as_floats(&problem, &bytes);
    assert_eq!(in_graph, by_client);
    for end in [0, 255] {
        assert!(in_graph.iter().filter(|&&byte| byte == end).count() > 20, "some are clamped to {end}");
    }

    set(&mut problem, "mix.weight", |_, _| 0.0);
    for (half, even) in [(0.5, 0), (1.5, 2), (126.5, 126), (127.5, 128)] {
        set(&mut problem, "mix.bias", |_, _| half / 127.5 - 1.0);
        let [in_graph, by_client] = as_bytes_and_as_floats(&problem, &bytes);
        assert_eq!(in_graph, by_client, "{half}");
        let exact = ((half / 127.5 - 1.0 + 1.0) * 127.5_f32).fract() == 0.5;
        assert!(!exact || in_graph.iter().all(|&byte| byte == even), "{half}: {}", in_graph[0]);
    }
}

#[test]
fn where_the_network_gives_nan_a_byte_is_black() {
    let (mut problem, bytes) = every_byte();
    set(&mut problem, "mix.weight", |_, _| f32::NAN);
    let [in_graph, by_client] = as_bytes_and_as_floats(&problem, &bytes);
    assert_eq!(in_graph, vec![0; bytes.len()]);
    assert_eq!(by_client, in_graph);
}

#[test]
fn floats_for_a_model_of_bytes_are_refused_and_bytes_for_one_of_floats() {
    let (problem, bytes) = every_byte();
    let target = Target { io: Io::Uint8, ..Target::default() };
    let error =
        session(&problem.exported(&target).model).run(&problem.input, problem.shape).expect_err("it takes bytes");
    assert_eq!(error.to_string(), "the model takes u8 and gives u8; it was given floats");
    let error = session(&problem.to_onnx()).run_bytes(&bytes, problem.shape).expect_err("it takes floats");
    assert_eq!(error.to_string(), "the model takes f32 and gives f32; it was given bytes");
}

#[test]
fn onnx_runtime_takes_no_operator_set_beyond_the_newest_that_is_written() {
    let (problem, _) = every_byte();
    let newest = Target { opset: *OPSETS.end(), ..Target::default() };
    let model: ModelProto = models_onnx::parse(problem.exported(&newest).model).expect("our own file");
    session(&model.encode_to_vec());
    let mut next = model;
    next.opset_import[0].version += 1;
    let error = Session::open(&next.encode_to_vec(), Options { device: Device::Cpu, ..Options::default() });
    let error = error.expect_err("update OPSETS: this ONNX Runtime takes a newer one").to_string();
    assert!(error.contains("opset"), "{error}");
}

/// What a 1×1 convolution without bias and a norm give, in float64.
fn truth(problem: &Problem, eps: f64) -> Vec<f32> {
    let [_, _, height, width] = problem.shape;
    let pixels = height * width;
    let weight: Vec<f64> = problem.weights[0].values().map(f64::from).collect();
    let mut output = Vec::new();
    for row in weight.chunks(3) {
        let value = |pixel: usize| (0..3).map(|c| row[c] * f64::from(problem.input[c * pixels + pixel])).sum::<f64>();
        let values: Vec<f64> = (0..pixels).map(value).collect();
        let mean = values.iter().sum::<f64>() / pixels as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / pixels as f64;
        output.extend(values.iter().map(|value| ((value - mean) / (variance + eps).sqrt()) as f32));
    }
    output
}

fn largest(found: &[f32], expected: &[f32]) -> f32 {
    found.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max)
}

/// Adding the same number all over a channel changes nothing behind a norm. In floats it costs: 1e4 leaves three of seven
/// digits to what the norm is about. The truth knows no bias at all.
#[test]
fn without_a_bias_that_a_norm_cancels_a_model_is_as_exact_or_more_so() {
    /// A norm divides by a deviation down to √eps, 3e-3, and so magnifies what was rounded.
    const EXACT: f32 = 2e-5;
    for eps in [1e-3, 1e-5] {
        // Ordinary weights; so small that eps is all there is to divide by; zero, so that no pixel differs; one channel of
        // each, and biases from none to huge.
        for scale in [1.0, 1e-6, 0.0] {
            for bias in [0.0, 0.5, 1e4, -1e4] {
                let network = Network { channels: 3, layers: vec![conv("mix", 3, 3, 1), norm(3, eps)] };
                let mut problem = Problem::random(network, 1, 12, 20, 5);
                set(&mut problem, "mix.weight", |place, old| if place < 3 { old } else { old * scale });
                set(&mut problem, "mix.bias", |_, _| bias);
                let truth = truth(&problem, eps);
                let [dropped, kept] = [false, true].map(|keep_bias| {
                    let exported = problem.exported(&Target { keep_bias, ..Target::default() });
                    assert_eq!(exported.dropped.is_empty(), keep_bias);
                    let found = session(&exported.model).run(&problem.input, problem.shape).expect("it fits").0;
                    largest(&found, &truth)
                });
                let what = format!("eps {eps:e}, weights × {scale:e}, bias {bias}: {dropped:e} without, {kept:e} with");
                assert!(dropped <= EXACT, "{what}");
                assert!(bias.abs() < 1.0 || kept > 10.0 * dropped, "{what}");
            }
        }
    }
}

#[test]
fn a_bias_is_dropped_through_skip_connections_and_kept_where_it_matters() {
    let skip = |join, body| Layer::Skip { body, join };
    let (add, concat) = (Join::Add, Join::Concat);
    let networks = [
        (vec![skip(add, vec![conv("a", 3, 4, 3), Layer::Relu, conv("b", 4, 3, 3)]), norm(3, 1e-5)], 1),
        (vec![skip(concat, vec![conv("a", 3, 4, 3)]), norm(7, 1e-5), conv("b", 7, 3, 1)], 1),
        (vec![skip(add, vec![skip(add, vec![conv("a", 3, 3, 3)])]), norm(3, 1e-5)], 1),
        (vec![conv("a", 3, 3, 3), skip(add, vec![norm(3, 1e-5)])], 0),
        (vec![conv("a", 3, 3, 3), Layer::ReflectPad { by: 1 }, norm(3, 1e-5), conv("b", 3, 3, 3)], 0),
        (vec![conv("a", 3, 3, 3), Layer::LeakyRelu { slope: 0.2 }, norm(3, 1e-5)], 0),
    ];
    for (seed, (layers, dropped)) in (1..).zip(networks) {
        let what = format!("{layers:?}");
        let problem = Problem::random(Network { channels: 3, layers }, 2, 9, 8, seed);
        let exported = problem.exported(&Target::default());
        assert_eq!(exported.dropped.len(), dropped, "{what}");
        let (found, _) = session(&exported.model).run(&problem.input, problem.shape).expect("it fits");
        assert_close(&what, &found, &on_torch(&problem), 2e-5);
    }
}

#[test]
fn a_network_without_layers_gives_back_what_it_gets() {
    let problem = Problem::random(Network { channels: 3, layers: Vec::new() }, 1, 8, 8, 1);
    assert_eq!(session(&problem.to_onnx()).run(&problem.input, problem.shape).expect("it fits").0, problem.input);
}
