//! What a model wants of its input: said by its metadata, its graph, flags or a file beside it; never guessed.
//!
//! What the graph says is so, and who says otherwise is refused. Of the rest a flag wins over the file beside the model,
//! and that over the metadata, which only our own exports have.

mod arguments;
mod description;
mod ends;
mod error;
mod own;
mod reading;
mod values;

use std::fmt;
use std::path::{Path, PathBuf};

use models_onnx::proto::ModelProto;
use models_onnx::{ReadError, summary};

pub use arguments::{ContractArguments, Said};
pub use error::{ContractError, Missing};
pub use values::{Channels, Element, Layout, PerChannel, PixelRange, Tensor};

use crate::numbers::Conversion;
use reading::Reading;

/// Pictures that a network may see at once.
pub const MOST_AT_ONCE: usize = 256;

/// The sizes that a model takes, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Side of the training pictures, where known.
    pub training: Option<u32>,
    /// Side to scale to where none is asked for: that of the training pictures, or the published one. None: the
    /// picture's own, for a model that says nothing of any training.
    pub usual: Option<u32>,
    /// What both sides must be a multiple of.
    pub multiple: u32,
    /// The smallest side.
    pub smallest: u32,
    /// The one width and height that a model of fixed size takes.
    pub fixed: Option<(u32, u32)>,
}

/// What a model takes and gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// The sizes that it takes.
    pub sizes: Sizes,
    /// How many times as wide and high as the input the output is.
    pub scale: u32,
    /// The one number of pictures that it takes at once; none: any.
    pub batch: Option<usize>,
    /// Memory without which it cannot translate a pixel of its input, of all pictures of a fixed batch together.
    pub bytes_per_pixel: u64,
    /// What goes in.
    pub input: Tensor,
    /// What comes out.
    pub output: Tensor,
    /// Where weights lie that are not in the model's file.
    pub data: Option<PathBuf>,
    /// Those files.
    pub data_files: Vec<PathBuf>,
    conversion: Conversion,
    description: String,
    facts: Vec<Fact>,
}

/// Who says something of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Flag,
    /// The file beside the model, by its name.
    File(String),
    Metadata,
    Graph,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::File(name) => f.write_str(name),
            Self::Metadata => f.write_str("metadata"),
            Self::Graph => f.write_str("graph"),
        }
    }
}

/// Something that is known of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    name: &'static str,
    value: String,
    source: Source,
}

impl Contract {
    /// The contract of a model that was read from `path`.
    ///
    /// # Errors
    /// See [`ContractError`]; the messages go behind the path, which the caller knows.
    pub fn read(model: &ModelProto, path: &Path, arguments: &ContractArguments) -> Result<Self, ContractError> {
        let mut contract = Self::of(model, path, &arguments.said, &description::beside(path)?)?;
        let folder = program::files::folder_of(path);
        if models_onnx::check_data(model, folder)? {
            let is_ours = models_onnx::metadata(model).is_ok() && models_onnx::check_own_data(model, folder)?;
            if !is_ours && !arguments.allow_external_data {
                return Err(ContractError::ExternalData);
            }
            contract.data = Some(folder.into());
            contract.data_files = models_onnx::data_files(model)?.iter().map(|name| folder.join(name)).collect();
        }
        Ok(contract)
    }

    /// The same of a description's text instead of the file, and without a look at other files.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn from_text(model: &ModelProto, path: &Path, said: &Said, description: &str) -> Result<Self, ContractError> {
        let refused = |reason| ContractError::Description { path: description::place(path), reason };
        Self::of(model, path, said, &description::parse(description).map_err(refused)?)
    }

    fn of(model: &ModelProto, path: &Path, flags: &Said, file: &Said) -> Result<Self, ContractError> {
        let metadata = match models_onnx::metadata(model) {
            Ok(metadata) => Some(metadata),
            Err(ReadError::NoMetadata) => None,
            Err(other) => return Err(other.into()),
        };
        // What is wrong with the network is worth more to a person than what is wrong with the graph.
        let own = metadata.as_ref().map(|metadata| own::sizes(metadata, models_onnx::precision(model))).transpose()?;
        let summary = summary(model);
        let [input, output] = ends::ends(&summary)?;
        let place = description::place(path);
        let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let reading = Reading::new(flags, file, name, metadata.as_ref());
        reading.contract(&summary, own, &input, &output).map_err(|error| match error {
            ContractError::Missing { missing, .. } => ContractError::Missing { missing, file: place },
            other => other,
        })
    }

    /// The model in a few words.
    pub fn describe(&self) -> String {
        self.description.clone()
    }

    /// What is known of the model, a line for each fact, with its source.
    pub fn print(&self) -> String {
        let width =
            |text: fn(&Fact) -> &str| self.facts.iter().map(|fact| text(fact).chars().count()).max().unwrap_or(0);
        let (names, values) = (width(|fact| fact.name), width(|fact| &fact.value));
        let line = |Fact { name, value, source }: &Fact| format!("{name:names$}  {value:values$}  {source}");
        self.facts.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The facts without their sources: what of it changes translations.
    pub fn recipe(&self) -> serde_json::Value {
        let fact = |fact: &Fact| (fact.name.to_owned(), serde_json::Value::from(fact.value.clone()));
        self.facts.iter().map(fact).collect()
    }

    /// Between pictures and the model's numbers.
    pub fn conversion(&self) -> Conversion {
        self.conversion
    }
}

#[cfg(test)]
mod tests;
