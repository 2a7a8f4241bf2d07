//! An exponential moving average of weights (Polyak and Juditsky 1992; as in Karras et al. 2018, arXiv 1710.10196).

use tch::{TchError, Tensor, no_grad};

/// The average of one network's weights over its updates.
#[derive(Debug)]
pub(crate) struct Average {
    decay: f64,
    weights: Tensor,
}

impl Average {
    /// The average before the first update: the weights themselves.
    pub(crate) fn new(weights: &Tensor, decay: f64) -> Result<Self, TchError> {
        Ok(Self { decay, weights: weights.f_detach_copy()? })
    }

    /// The averaged weights, flat.
    pub(crate) fn weights(&self) -> &Tensor {
        &self.weights
    }

    /// Takes in the weights after an update, which counts from 1. Early averages are short, so that first weights are
    /// forgotten soon: after `t` updates the decay is at most (1 + t) / (10 + t).
    pub(crate) fn update(&mut self, weights: &Tensor, update: u64) -> Result<(), TchError> {
        let decay = self.decay.min((1.0 + update as f64) / (10.0 + update as f64));
        no_grad(|| self.weights.f_lerp_(weights, 1.0 - decay).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_follows_the_weights_and_forgets_the_first() {
        let weights = Tensor::from_slice(&[1.0_f32]);
        let mut average = Average::new(&Tensor::from_slice(&[100.0_f32]), 0.9).expect("small");
        let mut expected = 100.0;
        for t in 1..=200 {
            average.update(&weights, t).expect("small");
            let decay = 0.9_f64.min((1.0 + t as f64) / (10.0 + t as f64));
            expected = decay * expected + (1.0 - decay);
        }
        let found = average.weights().double_value(&[0]);
        assert!((found - expected).abs() < 1e-5 && (found - 1.0).abs() < 1e-3, "{found} against {expected}");
    }
}
