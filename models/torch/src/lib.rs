//! The networks on libtorch: forward, first weights, and strict files (`.ot`, `.safetensors`).

mod device;
mod file;
mod forward;
mod weights;

pub use device::{DeviceError, device};
pub use file::{FileError, Format, SavedNetwork, encode, read, saved};
pub use forward::{Computed, Module, Precision, shaken};
pub use weights::{Weights, tensor_bytes};
