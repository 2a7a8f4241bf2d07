//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use models::Role;
use models::recognise::{BlockActivation, Choices, Norm, OutputActivation, Padding, RunningStatistics, StridedPadding};
use models_onnx::Precision;
use program::ConsoleArguments;

use crate::target::{TargetArguments, size};

/// Turn a trained generator into an ONNX file, proven to compute the same
///
/// libtorch and ONNX Runtime run on the same inputs before anything is written.
#[derive(Debug, Parser)]
#[command(name = "exporter", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// Other things than exporting.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of an export.
    #[command(flatten)]
    pub export: ExportArguments,
    /// Flags of every program.
    #[command(flatten)]
    pub console: ConsoleArguments,
    /// What a file from elsewhere does not say. The last, since its heading would be that of all flags behind it.
    #[command(flatten)]
    pub source: SourceArguments,
}

/// Other things than exporting.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a network's layers, shapes, costs and metadata, or draw it
    Inspect(InspectArguments),
    /// Say what differs between two files, of any formats
    Diff(DiffArguments),
    /// Compare a generator with an ONNX file that was made of it earlier, by anyone
    ///
    /// Ends with 1 where they differ, and names the first layer that does.
    Verify {
        /// Generator, in a format that can be exported
        #[arg(value_name = "WEIGHTS")]
        weights: PathBuf,
        /// ONNX file
        #[arg(value_name = "FILE.onnx")]
        file: PathBuf,
        /// What the file was to be computed in: f32 or f16 [default: what its weights are]
        ///
        /// The tolerance follows from it; a file whose weights are something else fails.
        #[arg(long, value_name = "KIND")]
        precision: Option<Precision>,
        /// How to compare.
        #[command(flatten)]
        verification: VerificationArguments,
        /// What a file from elsewhere does not say.
        #[command(flatten)]
        source: SourceArguments,
    },
}

/// Flags of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// An .ot, .safetensors, .pth or .onnx file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Height and width to count at, as in 256x384 [default: the training size]
    #[arg(long, value_name = "HxW", value_parser = size)]
    pub(crate) size: Option<[usize; 2]>,
    /// Print one JSON object, its keys described in docs/inspect.md
    #[arg(long)]
    pub(crate) json: bool,
    /// Draw the network into this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// What a file from elsewhere does not say.
    #[command(flatten)]
    pub(crate) source: SourceArguments,
}

/// Flags of `diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// An .ot, .safetensors, .pth or .onnx file
    #[arg(value_name = "A")]
    pub(crate) one: PathBuf,
    /// Another one
    #[arg(value_name = "B")]
    pub(crate) other: PathBuf,
    /// The generator in a file that holds several, as netG_A2B
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Print one JSON object, its keys described in docs/inspect.md
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of an export.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Generator to export: g_ab.ot or g_ba.ot of a run directory, or one from elsewhere
    #[arg(required = true, value_name = "WEIGHTS")]
    input: Option<PathBuf>,
    /// ONNX file to write; an existing one is replaced once the new one is verified
    #[arg(short, long, required = true, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the file is made for.
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    /// Write the file without comparing it
    #[arg(long, help_heading = "Verification", conflicts_with_all = ["pictures", "report"])]
    pub(crate) no_verify: bool,
    /// How to compare.
    #[command(flatten)]
    pub(crate) verification: VerificationArguments,
}

/// Flags of a comparison.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verification")]
pub struct VerificationArguments {
    /// Compare on pictures of a folder too, at most 8 of them
    #[arg(long, value_name = "DIR")]
    pub(crate) pictures: Option<PathBuf>,
    /// Side of the largest picture to compare
    #[arg(long, value_name = "PIXELS", default_value_t = 512, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=4096))]
    pub(crate) largest_size: usize,
    /// Write all numbers as JSON, also where they differ
    #[arg(long, value_name = "FILE.json", value_parser = json_file)]
    pub(crate) report: Option<PathBuf>,
}

