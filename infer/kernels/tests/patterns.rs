//! Each pattern that is recognised, and what is like it and must stay: replaced or not, the graph computes the same.

use std::collections::BTreeMap;

use kernels::{CpuKernels, Machine, Plan};
use models_onnx::proto::{
    AttributeProto, AttributeType, DataType, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorType, TypeProto, TypeValue, ValueInfoProto,
};
use models_runtime::{Options, Session};
use program::Device;
use prost::Message;

/// Channels of the graphs' input.
const CHANNELS: usize = 16;

/// A graph from `x` to `y`, of which the last node makes `y`.
#[derive(Default)]
struct Graph {
    nodes: Vec<NodeProto>,
    constants: BTreeMap<String, TensorProto>,
}

impl Graph {
    /// Adds a node called after its output.
    fn node(mut self, operator: &str, inputs: &[&str], output: &str, attributes: &[AttributeProto]) -> Self {
        self.nodes.push(NodeProto {
            name: output.into(),
            op_type: operator.into(),
            input: inputs.iter().map(|input| (*input).into()).collect(),
            output: vec![output.into()],
            attribute: attributes.to_vec(),
            ..Default::default()
        });
        self
    }

    /// Weights of this shape, no two alike.
    fn floats(mut self, name: &str, shape: &[usize]) -> Self {
        let count: usize = shape.iter().product();
        let float_data = (0..count).map(|place| ((place * 37 + name.len()) % 101) as f32 / 300.0 - 0.15).collect();
        let dims = shape.iter().map(|&side| side as i64).collect();
        let tensor = TensorProto {
            name: name.into(),
            dims,
            data_type: DataType::Float.into(),
            float_data,
            ..Default::default()
        };
        self.constants.insert(name.into(), tensor);
        self
    }

    fn integers(mut self, name: &str, numbers: &[i64]) -> Self {
        let tensor = TensorProto {
            name: name.into(),
            dims: vec![numbers.len() as i64],
            data_type: DataType::Int64.into(),
            int64_data: numbers.to_vec(),
            ..Default::default()
        };
        self.constants.insert(name.into(), tensor);
        self
    }

    fn number(self, name: &str, number: f32) -> Self {
        let mut this = self.floats(name, &[]);
        this.constants.get_mut(name).expect("just put there").float_data = vec![number];
        this
    }

    /// Of 16 channels to as many, called `w`.
    fn weights(self) -> Self {
        self.floats("w", &[CHANNELS, CHANNELS, 3, 3]).floats("b", &[CHANNELS])
    }

    fn norms(self) -> Self {
        self.floats("scale", &[CHANNELS]).floats("shift", &[CHANNELS])
    }

    fn model(self) -> ModelProto {
        let end = |name: &str| {
            let sides = ["n", "c", "h", "w"].map(|side| DimensionValue::Param(format!("{name}.{side}")));
            let mut dim = sides.map(|value| Dimension { value: Some(value), ..Default::default() });
            dim[1].value = (name == "x").then_some(DimensionValue::Value(CHANNELS as i64)).or(dim[1].value.take());
            let shape = Some(TensorShapeProto { dim: dim.into() });
            let tensor = TypeValue::Tensor(TensorType { elem_type: DataType::Float.into(), shape });
            let r#type = Some(TypeProto { value: Some(tensor), ..Default::default() });
            ValueInfoProto { name: name.into(), r#type, ..Default::default() }
        };
        let graph = GraphProto {
            name: "pattern".into(),
            node: self.nodes,
            initializer: self.constants.into_values().collect(),
            input: vec![end("x")],
            output: vec![end("y")],
            ..Default::default()
        };
        let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 17 }];
        ModelProto { ir_version: 8, graph: Some(graph), opset_import, ..Default::default() }
    }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Ints.into(), ints: ints.into(), ..Default::default() }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int.into(), i, ..Default::default() }
}

