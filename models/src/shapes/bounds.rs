//! What a network may need, asked before anything is computed: a file may claim any strides and channels.

use super::{ShapeError, size_multiple, smallest_size, trace};
use crate::Network;

/// Side of a picture, in pixels, that each network has to take, and that its need is counted at.
const SIDE: usize = 512;

/// Numbers that may be in memory at once, for one picture: 5 GiB of 32-bit floats. The widest network that `trainer` makes
/// needs 4 of them, one of the published width a sixteenth of that.
const MOST_ALIVE: u64 = 5 << 28;

/// Checks that one machine can compute a network: that it takes pictures of 512×512 or smaller ones, and that the features
/// of such a picture, and of the smallest with two multiples more, fit into its memory.
///
/// # Errors
/// [`ShapeError::Smallest`], [`ShapeError::Need`], or that the tree contradicts itself.
pub fn check_bounds(network: &Network) -> Result<(), ShapeError> {
    let (multiple, smallest) = (size_multiple(network), smallest_size(network)?);
    if smallest > SIDE {
        return Err(ShapeError::Smallest { smallest, most: SIDE });
    }
    // With `smallest`, neither is 0 nor past SIDE.
    let side = SIDE.max(smallest + 2 * multiple).next_multiple_of(multiple);
    let trace = trace(network, side, side)?;
    match trace.peak() {
        Some((_, step)) if step.alive > MOST_ALIVE => {
            let [bytes, most] = [step.alive, MOST_ALIVE].map(|numbers| numbers * size_of::<f32>() as u64);
            Err(ShapeError::Need { layer: step.label.clone(), side, bytes, most })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::{Family, GeneratorOptions, UpConvolution};
    use crate::{Layer, Pads};

    fn conv(kernel: usize, stride: usize, pad: usize, to: usize) -> Layer {
        Layer::Conv { name: "odd".into(), from: 3, to, kernel, stride, pad: Pads::all(pad) }
    }

    fn refusal(layers: Vec<Layer>) -> String {
        check_bounds(&Network { channels: 3, layers }).expect_err("nobody computes that").to_string()
    }

    #[test]
    fn what_needs_more_memory_than_any_generator_is_refused_with_the_layer() {
        let up = |stride: usize| Layer::ConvTranspose {
            name: "up".into(),
            from: 3,
            to: 3,
            kernel: stride,
            stride,
            crop: Pads::NONE,
            extra: 0,
        };
        let cases = [
            (vec![conv(1, 100_000, 0, 3), up(100_000)], "takes no picture smaller than 100000×100000"),
            (vec![conv(1, 513, 0, 3), up(513)], "takes no picture smaller than 513×513"),
            (vec![Layer::ReflectPad { by: 512 }], "layer reflect: its input [3, 64, 64] is too small"),
            (vec![Layer::Upsample { factor: 100 }], "layer upsample: of a picture of 512×512 it needs 31 GB"),
            (vec![conv(1, 1, 0, 1 << 20)], "layer odd: of a picture of 512×512 it needs 1099 GB"),
            (vec![conv(1, 1, 50_000, 3)], "layer odd: of a picture of 512×512 it needs 121 GB"),
            (vec![conv(1, 500, 0, 1 << 20), up(500)], "layer up: expects 3 channels"),
            (vec![Layer::Upsample { factor: usize::MAX }], "more than can be counted"),
        ];
        for (layers, message) in cases {
            let what = format!("{layers:?}");
            let error = refusal(layers);
            assert!(error.contains(message), "{what}: {error}");
        }
    }

    #[test]
    fn what_the_trainer_can_train_is_computed() {
        for family in [Family::Paper, Family::Concat] {
            for up in [UpConvolution::Transpose, UpConvolution::Resize] {
                for (width, blocks) in [(1, 0), (64, 32), (256, 9), (1024, 0)] {
                    let options = GeneratorOptions { width, blocks, up, output_norm: true };
                    assert_eq!(check_bounds(&family.generator(options)), Ok(()), "{family:?}, {options:?}");
                    assert_eq!(check_bounds(&family.discriminator(width)), Ok(()), "{family:?}, {width}");
                }
            }
        }
    }
}
