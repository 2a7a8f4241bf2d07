//! The inputs that both runtimes compute.

use std::path::Path;

use anyhow::{Context, bail};
use models::{Network, pixels, shapes};
use models_onnx::{Io, Precision};
use pictures::Picture;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde::Serialize;

/// Pictures that are compared at most, evenly from all of a folder.
const MOST_PICTURES: usize = 8;
/// The least side of a faint input. On smaller ones the norms of a network's middle divide by the deviation of a few pixels,
/// and what they magnify would be rounding.
const FAINT_SIZE: usize = 64;
/// What a network was trained at where its file does not say.
const USUAL_SIZE: usize = 256;

/// What an input shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Each value drawn by itself: every weight takes part.
    Noise,
    /// The same with a hundredth of the contrast: the first norms divide by little, and their epsilon counts.
    Faint,
    /// A picture of the user's, by its name.
    Picture(String),
}

/// One input.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows.
    pub content: Content,
    /// Pictures, rows and columns.
    pub shape: [usize; 3],
    /// `[n, c, h, w]`, row by row.
    pub values: Vec<f32>,
}

impl Case {
    /// The input with the nearest numbers that a byte stands for.
    fn in_bytes(mut self) -> Self {
        self.values.iter_mut().for_each(|value| *value = pixels::to_float(pixels::to_byte(*value)));
        self
    }
}

/// What is compared: any number and size of pictures, or only what a file takes.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// Largest side, in pixels: beyond some size every layer only does more of the same.
    pub largest: usize,
    /// What goes in.
    pub io: Io,
    /// What convolutions compute in.
    pub precision: Precision,
    /// Pictures at once.
    pub batch: Option<usize>,
    /// Rows and columns.
    pub size: Option<[usize; 2]>,
}

/// The inputs for a network, small ones first: from the smallest size that it takes to the largest that is asked for, square
/// or not, one to three at once; and the user's pictures.
///
/// # Errors
/// If the tree contradicts itself, or there are no pictures to read where some are asked for.
pub fn cases(
    network: &Network,
    training_size: Option<usize>,
    accepted: Accepted,
    pictures: Option<&Path>,
) -> anyhow::Result<Vec<Case>> {
    let (multiple, smallest) = (shapes::size_multiple(network), shapes::smallest_size(network)?);
    let largest = (accepted.largest / multiple * multiple).max(smallest);
    let fit = |side: usize| side.clamp(smallest, largest).next_multiple_of(multiple);
    let training = fit(training_size.unwrap_or(USUAL_SIZE));
    let (half, quarter) = (fit(training / 2), fit(training / 4));
    let plan = [
        (Content::Noise, [1, smallest, smallest]),
        (Content::Noise, [3, smallest, smallest + 2 * multiple]),
        (Content::Noise, [3, quarter, quarter]),
        (Content::Noise, [2, half, fit(quarter + multiple)]),
        (Content::Faint, [1, fit(FAINT_SIZE), fit(FAINT_SIZE.max(half))]),
        (Content::Noise, [1, training, training]),
        (Content::Noise, [1, largest, largest]),
    ];
    let mut random = Pcg64::seed_from_u64(0);
    let mut cases: Vec<Case> = Vec::new();
    // Rounded to 16 bits, most of a faint input's contrast is noise.
    let in_16_bits = accepted.precision == Precision::F16 || accepted.io == Io::F16;
    for (content, [batch, height, width]) in plan {
        if in_16_bits && content != Content::Noise {
            continue;
        }
        // There a norm of few pixels magnifies what 16 bits round away.
        let [height, width] =
            if in_16_bits { [height, width].map(|side| fit(side.max(FAINT_SIZE))) } else { [height, width] };
        let [height, width] = accepted.size.unwrap_or([height, width]);
        let shape = [accepted.batch.unwrap_or(batch), height, width];
        // Where sizes are fixed, or the training size is one of the others, some are the same.
        if !cases.iter().any(|case| case.content == content && case.shape == shape) {
            cases.push(Case { values: draw(&content, network.channels, shape, &mut random), content, shape });
        }
    }
    if let Some(folder) = pictures {
        cases.extend(from_pictures(folder, training, multiple, accepted)?);
    }
    Ok(match accepted.io {
        Io::Uint8 => cases.into_iter().map(Case::in_bytes).collect(),
        Io::Float | Io::F16 => cases,
    })
}

fn draw(content: &Content, channels: usize, [batch, height, width]: [usize; 3], random: &mut Pcg64) -> Vec<f32> {
    let count = batch * channels * height * width;
    match content {
        Content::Faint => (0..count).map(|_| 0.2 + 0.01 * random.random_range(-1.0..1.0_f32)).collect(),
        Content::Noise | Content::Picture(_) => (0..count).map(|_| random.random_range(-1.0..1.0)).collect(),
    }
}

