//! Generators of the published code and its descendants, recognised from the names and shapes of their tensors alone.
//!
//! ```text
//! tensors ──layers──▶ convolutions, norms ──names──▶ in order ──arrangement──▶ each in its place
//!         ──numbering──▶ what numbers say ──settings──▶ what nothing says, as assumptions ──build──▶ network, weights
//! ```
//!
//! Taken are ResNet generators (Johnson et al. 2016, Zhu et al. 2017): a first convolution, one to four that halve the size,
//! any number of blocks of two convolutions that are added to their input (or concatenated with it, as in the concat
//! family), as many transposed or resize-convolutions, a last convolution. Nothing is guessed silently: where names and
//! shapes do not say what is computed, the published default (pytorch-CycleGAN-and-pix2pix) is an [`Assumption`], and a
//! [`Choices`] overrides it; what fits nothing is refused with the layer at which it departs.

mod arrangement;
mod build;
mod choices;
mod layers;
mod names;
mod numbering;
mod refusal;
mod settings;
mod structure;

pub use choices::{BlockActivation, Choices, Norm, OutputActivation, Padding, RunningStatistics, StridedPadding};
pub use refusal::RecogniseError;

use arrangement::Place;
use structure::Structure;

use crate::families::{Family, GeneratorOptions};
use crate::{Assumption, FORMAT_VERSION, Join, Metadata, Network, Role, Weight, shapes};

/// A generator that was recognised.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// What it computes.
    pub network: Network,
    /// The tensors of its parameter table; norms that are batch norm are folded into them.
    pub weights: Vec<Weight>,
    /// Which generator it is.
    pub role: Role,
    /// What black and white are.
    pub pixel_range: [f32; 2],
    /// What the file does not say.
    pub assumptions: Vec<Assumption>,
    /// The network in a few words.
    pub summary: String,
}

impl Recognised {
    /// Its metadata, with the rest unknown, and its weights. `program` is who recognised it.
    pub fn into_parts(self, program: &str, training_size: Option<usize>) -> (Metadata, Vec<Weight>) {
        let exactly = |family: &Family| GeneratorOptions::of(*family, &self.network).is_some();
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            role: self.role,
            family: [Family::Paper, Family::Concat].into_iter().find(exactly),
            network: self.network,
            data_set: None,
            training_size,
            pixel_range: self.pixel_range,
            steps: None,
            seed: None,
            program: program.into(),
            weights_sha256: None,
            assumptions: self.assumptions,
        };
        (metadata, self.weights)
    }
}

/// Where tensors come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// What the file, and the key in it, are called; it may hint at the direction, as `latest_net_G_B` does.
    pub name: &'a str,
    /// Whether the tensors are in the order in which the network lists them, as a `.pth` has them. A `.safetensors` is
    /// sorted.
    pub ordered: bool,
}

/// Recognises a generator from its tensors.
///
/// # Errors
/// See [`RecogniseError`]; nothing is guessed where two readings fit.
pub fn recognise(
    mut weights: Vec<Weight>,
    choices: &Choices,
    origin: Origin<'_>,
) -> Result<Recognised, RecogniseError> {
    check_lengths(&weights)?;
    if !origin.ordered {
        // The same messages every time, whatever order a reader gives.
        weights.sort_by(|one, other| names::path(&one.name).cmp(&names::path(&other.name)));
    }
    let structure = {
        let all: Vec<&Weight> = weights.iter().collect();
        structure::read(&all, origin.ordered).map_err(|error| several(&all).unwrap_or(error))?
    };
    let prefix = weights.first().map_or("", |first| &first.name);
    let hint = direction(prefix).map(|role| (role, format!("`{prefix}`"))).or_else(|| {
        let role = direction(origin.name)?;
        Some((role, format!("the name {}", origin.name)))
    });
    let (settings, assumptions) = settings::settle(&structure, choices, hint)?;
    let summary = summary(&structure, &settings);
    let (role, pixel_range) = (settings.role, settings.pixel_range);
    let (network, weights) = build::build(&structure, &settings, weights)?;
    shapes::check_bounds(&network).map_err(RecogniseError::Bounds)?;
    Ok(Recognised { network, weights, role, pixel_range, assumptions, summary })
}

