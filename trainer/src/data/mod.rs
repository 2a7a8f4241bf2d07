//! Pictures for training: fetched or found, ordered, decoded ahead of the step and brought to the training size.

pub(crate) mod augment;
mod cache;
mod catalogue;
mod check;
mod command;
mod fetch;
mod fingerprint;
pub(crate) mod loader;
mod order;
mod places;
mod scene;
mod set;
mod unpack;
mod write;

pub use command::DatasetsAction;
pub(crate) use command::run;
pub(crate) use fingerprint::fingerprint;
pub(crate) use places::Places;
pub(crate) use set::{DataError, DataSet, Pictures, Split, name_of};