fn text(name: &str, text: &'static str) -> AttributeProto {
    let s = text.as_bytes().into();
    AttributeProto { name: name.into(), r#type: AttributeType::String.into(), s, ..Default::default() }
}

/// What is said of each node that a kernel might do, after both forms of the graph have computed the same at several sizes.
fn decided(graph: Graph) -> Vec<String> {
    decided_at(graph, &[(1, 3, 3), (2, 9, 14), (1, 17, 70)])
}

/// The same with batches of so many rows and columns.
fn decided_at(graph: Graph, sizes: &[(usize, usize, usize)]) -> Vec<String> {
    let model = graph.model();
    let bytes = model.encode_to_vec();
    let options = Options { device: Device::Cpu, threads: Some(2), ..Options::default() };
    let mut plain = Session::open(&bytes, options).expect("a model that ONNX Runtime takes");
    let mut said = Vec::new();
    for kernels in [CpuKernels::Winograd4, CpuKernels::Winograd6] {
        for machine in Machine::all() {
            let plan = Plan::new(&model, kernels);
            let rewritten =
                || Some(plan.apply(&model, machine, 2).and_then(kernels::Rewritten::operators).expect("memory"));
            let mut ours =
                Session::with_operators(&bytes, None, options, rewritten).expect("a model that is still good");
            for &(batch, height, width) in sizes {
                let count = batch * CHANNELS * height * width;
                let input: Vec<f32> = (0..count).map(|place| ((place * 71) % 199) as f32 / 100.0 - 1.0).collect();
                let shape = [batch, CHANNELS, height, width];
                let [(expected, size), (found, other)] =
                    [&mut plain, &mut ours].map(|session| session.run(&input, shape).expect("it runs"));
                assert_eq!(size, other);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-3, "{machine:?} {kernels}: {found} for {expected}");
                }
            }
            said = plan
                .decisions()
                .iter()
                .map(|decision| match &decision.replaced {
                    Ok(by) => format!("{}: {by}", decision.node),
                    Err(why) => format!("{} stays: {why}", decision.node),
                })
                .collect();
        }
    }
    said
}

const REFLECTED: [i64; 8] = [0, 0, 1, 1, 0, 0, 1, 1];
const AROUND: [i64; 4] = [1, 1, 1, 1];

#[test]
fn a_convolution_is_replaced_with_the_padding_before_and_the_rectifier_after_it() {
    let plain = Graph::default().weights().node("Conv", &["x", "w"], "y", &[]);
    assert_eq!(decided(plain), ["y: Winograd F(6×6, 3×3)"]);
    let own = Graph::default().weights().node("Conv", &["x", "w", "b"], "y", &[ints("pads", &[1, 0, 2, 1])]);
    assert_eq!(decided(own), ["y: Winograd F(6×6, 3×3)"]);
    let reflected = Graph::default()
        .weights()
        .integers("pads", &REFLECTED)
        .node("Pad", &["x", "pads"], "p", &[text("mode", "reflect")])
        .node("Conv", &["p", "w", "b"], "c", &[])
        .node("Relu", &["c"], "y", &[]);
    assert_eq!(decided(reflected), ["c: Winograd F(6×6, 3×3) with its padding, reflected and rectifier"]);
    let zeros = Graph::default()
        .weights()
        .integers("pads", &[0, 0, 2, 0, 0, 0, 1, 3])
        .number("zero", 0.0)
        .node("Pad", &["x", "pads", "zero"], "p", &[])
        .node("Conv", &["p", "w"], "y", &[]);
    assert_eq!(decided(zeros), ["y: Winograd F(6×6, 3×3) with its padding"]);
}

#[test]
fn a_convolution_to_few_channels_is_replaced_whatever_its_kernel() {
    for (outputs, [rows, columns]) in [(1, [7, 7]), (2, [3, 3]), (3, [7, 7]), (4, [1, 5])] {
        let (down, across) = (rows / 2, columns / 2);
        let [down, across] = [down, across].map(|side| i64::try_from(side).expect("a small kernel"));
        let graph = Graph::default().floats("w", &[outputs, CHANNELS, rows, columns]).floats("b", &[outputs]);
        let zeros = graph.node("Conv", &["x", "w", "b"], "c", &[ints("pads", &[down, across, down, across])]);
        assert_eq!(decided(zeros.node("Tanh", &["c"], "y", &[])), ["c: few outputs, directly"], "{outputs}");
    }
    let graph = Graph::default().floats("w", &[3, CHANNELS, 5, 5]).integers("pads", &[0, 0, 2, 1, 0, 0, 2, 2]);
    let reflected = graph
        .node("Pad", &["x", "pads"], "p", &[text("mode", "reflect")])
        .node("Conv", &["p", "w"], "c", &[])
        .node("Relu", &["c"], "y", &[]);
    assert_eq!(decided(reflected), ["c: few outputs, directly with its padding, reflected and rectifier"]);
}

