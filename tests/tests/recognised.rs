//! Generators as others save them, recognised and held against PyTorch's output: see variants/NOTICE.md. The table of them
//! is docs/recognised.md; `CYCLEGAN_WRITE_TABLE=1 cargo test -p tests --test recognised` writes it anew.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use models::recognise::{
    self, BlockActivation, Choices, Norm, Origin, OutputActivation, Padding, RecogniseError, Recognised,
    RunningStatistics, StridedPadding,
};
use models::{Assumption, Role, Source, Weight};
use models_archive::Contents;
use models_torch::Module;
use safetensors::SafeTensors;
use tch::{Device, Tensor, no_grad};

/// Outputs lie near [-1, 1]. PyTorch's instance and batch norm sum in another order than group norm and folded kernels do,
/// through up to 28 convolutions: 5e-6 at most was seen, and 9e-6 where four halvings leave a norm the deviation of nine
/// pixels to divide by.
const OUTPUT: f32 = 2e-5;

/// From here on an output counts as another.
const ANOTHER: f32 = 1e-3;

/// What a variant needs beyond its names and shapes. In the flags' words, for the table.
struct Needed {
    flags: &'static str,
    choices: Choices,
}

/// Variants that the defaults do not fit; all others need nothing.
fn needed(name: &str) -> Needed {
    let none = Choices::default();
    let (flags, choices) = match name {
        "statistics_used" => {
            ("--running-statistics use", Choices { running_statistics: Some(RunningStatistics::Use), ..none })
        }
        "full_ignored" => ("--norm instance", Choices { norm: Some(Norm::Instance), ..none }),
        "batch_plain" => ("--norm batch", Choices { norm: Some(Norm::Batch), ..none }),
        "no_tanh" => ("--output-activation none", Choices { output_activation: Some(OutputActivation::None), ..none }),
        "stages" => (
            "--edge-padding reflect --padding reflect --strided-padding reflect",
            Choices {
                edge_padding: Some(Padding::Reflect),
                padding: Some(Padding::Reflect),
                strided_padding: Some(StridedPadding::Reflect),
                ..none
            },
        ),
        "coder_relu" => (
            "--padding zero --block-activation same",
            Choices { padding: Some(Padding::Zero), block_activation: Some(BlockActivation::Same), ..none },
        ),
        "coder" | "coder_batch" | "coder_plain" | "short" => {
            ("--padding zero", Choices { padding: Some(Padding::Zero), ..none })
        }
        _ => ("", none),
    };
    Needed { flags, choices }
}

/// The files are sorted by name; nothing else says an order or a direction.
const UNORDERED: Origin<'_> = Origin { name: "variant", ordered: false };

fn recognise(name: &str, choices: &Choices) -> Result<Recognised, RecogniseError> {
    recognise::recognise(tensors(name), choices, UNORDERED)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("variants")
}

fn tensors(name: &str) -> Vec<Weight> {
    let path = folder().join(format!("{name}.safetensors"));
    let file = std::fs::read(path).expect("it lies in the project");
    let Contents { metadata, tensors, .. } = models_archive::read(file.into(), None).expect("PyTorch wrote it");
    assert_eq!(metadata, None, "{name}: names and shapes are all there is");
    tensors
}

/// Inputs, outputs and descriptions of the variants.
struct Cases {
    bytes: Vec<u8>,
}

impl Cases {
    fn open() -> Self {
        tch::set_num_threads(1); // tiny networks: more only wait for each other
        Self { bytes: std::fs::read(folder().join("cases.safetensors")).expect("it lies in the project") }
    }

    /// Names and what they are, in the order of the names.
    fn all(&self) -> Vec<(String, String)> {
        let (_, header) = SafeTensors::read_metadata(&self.bytes).expect("a safetensors file");
        let mut all: Vec<_> = header.metadata().clone().expect("descriptions").into_iter().collect();
        all.sort();
        all
    }

    fn tensor(&self, name: &str) -> Tensor {
        let file = SafeTensors::deserialize(&self.bytes).expect("a safetensors file");
        let view = file.tensor(name).expect(name);
        let shape: Vec<i64> = view.shape().iter().map(|&side| side as i64).collect();
        Tensor::from_data_size(view.data(), &shape, tch::Kind::Float)
    }

    /// The largest difference of what was recognised from PyTorch's output.
    fn difference(&self, name: &str, recognised: &Recognised) -> f32 {
        let module = Module::from_weights(recognised.network.clone(), &recognised.weights, Device::Cpu)
            .expect("weights of its own network");
        let output = no_grad(|| module.forward(&self.tensor(&format!("{name}/input")))).expect("it fits");
        let expected = self.tensor(&format!("{name}/output"));
        assert_eq!(output.size(), expected.size(), "{name}");
        (output - expected).abs().max().double_value(&[]) as f32
    }
}

