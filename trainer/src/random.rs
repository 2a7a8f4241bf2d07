//! Random draws from generators of our own, keyed by what they are for: libtorch's state could not be saved, ours need not be.

use rand::SeedableRng;
use rand_pcg::Pcg64;
use sha2::{Digest, Sha256};

/// What draws are for. Each purpose has a stream of its own, so that one more draw here moves nothing there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// First weights of a network, by its number.
    Weights,
    /// Order of the pictures of a side in a pass over it.
    Order,
    /// Crop and flip of one picture.
    Augmentation,
    /// Which earlier fake a pool gives in an update.
    Pool,
    /// What a built-in scene shows.
    Scene,
}

/// The generator for one purpose. Its state follows from the seed, the purpose and the indices alone, so that what is
/// drawn for step 1000 does not depend on whether steps 1 to 999 ran in this process.
pub(crate) fn generator(seed: u64, purpose: Purpose, indices: [u64; 2]) -> Pcg64 {
    let mut hash = Sha256::new();
    for number in [seed, purpose as u64, indices[0], indices[1]] {
        hash.update(number.to_le_bytes());
    }
    Pcg64::from_seed(hash.finalize().into())
}
