//! A file that computes something else is caught, and the layer that does it is named; one that does not is not.

use std::collections::BTreeMap;

use exporter::verification::{Basis, Pair, Report, Verdict, verify};
use half::f16;
use models::families::{Family, GeneratorOptions, UpConvolution};
use models::pixels::Scale;
use models::recognise::{self, Choices, Origin};
use models::{Layer, Network, Pads, Weight, parameters};
use models_onnx::proto::{AttributeProto, AttributeType, DataType, GraphProto, ModelProto, NodeProto};
use models_onnx::{BYTES_IN, BYTES_OUT, Io, Precision, Target};
use models_torch::Module;
use prost::Message;
use tests::Problem;

/// A generator with weights as trained ones are, and its file.
struct Exported {
    problem: Problem,
    model: ModelProto,
    largest_size: usize,
}

fn exported(network: Network) -> Exported {
    exported_for(network, &Target::default())
}

fn exported_for(network: Network, target: &Target) -> Exported {
    tch::set_num_threads(1); // tiny networks: more only wait for each other
    let problem = Problem::random(network, 1, 16, 16, 3);
    let model = models_onnx::parse(problem.exported(target).model).expect("our own file");
    Exported { problem, model, largest_size: 64 }
}

/// Every precision with every kind of ends.
fn targets() -> Vec<Target> {
    let precisions = [Precision::F32, Precision::F16];
    let ios = [Io::Float, Io::F16, Io::Uint8];
    let of = |precision| ios.map(|io| Target { precision, io, ..Target::default() });
    precisions.into_iter().flat_map(of).collect()
}

impl Exported {
    /// Its graph, to plant a fault in.
    fn graph(&mut self) -> &mut GraphProto {
        self.model.graph.as_mut().expect("a file has one")
    }

    fn verify(&self) -> Report {
        let Problem { network, weights, .. } = &self.problem;
        let module = || Ok(Module::from_weights(network.clone(), weights, tch::Device::Cpu)?);
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), self.model.encode_to_vec()).expect("writable");
        verify(&Pair {
            module: &module,
            network,
            scale: Scale::USUAL,
            file: file.path(),
            interface: models_onnx::interface(&self.model).expect("our own file"),
            precision: models_onnx::precision(&self.model),
            basis: Basis::Weights,
            training_size: Some(16),
            largest_size: self.largest_size,
            progress: &|_, _| {},
            pictures: None,
        })
        .expect("both sides are there")
    }

    /// The file with a fault is caught, and the layer named.
    #[track_caller]
    fn assert_named(&self, layer: &str, fault: &str) {
        let report = self.verify();
        assert!(!report.agrees(), "{layer}, {fault}: nobody saw it\n{report}");
        let named = report.divergence.as_ref().map(|divergence| divergence.layer.as_str());
        assert_eq!(named, Some(layer), "{fault}\n{report}");
        assert!(report.to_string().contains(&format!("the first layer that differs is {layer} (")), "{report}");
    }
}

/// Networks that have every kind of layer between them.
fn networks() -> Vec<Network> {
    let size = GeneratorOptions::sized(2, 1);
    let resized = GeneratorOptions { up: UpConvolution::Resize, ..size };
    let leaky = Network {
        channels: 3,
        layers: vec![
            Layer::Conv { name: "stem".into(), from: 3, to: 3, kernel: 3, stride: 1, pad: Pads::all(1) },
            Layer::LeakyRelu { slope: 0.2 },
            Layer::Tanh,
        ],
    };
    vec![
        Family::Paper.generator(size),
        Family::Concat.generator(GeneratorOptions { output_norm: true, ..size }),
        Family::Paper.generator(resized),
        leaky,
    ]
}

#[test]
fn files_without_a_fault_agree_at_every_size() {
    for target in targets() {
        for network in networks() {
            let report = exported_for(network, &target).verify();
            let what = format!("{} {}\n{report}", target.precision, target.io);
            assert!(report.agrees() && report.divergence.is_none(), "{what}");
            assert!(report.layers.as_ref().is_some_and(|layers| layers.same > 2), "{what}");
            let precision = format!(" of {}, what the file's weights are: they agree", target.precision);
            assert!(report.to_string().ends_with(&precision), "{what}");
        }
    }
}

