//! The choices made: what the user said, else what the file hints at, else the published default.

use std::fmt::Display;

use super::RecogniseError;
use super::choices::{BlockActivation, Choices, Norm, OutputActivation, Padding, RunningStatistics, StridedPadding};
use super::structure::Structure;
use crate::{Assumption, Join, Role, Source, pixels};

/// What becomes of the norms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NormIs {
    /// Layers of their own.
    Instance,
    /// Part of the convolutions before them.
    Folded,
}

/// All that names and shapes do not say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) role: Role,
    pub(super) norm: NormIs,
    pub(super) norm_eps: f64,
    pub(super) stem_padding: Padding,
    pub(super) block_padding: Padding,
    pub(super) upsample_padding: Padding,
    pub(super) head_padding: Padding,
    pub(super) strided_padding: StridedPadding,
    pub(super) leaky_slope: f64,
    pub(super) block_activation: BlockActivation,
    pub(super) output_activation: OutputActivation,
    pub(super) pixel_range: [f32; 2],
}

/// Settles everything, and lists what was taken where the file does not say it.
///
/// # Errors
/// [`RecogniseError::Choice`] where a choice contradicts what is stored.
pub(super) fn settle(
    structure: &Structure,
    choices: &Choices,
    role: Option<(Role, String)>,
) -> Result<(Settings, Vec<Assumption>), RecogniseError> {
    let concat = structure.join == Join::Concat;
    let default = if concat { Source::Concat } else { Source::Published };
    let mut list = Assumptions(Vec::new());
    let numbering = structure.numbering.clone();

    let stem = |role: Role| role.stem();
    let role = list.choose_named("role", choices.role, role, (Role::GAb, Source::Published), |role| stem(*role).into());
    let (norm, is_batch) = norm(structure, choices, &mut list)?;
    let eps = if concat && !is_batch { (1e-3, Source::Concat) } else { (1e-5, Source::Published) };
    let norm_eps = list.choose_named("norm-eps", choices.norm_eps, None, eps, |eps| format!("{eps:e}"));

    let edges = if concat { Padding::Zero } else { Padding::Reflect };
    let block_padding = list.choose("padding", choices.padding, numbering.blocks, (edges, default.clone()));
    let stem_padding =
        list.choose("edge-padding", choices.edge_padding, numbering.stem.clone(), (edges, default.clone()));
    let as_first = |(padding, _)| (padding, Source::Inferred("as around the first convolution".into()));
    let head_default = numbering.stem.map_or((edges, default.clone()), as_first);
    let head_padding = list.choose("edge-padding", choices.edge_padding, numbering.head, head_default);
    list.drop_last_if_said();
    let is_resized = structure
        .stages
        .iter()
        .any(|stage| matches!(stage.placed.place, super::arrangement::Place::Up(_)) && !stage.placed.transposed);
    let mut upsample_padding = Padding::Zero;
    if is_resized {
        let usual = if concat { (Padding::Zero, Source::Concat) } else { (Padding::Zero, Source::Usual) };
        upsample_padding = list.choose("upsample-padding", choices.upsample_padding, numbering.upsampled, usual);
        list.note("upsample", "nearest", Source::Inferred("bilinear, which looks the same, is not supported".into()));
    } else if let Some(padding) = choices.upsample_padding {
        let why = "its up-convolutions are transposed; leave the flag out".into();
        return Err(RecogniseError::Choice { flag: "upsample-padding", value: padding.to_string(), why });
    }
    let strided = if concat { StridedPadding::Same } else { StridedPadding::Symmetric };
    let strided_padding =
        list.choose("strided-padding", choices.strided_padding, numbering.strided, (strided, default));
    let leaky_slope = list.choose("leaky-slope", choices.leaky_slope, None, (0.0, Source::Published));
    let none = (BlockActivation::None, Source::Published);
    let block_activation = list.choose("block-activation", choices.block_activation, None, none);
    let output_activation =
        list.choose("output-activation", choices.output_activation, None, (OutputActivation::Tanh, Source::Published));
    let pixel_range = list.choose_named(
        "pixel-range",
        choices.pixel_range,
        None,
        (pixels::RANGE, Source::Published),
        |[black, white]| format!("{black},{white}"),
    );
    if !numbering.blocks_are_named {
        list.note("blocks", "of two convolutions", Source::Published);
    }
    if structure.order_is_the_files {
        list.note("layers", "in the file's order", Source::Inferred("names leave another open".into()));
    }
    let settings = Settings {
        role,
        norm,
        norm_eps,
        stem_padding,
        block_padding,
        upsample_padding,
        head_padding,
        strided_padding,
        leaky_slope,
        block_activation,
        output_activation,
        pixel_range,
    };
    Ok((settings, list.0))
}

