//! `exporter diff` as a user types it.

use std::path::Path;
use std::process::Output;

use models::families::{Family, GeneratorOptions};
use models::{Layer, Role};
use models_onnx::Target;
use models_torch::{Module, SavedNetwork};
use prost::Message;
use rand::SeedableRng;
use serde_json::Value;
use snapbox::file;

use crate::support::{self, assert_ends, folder, run, saved, write};

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn difference(folder: &Path, one: &str, other: &str) -> Value {
    let output = run(folder, &["diff", one, other, "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let code = if found["same"] == true { 0 } else { 1 };
    assert_ends(&output, code, "");
    found
}

/// A network of another size, with weights of its own.
fn with_blocks(blocks: usize) -> SavedNetwork {
    let mut saved = saved(Role::GAb, Family::Concat);
    saved.metadata.network = Family::Concat.generator(GeneratorOptions::sized(4, blocks));
    let mut random = rand_pcg::Pcg64::seed_from_u64(1);
    let module = Module::initialise(saved.metadata.network.clone(), &mut random, tch::Device::Cpu).expect("small");
    saved.weights = module.weights().to_weights().expect("on the CPU");
    saved
}

#[test]
fn the_same_weights_in_another_format_are_the_same() {
    let folder = folder();
    let saved = saved(Role::GAb, Family::Concat);
    write(folder.path(), "g_ab.ot", &saved);
    write(folder.path(), "g_ab.safetensors", &saved);
    assert_ends(&run(folder.path(), &["g_ab.ot", "-o", "g_ab.onnx"]), 0, "");
    let output = run(folder.path(), &["diff", "g_ab.ot", "g_ab.onnx"]);
    assert_ends(&output, 0, "");
    snapbox::assert_data_eq!(text(&output), file!["../snapshots/diff_same.txt"]);
    for (one, other) in [("g_ab.ot", "g_ab.ot"), ("g_ab.onnx", "g_ab.onnx"), ("g_ab.onnx", "g_ab.safetensors")] {
        assert_ends(&run(folder.path(), &["diff", one, other]), 0, "");
        assert_eq!(difference(folder.path(), one, other)["same"], true, "{one} {other}");
    }
}

#[test]
fn another_step_of_the_same_run_differs_in_steps_and_weights() {
    let folder = folder();
    let earlier = saved(Role::GAb, Family::Paper);
    let mut later = earlier.clone();
    later.metadata.steps = Some(18);
    let weight = &mut later.weights[2];
    let changed: Vec<f32> = weight.values().enumerate().map(|(at, old)| if at < 3 { old + 0.5 } else { old }).collect();
    weight.bytes = changed.iter().flat_map(|value| value.to_le_bytes()).collect();
    write(folder.path(), "earlier.ot", &earlier);
    write(folder.path(), "later.ot", &later);
    let output = run(folder.path(), &["diff", "earlier.ot", "later.ot"]);
    assert_ends(&output, 1, "");
    snapbox::assert_data_eq!(text(&output), file!["../snapshots/diff_weights.txt"]);
}

#[test]
fn another_network_differs_by_its_layers_and_tensors() {
    let folder = folder();
    write(folder.path(), "two.ot", &with_blocks(2));
    let mut three = with_blocks(3);
    three.metadata.data_set = Some("apple2orange".into());
    write(folder.path(), "three.safetensors", &three);
    let output = run(folder.path(), &["diff", "two.ot", "three.safetensors"]);
    assert_ends(&output, 1, "");
    snapbox::assert_data_eq!(text(&output), file!["../snapshots/diff_network.txt"]);

    let found = difference(folder.path(), "two.ot", "three.safetensors");
    support::assert_documented(&found, "diff");
    let change = |layer: &str| {
        let changes = found["network"].as_array().expect("both have a network");
        changes.iter().find(|change| change["layer"] == layer).expect(layer)["change"].clone()
    };
    assert_eq!((change("block3.conv1"), change("up1.conv")), ("only_in_b".into(), "attributes".into()));
}

/// An epsilon has no weights: only the tree tells.
#[test]
fn an_attribute_without_weights_is_found() {
    let folder = folder();
    let one = saved(Role::GAb, Family::Paper);
    let mut other = one.clone();
    for layer in &mut other.metadata.network.layers[..3] {
        if let Layer::InstanceNorm { eps, .. } = layer {
            *eps = 1e-3;
        }
    }
    write(folder.path(), "one.ot", &one);
    write(folder.path(), "other.ot", &other);
    let found = difference(folder.path(), "one.ot", "other.ot");
    let expected = serde_json::json!([{
        "layer": "stem.conv.norm", "change": "attributes", "attributes": [{"field": "eps", "a": 1e-5, "b": 1e-3}],
    }]);
    assert_eq!((&found["network"], &found["weights"]["tensors"]), (&expected, &serde_json::json!([])));
}

/// Weights and metadata alike, but computing something else: the graphs tell.
#[test]
fn graphs_are_compared_node_by_node() {
    let folder = folder();
    let saved = saved(Role::GAb, Family::Paper);
    let file = models_onnx::export(&saved.metadata, saved.weights, &Target { keep_bias: true, ..Target::default() })
        .expect("its own weights")
        .model;
    std::fs::write(folder.path().join("one.onnx"), &file).expect("writable");
    let mut model = models_onnx::parse(file).expect("our own file");
    let graph = model.graph.as_mut().expect("has one");
    let down = graph.node.iter_mut().find(|node| node.name == "down1.conv").expect("it has one");
    let pads = down.attribute.iter_mut().find(|attribute| attribute.name == "pads").expect("it has some");
    pads.ints = vec![0, 0, 2, 2];
    let pads = graph.initializer.iter_mut().find(|tensor| tensor.name == "constant.pads.3").expect("it has one");
    pads.raw_data = vec![0; pads.raw_data.len()].into();
    std::fs::write(folder.path().join("other.onnx"), model.encode_to_vec()).expect("writable");

    let output = run(folder.path(), &["diff", "one.onnx", "other.onnx"]);
    assert_ends(&output, 1, "");
    snapbox::assert_data_eq!(text(&output), file!["../snapshots/diff_graph.txt"]);
    // Ours against one that says nothing of itself.
    model.metadata_props.clear();
    std::fs::write(folder.path().join("foreign.onnx"), model.encode_to_vec()).expect("writable");
    let found = difference(folder.path(), "one.onnx", "foreign.onnx");
    assert_eq!((&found["network"], &found["weights"]["same"]), (&Value::Null, &20.into()));
    assert!(found["metadata"].as_array().expect("a list").iter().any(|field| field["field"] == "role"));
}

#[test]
fn an_export_whose_weights_were_changed_later_is_told_from_a_stranger() {
    let folder = folder();
    let mut saved = saved(Role::GAb, Family::Paper);
    let file =
        models_onnx::export(&saved.metadata, saved.weights.clone(), &Target { keep_bias: true, ..Target::default() })
            .expect("its own weights")
            .model;
    write(folder.path(), "g_ab.ot", &saved);
    let mut model = models_onnx::parse(file.clone()).expect("our own file");
    let tensor = &mut model.graph.as_mut().expect("has one").initializer[0];
    tensor.raw_data = vec![0; tensor.raw_data.len()].into();
    std::fs::write(folder.path().join("changed.onnx"), model.encode_to_vec()).expect("writable");
    let output = run(folder.path(), &["diff", "g_ab.ot", "changed.onnx"]);
    assert_ends(&output, 1, "");
    let said = text(&output);
    assert!(said.contains("1 of 20 tensors differ, although B was exported from those of A"), "{said}");

    std::fs::write(folder.path().join("g_ab.onnx"), file).expect("writable");
    saved.weights[0].replace(|index, number| if index == 0 { number + 1.0 } else { number });
    write(folder.path(), "stranger.ot", &saved);
    let said = text(&run(folder.path(), &["diff", "stranger.ot", "g_ab.onnx"]));
    assert!(said.contains("1 of 20 tensors differ\n"), "{said}");
}

#[test]
fn an_export_in_16_bits_is_called_rounded_and_nothing_else_is() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Paper));
    let export = ["g_ab.ot", "-o", "g_ab.onnx", "--precision", "f16", "--no-verify"];
    assert_ends(&run(folder.path(), &export), 0, "");
    for (pair, said) in [
        (["g_ab.ot", "g_ab.onnx"], "10 of 11 tensors differ: B is A rounded to 16 bits\n"),
        (["g_ab.onnx", "g_ab.ot"], "10 of 11 tensors differ: A is B rounded to 16 bits\n"),
    ] {
        let output = run(folder.path(), &[&["diff"], &pair[..]].concat());
        assert_ends(&output, 1, "");
        let text = text(&output);
        assert!(text.contains(said) && text.contains("stem.conv.weight     rounded to 16 bits"), "{text}");
        assert!(!text.contains("other values"), "{text}");
    }
    assert_eq!(difference(folder.path(), "g_ab.ot", "g_ab.onnx")["weights"]["rounded"], "b");

    let mut model = models_onnx::open(&folder.path().join("g_ab.onnx")).expect("our own file");
    let tensor = &mut model.graph.as_mut().expect("has one").initializer[0];
    let mut bytes = tensor.raw_data.to_vec();
    bytes[0] ^= 1;
    tensor.raw_data = bytes.into();
    std::fs::write(folder.path().join("changed.onnx"), model.encode_to_vec()).expect("writable");
    let text = text(&run(folder.path(), &["diff", "g_ab.ot", "changed.onnx"]));
    assert!(text.contains("10 of 11 tensors differ, although B was exported from those of A"), "{text}");
}

