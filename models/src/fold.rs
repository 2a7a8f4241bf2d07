//! The one walk over a network.

use crate::{Join, Layer};

/// What a walk over a network makes of its layers.
pub trait Backend {
    /// What flows between layers: a tensor, the name of one, a shape.
    type Value;
    /// Why a layer cannot be applied.
    type Error;

    /// A second handle on a value, for the carried side of a skip connection.
    fn share(&mut self, value: &Self::Value) -> Self::Value;

    /// Applies a layer that is not a [`Layer::Skip`]; the fold opens those itself.
    ///
    /// # Errors
    /// What the backend finds wrong with the layer or with its input.
    fn leaf(&mut self, layer: &Layer, input: Self::Value) -> Result<Self::Value, Self::Error>;

    /// Joins the output of a skip connection's body with what was carried around it.
    ///
    /// # Errors
    /// What the backend finds wrong with the two.
    fn join(&mut self, join: Join, body: Self::Value, carried: Self::Value) -> Result<Self::Value, Self::Error>;
}

/// Applies `layers` in order, and those inside skip connections in their place.
///
/// # Errors
/// The first error of the backend.
pub fn fold<B: Backend>(layers: &[Layer], backend: &mut B, input: B::Value) -> Result<B::Value, B::Error> {
    layers.iter().try_fold(input, |value, layer| match layer {
        Layer::Skip { body, join } => {
            let carried = backend.share(&value);
            let output = fold(body, backend, value)?;
            backend.join(*join, output, carried)
        }
        leaf => backend.leaf(leaf, value),
    })
}