#[test]
fn padding_that_is_another_or_is_used_twice_stays_a_node_of_its_own() {
    let pad = |mode: &'static str| {
        let graph = Graph::default().weights().integers("pads", &REFLECTED).number("one", 1.0);
        match mode {
            "constant" => graph.node("Pad", &["x", "pads", "one"], "p", &[text("mode", mode)]),
            _ => graph.node("Pad", &["x", "pads"], "p", &[text("mode", mode)]),
        }
    };
    for mode in ["edge", "constant"] {
        let graph = pad(mode).node("Conv", &["p", "w"], "y", &[]);
        assert_eq!(decided(graph), ["y: Winograd F(6×6, 3×3)"], "{mode}");
    }
    let twice = pad("reflect").node("Conv", &["p", "w"], "y", &[ints("pads", &AROUND)]);
    assert_eq!(decided(twice), ["y: Winograd F(6×6, 3×3)"], "reflected, and zeros around that");
    let shared = pad("reflect").node("Conv", &["p", "w"], "first", &[]).node("Conv", &["p", "w"], "second", &[]).node(
        "Add",
        &["first", "second"],
        "y",
        &[],
    );
    assert_eq!(decided(shared), ["first: Winograd F(6×6, 3×3)", "second: Winograd F(6×6, 3×3)"]);
}

#[test]
fn a_norm_is_replaced_with_the_rectifier_or_the_sum_after_it() {
    let convolved = || {
        Graph::default().weights().norms().node("Conv", &["x", "w"], "c", &[ints("pads", &AROUND)]).node(
            "InstanceNormalization",
            &["c", "scale", "shift"],
            "n",
            &[],
        )
    };
    let conv = "c: Winograd F(6×6, 3×3)";
    let alone = convolved().node("Tanh", &["n"], "y", &[]);
    assert_eq!(decided(alone), [conv, "n: norm"]);
    let rectified = convolved().node("Relu", &["n"], "y", &[]);
    assert_eq!(decided(rectified), [conv, "n: norm with the rectifier after it"]);
    for inputs in [["n", "x"], ["x", "n"]] {
        let added = convolved().node("Add", &inputs, "y", &[]);
        assert_eq!(decided(added), [conv, "n: norm with the sum after it"]);
    }
}

#[test]
fn a_transposed_convolution_of_stride_2_is_replaced_whatever_its_kernel_and_padding() {
    let two = ints("strides", &[2, 2]);
    let cases = [
        (3, vec![ints("pads", &AROUND), ints("output_padding", &[1, 1])]),
        (4, vec![ints("pads", &AROUND)]),
        (2, vec![]),
        (3, vec![ints("pads", &[0, 1, 2, 0]), ints("output_padding", &[1, 0])]),
    ];
    for (kernel, attributes) in cases {
        let attributes = [std::slice::from_ref(&two), &attributes[..]].concat();
        let graph = Graph::default().floats("w", &[CHANNELS, 20, kernel, kernel]).floats("b", &[20]);
        let plain = graph.node("ConvTranspose", &["x", "w", "b"], "t", &attributes).node("Relu", &["t"], "y", &[]);
        assert_eq!(decided(plain), ["t: Winograd, its four parities at once, with rectifier"], "{kernel}");
    }
    let one = Graph::default().weights().node("ConvTranspose", &["x", "w"], "y", &[]);
    assert_eq!(decided(one), ["y stays: its stride is not 2"]);
    let large = Graph::default().floats("w", &[CHANNELS, CHANNELS, 5, 5]);
    let large = large.node("ConvTranspose", &["x", "w"], "y", std::slice::from_ref(&two));
    assert_eq!(decided(large), ["y stays: its kernel of 5×5 is not a square up to 4"]);
    let beyond =
        Graph::default().weights().node("ConvTranspose", &["x", "w"], "y", &[two, ints("pads", &[3, 0, 0, 0])]);
    assert_eq!(decided(beyond), ["y stays: its padding is more than its kernel reaches"]);
}