/// What can be wrong with an attribute of a node: for each, the values that it might have been given by mistake.
fn mistakes(node: &NodeProto, attribute: &AttributeProto) -> Vec<AttributeProto> {
    let ints = |ints: Vec<i64>| AttributeProto { ints, ..attribute.clone() };
    let string = |text: &'static str| AttributeProto { s: text.into(), ..attribute.clone() };
    match (node.op_type.as_str(), attribute.name.as_str()) {
        (_, "pads") => {
            let [top, left, bottom, right] = attribute.ints[..] else { panic!("two axes") };
            let mut wrong = vec![ints(vec![top + 1, left + 1, bottom + 1, right + 1])];
            if bottom > 0 {
                wrong.push(ints(vec![top + 1, left, bottom - 1, right])); // of the same size, a row further down
                wrong.push(ints(vec![top, left + 1, bottom, right - 1]));
            }
            wrong
        }
        (_, "kernel_shape" | "strides" | "output_padding") => {
            vec![ints(attribute.ints.iter().map(|side| side + 1).collect())]
        }
        // One below 1e-5, beside a variance near 1, is less than the last two bits of a 32-bit float.
        (_, "epsilon") if attribute.f < 1e-4 => vec![AttributeProto { f: attribute.f * 100.0, ..attribute.clone() }],
        (_, "epsilon") => {
            [0.01, 100.0].map(|factor| AttributeProto { f: attribute.f * factor, ..attribute.clone() }).into()
        }
        // The last two axes of planes in each other's place.
        (_, "perm") => vec![ints(attribute.ints.iter().map(|&axis| [0, 1, 3, 2][axis as usize]).collect())],
        ("Cast", "to") => {
            let [float, half] = [DataType::Float, DataType::Float16].map(i32::from).map(i64::from);
            vec![AttributeProto { i: if attribute.i == float { half } else { float }, ..attribute.clone() }]
        }
        (_, "alpha") => vec![AttributeProto { f: 0.01, ..attribute.clone() }],
        ("Pad", "mode") => vec![string("edge"), string("constant")],
        ("Resize", "mode") => vec![string("linear")],
        ("Resize", "coordinate_transformation_mode") => vec![string("half_pixel"), string("align_corners")],
        ("Resize", "nearest_mode") => vec![string("ceil"), string("round_prefer_ceil")],
        ("Concat", "axis") => vec![AttributeProto { i: 2, ..attribute.clone() }],
        (operator, name) => panic!("{operator} has got an attribute `{name}`: say here what may be wrong with it"),
    }
}

/// The layer, or the step between bytes and the network's numbers, that a node belongs to: a cast to the first that reads it.
fn layer_of(model: &ModelProto, place: usize, target: &Target) -> String {
    let network = models_onnx::metadata(model).expect("our own file").network;
    let layers = models_onnx::layer_values(&network, target);
    let mut names: Vec<String> = layers.into_iter().map(|layer| layer.name).collect();
    names.extend(BYTES_IN.into_iter().chain(BYTES_OUT).map(String::from));
    let nodes = &model.graph.as_ref().expect("a file has one").node;
    let output = &nodes[place].output[0];
    if names.contains(output) {
        return output.clone();
    }
    let reader = nodes.iter().position(|node| node.input.contains(output)).expect("somebody reads it");
    layer_of(model, reader, target)
}

/// Plants each mistake in each attribute of a file of each network; gives how often, by operator and attribute.
fn plant_in_attributes(target: &Target) -> BTreeMap<String, usize> {
    let mut planted = BTreeMap::<String, usize>::new();
    for network in networks() {
        let whole = exported_for(network, target).model;
        let nodes = &whole.graph.as_ref().expect("a file has one").node;
        // One of each kind and setting: the last, so that most of the network agrees.
        let mut kinds = BTreeMap::new();
        for (place, node) in nodes.iter().enumerate() {
            let settings: Vec<String> =
                node.attribute.iter().map(|attribute| format!("{:?}", attribute.ints)).collect();
            kinds.insert((node.op_type.clone(), settings), place);
        }
        for place in kinds.into_values() {
            let node = nodes[place].clone();
            for (index, attribute) in node.attribute.iter().enumerate() {
                for wrong in mistakes(&node, attribute) {
                    let mut faulty = exported_again(&whole);
                    let (precision, io) = (target.precision, target.io);
                    let fault =
                        format!("{precision} {io}, {} of {}: {wrong:?} for {attribute:?}", attribute.name, node.name);
                    faulty.graph().node[place].attribute[index] = wrong;
                    faulty.assert_named(&layer_of(&whole, place, target), &fault);
                    *planted.entry(format!("{}.{}", node.op_type, attribute.name)).or_default() += 1;
                }
            }
        }
    }
    planted
}

