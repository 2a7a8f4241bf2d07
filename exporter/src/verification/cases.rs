//! The inputs that both runtimes compute.

use std::path::Path;

use anyhow::{Context, bail};
use half::f16;
use models::pixels::Scale;
use models::{Network, shapes};
use models_onnx::{Io, Precision};
use pictures::Picture;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde::Serialize;

use super::ends;

/// Pictures that are compared at most, evenly from all of a folder.
const MOST_PICTURES: usize = 8;
/// The least side of an input for a comparison layer by layer, where the network takes it: a norm in its middle then has some
/// pixels, and 64-bit floats take next to no time.
const LAYERS_SIZE: usize = 16;
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
    /// The input with the nearest numbers that a model is given: those that a byte stands for, or a 16-bit float.
    fn given(mut self, accepted: Accepted) -> Self {
        let Accepted { io, scale, .. } = accepted;
        let given = |value: f32| match io {
            Io::Float => value,
            Io::F16 => f16::from_f32(value).to_f32(),
            Io::Uint8 => scale.to_network(scale.to_picture(value)),
        };
        self.values.iter_mut().for_each(|value| *value = given(*value));
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
    /// How the network's numbers lie between black and white.
    pub scale: Scale,
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
    // Where 16 bits are computed in, most of what they leave of a faint input's contrast is noise.
    let in_16_bits = accepted.precision == Precision::F16;
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
            cases.push(draw(content, network, shape, accepted, &mut random));
        }
    }
    if let Some(folder) = pictures {
        cases.extend(from_pictures(folder, network, training, multiple, accepted)?);
    }
    Ok(cases)
}

/// The inputs for a comparison layer by layer: small, and faint too, where a norm's epsilon counts the most.
pub(super) fn for_layers(network: &Network, accepted: Accepted) -> anyhow::Result<Vec<Case>> {
    let (multiple, smallest) = (shapes::size_multiple(network), shapes::smallest_size(network)?);
    let side = smallest.max(LAYERS_SIZE).next_multiple_of(multiple);
    let [height, width] = accepted.size.unwrap_or([side, side + multiple]);
    let mut random = Pcg64::seed_from_u64(1);
    let cases = [(Content::Noise, 2), (Content::Faint, 1)].map(|(content, batch)| {
        draw(content, network, [accepted.batch.unwrap_or(batch), height, width], accepted, &mut random)
    });
    Ok(cases.into())
}

fn draw(content: Content, network: &Network, shape: [usize; 3], accepted: Accepted, random: &mut Pcg64) -> Case {
    let count = network.channels * shape.iter().product::<usize>();
    let mut number = || random.random_range(-1.0..1.0_f32);
    let values = (0..count).map(|_| match content {
        Content::Faint => 0.2 + 0.01 * number(),
        Content::Noise | Content::Picture(_) => number(),
    });
    let values = values.map(|value| accepted.scale.of_usual(value)).collect();
    Case { content, shape, values }.given(accepted)
}

/// Pictures in the size that the network was trained at, cut to what it takes, in its channels.
fn from_pictures(
    folder: &Path,
    network: &Network,
    training: usize,
    multiple: usize,
    accepted: Accepted,
) -> anyhow::Result<Vec<Case>> {
    let found = pictures::find(folder)?;
    let every = found.len().div_ceil(MOST_PICTURES).max(1);
    let mut cases = Vec::new();
    for path in found.iter().step_by(every) {
        let picture = pictures::read(path).with_context(|| path.display().to_string())?;
        let picture = to_size(&picture, training as u32, multiple as u32, accepted);
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let bytes = match network.channels {
            1 => picture.pixels().map(|pixel| grey(pixel.0)).collect(),
            3 => ends::planes(picture.as_raw(), 3, width * height),
            other => bail!("--pictures: the network takes {other} channels, pictures have 3, or 1 in grey"),
        };
        let one: Vec<f32> = bytes.into_iter().map(|byte| accepted.scale.to_network(byte.into())).collect();
        let batch = accepted.batch.unwrap_or(1);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (content, shape) = (Content::Picture(name), [batch, height, width]);
        cases.push(Case { content, shape, values: one.repeat(batch) }.given(accepted));
    }
    if cases.is_empty() {
        bail!("--pictures {}: no pictures there (png, jpg, webp, bmp or tiff)", folder.display());
    }
    Ok(cases)
}

/// A colour's brightness (ITU-R BT.601, by which the published data loader makes grey pictures).
fn grey([red, green, blue]: [u8; 3]) -> u8 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
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
    use models::pixels;

    use super::*;

    const ANY: Accepted = Accepted {
        largest: 512,
        io: Io::Float,
        scale: Scale::USUAL,
        precision: Precision::F32,
        batch: None,
        size: None,
    };

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
        for range in [pixels::RANGE, [0.0, 1.0], [255.0, 0.0]] {
            let scale = Scale::new(range, 255);
            let accepted = Accepted { io: Io::Uint8, scale, ..ANY };
            let cases = cases(&network, Some(16), accepted, None).expect("it fits");
            let values = || cases.iter().flat_map(|case| &case.values);
            assert!(values().all(|&value| value == scale.to_network(scale.to_picture(value))), "{range:?}");
            let has = |wanted: fn(u16) -> bool| values().any(|&value| wanted(scale.to_picture(value)));
            assert!(has(|byte| byte < 13) && has(|byte| byte > 242), "{range:?}");
        }
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
