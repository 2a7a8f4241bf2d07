//! One update of all four networks.

use models_torch::Module;
use tch::{TchError, Tensor};

use crate::adam::Adam;
use crate::objective::{LossWeights, Networks, discriminator_loss, generator_gradients, generator_losses};
use crate::pool::ImagePool;
use crate::random::{Purpose, generator};
use crate::settings::{Objective, Settings};

/// Names of the losses, in the order of [`Cyclegan::update`]'s numbers.
pub const LOSSES: [&str; 8] = ["adv_ab", "adv_ba", "cycle_a", "cycle_b", "id_a", "id_b", "d_a", "d_b"];

/// The networks with everything that an update needs besides pictures.
#[derive(Debug)]
pub struct Cyclegan {
    networks: Networks,
    adam: [Adam; 4],
    pool_a: ImagePool,
    pool_b: ImagePool,
    objective: Objective,
    weights: LossWeights,
}

impl Cyclegan {
    /// Networks with first weights, before the first update.
    ///
    /// # Errors
    /// If the device has no memory for them.
    pub fn new(settings: &Settings, device: tch::Device) -> Result<Self, TchError> {
        let module = |index, network| {
            let mut random = generator(settings.seed, Purpose::Weights, [index, 0]);
            let module = Module::initialise(network, &mut random, device)?;
            Ok::<_, TchError>(module.with_precision(settings.precision.into()))
        };
        let discriminators = || settings.discriminator.discriminator(settings.width);
        let networks = Networks {
            g_ab: module(0, settings.generator_network())?,
            g_ba: module(1, settings.generator_network())?,
            d_a: module(2, discriminators())?,
            d_b: module(3, discriminators())?,
        };
        let adam = |module: &Module| Adam::new(module.weights().flat());
        let pool = |side| ImagePool::new(settings.pool, generator(settings.seed, Purpose::Pool, [side, 0]));
        Ok(Self {
            adam: [adam(&networks.g_ab)?, adam(&networks.g_ba)?, adam(&networks.d_a)?, adam(&networks.d_b)?],
            networks,
            pool_a: pool(0),
            pool_b: pool(1),
            objective: settings.objective,
            weights: LossWeights { cycle: settings.cycle_weight, identity: settings.identity_weight },
        })
    }

    /// The networks.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// One update on pictures `[n, 3, h, w]` of both sides: the generators, then the discriminators on real pictures and
    /// on fakes from the pool. Gives the [`LOSSES`], still on the device.
    ///
    /// # Errors
    /// libtorch's: no memory.
    pub fn update(&mut self, a: &Tensor, b: &Tensor, rate: f64) -> Result<Tensor, TchError> {
        let networks = &self.networks;
        let losses = generator_losses(networks, a, b, self.weights)?;
        let [of_ab, of_ba] = generator_gradients(networks, &losses, self.objective, self.weights)?;
        let [adam_ab, adam_ba, adam_a, adam_b] = &mut self.adam;
        adam_ab.update(networks.g_ab.weights().flat(), &of_ab, rate)?;
        adam_ba.update(networks.g_ba.weights().flat(), &of_ba, rate)?;

        let d_a = discriminator_loss(&networks.d_a, a, &self.pool_a.exchange(&losses.fake_a)?)?;
        let d_b = discriminator_loss(&networks.d_b, b, &self.pool_b.exchange(&losses.fake_b)?)?;
        for (loss, network, adam) in [(&d_a, &networks.d_a, adam_a), (&d_b, &networks.d_b, adam_b)] {
            let weights = network.weights();
            let gradients = Tensor::f_run_backward(&[loss], weights.views(), false, false)?;
            adam.update(weights.flat(), &gradients, rate)?;
        }

        let [id_a, id_b] = losses.identity.unwrap_or_else(|| [d_a.zeros_like(), d_a.zeros_like()]);
        let all = [losses.adv_ab, losses.adv_ba, losses.cycle_a, losses.cycle_b, id_a, id_b, d_a, d_b];
        Tensor::f_stack(&all.map(|loss| loss.detach()), 0) // [8]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Precision;
    use crate::settings::tests::small;

    /// A pattern that differs from number to number.
    fn picture(number: i64) -> Tensor {
        let pixels = Tensor::arange(3 * 16 * 16, (tch::Kind::Float, tch::Device::Cpu)).view([1, 3, 16, 16]);
        (pixels * 0.37 * number as f64).sin()
    }

    #[test]
    fn bf16_trains_near_f32() {
        let losses = |precision| {
            let mut cyclegan = Cyclegan::new(&Settings { precision, ..small() }, tch::Device::Cpu).expect("small");
            let mut train = |n: i64| cyclegan.update(&picture(2 * n + 1), &picture(2 * n + 2), 2e-4).expect("small");
            let _first = train(0);
            train(1)
        };
        let [whole, half] = [Precision::F32, Precision::Bf16].map(losses);
        assert_eq!(half.kind(), tch::Kind::Float, "losses stay 32-bit floats");
        let difference = (&whole - &half).abs().max().double_value(&[]);
        assert!(difference > 0.0, "convolutions are computed in bf16");
        assert!(difference < 0.05, "{difference}: bf16 has 8 bits, losses here are near 1");
    }
}
