//! `exporter inspect` as a user types it.

use std::path::Path;

use models::families::Family;
use models::{Role, weights_hash};
use models_onnx::Target;
use models_onnx::proto::ModelProto;
use prost::Message;
use serde_json::Value;
use snapbox::file;

use crate::support::{self, assert_ends, folder, run, saved, write};

fn inspected(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, &[&["inspect"], arguments].concat());
    assert_ends(&output, 0, "");
    String::from_utf8(output.stdout).expect("text")
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&inspected(folder, arguments)).expect("one JSON object")
}

/// An export of ours, changed.
fn write_onnx(folder: &Path, name: &str, change: impl FnOnce(&mut ModelProto)) {
    let saved = saved(Role::GAb, Family::Concat);
    let file = models_onnx::export(&saved.metadata, saved.weights, &Target { keep_bias: true, ..Target::default() })
        .expect("its own weights")
        .model;
    let mut model = models_onnx::parse(file).expect("our own file");
    change(&mut model);
    std::fs::write(folder.join(name), model.encode_to_vec()).expect("writable");
}

#[test]
fn every_format_is_inspected_alike() {
    let folder = folder();
    let saved = saved(Role::GBa, Family::Paper);
    write(folder.path(), "g_ba.ot", &saved);
    write(folder.path(), "g_ba.safetensors", &saved);
    assert_ends(&run(folder.path(), &["g_ba.ot", "-o", "g_ba.onnx", "--keep-bias", "--no-verify"]), 0, "");
    let [archive, safetensors, onnx] =
        ["g_ba.ot", "g_ba.safetensors", "g_ba.onnx"].map(|name| inspected(folder.path(), &[name]));
    snapbox::assert_data_eq!(archive.clone(), file!["../snapshots/inspect.txt"]);
    snapbox::assert_data_eq!(onnx.clone(), file!["../snapshots/inspect_onnx.txt"]);
    let without_file = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(without_file(&archive), without_file(&safetensors));
    let onnx = without_file(&onnx);
    for line in without_file(&archive) {
        assert!(onnx.contains(&line), "{line}");
    }
}

#[test]
fn what_an_export_left_out_or_rounded_is_said_and_is_no_fault() {
    let folder = folder();
    write(folder.path(), "g_ba.ot", &saved(Role::GBa, Family::Paper));
    let export = ["g_ba.ot", "-o", "g.onnx", "--no-verify", "--precision", "f16", "--io", "uint8", "--size", "16x24"];
    assert_ends(&run(folder.path(), &export), 0, "");
    let text = inspected(folder.path(), &["g.onnx", "--size", "32x32"]);
    for part in [
        "made for       [batch, 16, 24, 3] bytes, computed in f16",
        "9 biases that a norm takes away are left out; the stored hash is that of the whole",
        "weights are rounded to 16 bits; the stored hash is that of the exact ones",
        "of the weights that it was made from",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let found = json(folder.path(), &["g.onnx", "--json"]);
    assert_eq!((&found["weights"]["agrees"], &found["weights"]["unchanged"]), (&Value::Null, &true.into()));
}

#[test]
fn a_generator_from_elsewhere_is_inspected_with_what_was_assumed() {
    let folder = folder();
    let published = format!("{}/../tests/variants/published.pth", env!("CARGO_MANIFEST_DIR"));
    let text = inspected(folder.path(), &[&published, "--norm-eps", "1e-3", "--size", "64x64"]);
    for part in
        ["file           PyTorch, ", "training       unknown", "norm-eps           1e-3       given", "block2.conv2"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    let assumptions = &json(folder.path(), &[&published, "--json"])["metadata"]["assumptions"];
    assert!(assumptions.as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "norm-eps")), "{assumptions}");
}