#[test]
fn every_variant_computes_what_pytorch_does() {
    let cases = Cases::open();
    let all = cases.all();
    assert!(all.len() > 30, "{} variants", all.len());
    let mut wrong = String::new();
    for (name, what) in all {
        let Needed { flags, choices } = needed(&name);
        match recognise(&name, &choices) {
            Ok(recognised) => {
                let difference = cases.difference(&name, &recognised);
                if difference.is_nan() || difference > OUTPUT {
                    writeln!(wrong, "{name} ({what}) is off by {difference:e}\n{}", listed(&recognised)).expect("text");
                }
            }
            Err(error) => writeln!(wrong, "{name} ({what}): {error}").expect("text"),
        }
        if !flags.is_empty() {
            let difference =
                cases.difference(&name, &recognise(&name, &Choices::default()).expect("also without its flags"));
            assert!(difference > ANOTHER, "{name} does not need {flags}: {difference:e} without");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn listed(recognised: &Recognised) -> String {
    format!("{}\n{}", recognised.summary, Assumption::table(&recognised.assumptions))
}

/// Each choice on a variant on which it must show: what is assumed is something that matters.
#[test]
fn every_assumption_changes_the_output_where_it_is_wrong() {
    let cases = Cases::open();
    let none = Choices::default;
    let wrong = [
        ("published", Choices { norm_eps: Some(0.1), ..none() }),
        ("published", Choices { padding: Some(Padding::Zero), ..none() }),
        ("published", Choices { edge_padding: Some(Padding::Zero), ..none() }),
        ("published", Choices { strided_padding: Some(StridedPadding::Same), ..none() }),
        ("published", Choices { strided_padding: Some(StridedPadding::Reflect), ..none() }),
        ("published", Choices { leaky_slope: Some(0.2), ..none() }),
        ("published", Choices { output_activation: Some(OutputActivation::None), ..none() }),
        ("published", Choices { block_activation: Some(BlockActivation::Same), ..none() }),
        ("zero", Choices { padding: Some(Padding::Reflect), ..none() }),
        ("edge_zero", Choices { edge_padding: Some(Padding::Reflect), ..none() }),
        ("resize", Choices { upsample_padding: Some(Padding::Reflect), ..none() }),
        ("resize_reflect", Choices { upsample_padding: Some(Padding::Zero), ..none() }),
        ("batch", Choices { norm: Some(Norm::Instance), ..none() }),
        ("batch", Choices { norm_eps: Some(1e-1), ..none() }),
        ("statistics", Choices { running_statistics: Some(RunningStatistics::Use), ..none() }),
        ("statistics", Choices { norm: Some(Norm::Batch), ..none() }),
        ("down_pad", Choices { strided_padding: Some(StridedPadding::Symmetric), ..none() }),
        ("concat", Choices { strided_padding: Some(StridedPadding::Symmetric), ..none() }),
        ("concat", Choices { norm_eps: Some(1e-1), ..none() }),
    ];
    for (name, choices) in wrong {
        let recognised = recognise(name, &choices).expect("a generator either way");
        let difference = cases.difference(name, &recognised);
        assert!(difference > ANOTHER, "{name}: {choices:?} changes the output by {difference:e} only");
    }
}

/// Files that hold no generator, with what their refusal must say.
const REFUSED: [(&str, &str, &str); 9] = [
    (
        "u_net",
        "a U-Net",
        "is a U-Net: only ResNet generators are supported; it departs from a ResNet generator at `model.model.0`",
    ),
    (
        "anti_aliased",
        "CUT's anti-aliased generator",
        "is an anti-aliased generator (CUT's, with blur filters `filt`): it is not supported",
    ),
    (
        "discriminator",
        "a PatchGAN discriminator",
        "is a PatchGAN discriminator: it judges pictures; export a generator",
    ),
    ("classifier", "a classifier", "is a classifier: only ResNet generators are supported"),
    ("spectral", "spectral norm", "is a network with spectral or weight norm: remove the norm in PyTorch"),
    (
        "plain",
        "no skip connections",
        "at `model.7` [4, 4, 3, 3], where was expected: a module for each residual block; in one sequence nothing is carried",
    ),
    (
        "deep_blocks",
        "blocks of four convolutions",
        "where was expected: residual blocks of two convolutions each; names show others",
    ),
    (
        "attention",
        "attention beside the generator",
        "holds a ResNet generator under model, and more under attention; if it is a network of its own, choose it with --key model",
    ),
    (
        "several",
        "both generators and a discriminator in one file",
        "holds a ResNet generator under netG_A2B and under netG_B2A, and more under netD_A; if it is a network of its own, \
         choose it with --key netG_A2B",
    ),
];

#[test]
fn other_networks_are_refused_with_what_they_are_and_their_tensors() {
    for (name, _, expected) in REFUSED {
        let error = recognise(name, &Choices::default()).expect_err(name);
        let message = error.to_string();
        assert!(message.contains(expected), "{name}: {message}");
        if let RecogniseError::Unknown { count, listing, .. } = error {
            assert_eq!(count, tensors(name).len(), "{name}");
            assert_eq!(listing.lines().count(), count.min(17), "{name}: sixteen, and how many more\n{listing}");
        }
    }
}

#[test]
fn one_of_several_networks_is_chosen_by_its_prefix() {
    for (key, role) in [("netG_A2B", Role::GAb), ("netG_B2A", Role::GBa)] {
        let chosen = recognise::under(key, tensors("several")).expect("it is there");
        let recognised = recognise::recognise(chosen, &Choices::default(), UNORDERED).expect("a generator");
        assert_eq!(recognised.role, role, "{key}");
    }
    let error = recognise::under("netG", tensors("several")).expect_err("a part of a name").to_string();
    assert!(error.starts_with("has no tensor under `netG`; there is net"), "{error}");
}

/// Whatever is missing from a file or shaped otherwise, it is refused, or a network of exactly its tensors.
#[test]
fn a_file_with_a_tensor_less_or_another_shape_never_passes_for_what_it_was() {
    let tensors = |name: &str| {
        let mut tensors = tensors(name);
        tensors.retain(|tensor| !tensor.name.ends_with("num_batches_tracked")); // says nothing of what is computed
        tensors
    };
    for name in ["published", "affine", "batch", "resize", "stages", "concat"] {
        let whole = recognise(name, &Choices::default()).expect("a generator");
        for index in 0..tensors(name).len() {
            let mut fewer = tensors(name);
            let removed = fewer.remove(index);
            let mut other = tensors(name);
            let side = other[index].shape.first().copied().unwrap_or(0);
            other[index].shape = [vec![side * 2], other[index].shape.iter().skip(1).copied().collect()].concat();
            other[index].bytes = other[index].bytes.repeat(2).into();
            let recognise = |weights| recognise::recognise(weights, &Choices::default(), UNORDERED);
            if let Ok(found) = recognise(fewer) {
                assert!(removed.name.ends_with("bias"), "{name} without {}", removed.name);
                assert_eq!(found.network, whole.network, "{name}: a convolution's bias may be left out, and is zero");
            }
            // One block before an up-convolution of twice the channels is one that concatenates.
            if let Ok(found) = recognise(other) {
                assert!(removed.name == "model.11.weight" && name == "batch", "{name} with {} doubled", removed.name);
                assert_ne!(found.network, whole.network);
            }
        }
    }
}

/// The rows of docs/recognised.md.
fn table() -> String {
    let cases = Cases::open();
    let mut text = String::new();
    for (name, what) in cases.all() {
        let Needed { flags, choices } = needed(&name);
        let recognised = recognise(&name, &choices).expect("every_variant_computes_what_pytorch_does says more");
        let inferred = recognised.assumptions.iter().filter_map(|one| match &one.source {
            Source::Published | Source::Given(_) => None,
            Source::Concat | Source::Usual | Source::Inferred(_) => Some(format!("{} {}", one.name, one.value)),
        });
        let inferred = inferred.collect::<Vec<_>>().join(", ");
        let flags = if flags.is_empty() { String::new() } else { format!("`{flags}`") };
        let difference = cases.difference(&name, &recognised);
        let summary = recognised.summary.trim_start_matches("ResNet generator, ").to_owned();
        writeln!(text, "| `{name}` | {what} | {summary} | {inferred} | {flags} | {difference:.0e} |").expect("text");
    }
    text
}

#[test]
fn the_table_in_the_documentation_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recognised.md");
    let page = std::fs::read_to_string(&path).expect("it lies in the project");
    let (head, table_head) = ("| file | what it is |", "| --- | --- | --- | --- | --- | --- |\n");
    let (before, rest) = page.split_once(table_head).expect("the table's head");
    let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
    assert!(before.contains(head), "the first table of six columns is this one");
    let current = table();
    if std::env::var_os("CYCLEGAN_WRITE_TABLE").is_some() {
        let page = format!("{before}{table_head}{current}{}", &rest[end..]);
        program::files::write_whole(&path, page.as_bytes()).expect("writable");
        return;
    }
    // The differences are rounding, which another processor does otherwise.
    let without_differences = |table: &str| -> Vec<String> {
        table.lines().map(|line| line.rsplitn(3, '|').last().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(
        without_differences(&rest[..end]),
        without_differences(&current),
        "CYCLEGAN_WRITE_TABLE=1 writes it anew"
    );
    for (name, what, _) in REFUSED {
        assert!(page.contains(&format!("| `{name}` | {what} |")), "{name} is in the second table");
    }
}
