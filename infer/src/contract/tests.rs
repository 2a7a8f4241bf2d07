//! What is known of models, from whom, and what is refused.

use models::families::{Family, GeneratorOptions};
use models::{FORMAT_VERSION, Layer, Metadata, Network, Pads, Role, Weight, parameters, pixels};
use models_onnx::proto::{DataType, Dimension, DimensionValue, TypeValue, ValueInfoProto};
use models_onnx::samples::{Operation, Sample};
use models_onnx::{Io, Precision, Target};

use super::*;

/// All that a sample leaves open.
const ENOUGH: &str = "range = '0..1'\nchannels = 'rgb'\nsize-multiple = 4\n";

fn read(model: &ModelProto, said: &Said, description: &str) -> Result<Contract, String> {
    let contract = Contract::from_text(model, Path::new("some/net.onnx"), said, description);
    contract.map_err(|error| error.to_string())
}

fn metadata() -> Metadata {
    Metadata {
        format_version: FORMAT_VERSION,
        role: Role::GAb,
        family: Some(Family::Paper),
        network: Family::Paper.generator(GeneratorOptions::sized(2, 1)),
        data_set: Some("horse2zebra".into()),
        training_size: Some(256),
        pixel_range: pixels::RANGE,
        steps: Some(0),
        seed: Some(0),
        program: "tests".into(),
        weights_sha256: None,
        assumptions: Vec::new(),
    }
}

/// One of our own exports.
fn export(metadata: &Metadata, target: &Target) -> ModelProto {
    let weight = |parameter: parameters::Parameter| {
        let bytes = vec![0; 4 * parameter.len()].into();
        Weight { name: parameter.name, shape: parameter.shape, bytes }
    };
    let weights = parameters::table(&metadata.network).into_iter().map(weight).collect();
    models_onnx::parse(models_onnx::export(metadata, weights, target).expect("its own weights").model).expect("our own")
}

/// The same with other metadata, as nobody exports it.
fn relabelled(metadata: &Metadata) -> ModelProto {
    let mut model = export(&self::metadata(), &Target::default());
    model.metadata_props[0].value = metadata.to_json();
    model
}

fn sides(end: &mut ValueInfoProto) -> &mut Vec<Dimension> {
    match end.r#type.as_mut().and_then(|kind| kind.value.as_mut()) {
        Some(TypeValue::Tensor(tensor)) => &mut tensor.shape.as_mut().expect("samples have one").dim,
        _ => panic!("samples have tensors"),
    }
}

/// A sample with other sides: a number, or a name.
fn reshaped(sample: Sample, input: &str, output: &str) -> ModelProto {
    let mut model = sample.model();
    let graph = model.graph.as_mut().expect("has one");
    for (end, texts) in [(&mut graph.input[0], input), (&mut graph.output[0], output)] {
        let side = |text: &str| Dimension {
            value: match text.parse() {
                Ok(side) => Some(DimensionValue::Value(side)),
                Err(_) if text.is_empty() => None,
                Err(_) => Some(DimensionValue::Param(text.into())),
            },
            ..Default::default()
        };
        *sides(end) = texts.split(',').map(side).collect();
    }
    model
}

#[test]
fn a_generator_says_its_sizes_and_what_a_pixel_costs_at_least() {
    let of = |precision| {
        let wide = Metadata { network: Family::Paper.generator(GeneratorOptions::sized(16, 1)), ..metadata() };
        read(&export(&wide, &Target { precision, ..Target::default() }), &Said::default(), "").expect("a generator's")
    };
    let sizes = Sizes { training: Some(256), usual: Some(256), multiple: 4, smallest: 8, fixed: None };
    assert_eq!(of(Precision::F32).sizes, sizes);
    // At full resolution 16 channels of floats go into a layer and 64 come out.
    for (precision, bytes) in [(Precision::F32, 128..136), (Precision::F16, 64..68)] {
        let found = of(precision).bytes_per_pixel;
        assert!(bytes.contains(&found), "{precision}: {found}");
    }
    let one = read(&export(&metadata(), &Target::default()), &Said::default(), "").expect("a generator's");
    let fixed = export(&metadata(), &Target { batch: Some(3), ..Target::default() });
    let three = read(&fixed, &Said::default(), "").expect("a generator's");
    assert_eq!((three.batch, three.bytes_per_pixel), (Some(3), 3 * one.bytes_per_pixel));
}

