//! The networks of CycleGAN (Zhu et al. 2017, arXiv 1703.10593) as data, and what every artefact says about itself.
//!
//! A [`Network`] is a value: a tree of typed [`Layer`]s that can be stored, compared and printed. Whoever needs to do
//! something with it — run it, export it, count it — implements [`Backend`] and hands it to [`fold`], which walks the
//! tree once. There are four: libtorch tensors (`models-torch`), ONNX nodes (`models-onnx`), [`shapes`] and the
//! [`parameters`] table. This crate links no native library.
//!
//! # Adding a layer
//!
//! Add a variant to [`Layer`] and build; the compiler then lists the four places that must say what it means. Add it
//! to the random layers of `tests/tests/layers.rs` too, where libtorch and ONNX Runtime are held against each other
//! and against a naive reference.

mod assumption;
pub mod families;
mod fold;

mod layer;
mod metadata;
pub mod parameters;
pub mod pixels;
pub mod recognise;
pub mod shapes;
mod weight;

pub use assumption::{Assumption, Source};
pub use fold::{Backend, fold};
pub use layer::{Join, Layer, Network, Pads};
pub use metadata::{FORMAT_VERSION, Metadata, MetadataError, Role};
pub use weight::{Weight, WeightsError, check_weights, weights_hash};
