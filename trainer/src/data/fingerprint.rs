//! Whether a data set is still the one that a run began with.

use sha2::{Digest, Sha256};

use super::DataSet;

/// A hash over the names of all training pictures, in their order: what a run's draws refer to. A data set that was moved
/// keeps it, one with a picture more or less does not.
pub(crate) fn fingerprint(data: &DataSet) -> String {
    let mut hash = Sha256::new();
    for side in &data.train {
        hash.update((side.len() as u64).to_le_bytes());
        for index in 0..side.len() {
            hash.update(side.name(index));
            hash.update([0]);
        }
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_less_is_another_data_set() {
        let whole = DataSet::stripes(1);
        let mut fewer = DataSet::stripes(1);
        fewer.train[1] = fewer.train[0].clone();
        assert_eq!(fingerprint(&whole), fingerprint(&DataSet::stripes(1)));
        assert_ne!(fingerprint(&whole), fingerprint(&fewer));
    }
}
