//! Tensors by name out of a file of weights that anybody may have made, without running anything in it.
//!
//! [`read`] takes `.safetensors`, what `torch.save` writes (`.pth`, `.pt`) and libtorch's own archives (`.ot`), and tells
//! them apart by their content. Both of the latter are zip archives with a pickle, a program for a small stack machine
//! that builds a value; `pickle` is such a machine, which knows dictionaries, tuples and tensors and has no way to call
//! anything else.
//!
//! Nothing that a file says is believed. What is read from it, and what is allocated for it, is taken from one
//! `Allowance` of eight times the file's size and 16 MiB, before it is allocated; the zip archive's own directory takes
//! up to ten times its size beside it. All work is linear in the file's size and that allowance.

mod allowance;
mod container;
mod content;
mod element;
mod error;
mod pickle;
mod safetensors;
mod script;
mod state;
mod tensor;

use bytes::Bytes;
use models::Weight;

use allowance::Allowance;
use container::Container;
use content::Content;
pub use element::Element;
pub use error::{ArchiveError, Found};

/// Name of the tensor in an `.ot`, or of the entry in a `.safetensors` header, that holds our metadata.
pub const METADATA: &str = "metadata";

/// Who wrote a file, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A `.safetensors`.
    Safetensors,
    /// Python's `torch.save`: a state_dict, or a dictionary that holds one.
    PyTorch,
    /// libtorch's archive of named tensors, as our `.ot`, or what `torch.jit.save` writes.
    LibTorch,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// Who wrote it.
    pub kind: Kind,
    /// The JSON that our own files carry, unread: any text may stand there.
    pub metadata: Option<String>,
    /// The tensors as 32-bit floats, in the file's order, names as PyTorch writes them. What is stored so, row by row and
    /// not compressed, shares the file's bytes.
    pub tensors: Vec<Weight>,
    /// Those that were stored as other numbers. Only [`Element::is_exact`] ones have the very same values now.
    pub converted: Vec<(String, Element)>,
    /// Where in the file's dictionaries the tensors stood, joined by dots; none if they are all that is in it.
    pub key: Option<String>,
    /// Names beside them that hold no tensor: a number, a text.
    pub skipped: Vec<String>,
}

/// Reads a file of any kind. `key` names a dictionary in a file that holds several.
///
/// # Errors
/// See [`ArchiveError`]; the messages go behind the path, which the caller knows.
pub fn read(file: Bytes, key: Option<&str>) -> Result<Contents, ArchiveError> {
    let mut allowance = Allowance::of(file.len());
    match content::tell(&file)? {
        Content::Safetensors => match key {
            Some(key) => Err(ArchiveError::NoDictionaries { key: error::shown(key) }),
            None => safetensors::read(&file, &mut allowance),
        },
        Content::Zip => read_zip(file, key, &mut allowance),
    }
}

fn read_zip(file: Bytes, key: Option<&str>, allowance: &mut Allowance) -> Result<Contents, ArchiveError> {
    let mut container = Container::open(file)?;
    let pickle = pickle::read(container.pickle(allowance)?, allowance)?;
    let is_script = container.is_script();
    let chosen = match (is_script, key) {
        (true, Some(key)) => return Err(ArchiveError::NoDictionaries { key: error::shown(key) }),
        (true, None) => script::tensors(&pickle, allowance)?,
        (false, key) => state::choose(&pickle, key, allowance)?,
    };
    container.refuse_big_endian(allowance)?;
    let mut tensors = tensor::Tensors::new(&pickle, &mut container, allowance);
    let mut metadata = None;
    for (name, tensor) in chosen.tensors {
        if is_script && name == METADATA && tensors.element(tensor) == Some(Element::U8) {
            metadata = Some(tensors.text(&name, tensor)?);
        } else {
            tensors.read(name, tensor)?;
        }
    }
    let kind = if is_script { Kind::LibTorch } else { Kind::PyTorch };
    let (tensors, converted) = tensors.finish()?;
    Ok(Contents { kind, metadata, tensors, converted, key: chosen.key, skipped: chosen.skipped })
}