/// Which norm it is, and whether batch norm's defaults hold.
fn norm(structure: &Structure, choices: &Choices, list: &mut Assumptions) -> Result<(NormIs, bool), RecogniseError> {
    let refuse = |flag, value: &dyn Display, why: &str| {
        Err(RecogniseError::Choice { flag, value: value.to_string(), why: why.into() })
    };
    let stored = structure.stages.iter().find_map(|stage| stage.norm.as_ref());
    let statistics = stored.is_some_and(|norm| norm.statistics.is_some());
    let affine = stored.is_some_and(|norm| norm.affine.is_some());
    let biases = structure.stages.iter().any(|stage| stage.norm.is_some() && stage.convolution.bias.is_some());
    let inferred = match (affine, statistics) {
        (true, true) if biases => Some((
            Norm::Batch,
            "scale, bias and running statistics are stored; its convolutions have biases, unlike the published batch norm's, \
             but an instance norm that uses its statistics is the same",
        )),
        (true, true) => Some((Norm::Batch, "scale, bias and running statistics are stored")),
        (true, false) => Some((Norm::Instance, "scale and bias are stored without running statistics")),
        (false, _) => None,
    };
    let inferred = inferred.map(|(norm, why)| (norm, why.to_owned()));
    if !statistics && choices.norm == Some(Norm::Batch) {
        return refuse(
            "norm",
            &Norm::Batch,
            "it needs running_mean and running_var, and none are stored; leave the flag out",
        );
    }
    match choices.running_statistics {
        Some(value) if !statistics => {
            return refuse("running-statistics", &value, "none are stored; leave the flag out");
        }
        _ => {}
    }
    let norm = list.choose("norm", choices.norm, inferred, (Norm::Instance, Source::Published));
    if norm == Norm::Batch {
        if let Some(value @ RunningStatistics::Ignore) = choices.running_statistics {
            return refuse("running-statistics", &value, "batch norm needs them; --norm instance can leave them out");
        }
        return Ok((NormIs::Folded, true));
    }
    if !statistics {
        return Ok((NormIs::Instance, false));
    }
    let ignore = (RunningStatistics::Ignore, Source::Published);
    let used = list.choose("running-statistics", choices.running_statistics, None, ignore);
    Ok((if used == RunningStatistics::Use { NormIs::Folded } else { NormIs::Instance }, false))
}

struct Assumptions(Vec<Assumption>);

impl Assumptions {
    fn note(&mut self, name: &str, value: &str, source: Source) {
        self.0.push(Assumption { name: name.into(), value: value.into(), source });
    }

    fn choose<T: Display + PartialEq>(
        &mut self,
        name: &str,
        given: Option<T>,
        inferred: Option<(T, String)>,
        default: (T, Source),
    ) -> T {
        self.choose_named(name, given, inferred, default, T::to_string)
    }

    fn choose_named<T: PartialEq>(
        &mut self,
        name: &str,
        given: Option<T>,
        inferred: Option<(T, String)>,
        (default, source): (T, Source),
        text: impl Fn(&T) -> String,
    ) -> T {
        let (value, source) = match (given, inferred) {
            (Some(given), Some((inferred, why))) => {
                let against = (given != inferred).then(|| format!("{why} ({})", text(&inferred)));
                (given, Source::Given(against))
            }
            (Some(given), None) => (given, Source::Given(None)),
            (None, Some((inferred, why))) => (inferred, Source::Inferred(why)),
            (None, None) => (default, source),
        };
        self.note(name, &text(&value), source);
        value
    }

    /// Leaves out the last where the one before says the same.
    fn drop_last_if_said(&mut self) {
        if let [.., one, last] = self.0.as_slice()
            && (&one.name, &one.value) == (&last.name, &last.value)
        {
            self.0.pop();
        }
    }
}
