//! All that is `unsafe`: vector instructions, functions compiled for a processor that has them, and one output that many
//! tasks write. What stands outside of this module cannot reach memory that is not its own, whatever it does.

mod bands;
mod vector;

pub(crate) use bands::{Band, Bands};
pub use vector::Machine;
pub(crate) use vector::{Vector, Work, dispatch};
