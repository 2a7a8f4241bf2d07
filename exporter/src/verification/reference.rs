//! libtorch's side.

use std::time::{Duration, Instant};

use models_torch::{Module, Precision};
use tch::{Kind, TchError, Tensor, no_grad};

use super::cases::Case;
use super::difference::Difference;

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

/// What a network of 64-bit floats, which round nothing that counts here, makes of it.
pub(super) fn exact_output(module: &Module, case: &Case) -> Result<Vec<f32>, TchError> {
    no_grad(|| numbers(&module.forward(&input(module, case)?.f_to_kind(Kind::Double)?)?))
}

/// Every layer's output, in the order of the shapes' trace, and how far it is from that of 64-bit floats.
pub(super) fn outputs(module: Module, case: &Case) -> Result<Vec<(Vec<f32>, f32)>, TchError> {
    let input = input(&module, case)?;
    let outputs = no_grad(|| module.outputs(&input))?;
    let exact = no_grad(|| module.into_double()?.outputs(&input.f_to_kind(Kind::Double)?))?;
    let one = |(output, exact): (&Tensor, &Tensor)| {
        let output = numbers(output)?;
        let rounding = Difference::of(&output, &numbers(exact)?).largest;
        Ok((output, rounding))
    };
    outputs.iter().zip(&exact).map(one).collect()
}

fn input(module: &Module, case: &Case) -> Result<Tensor, TchError> {
    let [batch, height, width] = case.shape;
    let shape = [batch, module.network().channels, height, width].map(|side| side as i64);
    Tensor::f_from_slice(&case.values)?.f_view(shape)
}

fn numbers(output: &Tensor) -> Result<Vec<f32>, TchError> {
    let output = output.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut values = vec![0.0; output.numel()];
    output.f_copy_data(&mut values, output.numel())?;
    Ok(values)
}