/// What a file without metadata, from elsewhere, does not say.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Files from elsewhere (what names and shapes do not say)")]
pub struct SourceArguments {
    /// The generator in a file that holds several, as netG_A2B
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Which generator it is: g_ab or g_ba [default: by its name, else g_ab]
    #[arg(long, value_name = "ROLE", value_parser = generator)]
    pub role: Option<Role>,
    /// instance or batch, which is folded into its convolutions [default: by what is stored]
    #[arg(long, value_name = "NORM")]
    pub norm: Option<Norm>,
    /// Added to the variance in norms [default: 1e-5, for concat 1e-3]
    #[arg(long, value_name = "EPSILON", value_parser = not_negative)]
    pub norm_eps: Option<f64>,
    /// Whether an instance norm uses or ignores stored statistics [default: ignore]
    #[arg(long, value_name = "use|ignore")]
    pub running_statistics: Option<RunningStatistics>,
    /// Around the blocks' convolutions [default: by the numbering, else reflect, for concat zero]
    #[arg(long, value_name = "reflect|zero")]
    pub padding: Option<Padding>,
    /// Around the first and last convolution [default: by the numbering, else reflect, for concat zero]
    #[arg(long, value_name = "reflect|zero")]
    pub edge_padding: Option<Padding>,
    /// Around resize-convolutions [default: by the numbering, else zero]
    #[arg(long, value_name = "reflect|zero")]
    pub upsample_padding: Option<Padding>,
    /// Of stride-2 convolutions: PyTorch's, TensorFlow's same, or mirrored [default: symmetric, for concat same]
    #[arg(long, value_name = "symmetric|same|reflect")]
    pub strided_padding: Option<StridedPadding>,
    /// Slope of activations left of zero; 0 is a ReLU [default: 0]
    #[arg(long, value_name = "SLOPE", value_parser = not_negative)]
    pub leaky_slope: Option<f64>,
    /// After a block's sum: none, or the same as elsewhere [default: none]
    #[arg(long, value_name = "none|same")]
    pub block_activation: Option<BlockActivation>,
    /// What the network ends with [default: tanh]
    #[arg(long, value_name = "tanh|none")]
    pub output_activation: Option<OutputActivation>,
    /// What black and white are for the network [default: -1,1]
    #[arg(long, value_name = "BLACK,WHITE", value_parser = pixel_range, allow_hyphen_values = true)]
    pub pixel_range: Option<[f32; 2]>,
    /// Side of the training pictures, for the metadata [default: unknown]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..))]
    pub training_size: Option<u16>,
}

/// A report never takes the place of weights or a model.
fn json_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    is_json.then_some(path).ok_or_else(|| "the file's name must end in .json".into())
}

fn generator(text: &str) -> Result<Role, String> {
    Role::of_stem(text).filter(|role| role.is_generator()).ok_or_else(|| "use g_ab or g_ba".into())
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "use a number that is not negative".into())
}

fn pixel_range(text: &str) -> Result<[f32; 2], String> {
    let numbers: Vec<f32> = text.split(',').map(str::parse).collect::<Result<_, _>>().unwrap_or_default();
    match numbers[..] {
        [black, white] if black.is_finite() && white.is_finite() && black != white => Ok([black, white]),
        _ => Err("use two different numbers, as -1,1".into()),
    }
}

impl SourceArguments {
    pub(crate) fn choices(&self) -> Choices {
        Choices {
            role: self.role,
            norm: self.norm,
            norm_eps: self.norm_eps,
            running_statistics: self.running_statistics,
            padding: self.padding,
            edge_padding: self.edge_padding,
            upsample_padding: self.upsample_padding,
            strided_padding: self.strided_padding,
            leaky_slope: self.leaky_slope,
            block_activation: self.block_activation,
            output_activation: self.output_activation,
            pixel_range: self.pixel_range,
        }
    }

    /// The first flag that was given, if any.
    pub(crate) fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("key", self.key.is_some()),
            ("role", self.role.is_some()),
            ("norm", self.norm.is_some()),
            ("norm-eps", self.norm_eps.is_some()),
            ("running-statistics", self.running_statistics.is_some()),
            ("padding", self.padding.is_some()),
            ("edge-padding", self.edge_padding.is_some()),
            ("upsample-padding", self.upsample_padding.is_some()),
            ("strided-padding", self.strided_padding.is_some()),
            ("leaky-slope", self.leaky_slope.is_some()),
            ("block-activation", self.block_activation.is_some()),
            ("output-activation", self.output_activation.is_some()),
            ("pixel-range", self.pixel_range.is_some()),
            ("training-size", self.training_size.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }
}

impl ExportArguments {
    pub(crate) fn input(&self) -> &Path {
        self.input.as_deref().expect("clap requires it without a subcommand")
    }

    pub(crate) fn output(&self) -> &Path {
        self.output.as_deref().expect("clap requires it without a subcommand")
    }
}