#[test]
fn what_cannot_be_compared_says_why() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Paper));
    std::fs::write(folder.path().join("broken.onnx"), b"no graph").expect("writable");
    let cases: [(&[&str], i32, &str); 4] = [
        (&["diff", "g_ab.ot"], 2, "<B>"),
        (&["diff", "g_ab.ot", "missing.ot"], 3, "missing.ot: cannot be read"),
        (&["diff", "broken.onnx", "g_ab.ot"], 3, "broken.onnx: is no ONNX file, or a damaged one"),
        (&["diff", "g_ab.ot", "g_ab.ot", "--svg", "a.svg"], 2, "unexpected argument '--svg'"),
    ];
    for (arguments, code, message) in cases {
        assert_ends(&run(folder.path(), arguments), code, message);
    }
}

#[test]
fn one_of_several_generators_in_a_file_is_compared_by_its_key() {
    let folder = folder();
    let several = format!("{}/../tests/variants/several.pth", env!("CARGO_MANIFEST_DIR"));
    assert_ends(&run(folder.path(), &[&several, "-o", "g.onnx", "--no-verify", "--key", "netG_A2B"]), 0, "");
    assert_ends(&run(folder.path(), &["diff", &several, "g.onnx"]), 3, "--key");
    let output = run(folder.path(), &["diff", &several, "g.onnx", "--key", "netG_A2B"]);
    assert!(text(&output).contains("weights: the same "), "{}", text(&output));
}