#[test]
fn a_value_that_others_need_is_still_there() {
    let twice = Graph::default().weights().node("Conv", &["x", "w"], "c", &[]).node("Relu", &["c"], "r", &[]).node(
        "Sub",
        &["c", "r"],
        "y",
        &[],
    );
    assert_eq!(decided(twice), ["c: Winograd F(6×6, 3×3)"]);
    // A sum with something of another size must not become one of equals.
    let broadcast = Graph::default()
        .weights()
        .norms()
        .floats("row", &[1, CHANNELS, 1, 1])
        .node("Conv", &["x", "w"], "c", &[ints("pads", &AROUND)])
        .node("InstanceNormalization", &["c", "scale", "shift"], "n", &[])
        .node("Add", &["n", "row"], "y", &[]);
    assert_eq!(decided(broadcast), ["c: Winograd F(6×6, 3×3)", "n: norm"]);
    let weights_elsewhere = Graph::default()
        .weights()
        .node("Conv", &["x", "w"], "c", &[])
        .node("ReduceMean", &["w"], "mean", &[int("keepdims", 0)])
        .node("Mul", &["c", "mean"], "y", &[]);
    assert_eq!(decided(weights_elsewhere), ["c: Winograd F(6×6, 3×3)"]);
}

/// `x` joined with what a convolution makes of it, and that with another's: 16, 32 and 48 channels.
fn joined() -> Graph {
    let around = [ints("pads", &AROUND)];
    let channels = [int("axis", 1)];
    let other = |graph: Graph, name: &str, inputs: usize| graph.floats(name, &[CHANNELS, inputs, 3, 3]);
    let graph = other(other(Graph::default().weights(), "w2", 2 * CHANNELS), "w3", 3 * CHANNELS);
    graph
        .node("Conv", &["x", "w"], "c1", &around)
        .node("Concat", &["x", "c1"], "j1", &channels)
        .node("Conv", &["j1", "w2"], "c2", &around)
        .node("Concat", &["j1", "c2"], "j2", &channels)
}

/// The operators of the graph that is given to ONNX Runtime.
fn operators(graph: Graph) -> Vec<String> {
    let model = graph.model();
    let rewritten = Plan::new(&model, CpuKernels::Auto).apply(&model, Machine::Portable, 1).expect("memory");
    let graph = models_onnx::parse(rewritten.model).expect("a good file").graph.expect("a graph");
    graph.node.into_iter().map(|node| node.op_type).collect()
}

#[test]
fn channels_that_are_joined_are_read_where_they_are() {
    let graph = || joined().node("Conv", &["j2", "w3"], "y", &[ints("pads", &AROUND)]);
    assert!(!operators(graph()).contains(&"Concat".into()), "nobody reads what was joined: {:?}", operators(graph()));
    assert_eq!(decided(graph()).len(), 3);
    let few = || joined().floats("w4", &[3, 3 * CHANNELS, 3, 3]).node("Conv", &["j2", "w4"], "c", &[]);
    assert_eq!(decided(few().node("Tanh", &["c"], "y", &[])).len(), 3);
    let up = || joined().floats("w4", &[3 * CHANNELS, CHANNELS, 3, 3]);
    let up = || up().node("ConvTranspose", &["j2", "w4"], "y", &[ints("strides", &[2, 2])]);
    assert!(!operators(up()).contains(&"Concat".into()));
    assert_eq!(decided(up()).len(), 3);
    // Somebody else needs what is joined.
    let seen = || joined().node("Neg", &["j2"], "y", &[]);
    assert_eq!(operators(seen()).iter().filter(|operator| *operator == "Concat").count(), 2);
    assert_eq!(decided(seen()).len(), 2);
}

/// A branch that begins with `x`, and two convolutions that read its channels, with these paddings.
fn read_twice(paddings: [i64; 2]) -> Graph {
    let pads = |size: i64| [ints("pads", &[size; 4])];
    let graph = Graph::default().weights().norms().floats("v", &[CHANNELS, CHANNELS, 3, 3]);
    graph
        .node("Conv", &["x", "w"], "c", &pads(1))
        .node("InstanceNormalization", &["c", "scale", "shift"], "n", &[])
        .node("Add", &["n", "x"], "s", &[])
        .node("Conv", &["s", "w"], "one", &pads(paddings[0]))
        .node("Conv", &["s", "v"], "other", &pads(paddings[1]))
        .node("GlobalAveragePool", &["one"], "mean", &[])
        .node("Mul", &["other", "mean"], "y", &[])
}

