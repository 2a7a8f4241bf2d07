//! Whether a data set is still the one that a run began with.

use sha2::{Digest, Sha256};

use super::{DataSet, Pictures};

/// A hash over all pictures in their order, which is what a run's draws refer to: names and sizes in bytes of files, and
/// how scenes are drawn. A data set that was moved keeps it; one with a picture more or less, or with one that was edited,
/// does not. Test pictures count too: which networks are kept as the best depends on them.
pub(crate) fn fingerprint(data: &DataSet) -> String {
    let mut hash = Sha256::new();
    for side in data.train.iter().chain(data.test.iter().flatten()) {
        hash.update((side.len() as u64).to_le_bytes());
        match side {
            Pictures::Files { paths, .. } => {
                for path in paths {
                    hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
                    hash.update([0]);
                    // One that is gone, or cannot be looked at, is said when it is read.
                    hash.update(std::fs::metadata(path).map_or(0, |metadata| metadata.len()).to_le_bytes());
                }
            }
            Pictures::Scenes { seed, first, count, striped } => {
                hash.update(format!("scenes {seed} {first} {count} {striped}"));
            }
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
        assert_ne!(fingerprint(&whole), fingerprint(&DataSet { test: None, ..whole.clone() }), "nothing is measured");
    }

    #[test]
    fn a_data_set_may_be_moved_but_not_changed_in_place() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let of = |name: &str| fingerprint(&DataSet::in_folder(&folder.path().join(name)).expect("two sides"));
        for side in ["trainA", "trainB"] {
            fs_err::create_dir_all(folder.path().join("here").join(side)).expect("writable");
            fs_err::write(folder.path().join("here").join(side).join("1.png"), b"a picture").expect("writable");
        }
        let before = of("here");
        fs_err::rename(folder.path().join("here"), folder.path().join("there")).expect("renamable");
        assert_eq!(of("there"), before);
        fs_err::write(folder.path().join("there/trainA/1.png"), b"another picture").expect("writable");
        assert_ne!(of("there"), before);
    }
}
