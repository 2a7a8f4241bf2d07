//! What an artefact says about itself, so that no later step guesses.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::shapes::{ShapeError, check_bounds};
use crate::{Assumption, Network, families::Family};

/// Version of the metadata that this program writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// Which of the four networks of a CycleGAN this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Translates A to B.
    GAb,
    /// Translates B to A.
    GBa,
    /// Judges pictures of A.
    DA,
    /// Judges pictures of B.
    DB,
}

impl Role {
    /// All four, generators first.
    pub const ALL: [Self; 4] = [Self::GAb, Self::GBa, Self::DA, Self::DB];

    /// The stem of its file: `g_ab`.
    pub const fn stem(self) -> &'static str {
        match self {
            Self::GAb => "g_ab",
            Self::GBa => "g_ba",
            Self::DA => "d_a",
            Self::DB => "d_b",
        }
    }

    /// The role of a file's stem.
    pub fn of_stem(stem: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.stem() == stem)
    }

    /// Whether it translates pictures.
    pub const fn is_generator(self) -> bool {
        matches!(self, Self::GAb | Self::GBa)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GAb => "generator A to B",
            Self::GBa => "generator B to A",
            Self::DA => "discriminator of A",
            Self::DB => "discriminator of B",
        })
    }
}

/// The JSON inside every `.ot`, `.safetensors` and `.onnx` of this project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Which of the four networks.
    pub role: Role,
    /// The family it was built from, where a preset did so.
    pub family: Option<Family>,
    /// The network itself.
    pub network: Network,
    /// Name of the data set; none where a file from elsewhere does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_set: Option<String>,
    /// Side of the training pictures, in pixels, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_size: Option<usize>,
    /// What black and white are for the network.
    pub pixel_range: [f32; 2],
    /// Updates that the weights have seen, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Seed of the run, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Program and version that wrote it.
    pub program: String,
    /// [`crate::weights_hash`] of the weights that were exported, before any was rounded or left out; in exported files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// What the file that the weights come from did not say; empty for those of `trainer`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<Assumption>,
}

/// Why metadata is refused.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Not the JSON that this version knows.
    #[error("metadata is not readable ({0}); was it written by another version of these programs?")]
    Unreadable(#[source] serde_json::Error),
    /// A version from another time.
    #[error(
        "metadata has format version {found}, this program knows {FORMAT_VERSION}; use a program of the version that wrote it"
    )]
    Version {
        /// The version found.
        found: u32,
    },
    /// Black and white that are one number, or beyond all 32-bit floats.
    #[error("metadata has pixels from {} to {}, which is no range to compute with; is the file damaged?", .0[0], .0[1])]
    PixelRange([f32; 2]),
    /// A network that contradicts itself, or that nobody can compute.
    #[error("the network in its metadata cannot be computed: {0}")]
    Network(ShapeError),
}

impl Metadata {
    /// Side of the pictures, in pixels, to work with where none is asked for: the training size, or the published one of
    /// 256 where that is unknown.
    pub fn usual_size(&self) -> usize {
        self.training_size.unwrap_or(256)
    }

    /// What is known of the training, in a few words; the rest is called unknown.
    pub fn training(&self) -> String {
        if (&self.data_set, self.training_size, self.steps) == (&None, None, None) {
            return "training unknown".into();
        }
        let data_set = self.data_set.as_ref().map_or("on unknown data".into(), |name| format!("on {name}"));
        let size = self.training_size.map_or("at an unknown size".into(), |size| format!("at {size}×{size}"));
        let steps = self.steps.map_or("for an unknown number of steps".into(), |steps| format!("for {steps} steps"));
        format!("trained {data_set} {size} {steps}")
    }