#[test]
fn points_of_what_several_convolutions_read_are_kept() {
    let [conv, norm] = ["c: Winograd F(6×6, 3×3)", "n: norm with the sum after it"];
    let [one, other] = ["one: Winograd F(6×6, 3×3)", "other: Winograd F(6×6, 3×3)"];
    let kept = |of: &str| format!("{of}, from points that are kept of 1 of 1 inputs");
    assert_eq!(decided(read_twice([1, 1])), [conv, norm, &kept(one), &kept(other)]);
    assert_eq!(operators(read_twice([1, 1])).iter().filter(|operator| *operator == "Points").count(), 1);
    // Points are of a picture with its padding.
    assert_eq!(decided(read_twice([1, 0])), [conv, norm, one, other]);
    // Of what comes in nobody knows here how many channels it has; the second reads it and `c1`, the third `c2`, too.
    let graph = || joined().node("Conv", &["j2", "w3"], "y", &[ints("pads", &AROUND)]);
    let from = |inputs: usize| format!("Winograd F(6×6, 3×3), from points that are kept of 1 of {inputs} inputs");
    let said = ["c1: Winograd F(6×6, 3×3)".into(), format!("c2: {}", from(2)), format!("y: {}", from(3))];
    assert_eq!(decided(graph()), said);
}

#[test]
fn memory_for_points_that_are_kept_is_known_where_convolutions_alone_change_sizes() {
    let bytes = |graph: Graph| Plan::new(&graph.model(), CpuKernels::Winograd4).kept_bytes_per_pixel();
    // Of 16 channels 36 points for each 16 pixels.
    let kept = 16 * 36 / 16 * 4;
    assert_eq!(bytes(read_twice([1, 1])), kept);
    assert_eq!(bytes(read_twice([1, 0])), 0);
    let mut down = read_twice([1, 1]);
    down.nodes[0].attribute.push(ints("strides", &[2, 2]));
    assert_eq!(bytes(down), kept / 4);
    let mut unknown = read_twice([1, 1]);
    unknown.nodes[0].input[0] = "larger".into();
    let unknown = unknown.node("Resize", &["x"], "larger", &[]);
    assert_eq!(bytes(unknown), 0, "at least nothing");
}

#[test]
fn points_that_are_kept_take_no_name_that_a_graph_has() {
    let mut graph = read_twice([1, 1]);
    let taken = format!("{}.points.1", kernels::DOMAIN);
    for node in &mut graph.nodes {
        let names = node.input.iter_mut().chain(&mut node.output);
        names.filter(|name| *name == "mean").for_each(|name| name.clone_from(&taken));
    }
    assert_eq!(decided(graph).len(), 4);
}

#[test]
fn what_is_joined_along_another_side_stays_joined() {
    let graph = || {
        Graph::default().weights().node("Concat", &["x", "x"], "j", &[int("axis", 2)]).node(
            "Conv",
            &["j", "w"],
            "y",
            &[ints("pads", &AROUND)],
        )
    };
    assert_eq!(operators(graph())[0], "Concat");
    assert_eq!(decided(graph()), ["y: Winograd F(6×6, 3×3)"]);
}

#[test]
fn a_sum_with_a_part_of_what_a_branch_began_with_is_no_sum_of_equals() {
    // The part has one channel, which the sum repeats.
    let graph = Graph::default()
        .floats("one", &[1, CHANNELS, 3, 3])
        .floats("rest", &[CHANNELS - 1, CHANNELS, 3, 3])
        .weights()
        .norms()
        .node("Conv", &["x", "one"], "o", &[ints("pads", &AROUND)])
        .node("Conv", &["x", "rest"], "r", &[ints("pads", &AROUND)])
        .node("Concat", &["o", "r"], "j", &[int("axis", 1)])
        .node("Conv", &["j", "w"], "c", &[ints("pads", &AROUND)])
        .node("InstanceNormalization", &["c", "scale", "shift"], "n", &[])
        .node("Add", &["n", "o"], "y", &[]);
    assert_eq!(decided(graph).last().map(String::as_str), Some("n: norm"));
}