#[test]
fn every_fact_is_printed_with_who_says_it() {
    let own = export(&metadata(), &Target { io: Io::Uint8, batch: Some(2), ..Target::default() });
    assert_eq!(
        read(&own, &Said::default(), "").expect("our own").print().lines().map(str::trim_end).collect::<Vec<_>>(),
        [
            "takes          [2, height, width, 3] bytes  graph",
            "gives          [2, height, width, 3] bytes  graph",
            "layout         nhwc                         graph",
            "batch          2                            graph",
            "range          0..255                       graph",
            "output range   0..255                       graph",
            "channels       rgb                          metadata",
            "scale          1                            graph",
            "size           multiples of 4 from 8 on     metadata",
            "training size  256                          metadata",
        ]
    );
    let foreign = Sample { operation: Operation::Enlarge(2), ..Sample::default() }.model();
    let flags =
        Said { mean: Some(PerChannel([0.5; 3])), output_range: Some(PixelRange([0.0, 255.0])), ..Said::default() };
    let printed = read(&foreign, &flags, ENOUGH).expect("all is said").print();
    let facts: Vec<String> =
        printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for fact in [
        "range 0..1 net.toml",
        "mean 0.5,0.5,0.5 flag",
        "output range 0..255 flag",
        "channels rgb net.toml",
        "scale 2 graph",
        "size multiples of 4 from 4 on net.toml",
    ] {
        assert!(facts.iter().any(|line| line == fact), "{fact} in {printed}");
    }
}

#[test]
fn what_a_model_does_not_say_is_listed_and_never_guessed() {
    let any = Sample::default();
    let bytes = Sample { input: DataType::Uint8, output: DataType::Float, size: Some([4, 4]), ..any };
    let ends = "n,c,h,w";
    let cases: [(ModelProto, &str, &[Missing]); 8] = [
        (any.model(), "", &[Missing::Range, Missing::Channels, Missing::SizeMultiple]),
        (any.model(), "range = '0..1'\nchannels = 'bgr'", &[Missing::SizeMultiple]),
        (Sample { size: Some([8, 8]), ..any }.model(), "", &[Missing::Range, Missing::Channels]),
        // What bytes are is known, but not what they become; and not what a mean of the input makes of the output.
        (bytes.model(), "channels = 'rgb'", &[Missing::OutputRange]),
        (any.model(), &format!("{ENOUGH}std = [2, 2, 2]"), &[Missing::OutputRange]),
        (reshaped(any, ends, ends), ENOUGH, &[Missing::Layout]),
        (reshaped(any, "3,3,8,3", "3,3,8,3"), ENOUGH, &[Missing::Layout]),
        (reshaped(any, "n,3,h,w", "n,3,a,b"), ENOUGH, &[Missing::Scale]),
    ];
    for (model, description, expected) in cases {
        let error = read(&model, &Said::default(), description).expect_err("not all is said");
        let found: Vec<&str> = error.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert_eq!(found, expected.iter().map(ToString::to_string).collect::<Vec<_>>(), "{error}");
        assert!(error.contains("does not guess") && error.contains("into some/net.toml"), "{error}");
    }
}