    /// The JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain values and string keys always serialise")
    }

    /// Reads the JSON text.
    ///
    /// # Errors
    /// An unknown version is refused by its number before anything else in it is looked at; then unknown layers and
    /// fields; then a network past the bounds of [`check_bounds`], so that nobody allocates what a file claims.
    pub fn from_json(json: &[u8]) -> Result<Self, MetadataError> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let Version { format_version: found } = serde_json::from_slice(json).map_err(MetadataError::Unreadable)?;
        if found != FORMAT_VERSION {
            return Err(MetadataError::Version { found });
        }
        let metadata: Self = serde_json::from_slice(json).map_err(MetadataError::Unreadable)?;
        let [black, white] = metadata.pixel_range;
        if !(white - black).is_normal() {
            return Err(MetadataError::PixelRange(metadata.pixel_range));
        }
        check_bounds(&metadata.network).map_err(MetadataError::Network)?;
        Ok(metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;
    use crate::families::GeneratorOptions;

    fn metadata() -> Metadata {
        Metadata {
            format_version: FORMAT_VERSION,
            role: Role::GAb,
            family: Some(Family::Paper),
            network: Family::Paper.generator(GeneratorOptions::sized(4, 1)),
            data_set: Some("stripes".into()),
            training_size: Some(64),
            pixel_range: [-1.0, 1.0],
            steps: Some(3),
            seed: Some(7),
            program: "trainer 0.1.0".into(),
            weights_sha256: None,
            assumptions: Vec::new(),
        }
    }

    #[test]
    fn metadata_survives_its_json() {
        let metadata = metadata();
        assert_eq!(Metadata::from_json(metadata.to_json().as_bytes()).expect("its own JSON"), metadata);
    }

    /// As `trainer` 0.1.0 wrote it before anything could be unknown.
    const EARLIER: &str = r#"{"format_version":1,"role":"g_ba","family":null,"network":{"channels":3,"layers":[]},"data_set":"stripes","training_size":64,"pixel_range":[-1.0,1.0],"steps":3,"seed":7,"program":"trainer 0.1.0"}"#;

    #[test]
    fn what_is_unknown_is_absent_and_earlier_files_are_read() {
        let earlier = Metadata::from_json(EARLIER.as_bytes()).expect("written by this version's format");
        assert_eq!(earlier.training(), "trained on stripes at 64×64 for 3 steps");
        assert_eq!(earlier.to_json(), EARLIER, "the same bytes, so that exports repeat");

        let assumption = Assumption { name: "norm-eps".into(), value: "1e-5".into(), source: Source::Published };
        let inferred = Source::Inferred("why".into());
        let foreign = Metadata {
            data_set: None,
            training_size: None,
            steps: None,
            seed: None,
            assumptions: vec![assumption.clone(), Assumption { source: inferred, ..assumption }],
            ..metadata()
        };
        let json = foreign.to_json();
        for absent in ["data_set", "training_size", "steps", "seed"] {
            assert!(!json.contains(absent), "{json}");
        }
        assert_eq!(Metadata::from_json(json.as_bytes()).expect("its own JSON"), foreign);
        assert_eq!((foreign.training().as_str(), foreign.usual_size()), ("training unknown", 256));
        let partly = Metadata { training_size: Some(64), ..foreign };
        assert_eq!(partly.training(), "trained on unknown data at 64×64 for an unknown number of steps");
    }

    #[test]
    fn a_network_that_nobody_can_compute_is_refused_whatever_it_claims() {
        let (all, half) = (usize::MAX, usize::MAX / 2);
        let changes = [
            ("\"stride\":2", format!("\"stride\":{all}"), "more than can be counted"),
            ("\"stride\":2", "\"stride\":100000".into(), "more than can be counted"),
            ("\"stride\":2", "\"stride\":1000".into(), "takes no picture smaller than 2000000×2000000"),
            ("\"stride\":2", "\"stride\":0".into(), "a stride of 0"),
            ("\"kernel\":7", format!("\"kernel\":{half}"), "is too small"),
            ("\"top\":1", format!("\"top\":{all}"), "more than can be counted"),
            ("\"top\":1", "\"top\":1000000".into(), "it needs "),
            ("\"extra\":1", format!("\"extra\":{half}"), "more than can be counted"),
            ("\"channels\":3,\"layers\"", format!("\"channels\":{all},\"layers\""), "more than can be counted"),
            ("\"to\":4", format!("\"to\":{half}"), "more than can be counted"),
            ("{\"layer\":\"relu\"}", format!("{{\"layer\":\"upsample\",\"factor\":{half}}}"), "can be counted"),
            ("{\"layer\":\"relu\"}", format!("{{\"layer\":\"reflect_pad\",\"by\":{half}}}"), "is too small"),
        ];
        for (old, new, message) in changes {
            let json = metadata().to_json();
            assert!(json.contains(old), "{old} in {json}");
            let error = Metadata::from_json(json.replace(old, &new).as_bytes()).expect_err(&new).to_string();
            assert!(error.starts_with("the network in its metadata") && error.contains(message), "{new}: {error}");
        }
    }

    #[test]
    fn what_this_version_does_not_know_is_refused() {
        let json = metadata().to_json();
        for (changed, expected) in [
            (json.replace("\"format_version\":1", "\"format_version\":2,\"new\":0"), "format version 2"),
            (json.replace("\"tanh\"", "\"sigmoid\""), "unknown variant `sigmoid`"),
            (json.replace("\"seed\"", "\"sead\""), "unknown field `sead`"),
            ("[]".into(), "not readable"),
            (json.replace("[-1.0,1.0]", "[-1.0,1e39]"), "pixels from -1 to inf"),
        ] {
            let error = Metadata::from_json(changed.as_bytes()).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