#[test]
fn a_fault_in_any_attribute_of_any_kind_of_layer_is_caught_and_named_in_32_bits() {
    for target in targets().into_iter().filter(|target| target.precision == Precision::F32) {
        assert_planted(&plant_in_attributes(&target), &target);
    }
}

#[test]
fn a_fault_in_any_attribute_of_any_kind_of_layer_is_caught_and_named_in_16_bits() {
    for target in targets().into_iter().filter(|target| target.precision == Precision::F16) {
        assert_planted(&plant_in_attributes(&target), &target);
    }
}

#[track_caller]
fn assert_planted(planted: &BTreeMap<String, usize>, target: &Target) {
    let kinds: Vec<&str> = planted.keys().map(String::as_str).collect();
    let mut expected = vec![
        "Concat.axis",
        "Conv.kernel_shape",
        "Conv.pads",
        "Conv.strides",
        "ConvTranspose.kernel_shape",
        "ConvTranspose.output_padding",
        "ConvTranspose.pads",
        "ConvTranspose.strides",
        "InstanceNormalization.epsilon",
        "LeakyRelu.alpha",
        "Pad.mode",
        "Resize.coordinate_transformation_mode",
        "Resize.mode",
        "Resize.nearest_mode",
    ];
    expected.extend((target.io == Io::Uint8).then_some("Transpose.perm"));
    expected.extend(((target.precision, target.io) != (Precision::F32, Io::Float)).then_some("Cast.to"));
    expected.sort_unstable();
    assert_eq!(kinds, expected, "{planted:?}");
}

/// The same problem beside a copy of its file.
fn exported_again(model: &ModelProto) -> Exported {
    let metadata = models_onnx::metadata(model).expect("our own file");
    let problem = Problem::random(metadata.network, 1, 16, 16, 3);
    // What is wrong with a layer is seen on small pictures too.
    Exported { problem, model: model.clone(), largest_size: 16 }
}

