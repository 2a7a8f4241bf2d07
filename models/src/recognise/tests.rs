use super::*;
use crate::families::UpConvolution;
use crate::{Source, parameters};

const UNORDERED: Origin<'_> = Origin { name: "generator", ordered: false };

fn weight(name: impl Into<String>, shape: &[usize]) -> Weight {
    let name = name.into();
    // Numbers that tell tensors apart; positive, since some are variances.
    let first = name.len() as f32;
    let values = (0..shape.iter().product::<usize>()).map(|index| first + index as f32);
    Weight { shape: shape.to_vec(), bytes: values.flat_map(f32::to_le_bytes).collect(), name }
}

fn of_network(network: &Network) -> Vec<Weight> {
    parameters::table(network).iter().map(|parameter| weight(&parameter.name, &parameter.shape)).collect()
}

fn convolution(name: &str, shape: [usize; 4], bias: usize) -> [Weight; 2] {
    [weight(format!("{name}.weight"), &shape), weight(format!("{name}.bias"), &[bias])]
}

/// Kernels, biases where `bias`, of a generator of width 2 with one stage and one block, under these names: stem, down, the
/// two of the block, up, head.
fn small(names: [&str; 6], bias: bool) -> Vec<Weight> {
    let shapes = [[2, 3, 7, 7], [4, 2, 3, 3], [4, 4, 3, 3], [4, 4, 3, 3], [4, 2, 3, 3], [3, 2, 7, 7]];
    let channels = [2, 4, 4, 4, 2, 3];
    let all = names.iter().zip(shapes).zip(channels).flat_map(|((name, shape), to)| convolution(name, shape, to));
    all.filter(|weight| bias || weight.name.ends_with("weight")).collect()
}

const PUBLISHED: [&str; 6] =
    ["model.1", "model.4", "model.7.conv_block.1", "model.7.conv_block.5", "model.8", "model.12"];

fn refusal(weights: Vec<Weight>) -> String {
    recognise(weights, &Choices::default(), UNORDERED).expect_err("no generator").to_string()
}

fn value<'a>(recognised: &'a Recognised, name: &str) -> (&'a str, &'a Source) {
    let found = recognised.assumptions.iter().find(|assumption| assumption.name == name).expect(name);
    (&found.value, &found.source)
}

#[test]
fn generators_of_this_project_are_recognised_without_their_metadata() {
    for family in [Family::Paper, Family::Concat] {
        for (up, output_norm) in [(UpConvolution::Transpose, true), (UpConvolution::Resize, false)] {
            let options = GeneratorOptions { up, output_norm, ..GeneratorOptions::sized(4, 11) };
            let network = family.generator(options);
            let mut weights = of_network(&network);
            weights.reverse();
            // The paper family's resize-convolutions mirror, others' mostly do not.
            let mirrors = (up, family) == (UpConvolution::Resize, Family::Paper);
            let choices = Choices { upsample_padding: mirrors.then_some(Padding::Reflect), ..Choices::default() };
            let recognised = recognise(weights, &choices, UNORDERED).expect("one of ours");
            assert_eq!(recognised.network, network);
            assert_eq!(recognised.weights, of_network(&network), "each tensor in its place");
            assert_eq!(recognised.into_parts("test", None).0.family, Some(family));
        }
    }
}

#[test]
fn the_numbers_of_modules_tell_the_padding() {
    let cases = [
        (PUBLISHED, "reflect", "reflect"),
        (
            ["model.1", "model.4", "model.7.conv_block.1", "model.7.conv_block.6", "model.8", "model.12"],
            "reflect",
            "reflect",
        ),
        (
            ["model.1", "model.4", "model.7.conv_block.0", "model.7.conv_block.3", "model.8", "model.12"],
            "zero",
            "reflect",
        ),
        (["model.0", "model.3", "model.6.conv_block.0", "model.6.conv_block.4", "model.7", "model.10"], "zero", "zero"),
    ];
    for (names, blocks, edges) in cases {
        let recognised = recognise(small(names, true), &Choices::default(), UNORDERED).expect("a generator");
        assert_eq!(value(&recognised, "padding").0, blocks, "{names:?}");
        assert_eq!(value(&recognised, "edge-padding").0, edges, "{names:?}");
        assert!(matches!(value(&recognised, "padding").1, Source::Inferred(_)), "{names:?}");
    }
    // Names without numbers say nothing.
    let names = ["stem", "down", "block.conv1", "block.conv2", "up", "head"];
    let recognised = recognise(small(names, true), &Choices::default(), UNORDERED).expect("a generator");
    assert_eq!(value(&recognised, "padding"), ("reflect", &Source::Published));
}

