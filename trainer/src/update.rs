//! One update of all four networks.

use std::collections::BTreeMap;

use models::{Role, Weight};
use models_torch::Module;
use tch::{TchError, Tensor, no_grad};

use crate::adam::Adam;
use crate::average::Average;
use crate::objective::{LossWeights, Networks, discriminator_loss, generator_gradients, generator_losses};
use crate::pool::ImagePool;
use crate::random::{Purpose, generator};
use crate::settings::{Objective, Settings};

/// Names of the losses, in the order of [`Cyclegan::update`]'s numbers.
pub const LOSSES: [&str; 8] = ["adv_ab", "adv_ba", "cycle_a", "cycle_b", "id_a", "id_b", "d_a", "d_b"];

/// Names of both sides' pools.
const POOLS: [&str; 2] = ["pool_a", "pool_b"];

/// The networks with everything that an update needs besides pictures.
#[derive(Debug)]
pub struct Cyclegan {
    networks: Networks,
    adam: [Adam; 4],
    averages: Option<[Average; 2]>,
    pools: [ImagePool; 2],
    objective: Objective,
    weights: LossWeights,
    seed: u64,
    updates: u64,
}

impl Cyclegan {
    /// Networks before the first update, with first weights, or with those that `earlier` has for a role.
    ///
    /// # Errors
    /// If the device has no memory for them, or earlier weights are not the network's.
    pub fn new(
        settings: &Settings,
        device: tch::Device,
        earlier: &BTreeMap<Role, Vec<Weight>>,
    ) -> Result<Self, models_torch::FileError> {
        let module = |index, role: Role, network| {
            let module = match earlier.get(&role) {
                Some(weights) => Module::from_weights(network, weights, device)?,
                None => {
                    let mut random = generator(settings.seed, Purpose::Weights, [index, 0]);
                    Module::initialise(network, &mut random, device)?
                }
            };
            Ok::<_, models_torch::FileError>(module.with_precision(settings.precision.into()))
        };
        let networks = Networks {
            g_ab: module(0, Role::GAb, settings.generator_network())?,
            g_ba: module(1, Role::GBa, settings.generator_network())?,
            d_a: module(2, Role::DA, settings.discriminator_network())?,
            d_b: module(3, Role::DB, settings.discriminator_network())?,
        };
        let adam = |module: &Module| Adam::new(module.weights().flat());
        let average = |module: &Module| Average::new(module.weights().flat(), settings.ema);
        Ok(Self {
            adam: [adam(&networks.g_ab)?, adam(&networks.g_ba)?, adam(&networks.d_a)?, adam(&networks.d_b)?],
            averages: if settings.ema > 0.0 {
                Some([average(&networks.g_ab)?, average(&networks.g_ba)?])
            } else {
                None
            },
            networks,
            pools: [0, 1].map(|_side| ImagePool::new(settings.pool)),
            objective: settings.objective,
            weights: LossWeights { cycle: settings.cycle_weight, identity: settings.identity_weight },
            seed: settings.seed,
            updates: 0,
        })
    }

