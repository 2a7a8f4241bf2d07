//! libtorch's side.

use std::time::{Duration, Instant};

use models_torch::{Module, Precision};
use tch::{Kind, TchError, Tensor, no_grad};

use super::cases::Case;

/// An output with the time that it took.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) values: Vec<f32>,
    pub(super) time: Duration,
}

/// What a network makes of an input.
pub(super) fn output(module: &Module, case: &Case) -> Result<Timed, TchError> {
    let start = Instant::now();
    let output = no_grad(|| module.forward(&input(module, case)?))?;
    Ok(Timed { values: numbers(&output)?, time: start.elapsed() })
}

/// What it makes of it with convolutions in 16 bits. Most CPUs have no such arithmetic, and ONNX Runtime then computes a
/// file in 32; whether the network stands 16 bits on a card that has them, as a sum beyond 65504 does not, is seen here.
pub(super) fn output_in_16_bits(module: &Module, case: &Case) -> Result<Vec<f32>, TchError> {
    no_grad(|| numbers(&module.forward_in(Precision::F16, &input(module, case)?)?))
}

/// What it makes of it in 64-bit floats, which round nothing that counts here.
pub(super) fn exact_output(module: &Module, case: &Case) -> Result<Vec<f32>, TchError> {
    no_grad(|| numbers(&module.forward(&input(module, case)?.f_to_kind(Kind::Double)?)?))
}

/// The same of an input that is off by what 32-bit floats round.
pub(super) fn shaken_output(module: &Module, case: &Case) -> Result<Vec<f32>, TchError> {
    let input = input(module, case)?.f_to_kind(Kind::Double)?;
    no_grad(|| numbers(&module.forward(&models_torch::shaken(&input)?)?))
}

fn input(module: &Module, case: &Case) -> Result<Tensor, TchError> {
    let [batch, height, width] = case.shape;
    tensor(&case.values, [batch, module.network().channels, height, width])
}

/// Numbers as a tensor.
pub(super) fn tensor(values: &[f32], shape: [usize; 4]) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(values)?.f_view(shape.map(|side| side as i64))
}

/// A tensor's numbers as 32-bit floats.
pub(super) fn numbers(output: &Tensor) -> Result<Vec<f32>, TchError> {
    let output = output.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut values = vec![0.0; output.numel()];
    output.f_copy_data(&mut values, output.numel())?;
    Ok(values)
}