#[test]
fn what_is_not_recognised_stays_and_says_why() {
    let conv = |attributes: &[AttributeProto]| Graph::default().weights().node("Conv", &["x", "w"], "y", attributes);
    let cases = [
        (conv(&[ints("strides", &[2, 2])]), "its stride is not 1"),
        (conv(&[ints("dilations", &[1, 2]), ints("pads", &[0, 1, 0, 1])]), "its dilation is not 1"),
        (conv(&[text("auto_pad", "SAME_UPPER")]), "its padding follows from the picture's size"),
        (
            Graph::default().floats("w", &[CHANNELS, 4, 3, 3]).node("Conv", &["x", "w"], "y", &[int("group", 4)]),
            "its channels are in groups",
        ),
        (
            Graph::default().floats("w", &[5, CHANNELS, 3, 3]).node("Conv", &["x", "w"], "y", &[]),
            "of 16 to 5 channels, it has too few for it to pay",
        ),
        (
            Graph::default().floats("w", &[3, CHANNELS, 1, 1]).node("Conv", &["x", "w"], "y", &[]),
            "its kernel of 1×1 is none of those tried with few outputs",
        ),
        (
            Graph::default().floats("w", &[CHANNELS, CHANNELS, 1, 1]).node("Conv", &["x", "w"], "y", &[]),
            "its kernel is not 3×3",
        ),
        (
            Graph::default().weights().node("Neg", &["w"], "v", &[]).node("Conv", &["x", "v"], "y", &[]),
            "its weights are no constants",
        ),
        (
            Graph::default().norms().node("InstanceNormalization", &["x", "scale", "shift"], "y", &[]),
            "it follows no convolution, so that it may norm something else than pictures",
        ),
    ];
    for (graph, reason) in cases {
        assert_eq!(decided(graph), [format!("y stays: {reason}")]);
    }
}

#[test]
fn graphs_that_make_no_sense_are_left_as_they_are() {
    let norm =
        |input| Graph::default().weights().norms().node("InstanceNormalization", &[input, "scale", "shift"], "n", &[]);
    let circle = norm("c").node("Conv", &["r", "w"], "c", &[ints("pads", &AROUND)]).node("Relu", &["n"], "r", &[]);
    let circle = circle.node("Add", &["n", "elsewhere"], "y", &[]);
    let empty = |operator| {
        let mut graph = norm("c").node("Conv", &["x", "w"], "c", &[]).node(operator, &["n"], "y", &[]);
        graph.nodes[2].output.clear();
        graph
    };
    let no_input = norm("c").node("Conv", &["r", "w"], "c", &[ints("pads", &AROUND)]).node("Relu", &[], "r", &[]);
    let no_input = no_input.node("Add", &["n", "x"], "y", &[]);
    let itself = norm("c").node("Concat", &["j"], "j", &[int("axis", 1)]).node("Conv", &["j", "w"], "c", &[]);
    let mut doubled = norm("c").node("Conv", &["j39", "w"], "c", &[]);
    for number in 1..40 {
        let (from, to) = (format!("j{}", number - 1), format!("j{number}"));
        doubled = doubled.node("Concat", &[&from, &from], &to, &[int("axis", 1)]);
    }
    for graph in [circle, empty("Relu"), empty("Add"), no_input, norm("n"), itself, doubled] {
        // What it decides does not matter, only that it ends.
        let model = graph.model();
        let plan = Plan::new(&model, CpuKernels::Winograd4);
        plan.apply(&model, Machine::Portable, 2).expect("memory");
        assert!(plan.decisions().len() <= 3);
    }
    let huge = [ints("pads", &[i64::MAX; 4]), ints("output_padding", &[i64::MAX; 2]), ints("strides", &[2, 2])];
    for (operator, attributes) in [("Conv", &huge[..1]), ("ConvTranspose", &huge[..])] {
        let model = Graph::default().weights().node(operator, &["x", "w"], "y", attributes).model();
        let plan = Plan::new(&model, CpuKernels::Winograd4);
        let said = plan.decisions().iter().map(|decision| decision.replaced.clone().expect_err("too large"));
        assert_eq!(said.collect::<Vec<_>>(), ["its padding is not four sizes"]);
    }
}

#[test]
fn weights_that_are_not_what_their_shape_says_stay() {
    let conv = |graph: Graph| graph.node("Conv", &["x", "w"], "y", &[ints("pads", &AROUND)]).model();
    let none = conv(Graph::default().floats("w", &[0, CHANNELS, 3, 3]));
    let mut other = conv(Graph::default().weights());
    let graph = other.graph.as_mut().expect("a graph");
    let weights = graph.initializer.iter_mut().find(|tensor| tensor.name == "w").expect("weights");
    weights.raw_data = vec![0; 4].into();
    for (model, reason) in [(none, "it has no outputs"), (other, "its weights are not as many as their shape says")] {
        let plan = Plan::new(&model, CpuKernels::Auto);
        assert_eq!(plan.decisions()[0].replaced, Err(reason.into()));
        plan.apply(&model, Machine::Portable, 1).expect("memory");
    }
}