#[test]
fn a_discriminator_is_inspected_at_any_size_that_leaves_it_a_verdict() {
    let folder = folder();
    write(folder.path(), "d_a.ot", &saved(Role::DA, Family::Paper));
    let text = inspected(folder.path(), &["d_a.ot", "--size", "250x256"]);
    assert!(text.contains("discriminator of A, family paper") && text.contains("verdicts       29×30"), "{text}");
    let [found, expected] = [json(folder.path(), &["d_a.ot", "--json"]), json(folder.path(), &["d_a.ot", "--json"])];
    assert_eq!(
        (found["sizes"].clone(), &found["layers"][0]["output"]),
        (Value::Null, &expected["layers"][0]["output"])
    );
    assert_ends(&run(folder.path(), &["inspect", "d_a.ot", "--size", "8x256"]), 2, "d_a.ot: layer layer4.conv: its");
}

/// Whatever a program may rely on is in the documentation, and nothing else is in the object.
#[test]
fn the_keys_of_the_json_are_those_of_the_documentation() {
    let folder = folder();
    let saved = saved(Role::GAb, Family::Paper);
    write(folder.path(), "g_ab.ot", &saved);
    let export = ["g_ab.ot", "-o", "g_ab.onnx", "--keep-bias", "--largest-file", "4096"];
    assert_ends(&run(folder.path(), &export), 0, "");
    let found = json(folder.path(), &["g_ab.onnx", "--size", "64x32", "--json"]);
    support::assert_documented(&found, "inspect");

    // The exact numbers of the snapshot's table.
    assert_eq!((&found["parameters"], &found["size"]), (&13_379.into(), &serde_json::json!([64, 32])));
    assert_eq!(found["weights"]["sha256"], weights_hash(&saved.weights).as_str());
    assert_eq!((&found["weights"]["agrees"], &found["metadata"]["steps"]), (&true.into(), &17.into()));
    let layers = found["layers"].as_array().expect("a table");
    let sum = |key: &str| layers.iter().map(|layer| layer[key].as_u64().expect("a count")).sum::<u64>();
    assert_eq!((sum("parameters"), sum("multiply_adds")), (13_379, found["multiply_adds"].as_u64().expect("a count")));
    let peak = &found["peak_activations"];
    let at = peak["layer"].as_u64().expect("a place") as usize;
    // The head's padding: [4, 64, 32] and [4, 70, 38] numbers of four bytes.
    assert_eq!(
        (&peak["bytes"], &peak["at"]),
        (&(4 * (4 * 64 * 32 + 4 * 70 * 38)).into(), &"reflection pad 3 after up2.conv".into())
    );
    assert_eq!(layers[at]["alive_bytes"], peak["bytes"]);
}

#[test]
fn a_graph_from_elsewhere_is_inspected_as_far_as_it_goes() {
    let folder = folder();
    write_onnx(folder.path(), "foreign.onnx", |model| {
        model.metadata_props.clear();
        model.producer_name = "another\u{1b}[2J".into();
        let graph = model.graph.as_mut().expect("has one");
        graph.initializer[0].name = "weight".into();
        graph.node[0].input[1] = "weight".into();
        graph.input[0].r#type = None;
    });
    snapbox::assert_data_eq!(inspected(folder.path(), &["foreign.onnx"]), file!["../snapshots/inspect_foreign.txt"]);
    let found = json(folder.path(), &["foreign.onnx", "--json"]);
    for key in ["metadata", "layers", "sizes", "multiply_adds", "peak_activations"] {
        assert_eq!(found[key], Value::Null, "{key}");
    }
    assert_eq!(found["graph"]["operators"]["InstanceNormalization"], 10);
    let output = run(folder.path(), &["inspect", "foreign.onnx", "--svg", "foreign.svg"]);
    assert_ends(&output, 3, "foreign.onnx: has no metadata, so its network is unknown and cannot be drawn");
    assert!(!folder.path().join("foreign.svg").exists());
}