/// The tensors whose names begin with `key` and a dot, for [`recognise`]: one network of a file that holds several.
///
/// # Errors
/// [`RecogniseError::Key`] where there are none.
pub fn under(key: &str, mut weights: Vec<Weight>) -> Result<Vec<Weight>, RecogniseError> {
    let is_under = |weight: &Weight| weight.name.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    if !weights.iter().any(is_under) {
        let all: Vec<&Weight> = weights.iter().collect();
        let mut found = prefixes(&all);
        found.truncate(MOST_NETWORKS);
        return Err(RecogniseError::Key { key: key.into(), found });
    }
    weights.retain(is_under);
    Ok(weights)
}

/// Readers give as many bytes as the shape says; what does not would end in a panic further down.
fn check_lengths(weights: &[Weight]) -> Result<(), RecogniseError> {
    for weight in weights {
        let bytes = weight.shape.iter().try_fold(4_usize, |product, &side| product.checked_mul(side));
        if bytes != Some(weight.bytes.len()) {
            let what = "has not as many numbers as its shape says";
            return Err(RecogniseError::Numbers { name: weight.name.clone(), what });
        }
    }
    Ok(())
}

/// More networks than this are not looked for in one file.
const MOST_NETWORKS: usize = 16;

/// Whether tensors that are no generator together hold one under a prefix.
fn several(weights: &[&Weight]) -> Option<RecogniseError> {
    let prefixes = prefixes(weights);
    if !(2..=MOST_NETWORKS).contains(&prefixes.len()) {
        return None;
    }
    let is_generator = |prefix: &String| {
        let under: Vec<&Weight> =
            weights.iter().filter(|weight| weight.name.starts_with(&format!("{prefix}."))).copied().collect();
        structure::read(&under, true).is_ok()
    };
    let (keys, others): (Vec<String>, _) = prefixes.into_iter().partition(is_generator);
    (!keys.is_empty()).then_some(RecogniseError::Several { keys, others })
}

/// Networks are not looked for below this many parts of a name.
const DEEPEST: usize = 4;

/// The first parts of the names in which they differ, with what is before them.
fn prefixes(weights: &[&Weight]) -> Vec<String> {
    let parts = |weight: &Weight, count: usize| weight.name.split('.').take(count).collect::<Vec<_>>().join(".");
    for depth in 1..=DEEPEST {
        let mut found: Vec<String> = Vec::new();
        for weight in weights {
            let prefix = parts(weight, depth);
            if prefix == weight.name {
                return found;
            }
            if !found.contains(&prefix) && found.len() <= MOST_NETWORKS {
                found.push(prefix);
            }
        }
        if found.len() != 1 {
            return found;
        }
    }
    Vec::new()
}

/// The direction that a name hints at: `netG_A2B`, `G_BA`, and the published `G_A` for A to B.
fn direction(name: &str) -> Option<Role> {
    let pieces: Vec<String> =
        name.split(|character: char| !character.is_ascii_alphanumeric()).map(str::to_lowercase).collect();
    let is_generator = |piece: &String| piece.ends_with('g') || piece == "generator";
    pieces.iter().enumerate().find_map(|(at, piece)| {
        let after_g = at > 0 && is_generator(&pieces[at - 1]);
        match piece.trim_start_matches('g') {
            "a2b" | "ab" | "atob" => Some(Role::GAb),
            "b2a" | "ba" | "btoa" => Some(Role::GBa),
            "a" if after_g => Some(Role::GAb),
            "b" if after_g => Some(Role::GBa),
            _ => None,
        }
    })
}

fn summary(structure: &Structure, settings: &settings::Settings) -> String {
    let placed = || structure.stages.iter().map(|stage| stage.placed);
    let count = |is: fn(Place) -> bool| placed().filter(|placed| is(placed.place)).count();
    let width = placed().next().map_or(0, |stem| stem.to);
    let downs = count(|place| matches!(place, Place::Down(_)));
    let blocks = count(|place| matches!(place, Place::Block(_, 1)));
    let transposed = placed().any(|placed| placed.transposed);
    let stored = structure.stages.iter().find_map(|stage| stage.norm.as_ref());
    let affine = stored.is_some_and(|norm| norm.affine.is_some());
    let plural = |count: usize, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    let block = if structure.join == Join::Add { "residual block" } else { "concatenating block" };
    format!(
        "ResNet generator, width {width}, {}, {}, {}, {}",
        plural(downs, "downsampling"),
        plural(blocks, block),
        if transposed { "transposed convolutions" } else { "resize-convolutions" },
        match (settings.norm, affine) {
            (settings::NormIs::Folded, _) => "norms folded into the convolutions",
            (settings::NormIs::Instance, true) => "instance norm with scale and bias",
            (settings::NormIs::Instance, false) => "instance norm without scale and bias",
        }
    )
}

#[cfg(test)]
mod tests;
