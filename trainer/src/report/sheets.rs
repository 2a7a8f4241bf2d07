//! Sample sheets as parts of the page.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::Path;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pictures::Picture;
use serde::Serialize;

use crate::run_directory::{SAMPLES, sheet_path, sheet_step};

/// Sheets that a page holds. More make it slow to load again, and no one looks at each.
const MOST_SHEETS: usize = 40;
/// Wider sheets are made smaller: a screen shows no more.
const WIDEST: u32 = 1280;
/// Good to look at, a tenth of the bytes of a PNG file.
const JPEG_QUALITY: u8 = 85;
/// A PNG file this small goes in as it is: enlarged on the screen, JPEG's blocks would show.
const SMALL_BYTES: usize = 100_000;

/// The sheets of a run, each encoded once.
#[derive(Debug, Default)]
pub(super) struct Sheets {
    encoded: BTreeMap<u64, Sheet>,
}

/// One sheet as the page holds it.
#[derive(Debug, Serialize)]
pub(super) struct Sheet {
    step: u64,
    width: u32,
    height: u32,
    /// A data URI.
    source: String,
}

impl Sheets {
    /// The sheets to show of those that a run directory holds now, the earliest first. `damaged` hears of the step of one
    /// that cannot be shown, and why.
    pub(super) fn read(&mut self, run: &Path, mut damaged: impl FnMut(u64, String)) -> anyhow::Result<Vec<&Sheet>> {
        let shown = chosen(&steps(run)?);
        self.encoded.retain(|step, _| shown.contains(step));
        for &step in &shown {
            if let Entry::Vacant(place) = self.encoded.entry(step) {
                match encode(step, &sheet_path(run, step)) {
                    Ok(sheet) => drop(place.insert(sheet)),
                    Err(error) => damaged(step, format!("{error:#}; left out")),
                }
            }
        }
        Ok(self.encoded.values().collect())
    }
}

fn steps(run: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs_err::read_dir(run.join(SAMPLES)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut steps = Vec::new();
    for entry in entries {
        steps.extend(sheet_step(run, &entry?.path()));
    }
    steps.sort_unstable();
    Ok(steps)
}

/// Every one, every second, every fourth, … so that it is few enough; and the last. The distances are powers of two so
/// that a sheet that was chosen once stays chosen, or is left out for good: none is encoded twice.
fn chosen(steps: &[u64]) -> Vec<u64> {
    let mut distance = 1;
    while steps.len().div_ceil(distance) >= MOST_SHEETS && steps.len() > MOST_SHEETS {
        distance *= 2;
    }
    let mut chosen: Vec<u64> = steps.iter().step_by(distance).copied().collect();
    chosen.extend(steps.last());
    chosen.dedup();
    chosen
}

fn encode(step: u64, path: &Path) -> anyhow::Result<Sheet> {
    let png = fs_err::read(path)?;
    let sheet = pictures::read(path).with_context(|| path.display().to_string())?;
    let (width, height) = sheet.dimensions();
    let (kind, bytes) = match png.len() {
        ..=SMALL_BYTES => ("png", png),
        _ => ("jpeg", pictures::encode_jpeg(&smaller(sheet), JPEG_QUALITY)?),
    };
    Ok(Sheet { step, width, height, source: format!("data:image/{kind};base64,{}", STANDARD.encode(bytes)) })
}

fn smaller(sheet: Picture) -> Picture {
    let (width, height) = sheet.dimensions();
    match width {
        ..=WIDEST => sheet,
        _ => pictures::resize(&sheet, WIDEST, (height * WIDEST).div_ceil(width)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use program::files::write_whole;

    #[test]
    fn sheets_are_thinned_evenly_and_the_first_and_last_stay() {
        for count in [0, 1, 2, 39, 40, 41, 79, 80, 81, 533, 10_000] {
            let steps: Vec<u64> = (0..count).map(|index| index * 500).collect();
            let chosen = chosen(&steps);
            assert!(chosen.len() <= MOST_SHEETS, "{count}: {}", chosen.len());
            assert_eq!((chosen.first(), chosen.last()), (steps.first(), steps.last()), "{count}");
            assert!(chosen.is_sorted() && (count <= 40) == (chosen.len() as u64 == count), "{count}");
        }
    }

    #[test]
    fn a_sheet_is_encoded_once_and_a_large_one_as_jpeg() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |step: u64, side: u32| {
            let noise = Picture::from_fn(side, side, |x, y| {
                let hash = (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761);
                [hash as u8, (hash >> 8) as u8, (hash >> 16) as u8].into()
            });
            let png = pictures::encode(&noise, pictures::Format::Png).expect("small");
            write_whole(&sheet_path(folder.path(), step), &png).expect("writable");
        };
        write(0, 16);
        write(500, 300);
        let mut sheets = Sheets::default();
        let kinds = |sheets: Vec<&Sheet>| {
            sheets.iter().map(|sheet| sheet.source.split(';').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let none = |step, message| panic!("{step}: {message}");
        assert_eq!(kinds(sheets.read(folder.path(), none).expect("readable")), ["data:image/png", "data:image/jpeg"]);
        write_whole(&sheet_path(folder.path(), 0), b"damaged").expect("writable");
        assert_eq!(sheets.read(folder.path(), none).expect("readable").len(), 2, "it is not read again");
        write_whole(&sheet_path(folder.path(), 1000), b"damaged").expect("writable");
        fs_err::write(folder.path().join(SAMPLES).join("7.png"), b"no sheet").expect("writable");
        let mut damaged = Vec::new();
        let shown = sheets.read(folder.path(), |step, message| damaged.push((step, message))).expect("readable").len();
        assert_eq!((shown, damaged.len(), damaged[0].0), (2, 1, 1000));
        assert!(damaged[0].1.contains("001000.png"), "{}", damaged[0].1);
    }
}