/// Pictures in the size that the network was trained at, cut to what it takes.
fn from_pictures(folder: &Path, training: usize, multiple: usize, accepted: Accepted) -> anyhow::Result<Vec<Case>> {
    let found = pictures::find(folder)?;
    let every = found.len().div_ceil(MOST_PICTURES).max(1);
    let mut cases = Vec::new();
    for path in found.iter().step_by(every) {
        let picture = pictures::read(path).with_context(|| path.display().to_string())?;
        let picture = to_size(&picture, training as u32, multiple as u32, accepted);
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let mut one = vec![0.0; picture.as_raw().len()];
        pixels::to_planes(picture.as_raw(), &mut one);
        let batch = accepted.batch.unwrap_or(1);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        cases.push(Case { content: Content::Picture(name), shape: [batch, height, width], values: one.repeat(batch) });
    }
    if cases.is_empty() {
        bail!("--pictures {}: no pictures there (png, jpg, webp, bmp or tiff)", folder.display());
    }
    Ok(cases)
}

/// A picture whose shorter side has the training size, and whose longer one ends where the network's strides do.
fn to_size(picture: &Picture, training: u32, multiple: u32, accepted: Accepted) -> Picture {
    if let Some([height, width]) = accepted.size {
        return pictures::resize(picture, width as u32, height as u32);
    }
    let resized = pictures::resize_shorter(picture, training);
    let side = |side: u32| side.min(accepted.largest as u32) / multiple * multiple;
    let (width, height) = (side(resized.width()).max(training), side(resized.height()).max(training));
    pictures::crop(&resized, 0, 0, width, height)
}

#[cfg(test)]
mod tests {
    use models::families::{Family, GeneratorOptions};

    use super::*;

    const ANY: Accepted = Accepted { largest: 512, io: Io::Float, precision: Precision::F32, batch: None, size: None };

    fn shapes_of(training: Option<usize>, accepted: Accepted) -> Vec<[usize; 3]> {
        let network = Family::Paper.generator(GeneratorOptions::sized(2, 1));
        let cases = cases(&network, training, accepted, None).expect("it fits");
        for Case { shape: [batch, height, width], values, .. } in &cases {
            assert_eq!(values.len(), batch * 3 * height * width);
        }
        cases.iter().map(|case| case.shape).collect()
    }

    #[test]
    fn inputs_reach_from_the_smallest_size_to_512_square_or_not_one_to_three_at_once() {
        for training in [None, Some(256), Some(16), Some(1024)] {
            let shapes = shapes_of(training, ANY);
            assert_eq!((shapes[0], *shapes.last().expect("some")), ([1, 8, 8], [1, 512, 512]), "{training:?}");
            assert!((1..=3).all(|batch| shapes.iter().any(|shape| shape[0] == batch)), "{shapes:?}");
            assert!(shapes.iter().any(|[_, height, width]| height != width), "{shapes:?}");
            assert!(shapes.iter().flat_map(|shape| &shape[1..]).all(|side| side % 4 == 0), "{shapes:?}");
        }
    }

    #[test]
    fn a_file_of_one_size_is_given_only_that() {
        let fixed = Accepted { batch: Some(2), size: Some([16, 24]), ..ANY };
        assert_eq!(shapes_of(Some(64), fixed), [[2, 16, 24]; 2], "noise and faint");
    }

    #[test]
    fn a_file_of_bytes_is_given_numbers_that_bytes_stand_for() {
        let network = Family::Paper.generator(GeneratorOptions::sized(2, 1));
        let cases = cases(&network, Some(16), Accepted { io: Io::Uint8, ..ANY }, None).expect("it fits");
        let values = || cases.iter().flat_map(|case| &case.values);
        assert!(values().all(|&value| value == pixels::to_float(pixels::to_byte(value))));
        assert!(values().any(|&value| value < -0.9) && values().any(|&value| value > 0.9));
    }

    #[test]
    fn pictures_come_in_the_training_size_cut_to_what_fits() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let network = Family::Paper.generator(GeneratorOptions::sized(2, 1));
        let open = || cases(&network, Some(32), ANY, Some(folder.path()));
        assert!(open().expect_err("none there").to_string().contains("no pictures there"));
        for (name, width, height) in [("wide.png", 101, 50), ("tall.png", 40, 900)] {
            let png = pictures::encode(&Picture::new(width, height), pictures::Format::Png).expect("small");
            std::fs::write(folder.path().join(name), png).expect("writable");
        }
        let found = open().expect("two pictures");
        let shown: Vec<_> = found.iter().filter(|case| matches!(case.content, Content::Picture(_))).collect();
        assert_eq!(shown.iter().map(|case| case.shape).collect::<Vec<_>>(), [[1, 512, 32], [1, 32, 64]]);
        assert_eq!(shown[0].content, Content::Picture("tall.png".into()));
        assert!(shown[0].values.iter().all(|&value| value == -1.0), "black");
    }
}