#[test]
fn constants_that_new_nodes_read_stay_in_the_graph() {
    let size = [(1, 9, 14)];
    let constant = || Graph::default().weights().norms().floats("k", &[1, CHANNELS, 9, 14]);
    let around = [ints("pads", &AROUND)];
    let joined = constant().floats("wide", &[CHANNELS, 2 * CHANNELS, 3, 3]);
    let joined = joined.node("Concat", &["x", "k"], "j", &[int("axis", 1)]).node("Conv", &["j", "wide"], "y", &around);
    assert_eq!(decided_at(joined, &size), ["y: Winograd F(6×6, 3×3)"]);
    let input = constant().node("Conv", &["k", "w"], "c", &around).node("Add", &["c", "x"], "y", &[]);
    assert_eq!(decided_at(input, &size), ["c: Winograd F(6×6, 3×3)"]);
    let carried = constant()
        .node("Conv", &["k", "w"], "c", &around)
        .node("InstanceNormalization", &["c", "scale", "shift"], "n", &[])
        .node("Add", &["n", "k"], "s", &[])
        .node("Mul", &["s", "x"], "y", &[]);
    assert_eq!(decided_at(carried, &size), ["c: Winograd F(6×6, 3×3)", "n: norm with the sum after it"]);
}

#[test]
fn pictures_of_one_pixel_one_row_or_one_column_are_as_any_other() {
    let around = |size: i64| [ints("pads", &[size; 4])];
    let winograd = Graph::default().weights().node("Conv", &["x", "w", "b"], "y", &around(1));
    let direct = Graph::default().floats("w", &[3, CHANNELS, 7, 7]).node("Conv", &["x", "w"], "y", &around(3));
    let normed = Graph::default().weights().norms().node("Conv", &["x", "w"], "c", &around(1));
    let normed = normed.node("InstanceNormalization", &["c", "scale", "shift"], "y", &[]);
    let up = [ints("strides", &[2, 2]), ints("pads", &AROUND), ints("output_padding", &[1, 1])];
    let up = Graph::default().weights().node("ConvTranspose", &["x", "w"], "y", &up);
    for graph in [winograd, direct, normed, up] {
        let said = decided_at(graph, &[(1, 1, 1), (3, 1, 1), (1, 1, 37), (2, 37, 1), (1, 2, 2)]);
        assert!(said.iter().all(|said| !said.contains("stays")), "{said:?}");
    }
}

#[test]
fn nothing_is_replaced_where_that_is_off() {
    let model = Graph::default().weights().node("Conv", &["x", "w"], "y", &[]).model();
    let plan = Plan::new(&model, CpuKernels::Off);
    assert!(plan.is_empty() && plan.decisions().is_empty());
}

#[test]
fn weights_that_moved_into_a_kernel_are_not_in_the_graph_too() {
    let model = Graph::default().weights().node("Conv", &["x", "w", "b"], "y", &[]).model();
    let rewritten = Plan::new(&model, CpuKernels::Auto).apply(&model, Machine::Portable, 1).expect("memory");
    let graph = models_onnx::parse(rewritten.model).expect("a good file").graph.expect("a graph");
    assert!(
        graph.initializer.is_empty(),
        "{:?}",
        graph.initializer.iter().map(|tensor| &tensor.name).collect::<Vec<_>>()
    );
}

#[test]
fn a_picture_that_is_too_small_is_an_error() {
    let model = Graph::default()
        .weights()
        .integers("pads", &REFLECTED)
        .node("Pad", &["x", "pads"], "p", &[text("mode", "reflect")])
        .node("Conv", &["p", "w"], "y", &[])
        .model();
    let plan = Plan::new(&model, CpuKernels::Auto);
    let rewritten =
        || Some(plan.apply(&model, Machine::detect(), 1).and_then(kernels::Rewritten::operators).expect("memory"));
    let options = Options { device: Device::Cpu, ..Options::default() };
    let mut session = Session::with_operators(&model.encode_to_vec(), None, options, rewritten).expect("a good model");
    let error = session.run(&[0.0; CHANNELS], [1, CHANNELS, 1, 1]).expect_err("one pixel cannot be mirrored");
    assert!(error.to_string().contains("a picture of 1×1 is smaller than this convolution takes"), "{error}");
}
