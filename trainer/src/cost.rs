//! What an update costs, from the networks' shapes.

use models::parameters;
use models::shapes::{ShapeError, check_size, trace};

use crate::data::loader::AHEAD;
use crate::settings::Settings;

/// Passes through a network in one update, for one picture of each side. A generator translates, cycles and, for the
/// identity losses, keeps one picture; a discriminator judges a fake for its generator, then a real one and a fake for
/// itself.
const PASSES: f64 = 3.0;
/// A backward pass costs about two forward ones.
const FORWARD_AND_BACKWARD: f64 = 3.0;

/// The cost of an update.
#[derive(Debug)]
pub(crate) struct Cost {
    /// Of a generator and of a discriminator.
    pub(crate) parameters: [u64; 2],
    /// Of all networks, forward and backward.
    pub(crate) multiply_adds: f64,
    /// Memory that it needs.
    pub(crate) bytes: f64,
    /// The part of it that no way to compute can do without: weights, their moments, and one batch of pictures.
    pub(crate) least_bytes: f64,
}

impl Cost {
    /// The cost of one update.
    ///
    /// # Errors
    /// If the training size does not fit a network.
    pub(crate) fn of(settings: &Settings) -> Result<Self, ShapeError> {
        let Settings { size, batch, .. } = *settings;
        let networks = [settings.generator_network(), settings.discriminator_network()];
        check_size(&networks[0], size, size)?;
        let pictures = 2.0 * 3.0 * 4.0 * batch as f64 * (size as f64).powi(2);
        // Both pools, and the batches that are decoded ahead.
        let kept = pictures / batch as f64 * settings.pool as f64 + pictures * AHEAD as f64;
        let mut cost = Self { parameters: [0; 2], multiply_adds: 0.0, bytes: kept, least_bytes: pictures };
        for (kind, network) in networks.iter().enumerate() {
            let trace = trace(network, size, size)?;
            let parameters = parameters::count(&parameters::table(network)) as f64;
            cost.parameters[kind] = parameters as u64;
            let left_out = if kind == 0 && settings.identity_weight == 0.0 { 1.0 } else { 0.0 };
            let passes = 2.0 * (PASSES - left_out) * batch as f64; // two networks of the kind
            cost.multiply_adds += passes * FORWARD_AND_BACKWARD * trace.multiply_adds() as f64;
            // Outputs that the backward pass needs; weights, gradient in parts and in one, and Adam's two moments.
            let copies = if kind == 0 && settings.ema > 0.0 { 6.0 } else { 5.0 };
            let weights = 4.0 * 2.0 * copies * parameters;
            cost.bytes += 4.0 * passes * trace.activations() as f64 + weights;
            cost.least_bytes += weights;
        }
        Ok(cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::small;

    #[test]
    fn what_is_not_computed_and_not_kept_costs_nothing() {
        let whole = Cost::of(&small()).expect("it fits");
        let without_identity = Cost::of(&Settings { identity_weight: 0.0, ..small() }).expect("it fits");
        assert!(without_identity.multiply_adds < whole.multiply_adds && without_identity.bytes < whole.bytes);
        let without_pool = Cost::of(&Settings { pool: 0, ..small() }).expect("it fits");
        assert_eq!(whole.bytes - without_pool.bytes, 2.0 * 50.0 * 3.0 * 16.0 * 16.0 * 4.0, "two pools of 50 pictures");
        assert!(whole.least_bytes < whole.bytes);
    }
}
