//! What the tests that cross crates share: random problems, the runtimes on them, and a comparison worth reading.

mod closeness;
mod problem;
mod python;

pub use closeness::assert_close;
pub use problem::{Problem, on_onnx_runtime, on_torch, random_values};
pub use python::python_with_onnx;