/// Biases are left out, and numbers rounded: the hash of the source says nothing of what is there.
#[test]
fn weights_that_were_changed_after_an_export_are_told_whatever_was_left_out() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Paper));
    for precision in ["f32", "f16"] {
        let export = ["g_ab.ot", "-o", "g.onnx", "--no-verify", "--precision", precision];
        assert_ends(&run(folder.path(), &export), 0, "");
        let verify = ["verify", "g_ab.ot", "g.onnx", "--largest-size", "64", "--report", "report.json"];
        let report = || -> Value {
            serde_json::from_slice(&std::fs::read(folder.path().join("report.json")).expect("written")).expect("JSON")
        };
        assert_ends(&run(folder.path(), &verify), 0, "");
        assert_eq!(report()["unchanged"], true);

        let mut model = models_onnx::open(&folder.path().join("g.onnx")).expect("our own file");
        let tensor = &mut model.graph.as_mut().expect("has one").initializer[0];
        let mut bytes = tensor.raw_data.to_vec();
        bytes[0] ^= 1; // too little for a comparison to see
        tensor.raw_data = bytes.into();
        std::fs::write(folder.path().join("g.onnx"), model.encode_to_vec()).expect("writable");
        let output = run(folder.path(), &["inspect", "g.onnx"]);
        assert_ends(&output, 1, "");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("DIFFERS: the weights were changed after the export"), "{said}");
        let output = run(folder.path(), &verify);
        assert_ends(&output, 1, "");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("they agree\ng.onnx: its weights are not what its export wrote"), "{said}");
        assert_eq!((&report()["unchanged"], &report()["agrees"]), (&false.into(), &true.into()));
    }
}

#[test]
fn weights_that_are_not_those_of_the_export_are_told() {
    let folder = folder();
    let initializers = |model: &mut ModelProto| std::mem::take(&mut model.graph.as_mut().expect("has one").initializer);
    write_onnx(folder.path(), "changed.onnx", |model| {
        let mut tensors = initializers(model);
        let mut bytes = tensors[0].raw_data.to_vec();
        bytes[0] ^= 1;
        tensors[0].raw_data = bytes.into();
        model.graph.as_mut().expect("has one").initializer = tensors;
    });
    let output = run(folder.path(), &["inspect", "changed.onnx"]);
    assert_ends(&output, 1, "");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("DIFFERS: the weights were changed after the export"), "{said}");

    write_onnx(folder.path(), "fewer.onnx", |model| {
        let mut tensors = initializers(model);
        tensors.remove(0);
        model.graph.as_mut().expect("has one").initializer = tensors;
    });
    let output = run(folder.path(), &["inspect", "fewer.onnx"]);
    assert_ends(&output, 1, "");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("remark         tensor `stem.conv.weight` is missing"), "{said}");
}

#[test]
fn weights_beside_a_model_are_counted_with_their_file() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Concat));
    assert_ends(&run(folder.path(), &["g_ab.ot", "-o", "g.onnx", "--no-verify", "--largest-file", "4096"]), 0, "");
    let mut entries = std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("readable"));
    let data =
        entries.find(|entry| entry.path().extension().is_some_and(|ending| ending == "data")).expect("too large");
    let (name, size) = (data.file_name().into_string().expect("ASCII"), data.metadata().expect("readable").len());

    let model =
        models_onnx::parse(std::fs::read(folder.path().join("g.onnx")).expect("written")).expect("our own file");
    let tensors = models_onnx::summary(&model).initializers.outside;
    assert!(tensors > 3 && size > 40_000, "{tensors}, {size}");
    let found = json(folder.path(), &["g.onnx", "--json"]);
    assert_eq!(found["file"]["data"], serde_json::json!([{"name": name, "bytes": size, "tensors": tensors}]));
    assert_eq!(found["graph"]["initializers"]["outside"], tensors);
    let text = inspected(folder.path(), &["g.onnx"]);
    let line = format!("({size} bytes), {tensors} tensors: move both together\n");
    assert!(text.contains(&format!("\ndata           {name}, ")) && text.contains(&line), "{text}");
    assert!(text.contains(&format!(", {tensors} of them in another file")), "{text}");
}

