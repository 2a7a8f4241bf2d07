//! What `exporter` makes files for.

mod exactness;
mod matrix;
