//! Adam (Kingma and Ba 2015, arXiv 1412.6980) over one flat tensor.

use tch::{TchError, Tensor, no_grad};

const BETA_1: f64 = 0.5; // Zhu et al. 2017, appendix 7.1
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The state of Adam for the weights of one network.
#[derive(Debug)]
pub(crate) struct Adam {
    mean: Tensor,
    square: Tensor,
}

impl Adam {
    /// The state before the first update of `weights`, which is flat.
    pub(crate) fn new(weights: &Tensor) -> Result<Self, TchError> {
        Ok(Self { mean: weights.f_zeros_like()?, square: weights.f_zeros_like()? })
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
            let gradient = Tensor::f_cat(&parts, 0)?;
            let mean = self.mean.f_lerp_(&gradient, 1.0 - BETA_1)?;
            let square = self.square.f_lerp_(&gradient.f_square()?, 1.0 - BETA_2)?;
            let unbias = |beta: f64| 1.0 - beta.powf(update as f64);
            let (unbias_mean, unbias_square) = (unbias(BETA_1), unbias(BETA_2));
            let deviation = square.f_sqrt()?.f_div_scalar_(unbias_square.sqrt())?.f_add_scalar_(EPSILON)?;
            let direction = mean.f_div(&deviation)?.f_mul_scalar_(-rate / unbias_mean)?;
            weights.shallow_clone().f_add_(&direction).map(drop)
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
}