/// The drawing's looks are tested where it is made.
#[test]
fn a_drawing_is_written_beside_what_is_printed() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Concat));
    let output = run(folder.path(), &["inspect", "g_ab.ot", "--svg", "new/g_ab.svg", "--size", "64x64"]);
    assert_ends(&output, 0, "wrote new/g_ab.svg");
    assert_eq!(String::from_utf8_lossy(&output.stdout), inspected(folder.path(), &["g_ab.ot", "--size", "64x64"]));
    let svg = std::fs::read_to_string(folder.path().join("new/g_ab.svg")).expect("it was written");
    let document = roxmltree::Document::parse(&svg).expect("well-formed XML");
    let words: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    for expected in
        ["generator A to B, family concat, width 4, 2 blocks", "stem.conv", "block1…2.conv1", "× 2", "[4, 64, 64]"]
    {
        assert!(words.contains(&expected), "{expected} in {words:?}");
    }
}

#[test]
fn what_cannot_be_inspected_says_why() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Paper));
    write_onnx(folder.path(), "newer.onnx", |model| {
        let json = &mut model.metadata_props[0].value;
        *json = json.replace("\"format_version\":1", "\"format_version\":2");
    });
    let cases: [(&[&str], i32, &str); 8] = [
        (&["inspect"], 2, "<FILE>"),
        (&["inspect", "missing.onnx"], 3, "missing.onnx: cannot be read"),
        (&["inspect", "newer.onnx"], 3, "newer.onnx: metadata has format version 2"),
        (&["inspect", "g_ab.ot", "--size", "64"], 2, "use height x width in pixels, as in 256x384"),
        (
            &["inspect", "g_ab.ot", "--size", "62x64"],
            2,
            "both sides must be multiples of 4, 8 or more; 64×64 would fit",
        ),
        (&["inspect", "g_ab.ot", "--svg", "g_ab.png"], 2, "--svg g_ab.png: the file's name must end in .svg"),
        (&["inspect", "g_ab.ot", "--svg", "folder.svg"], 2, "--svg folder.svg: that is a folder; name the file in it"),
        (&["inspect", "g_ab.ot", "--svg", "g_ab.ot/g.svg"], 5, "g_ab.ot"),
    ];
    std::fs::create_dir(folder.path().join("folder.svg")).expect("writable");
    for (arguments, code, message) in cases {
        assert_ends(&run(folder.path(), arguments), code, message);
    }
}

#[test]
fn a_file_may_say_anything_and_its_terminal_is_safe() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Paper));
    assert_ends(&run(folder.path(), &["g_ab.ot", "-o", "g.onnx", "--no-verify"]), 0, "");
    let mut model = models_onnx::open(&folder.path().join("g.onnx")).expect("our own file");
    let mut metadata = models_onnx::metadata(&model).expect("our own metadata");
    let (name, value) = ("role".to_owned(), "\u{1b}[2J".to_owned());
    metadata.assumptions = vec![models::Assumption { name, value, source: models::Source::Given(None) }];
    model.metadata_props[0].value = metadata.to_json();
    model.graph.as_mut().expect("has one").initializer.retain(|tensor| tensor.name != "head.conv.weight");
    std::fs::write(folder.path().join("odd.onnx"), model.encode_to_vec()).expect("writable");
    let output = run(folder.path(), &["inspect", "odd.onnx"]);
    assert_ends(&output, 1, "");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(text.contains("tensor `head.conv.weight` is missing"), "and not a bias that is left out: {text}");
    let message = "g.onnx: --norm-eps: an ONNX file says itself what it computes";
    assert_ends(&run(folder.path(), &["inspect", "g.onnx", "--norm-eps", "5"]), 2, message);
}
