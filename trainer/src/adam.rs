//! Adam (Kingma and Ba 2015, arXiv 1412.6980) over one flat tensor.

use tch::{TchError, Tensor, no_grad};

const BETA_1: f64 = 0.5; // Zhu et al. 2017, appendix 7.1
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Numbers that a CPU works on at a time. All that an update touches of so many stays in the processor's cache, 5 MB,
/// instead of going through memory in each of its operations. A GPU takes all at once: there, starting an operation costs.
const CPU_BLOCK: i64 = 1 << 18;

/// The state of Adam for the weights of one network.
#[derive(Debug)]
pub(crate) struct Adam {
    mean: Tensor,
    square: Tensor,
    /// Room for the gradient and for what lies between operations: memory fresh from the system costs a CPU more than the
    /// arithmetic.
    gradient: Tensor,
    between: Tensor,
}

impl Adam {
    /// The state before the first update of `weights`, which is flat.
    pub(crate) fn new(weights: &Tensor) -> Result<Self, TchError> {
        let block = if weights.device().is_cuda() { weights.size1()? } else { CPU_BLOCK.min(weights.size1()?) };
        let zeros = || weights.f_zeros_like();
        let between = weights.f_narrow(0, 0, block)?.f_zeros_like()?;
        Ok(Self { mean: zeros()?, square: zeros()?, gradient: zeros()?, between })
    }

    /// Both moments, flat as the weights are: all that it remembers.
    pub(crate) fn moments(&self) -> [&Tensor; 2] {
        [&self.mean, &self.square]
    }

    /// Moves `weights` against the gradients of its parts, in their order. `update` counts from 1.
    pub(crate) fn update(
        &mut self,
        weights: &Tensor,
        gradients: &[Tensor],
        rate: f64,
        update: u64,
    ) -> Result<(), TchError> {
        no_grad(|| {
            let parts: Vec<Tensor> = gradients.iter().map(|part| part.f_reshape([-1])).collect::<Result<_, _>>()?;
            let gradient = Tensor::f_cat_out(&self.gradient, &parts, 0)?;
            let unbias = |beta: f64| 1.0 - beta.powf(update as f64);
            let (unbias_mean, unbias_square) = (unbias(BETA_1), unbias(BETA_2));
            // weights -= rate · (mean / unbias_mean) / (√(square / unbias_square) + ε), its factors gathered below.
            let factor = -unbias_mean / rate;
            let (count, block) = (weights.size1()?, self.between.size1()?);
            for start in (0..count).step_by(block as usize) {
                let length = block.min(count - start);
                let part = |tensor: &Tensor| tensor.f_narrow(0, start, length);
                let (gradient, between) = (part(&gradient)?, self.between.f_narrow(0, 0, length)?);
                let mean = part(&self.mean)?.f_lerp_(&gradient, 1.0 - BETA_1)?;
                let square = part(&self.square)?.f_lerp_(&gradient.f_square_out(&between)?, 1.0 - BETA_2)?;
                let mut deviation = square.f_sqrt_out(&between)?.f_mul_scalar_(factor / unbias_square.sqrt())?;
                let _moved = part(weights)?.f_addcdiv_(&mean, &deviation.f_add_scalar_(factor * EPSILON)?)?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the paper's algorithm 1 in float64, on the gradients 1, -2, 3, … of a single weight.
    #[test]
    fn updates_follow_the_paper() {
        let weights = Tensor::from_slice(&[0.5_f32]);
        let mut adam = Adam::new(&weights).expect("small");
        let (mut expected, mut mean, mut square) = (0.5_f64, 0.0, 0.0);
        for t in 1..=20 {
            let gradient = f64::from(t) * if t % 2 == 0 { -1.0 } else { 1.0 };
            adam.update(&weights, &[Tensor::from_slice(&[gradient as f32])], 0.01, t as u64).expect("small");
            mean = BETA_1 * mean + (1.0 - BETA_1) * gradient;
            square = BETA_2 * square + (1.0 - BETA_2) * gradient * gradient;
            let (mean, square): (f64, f64) = (mean / (1.0 - BETA_1.powi(t)), square / (1.0 - BETA_2.powi(t)));
            expected -= 0.01 * mean / (square.sqrt() + EPSILON);
        }
        let found = weights.double_value(&[0]);
        assert!((found - expected).abs() < 1e-6, "{found} against {expected}");
    }

    #[test]
    fn blocks_make_no_difference() {
        let weights = Tensor::zeros([2 * CPU_BLOCK + 3], (tch::Kind::Float, tch::Device::Cpu));
        let mut adam = Adam::new(&weights).expect("small");
        for (update, gradient) in (1..).zip([1.0, -2.0, 0.5]) {
            let gradients = [CPU_BLOCK + 1, CPU_BLOCK + 2].map(|count| weights.narrow(0, 0, count).full_like(gradient));
            adam.update(&weights, &gradients, 0.01, update).expect("small");
        }
        let [least, most] = [weights.min(), weights.max()].map(|weight| weight.double_value(&[]));
        assert!(least == most && least != 0.0, "{least} to {most}");
    }
}