    /// The networks.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// The averaged generators, `g_ab` and `g_ba`, where averages are kept.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn averaged(&self) -> Result<Option<[Module; 2]>, TchError> {
        let Some([ab, ba]) = &self.averages else { return Ok(None) };
        let Networks { g_ab, g_ba, .. } = &self.networks;
        Ok(Some([g_ab.with_flat_weights(ab.weights())?, g_ba.with_flat_weights(ba.weights())?]))
    }

    /// Updates made.
    pub fn updates(&self) -> u64 {
        self.updates
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
        let update = self.updates + 1;
        adam_ab.update(networks.g_ab.weights().flat(), &of_ab, rate, update)?;
        adam_ba.update(networks.g_ba.weights().flat(), &of_ba, rate, update)?;
        if let Some([ab, ba]) = &mut self.averages {
            ab.update(networks.g_ab.weights().flat(), update)?;
            ba.update(networks.g_ba.weights().flat(), update)?;
        }

        let [pool_a, pool_b] = &mut self.pools;
        // Keyed by the update, so that a checkpoint needs no state of a generator.
        let draws = |side| generator(self.seed, Purpose::Pool, [side, self.updates]);
        let d_a = discriminator_loss(&networks.d_a, a, &pool_a.exchange(&losses.fake_a, &mut draws(0))?)?;
        let d_b = discriminator_loss(&networks.d_b, b, &pool_b.exchange(&losses.fake_b, &mut draws(1))?)?;
        for (loss, network, adam) in [(&d_a, &networks.d_a, adam_a), (&d_b, &networks.d_b, adam_b)] {
            let weights = network.weights();
            let gradients = Tensor::f_run_backward(&[loss], weights.views(), false, false)?;
            adam.update(weights.flat(), &gradients, rate, update)?;
        }
        self.updates = update;

        let [id_a, id_b] = losses.identity.unwrap_or_else(|| [d_a.zeros_like(), d_a.zeros_like()]);
        let all = [losses.adv_ab, losses.adv_ba, losses.cycle_a, losses.cycle_b, id_a, id_b, d_a, d_b];
        Tensor::f_stack(&all.map(|loss| loss.detach()), 0) // [8]
    }

    /// Whether a network's weights are no numbers any more, and which. Waits for the device.
    ///
    /// # Errors
    /// libtorch's.
    pub fn not_finite(&self) -> Result<Option<&'static str>, TchError> {
        for (role, module) in self.networks.by_role() {
            if module.weights().flat().f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
                return Ok(Some(role.stem()));
            }
        }
        Ok(None)
    }

    /// All tensors that the next update depends on, by name: the state itself, not copies. A pool without pictures is
    /// left out.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>, TchError> {
        let mut state = self.fixed_state();
        for (name, pool) in POOLS.into_iter().zip(&self.pools) {
            state.extend(pool.pictures()?.map(|pictures| (name.to_owned(), pictures)));
        }
        Ok(state)
    }

    /// Goes on after `updates` updates with a state that [`Self::state`] gave then. All tensors of that name are taken out
    /// of `state`.
    ///
    /// # Errors
    /// A tensor that is missing or has another shape; this is then in no state to go on from.
    pub fn restore(&mut self, updates: u64, state: &mut BTreeMap<String, Tensor>) -> Result<(), StateError> {
        for (name, place) in self.fixed_state() {
            let saved = state.remove(&name).ok_or_else(|| StateError::Missing { name: name.clone() })?;
            let (saved_shape, shape) = (saved.size(), place.size());
            if saved_shape != shape {
                return Err(StateError::Shape { name, saved: saved_shape, shape });
            }
            no_grad(|| place.shallow_clone().f_copy_(&saved))?;
        }
        let device = self.networks.g_ab.weights().flat().device();
        for (name, pool) in POOLS.into_iter().zip(&mut self.pools) {
            if let Some(pictures) = state.remove(name) {
                pool.hold(&pictures.f_to_device(device)?)?;
            }
        }
        self.updates = updates;
        Ok(())
    }

    /// The part of the state whose shapes never change.
    fn fixed_state(&self) -> BTreeMap<String, Tensor> {
        let mut state = BTreeMap::new();
        for ((role, module), adam) in self.networks.by_role().into_iter().zip(&self.adam) {
            let [mean, square] = adam.moments();
            for (what, tensor) in [("weights", module.weights().flat()), ("adam_mean", mean), ("adam_square", square)] {
                state.insert(format!("{}.{what}", role.stem()), tensor.shallow_clone());
            }
        }
        for (role, average) in [Role::GAb, Role::GBa].into_iter().zip(self.averages.iter().flatten()) {
            state.insert(format!("{}.average", role.stem()), average.weights().shallow_clone());
        }
        state
    }
}

/// Why a saved state is not this run's.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A tensor is not there.
    #[error("it has no `{name}`")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor has another shape.
    #[error("its `{name}` is {saved:?}, these settings need {shape:?}")]
    Shape {
        /// Its name.
        name: String,
        /// As saved.
        saved: Vec<i64>,
        /// As needed.
        shape: Vec<i64>,
    },
    /// libtorch fails: no memory.
    #[error(transparent)]
    Torch(#[from] TchError),
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
            let mut cyclegan =
                Cyclegan::new(&Settings { precision, ..small() }, tch::Device::Cpu, &BTreeMap::new()).expect("small");
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

    #[test]
    fn a_restored_state_goes_on_to_the_last_bit() {
        for objective in [Objective::Separate, Objective::Joint] {
            let settings = Settings { objective, pool: 2, ema: 0.9, ..small() };
            let new = || Cyclegan::new(&settings, tch::Device::Cpu, &BTreeMap::new()).expect("small");
            let train = |cyclegan: &mut Cyclegan, n: i64| {
                let losses = cyclegan.update(&picture(2 * n + 1), &picture(2 * n + 2), 2e-4).expect("small");
                Vec::<f32>::try_from(losses).expect("eight numbers")
            };
            let (mut whole, mut resumed) = (new(), new());
            for n in 0..4 {
                train(&mut whole, n);
            }
            let copied =
                |state: BTreeMap<String, Tensor>| state.into_iter().map(|(name, tensor)| (name, tensor.copy()));
            let mut saved: BTreeMap<String, Tensor> = copied(whole.state().expect("small")).collect();
            resumed.restore(4, &mut saved).expect("its own state");
            assert!(saved.is_empty(), "all of it is used");
            for n in 4..9 {
                assert_eq!(train(&mut whole, n), train(&mut resumed, n), "update {n}, {objective:?}");
            }
            let [one, two] = [whole, resumed].map(|cyclegan| cyclegan.state().expect("small"));
            assert!(one.iter().all(|(name, tensor)| *tensor == two[name]));
        }
    }

    #[test]
    fn a_state_of_other_settings_is_refused_by_name() {
        let new = |settings: &Settings| Cyclegan::new(settings, tch::Device::Cpu, &BTreeMap::new()).expect("small");
        let state = |settings| new(&settings).state().expect("small");
        let error =
            new(&small()).restore(1, &mut state(Settings { width: 4, ..small() })).expect_err("wider").to_string();
        assert!(error.starts_with("its `d_a.adam_mean` is [") && error.contains("these settings need ["), "{error}");
        let error = new(&Settings { ema: 0.9, ..small() }).restore(1, &mut state(small())).expect_err("no average");
        assert_eq!(error.to_string(), "it has no `g_ab.average`");
    }
}