#[test]
fn another_operator_or_other_inputs_are_caught_and_named() {
    type Change = fn(&mut NodeProto);
    let changes: [(&str, &str, Change); 16] = [
        ("Conv", "dilated", |node| {
            let ints = vec![2, 2];
            let r#type = AttributeType::Ints.into();
            node.attribute.push(AttributeProto { name: "dilations".into(), r#type, ints, ..Default::default() });
        }),
        ("Relu", "left out", |node| node.op_type = "Identity".into()),
        ("Relu", "leaky", |node| node.op_type = "LeakyRelu".into()),
        ("LeakyRelu", "not leaky", |node| {
            node.op_type = "Relu".into();
            node.attribute.clear();
        }),
        ("Tanh", "another", |node| node.op_type = "Softsign".into()),
        ("Tanh", "left out", |node| node.op_type = "Identity".into()),
        ("Add", "subtracted", |node| node.op_type = "Sub".into()),
        ("Add", "twice the same", |node| node.input[1] = node.input[0].clone()),
        ("Concat", "in the other order", |node| node.input.reverse()),
        // Between bytes and the network's numbers.
        ("Div", "multiplied", |node| node.op_type = "Mul".into()),
        ("Sub", "added", |node| node.op_type = "Add".into()),
        ("Mul", "divided", |node| node.op_type = "Div".into()),
        ("Clip", "left out", |node| {
            node.op_type = "Identity".into();
            node.input.truncate(1);
        }),
        ("Clip", "at one end", |node| node.input.truncate(2)),
        ("Round", "down", |node| node.op_type = "Floor".into()),
        ("Round", "left out", |node| node.op_type = "Identity".into()),
    ];
    for (operator, fault, change) in changes {
        let mut seen = 0;
        for target in targets() {
            for network in networks() {
                let whole = exported_for(network, &target).model;
                let nodes = &whole.graph.as_ref().expect("a file has one").node;
                let Some(place) = nodes.iter().rposition(|node| node.op_type == operator) else { continue };
                let mut faulty = exported_again(&whole);
                change(&mut faulty.graph().node[place]);
                faulty.assert_named(
                    &layer_of(&whole, place, &target),
                    &format!("{} {}, {operator} {fault}", target.precision, target.io),
                );
                seen += 1;
            }
        }
        assert!(seen > 0, "no network has {operator}");
    }
}

#[test]
fn a_wrong_number_in_any_weight_is_caught_and_its_layer_named() {
    let half = Target { precision: Precision::F16, io: Io::Uint8, ..Target::default() };
    let all = |target: Target| networks().into_iter().map(move |network| (target, network));
    for (target, network) in [Target::default(), half].into_iter().flat_map(all) {
        let table = parameters::table(&network);
        let whole = exported_for(network, &target).model;
        let graph = whole.graph.as_ref().expect("a file has one");
        for parameter in table {
            let reader = graph.node.iter().find(|node| node.input.contains(&parameter.name));
            // A bias that the next norm takes away again may be left out.
            let Some(reader) = reader else { continue };
            let mut faulty = exported_again(&whole);
            let initializers = &mut faulty.graph().initializer;
            let tensor = initializers.iter_mut().find(|tensor| tensor.name == parameter.name).expect("learned");
            let mut bytes = tensor.raw_data.to_vec();
            if tensor.data_type == i32::from(DataType::Float16) {
                let number = f16::from_le_bytes(bytes[..2].try_into().expect("two bytes"));
                bytes[..2].copy_from_slice(&(number + f16::from_f32(0.5)).to_le_bytes());
            } else {
                let number = f32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
                bytes[..4].copy_from_slice(&(number + 0.5).to_le_bytes());
            }
            tensor.raw_data = bytes.into();
            faulty.assert_named(&reader.output[0], &parameter.name);
        }
    }
}

#[test]
fn a_bias_that_a_norm_takes_away_may_be_anything() {
    let keep_bias = Target { keep_bias: true, ..Target::default() };
    let mut other = exported_for(networks().swap_remove(0), &keep_bias);
    let initializers = &mut other.graph().initializer;
    let bias = initializers.iter_mut().find(|tensor| tensor.name == "stem.conv.bias").expect("it is kept");
    bias.raw_data = [0.3_f32, -0.2].iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>().into();
    let report = other.verify();
    assert!(report.agrees(), "{report}");
}

#[test]
fn a_constant_that_is_wrong_is_caught_at_the_first_layer_that_reads_it() {
    let bytes = |numbers: &[f32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let ones: Vec<f32> = (0..8).map(|channel| 1.0 + channel as f32 / 8.0).collect();
    let float = Target::default();
    let uint8 = Target { io: Io::Uint8, precision: Precision::F16, ..float };
    for (target, network, constant, bytes) in [
        // All of them alike would be taken away by the next norm.
        (float, 0, "constant.ones.8", bytes(&ones)),
        (float, 0, "constant.zeros.8", bytes(&[0.1; 8])),
        (
            float,
            0,
            "constant.pads.3",
            [0, 0, 2, 3, 0, 0, 4, 3].iter().flat_map(|side: &i64| side.to_le_bytes()).collect(),
        ),
        (float, 2, "constant.scales.2", bytes(&[1.0, 1.0, 2.0, 3.0])),
        (uint8, 0, "constant.ones.8", bytes(&ones)),
        (uint8, 0, "constant.pixel.step", bytes(&[127.0])),
        (uint8, 1, "constant.pixel.black", bytes(&[-1.01])),
        (uint8, 0, "constant.byte.least", bytes(&[1.0])),
        (uint8, 1, "constant.byte.most", bytes(&[254.0])),
    ] {
        let whole = exported_for(networks().swap_remove(network), &target).model;
        let mut faulty = exported_again(&whole);
        let graph = faulty.graph();
        let reader = graph.node.iter().position(|node| node.input.iter().any(|input| input == constant));
        let layer = layer_of(&whole, reader.expect(constant), &target);
        let tensor = graph.initializer.iter_mut().find(|tensor| tensor.name == constant).expect(constant);
        tensor.raw_data = bytes.into();
        faulty.assert_named(&layer, constant);
    }
}

#[test]
fn names_do_not_matter_to_find_a_layer_in_anybodys_file() {
    let mut faulty = exported(networks().swap_remove(1));
    let graph = faulty.graph();
    let rename = |name: &mut String| {
        if !["image", "translated", ""].contains(&name.as_str()) {
            *name = format!("/model/{}", name.chars().rev().collect::<String>());
        }
    };
    let node = graph.node.iter_mut().rfind(|node| node.op_type == "Concat").expect("it has one");
    node.input.reverse();
    let layer = node.name.clone();
    for node in &mut graph.node {
        node.input.iter_mut().chain(&mut node.output).for_each(rename);
        node.name.clear();
    }
    graph.initializer.iter_mut().for_each(|tensor| rename(&mut tensor.name));
    faulty.assert_named(&layer, "in the other order, without names");
}

/// Numbers at the edges of what 32-bit floats hold.
#[test]
fn extreme_weights_are_computed_alike() {
    fn filled(network: &Network, factor: impl Fn(&str, usize) -> f32) -> Vec<Weight> {
        let mut weights = Problem::random(network.clone(), 1, 16, 16, 5).weights;
        for weight in &mut weights {
            let name = weight.name.clone();
            weight.replace(|index, number| number * factor(&name, index));
        }
        weights
    }
    for network in networks() {
        type Factor<'a> = &'a dyn Fn(&str, usize) -> f32;
        let is_bias = |name: &str| name.ends_with(".bias");
        let cases: [(&str, Factor<'_>); 4] = [
            ("1e4", &|_, _| 1e4),
            ("denormal", &|_, _| f32::MIN_POSITIVE / 8.0),
            ("zero variance", &|name, _| if is_bias(name) { 1.0 } else { 0.0 }),
            ("some channels of zero variance", &|name, index| if !is_bias(name) && index < 27 { 0.0 } else { 1.0 }),
        ];
        for (what, number) in cases {
            let weights = filled(&network, number);
            let problem = Problem { weights, ..Problem::random(network.clone(), 1, 16, 16, 3) };
            let model = models_onnx::parse(problem.to_onnx()).expect("our own file");
            let report = Exported { problem, model, largest_size: 64 }.verify();
            assert!(report.agrees(), "{what}\n{report}");
        }
    }
}

#[test]
fn rounding_that_a_network_magnifies_is_told_from_a_fault() {
    // A head that multiplies by a million: what is left of 32-bit floats is a few digits, on either side.
    let mut exported = exported(networks().swap_remove(0));
    let head =
        exported.problem.weights.iter_mut().find(|weight| weight.name == "head.conv.weight").expect("it has one");
    head.replace(|_, number| number * 2e3);
    exported.model = models_onnx::parse(exported.problem.to_onnx()).expect("our own file");
    let report = exported.verify();
    assert!(report.agrees(), "{report}");
    let judged = report.comparisons.iter().filter(|comparison| matches!(comparison.verdict, Verdict::Rounding { .. }));
    assert!(judged.count() > 0, "{report}");
    let node = exported.graph().node.iter_mut().rfind(|node| node.op_type == "Add").expect("it has one");
    node.op_type = "Sub".into();
    let layer = node.name.clone();
    exported.assert_named(&layer, "a fault is one still");
}

#[test]
fn metadata_alone_decides_what_a_file_is_compared_with() {
    // A file of the other family takes the same pictures and gives others.
    let paper = exported(networks().swap_remove(0));
    let mut other = exported(networks().swap_remove(1));
    other.model = paper.model;
    let report = other.verify();
    assert!(!report.agrees(), "{report}");
    let layer = report.divergence.expect("it differs").layer;
    assert_eq!(layer, "stem.conv", "padded otherwise, with other weights");
}

/// Files that PyTorch's own exporter made of variants: see variants/export.py.
#[test]
fn files_of_pytorchs_own_exporter_are_compared_and_a_fault_in_one_is_named() {
    tch::set_num_threads(1);
    let variant = |name: &str, ending: &str| {
        std::fs::read(format!("{}/variants/{name}.{ending}", env!("CARGO_MANIFEST_DIR")))
            .expect("it lies in the project")
    };
    for name in ["published", "affine", "batch", "resize"] {
        let tensors =
            models_archive::read(variant(name, "safetensors").into(), None).expect("PyTorch wrote it").tensors;
        let origin = Origin { name, ordered: false };
        let found = recognise::recognise(tensors, &Choices::default(), origin).expect("a ResNet generator");
        let (metadata, weights) = found.into_parts("tests", None);
        let problem = Problem { weights, ..Problem::random(metadata.network, 1, 16, 16, 3) };
        let model = models_onnx::parse(variant(name, "torch.onnx")).expect("an ONNX file");
        let mut exported = Exported { problem, model, largest_size: 64 };
        let report = exported.verify();
        assert!(report.agrees(), "{name}\n{report}");

        let node = exported.graph().node.iter_mut().rfind(|node| node.op_type == "Pad").expect("it pads");
        let mode = node.attribute.iter_mut().find(|attribute| attribute.name == "mode").expect("by reflection");
        mode.s = "edge".into();
        // Called after the layer before it, which is the norm where that has weights.
        let before = if name == "affine" { "up2.norm" } else { "up2.conv" };
        exported.assert_named(&format!("{before}.reflect"), "mode of the last padding");
    }
}
