//! Pictures for training: found, ordered, decoded ahead of the step and brought to the training size.

pub(crate) mod augment;
mod cache;
mod fingerprint;
pub(crate) mod loader;
mod order;
mod scene;
mod set;
pub(crate) mod write;

pub(crate) use fingerprint::fingerprint;
pub(crate) use set::{DataError, DataSet, Pictures, Split};