#[test]
fn graphs_say_layout_scale_batch_and_size_in_whatever_way_they_are_written() {
    let cases = [
        ("n,3,h,w", "n,3,h,w", "", "nchw nchw 1 any"),
        ("n,3,h,w", "n,3,2*h,2*w", "", "nchw nchw 2 any"),
        ("n,3,h,w", "n,3,h * 4,x", "", "nchw nchw 4 any"),
        ("n,3,h,w", "n,3,,", "scale = 3", "nchw nchw 3 any"),
        ("n,3,h,w", "1,h,w,3", "", "nchw nhwc 1 1"),
        ("-1,-1,-1,3", ",,,3", "scale = 1", "nhwc nhwc 1 any"),
        ("n,c,h,w", ",,,", "layout = 'nhwc'\nscale = 2", "nhwc nhwc 2 any"),
        ("4,c,8,6", "4,c,32,24", "", "nchw nchw 4 4"),
        ("2,3,3,3", "2,3,3,3", "layout = 'nchw'", "nchw nchw 1 2"),
    ];
    for (input, output, said, expected) in cases {
        let said = format!("range = '0..1'\nchannels = 'rgb'\nsize-multiple = 1\n{said}");
        let found = read(&reshaped(Sample::default(), input, output), &Said::default(), &said);
        let found = found.unwrap_or_else(|error| panic!("{input} to {output}: {error}"));
        let batch = found.batch.map_or("any".into(), |batch| batch.to_string());
        let found = format!("{} {} {} {batch}", found.input.layout, found.output.layout, found.scale);
        assert_eq!(found, expected, "{input} to {output}");
    }
    let fixed = Sample { size: Some([8, 6]), interleaved: true, input: DataType::Float16, ..Sample::default() };
    let found = read(&fixed.model(), &Said::default(), "range = '0..1'\nchannels = 'rgb'").expect("all is said");
    let sizes = Sizes { training: None, usual: None, multiple: 1, smallest: 1, fixed: Some((6, 8)) };
    assert_eq!((found.sizes, found.input.element, found.output.element), (sizes, Element::F16, Element::F32));
    assert_eq!(found.bytes_per_pixel, 3 * 2 + 3 * 4);
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_metadata() {
    let own = export(&metadata(), &Target::default());
    let flag = Said { range: Some(PixelRange([0.0, 255.0])), ..Said::default() };
    let cases = [
        (Said::default(), "", "-1..1", "metadata"),
        (Said::default(), "range = '0..1'", "0..1", "net.toml"),
        (flag, "range = '0..1'", "0..255", "flag"),
    ];
    for (flags, description, value, source) in cases {
        let printed = read(&own, &flags, description).expect("our own").print();
        for name in ["range", "output range"] {
            let line = printed.lines().find(|line| line.starts_with(&format!("{name:12}  "))).expect("printed");
            assert_eq!(line.split_whitespace().rev().take(2).collect::<Vec<_>>(), [source, value], "{printed}");
        }
    }
}

#[test]
fn our_own_exports_with_another_pixel_range_follow_their_metadata() {
    for range in [[0.0, 1.0], [0.0, 255.0], [1.0, -1.0]] {
        let metadata = Metadata { pixel_range: range, ..metadata() };
        for io in [Io::Float, Io::F16, Io::Uint8] {
            let contract = read(&export(&metadata, &Target { io, ..Target::default() }), &Said::default(), "");
            let printed = contract.expect("our own").print();
            let expected = if io == Io::Uint8 { PixelRange::BYTES } else { PixelRange(range) }.to_string();
            let said = printed.lines().filter(|line| line.contains("range") && line.contains(&expected)).count();
            assert_eq!(said, 2, "{io}: {printed}");
        }
    }
}

#[test]
fn what_contradicts_the_graph_is_refused() {
    let sample = Sample { size: Some([8, 6]), ..Sample::default() };
    let bytes = Sample { input: DataType::Uint8, output: DataType::Uint8, ..sample };
    let own = export(&metadata(), &Target::default());
    let cases = [
        (
            sample.model(),
            "layout = 'nhwc'",
            "layout nhwc contradicts the graph, whose input is [n, 3, 8, 6] 32-bit floats, nchw",
        ),
        (sample.model(), "scale = 2", "scale 2 contradicts the graph, whose output is 1 times as wide and high"),
        (sample.model(), "size-multiple = 4", "size-multiple 4 contradicts the graph, which takes 6×8"),
        (own.clone(), "size-multiple = 2", "size-multiple 2 contradicts the graph, which needs multiples of 4"),
        (own, "scale = 2", "scale 2 contradicts the graph"),
        (bytes.model(), "range = '0..1'", "range 0..1 contradicts the graph, which has bytes there, from 0 to 255"),
        (bytes.model(), "output-range = '-1..1'", "output-range -1..1 contradicts the graph, which has bytes there"),
        (bytes.model(), "mean = [1, 2, 3]", "a mean or deviation contradicts the graph, which takes bytes"),
    ];
    for (model, description, message) in cases {
        let error = read(&model, &Said::default(), description).expect_err(message);
        assert!(error.starts_with(message) && error.ends_with("; leave it out"), "{error}");
    }
}

#[test]
fn what_is_no_image_to_image_model_is_refused_with_the_reason() {
    let sample = Sample::default();
    let with = |change: fn(&mut models_onnx::proto::GraphProto)| {
        let mut model = sample.model();
        change(model.graph.as_mut().expect("has one"));
        model
    };
    let named = "n,3,h,w";
    let cases = [
        (
            with(|graph| graph.input.push(graph.output[0].clone())),
            "it has 2 inputs (picture, result) and 1 output (result)",
        ),
        (with(|graph| graph.input.clear()), "it has 0 inputs and 1 output (result), and a translation has one of each"),
        (with(|graph| graph.output.push(graph.input[0].clone())), "1 input (picture) and 2 outputs"),
        (with(|graph| graph.input[0].r#type = None), "its input is unknown, neither float32 nor float16 nor uint8"),
        (Sample { output: DataType::Int64, ..sample }.model(), "its output is int64, neither"),
        (reshaped(sample, named, "n,1000"), "its output has 2 dimensions, and a batch of pictures has 4"),
        (reshaped(sample, "n,3,0,w", named), "its input is [n, 3, 0, w] 32-bit floats"),
        (reshaped(sample, "n,1,h,w", named), "with three channels neither second nor last"),
        (reshaped(sample, "n,1,8,8", named), "this program translates colour to colour"),
        (reshaped(sample, named, "n,4,8,8"), "its output is [n, 4, 8, 8] 32-bit floats, with three channels"),
        (reshaped(sample, "1,3,8,8", "2,3,8,8"), "it takes 1 pictures at once and gives 2"),
        (reshaped(sample, "1,3,8,8", "1,3,4,8"), "a side of 8 becomes one of 4"),
        (reshaped(sample, "1,3,8,8", "1,3,12,12"), "which is no whole multiple"),
        (reshaped(sample, "1,3,8,8", "1,3,16,8"), "2 times as high as its input and 1 times as wide"),
        (reshaped(sample, "1,3,1,1", "1,3,64,64"), "it enlarges 64 times"),
        (reshaped(sample, "1,3,8,w", "1,3,8,w"), "with one side of any size"),
    ];
    for (model, message) in cases {
        let error = read(&model, &Said::default(), ENOUGH).expect_err(message);
        assert!(error.starts_with("is not image-to-image: ") && error.contains(message), "{message} in {error}");
    }
    let others = [
        (reshaped(sample, "300,3,8,8", "300,3,8,8"), "takes 300 pictures at once"),
        (reshaped(sample, "1,3,8,70000", "1,3,8,70000"), "takes pictures of 70000×8 only"),
    ];
    for (model, message) in others {
        let error = read(&model, &Said::default(), ENOUGH).expect_err(message);
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn metadata_that_this_program_cannot_translate_with_is_refused() {
    let without_head = {
        let mut network = metadata().network;
        network.layers.truncate(3);
        network
    };
    let conv = Layer::Conv { name: "mix".into(), from: 1, to: 1, kernel: 1, stride: 1, pad: Pads::NONE };
    let grey = Network { channels: 1, layers: vec![conv] };
    let cases = [
        (Metadata { role: Role::DB, ..metadata() }, "is the discriminator of B"),
        (
            Metadata { pixel_range: [1.0, 1.0], ..metadata() },
            "has pixels from 1 to 1, which is no range to compute with",
        ),
        (Metadata { training_size: Some(0), ..metadata() }, "has the training size 0"),
        (
            Metadata { network: without_head, ..metadata() },
            "a translation is as large as its picture, in three channels",
        ),
        (Metadata { network: grey, ..metadata() }, "for a picture of [1, "),
    ];
    for (metadata, message) in cases {
        let error = read(&relabelled(&metadata), &Said::default(), "").expect_err(message);
        assert!(error.contains(message), "{error}");
    }
    let mut unreadable = export(&metadata(), &Target::default());
    unreadable.metadata_props[0].value = "{}".into();
    let error = read(&unreadable, &Said::default(), ENOUGH).expect_err("its metadata is damaged");
    assert!(error.contains("metadata is not readable"), "{error}");
    let odd = reshaped(Sample::default(), "1,3,90,64", "1,3,90,64");
    let fixed = ModelProto { metadata_props: export(&metadata(), &Target::default()).metadata_props, ..odd };
    let error = read(&fixed, &Said::default(), "").expect_err("no multiple of 4");
    assert!(error.contains("64×90 does not fit the network"), "{error}");
}

#[test]
fn what_is_unknown_of_the_training_is_called_so() {
    let foreign = Metadata { data_set: None, training_size: None, steps: None, seed: None, ..metadata() };
    let contract = read(&export(&foreign, &Target::default()), &Said::default(), "").expect("a generator's");
    assert_eq!((contract.sizes.training, contract.sizes.usual), (None, Some(256)));
    let said = contract.describe();
    assert!(said.starts_with("generator A to B (paper), training unknown; takes [batch, 3, height, width]"), "{said}");
    let enlarging = Sample { operation: Operation::Enlarge(2), ..Sample::default() }.model();
    let contract = read(&enlarging, &Said::default(), ENOUGH).expect("all is said");
    let said = "of sample; takes [n, 3, h, w] 32-bit floats, and gives 2 times the width and height";
    assert_eq!((contract.describe().as_str(), contract.sizes.usual), (said, None));
}

#[test]
fn a_description_with_a_mistake_is_refused_by_its_line() {
    let cases = [
        ("range = ", "TOML parse error at line 1"),
        ("ranges = '0..1'", "unknown field `ranges`"),
        ("range = '1'", "use two different numbers, those of black and white"),
        ("mean = [1, 2]", "invalid length 2"),
        ("mean = [1, 2, inf]", "use three finite numbers"),
        ("layout = 'chwn'", "unknown variant `chwn`"),
        ("size-multiple = 0", "nonzero"),
        ("allow-external-data = true", "unknown field"),
    ];
    for (description, message) in cases {
        let error = read(&Sample::default().model(), &Said::default(), description).expect_err(message);
        assert!(error.starts_with("some/net.toml, which describes the model, cannot be used: "), "{error}");
        assert!(error.contains(message), "{message} in {error}");
    }
    let unnamed = reshaped(Sample::default(), "n,3,h,w", "n,3,,");
    for (said, message) in
        [("scale = 0", "cannot enlarge 0 times, as the net.toml says"), ("scale = 99", "from 1 to 16")]
    {
        let error = read(&unnamed, &Said::default(), &format!("{ENOUGH}{said}")).expect_err(message);
        assert!(error.contains(message), "{error}");
    }
    let error = read(&Sample::default().model(), &Said::default(), &format!("{ENOUGH}std = [1, 0, 1]"));
    assert!(error.expect_err("0").contains("divided by 0: mend the std of the net.toml"));
}
