//! Kernels for the CPU that ONNX Runtime calls in the place of its own, and the rewriting of a graph that puts them there.
//!
//! ONNX Runtime multiplies as fast as the machine can, so these multiply less: `winograd` convolves 3×3 with a quarter of
//! the multiplications, `transposed` skips the zeros between and then does the same, `direct` adds no channels to few
//! ones, `norm` goes to memory once for what was two or three nodes. `rewrite` finds where they fit.

mod banded;
mod direct;
mod error;
mod layer;
mod norm;
mod operators;
mod padding;
mod raw;
mod rewrite;
mod scratch;
#[cfg(test)]
mod testing;
mod threads;
mod transposed;
mod winograd;

pub use error::KernelError;
pub use operators::DOMAIN;
pub use ort::operator::OperatorDomain;
pub use raw::Machine;
pub use rewrite::{ApplyError, CpuKernels, Decision, Plan, Rewritten};