#[test]
fn numbers_that_leave_room_for_other_modules_are_refused() {
    let cases = [
        (1, "model.6", "0 or 1 module before it besides norm and activation; by its number there are 2 modules"),
        (3, "model.7.conv_block.3", "norm and activation before it; by its number there is room for 1 modules"),
        (3, "model.7.conv_block.8", "1 or 2 modules before it besides norm and activation; by its number there are 4"),
        (4, "model.9", "0 modules before it besides norm and activation; by its number there is 1 module"),
        (5, "model.14", "0 or 1 module before it besides norm and activation; by its number there are 3 modules"),
    ];
    for (place, name, expected) in cases {
        let mut names = PUBLISHED;
        names[place] = name;
        let error = refusal(small(names, true));
        assert!(error.contains(&format!("at `{name}`")) && error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn an_order_that_names_leave_open_is_refused_unless_the_file_has_one() {
    // The two kernels of a stage are shaped alike, and no bias tells which is transposed.
    let names = ["a", "e.x", "c.conv1", "c.conv2", "d.y", "z"];
    let error = refusal(small(names, false));
    assert!(error.contains("do not say whether `e.x` or `d.y` comes first"), "{error}");
    let ordered = Origin { ordered: true, ..UNORDERED };
    let recognised = recognise(small(names, false), &Choices::default(), ordered).expect("a generator");
    assert_eq!(value(&recognised, "layers").0, "in the file's order");
    assert_eq!(recognised.weights[2].bytes, small(names, false)[1].bytes, "e.x is the one that halves");
    assert!(recognise(small(names, true), &Choices::default(), UNORDERED).is_ok(), "biases tell");
}

#[test]
fn batch_norm_is_folded_exactly() {
    let mut weights = small(PUBLISHED, false);
    for (norm, channels) in [("2", 2), ("5", 4), ("7.conv_block.2", 4), ("7.conv_block.6", 4), ("9", 2)] {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            weights.push(weight(format!("model.{norm}.{part}"), &[channels]));
        }
        weights.push(weight(format!("model.{norm}.num_batches_tracked"), &[]));
    }
    let recognised = recognise(weights.clone(), &Choices::default(), UNORDERED).expect("a generator");
    let numbers = |weights: &[Weight], name: &str| -> Vec<f32> {
        weights.iter().find(|weight| weight.name == name).expect(name).values().collect()
    };
    let of_norm = |part: &str| numbers(&weights, &format!("model.9.{part}"));
    let factor = |to: usize| f64::from(of_norm("weight")[to]) / (f64::from(of_norm("running_var")[to]) + 1e-5).sqrt();
    // [from, to, k, k]: a transposed convolution's outputs are its second axis.
    for (index, (found, before)) in
        numbers(&recognised.weights, "up1.conv.weight").iter().zip(numbers(&weights, "model.8.weight")).enumerate()
    {
        assert_eq!(*found, (factor(index / 9 % 2) * f64::from(before)) as f32);
    }
    for (to, found) in numbers(&recognised.weights, "up1.conv.bias").iter().enumerate() {
        let expected = f64::from(of_norm("bias")[to]) - factor(to) * f64::from(of_norm("running_mean")[to]);
        assert_eq!(*found, expected as f32);
    }
    assert!(recognised.network.layers.iter().all(|layer| !matches!(layer, crate::Layer::InstanceNorm { .. })));

    let broken = weights.iter_mut().find(|weight| weight.name == "model.9.running_var").expect("pushed above");
    broken.replace(|index, number| if index == 0 { -1.0 } else { number });
    let error = refusal(weights);
    assert!(error.contains("`model.9.running_var` holds a variance that is negative"), "{error}");
}

#[test]
fn choices_that_the_file_rules_out_are_refused() {
    let none = Choices::default();
    let cases = [
        (Choices { norm: Some(Norm::Batch), ..none.clone() }, "--norm batch: it needs running_mean and running_var"),
        (
            Choices { running_statistics: Some(RunningStatistics::Use), ..none.clone() },
            "--running-statistics use: none are stored",
        ),
        (
            Choices { upsample_padding: Some(Padding::Zero), ..none },
            "--upsample-padding zero: its up-convolutions are transposed",
        ),
    ];
    for (choices, expected) in cases {
        let error = recognise(small(PUBLISHED, true), &choices, UNORDERED).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn names_hint_at_the_direction() {
    let cases = [
        ("latest_net_G_A", Some(Role::GAb)),
        ("latest_net_G_B", Some(Role::GBa)),
        ("netG_A2B", Some(Role::GAb)),
        ("G_BA", Some(Role::GBa)),
        ("g_ba", Some(Role::GBa)),
        ("generator_AtoB", Some(Role::GAb)),
        ("latest_net_G", None),
        ("plan_b", None),
    ];
    for (name, expected) in cases {
        assert_eq!(direction(name), expected, "{name}");
    }
    let prefixed: Vec<Weight> =
        small(PUBLISHED, true).into_iter().map(|one| Weight { name: format!("netG_B.{}", one.name), ..one }).collect();
    let recognised = recognise(prefixed, &Choices::default(), UNORDERED).expect("a generator");
    assert_eq!(recognised.role, Role::GBa);
}

#[test]
fn hostile_names_and_shapes_end_in_an_error_at_once() {
    let dots = ".".repeat(100_000);
    let many = (0..100_000).map(|index| weight(format!("w{index}x.weight"), &[1, 1, 1, 1])).collect();
    let words = ('a'..='z').flat_map(|letter| convolution(&letter.to_string(), [4, 4, 3, 3], 4)).collect();
    let lying = vec![Weight { name: "a.weight".into(), shape: vec![usize::MAX, 2, 3, 3], bytes: Vec::new().into() }];
    let flat = vec![weight("a.weight", &[]), weight("a.bias", &[0]), weight("b.weight", &[0, 0, 0, 0])];
    let twice = [small(PUBLISHED, true), small(PUBLISHED, true)].concat();
    let cases: [(Vec<Weight>, &str); 7] = [
        (vec![weight(format!("a{dots}.weight"), &[1])], "names of at most 255 bytes"),
        (many, "256 convolutions and norms at most"),
        (words, "the first convolution"),
        (lying, "has not as many numbers as its shape says"),
        (flat, "is no generator that is known here"),
        (twice, "one weight, bias and pair of running statistics for each layer"),
        (Vec::new(), "its 0 tensors"),
    ];
    for (weights, expected) in cases {
        let start = std::time::Instant::now();
        let error = refusal(weights);
        assert!(error.contains(expected), "{error}");
        assert!(error.len() < 5_000, "{} bytes of message", error.len());
        assert!(start.elapsed().as_secs() < 5, "{expected}: {:?} in a debug build", start.elapsed());
    }
}

/// What a kernel of that side mirrors is more than a picture has.
#[test]
fn a_generator_that_nobody_can_compute_is_refused() {
    let mut weights = small(PUBLISHED, false);
    weights[0] = weight("model.1.weight", &[2, 3, 1031, 1031]);
    let error = refusal(weights);
    let expected =
        "looks like a generator that cannot be computed: layer reflect: its input [3, 128, 128] is too small";
    assert!(error.starts_with(expected), "{error}");
}
