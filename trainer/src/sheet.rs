//! Sample sheets: what the generators make of a few fixed pictures.
//!
//! A row is a picture: real, translated, cycled, from A on the left and from B on the right.

use models::pixels;
use models_torch::Module;
use pictures::{Picture, grid, resize};
use tch::{Device, Tensor, no_grad};

use crate::data::{DataError, DataSet, Pictures};
use crate::objective::Networks;

/// Pictures of each side on a sheet.
const ROWS: usize = 4;
/// White pixels between two pictures.
const GAP: u32 = 4;

/// Fixed pictures of both sides at the training size.
#[derive(Debug)]
pub(crate) struct Samples {
    sides: [Vec<Picture>; 2],
    device: Device,
}

/// What the generators make of the fixed pictures at one step.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// All of it, to look at.
    pub(crate) picture: Picture,
    /// Real pictures with their translations, by `g_ab` and by `g_ba`.
    pub(crate) translated: [Vec<(Picture, Picture)>; 2],
}

impl Samples {
    /// The first pictures that can be read: of the test split where there is one.
    pub(crate) fn choose(data: &DataSet, size: usize, device: Device) -> Result<Self, DataError> {
        let [a, b] = data.to_show();
        Ok(Self { sides: [first_readable(a, size as u32)?, first_readable(b, size as u32)?], device })
    }

    /// The sheet as the networks translate now.
    pub(crate) fn sheet(&self, networks: &Networks) -> anyhow::Result<Sheet> {
        let [a, b] = &self.sides;
        let (mut rows, mut translated) = (Vec::new(), [Vec::new(), Vec::new()]);
        for (real_a, real_b) in a.iter().zip(b) {
            let to_b = self.triple(real_a, &networks.g_ab, &networks.g_ba)?;
            let to_a = self.triple(real_b, &networks.g_ba, &networks.g_ab)?;
            for (pairs, triple) in translated.iter_mut().zip([&to_b, &to_a]) {
                pairs.push((triple[0].clone(), triple[1].clone()));
            }
            rows.push([to_b, to_a].concat());
        }
        Ok(Sheet { picture: grid(&rows, GAP), translated })
    }

    fn triple(&self, real: &Picture, there: &Module, back: &Module) -> anyhow::Result<Vec<Picture>> {
        let translated = translate(there, &to_tensor(real, self.device)?)?;
        let cycled = translate(back, &translated)?;
        let size = real.dimensions();
        Ok(vec![real.clone(), to_picture(&translated, size)?, to_picture(&cycled, size)?])
    }
}

fn first_readable(pictures: &Pictures, size: u32) -> Result<Vec<Picture>, DataError> {
    let readable = (0..pictures.len()).filter_map(|index| pictures.read(index, size).ok());
    let chosen: Vec<Picture> = readable.take(ROWS).map(|picture| resize(&picture, size, size)).collect();
    if chosen.is_empty() {
        return Err(DataError::Unreadable { count: pictures.len(), example: pictures.path(0) });
    }
    Ok(chosen)
}

/// A picture as the networks see it, `[1, 3, h, w]`.
pub(crate) fn to_tensor(picture: &Picture, device: Device) -> Result<Tensor, tch::TchError> {
    let mut planes = vec![0.0; picture.as_raw().len()];
    pixels::to_planes(picture, &mut planes);
    let (width, height) = picture.dimensions();
    Tensor::f_from_slice(&planes)?.f_view([1, 3, i64::from(height), i64::from(width)])?.f_to_device(device)
}

/// What a network shows, `[1, 3, h, w]`, as a picture of that width and height.
pub(crate) fn to_picture(shown: &Tensor, (width, height): (u32, u32)) -> Result<Picture, tch::TchError> {
    let mut planes = vec![0.0_f32; 3 * width as usize * height as usize];
    shown.f_to_device(Device::Cpu)?.f_contiguous()?.f_copy_data(&mut planes, 3 * width as usize * height as usize)?;
    Ok(Picture::from_raw(width, height, pixels::to_interleaved(&planes)).expect("three bytes a pixel"))
}

/// A generator's output without a graph for gradients.
pub(crate) fn translate(generator: &Module, input: &Tensor) -> Result<Tensor, tch::TchError> {
    no_grad(|| generator.forward(input))
}
