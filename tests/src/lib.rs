//! What the tests that cross crates share: random problems, the runtimes on them, and a comparison worth reading.

mod closeness;
mod problem;

pub use closeness::assert_close;
pub use problem::{Problem, on_onnx_runtime, on_torch, random_values};
