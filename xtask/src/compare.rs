//! How far pictures are from the truth: `cargo xtask compare`, and the demo's numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Flags of `cargo xtask compare`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Folder of pictures, such as what `infer` wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Folder with the truth under the same names; the endings may differ
    #[arg(value_name = "TRUTH")]
    truth: PathBuf,
    /// Folder of pictures before translation, compared with the truth too
    #[arg(long, value_name = "INPUT")]
    before: Option<PathBuf>,
}

/// Pictures of a folder by their path in it without the ending.
type ByName = BTreeMap<PathBuf, PathBuf>;

/// How far the pictures of two folders are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// Mean absolute difference over all pictures, in [0, 255].
    pub(crate) mean_l1: f64,
    /// Pictures compared.
    pub(crate) pictures: usize,
    /// Pictures of either folder that the other has nothing for.
    pub(crate) alone: usize,
}

/// `cargo xtask compare`: a line to stdout.
#[expect(clippy::print_stdout, reason = "the result")]
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let after = compare(&arguments.folder, &arguments.truth)?;
    if after.alone > 0 {
        eprintln!("{} pictures of either folder have no counterpart and are not compared", after.alone);
    }
    let before = arguments.before.as_ref().map(|before| compare(before, &arguments.truth)).transpose()?;
    if before.is_some_and(|before| before.pictures != after.pictures) {
        eprintln!("the folder before translation has counterparts for another number of pictures");
    }
    let before = before.map_or(String::new(), |before| format!(", before {:.2}", before.mean_l1));
    println!("mean L1 {:.2}{before} in [0, 255], {} pictures", after.mean_l1, after.pictures);
    Ok(())
}

/// Compares the pictures of two folders that have the same name up to the ending.
pub(crate) fn compare(folder: &Path, truth: &Path) -> Result<Comparison> {
    let (pictures, truths) = (by_name(folder)?, by_name(truth)?);
    let (mut sum, mut compared) = (0.0, 0);
    for (name, picture) in &pictures {
        if let Some(truth) = truths.get(name) {
            sum += mean_l1(picture, truth)?;
            compared += 1;
        }
    }
    if compared == 0 {
        let some = |names: &ByName| names.values().next().map_or("none".into(), |path| path.display().to_string());
        bail!(
            "no picture below {} has the name of one below {} (the first: {} and {}): the same scene needs the same path in \
             both, up to the ending",
            folder.display(),
            truth.display(),
            some(&pictures),
            some(&truths)
        );
    }
    let alone = pictures.len() + truths.len() - 2 * compared;
    Ok(Comparison { mean_l1: sum / compared as f64, pictures: compared, alone })
}

fn mean_l1(picture: &Path, truth: &Path) -> Result<f64> {
    let read = |path: &Path| pictures::read(path).with_context(|| path.display().to_string());
    pictures::mean_l1(&read(picture)?, &read(truth)?).with_context(|| {
        format!("{} and {} cannot be compared; pictures of one size are needed", picture.display(), truth.display())
    })
}

fn by_name(folder: &Path) -> Result<ByName> {
    let mut names = ByName::new();
    for path in pictures::find(folder)? {
        let name = path.strip_prefix(folder).expect("it was found below it").with_extension("");
        if let Some(other) = names.insert(name, path.clone()) {
            bail!(
                "{} and {} have the same name up to the ending: which one is meant?",
                other.display(),
                path.display()
            );
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use pictures::{Format, Picture, encode};

    use super::*;

    fn write(folder: &Path, name: &str, format: Format, size: u32, value: u8) {
        let picture = Picture::from_pixel(size, size, [value; 3].into());
        let path = folder.join(name);
        fs_err::create_dir_all(path.parent().expect("it has one")).expect("writable");
        fs_err::write(path, encode(&picture, format).expect("a small picture")).expect("writable");
    }

    fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        write(&a, "one.png", Format::Png, 4, 10);
        write(&a, "deeper/two.png", Format::Png, 4, 100);
        (root, a, b)
    }

    #[test]
    fn pictures_are_matched_by_path_up_to_the_ending() {
        let (_root, a, b) = folders();
        write(&b, "one.bmp", Format::Bmp, 4, 20);
        write(&b, "deeper/two.png", Format::Png, 4, 70);
        write(&b, "two.png", Format::Png, 4, 0);
        let comparison = compare(&a, &b).expect("they match");
        assert_eq!(comparison, Comparison { mean_l1: 20.0, pictures: 2, alone: 1 });
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        let (root, a, b) = folders();
        let error = |b: &Path| format!("{:#}", compare(&a, b).expect_err("it cannot be compared"));
        assert!(error(&root.path().join("missing")).contains("cannot list"), "{}", error(&root.path().join("missing")));
        write(&b, "three.png", Format::Png, 4, 0);
        assert!(error(&b).contains("no picture below") && error(&b).contains("three.png"), "{}", error(&b));
        write(&b, "one.png", Format::Png, 8, 0);
        assert!(error(&b).contains("4×4, the other 8×8"), "{}", error(&b));
        write(&b, "one.bmp", Format::Bmp, 4, 0);
        assert!(error(&b).contains("which one is meant"), "{}", error(&b));
    }
}
