//! ONNX Runtime's side.

use models::pixels;
use models_onnx::Io;
use models_runtime::{Session, SessionError, Value};

use super::cases::Case;

/// What a file makes of an input of so many channels, as `[n, c, h, w]` floats: a byte is exactly one number. Nothing where
/// it is of another number or size of pictures.
pub(super) fn output(session: &mut Session, io: Io, case: &Case, channels: usize) -> Result<Vec<f32>, SessionError> {
    let [batch, height, width] = case.shape;
    let planes = [batch, channels, height, width];
    let (output, shape) = match io {
        Io::Float | Io::F16 => session.run(&case.values, planes)?,
        Io::Uint8 => {
            let (bytes, [batch, height, width, channels]) =
                session.run_bytes(&interleaved(case, channels), [batch, height, width, channels])?;
            let mut output = vec![0.0; bytes.len()];
            let picture = (channels * height * width).max(1);
            for (bytes, planes) in bytes.chunks(picture).zip(output.chunks_mut(picture)) {
                pixels::to_planes(bytes, planes);
            }
            (output, [batch, channels, height, width])
        }
    };
    let [pictures, _, rows, columns] = shape;
    Ok(if [pictures, rows, columns] == case.shape { output } else { Vec::new() })
}

/// All values of a file that has them as outputs.
pub(super) fn values(session: &mut Session, io: Io, case: &Case, channels: usize) -> Result<Vec<Value>, SessionError> {
    let [batch, height, width] = case.shape;
    match io {
        Io::Float | Io::F16 => session.values(&case.values, [batch, channels, height, width]),
        Io::Uint8 => session.values_of_bytes(&interleaved(case, channels), [batch, height, width, channels]),
    }
}

fn interleaved(case: &Case, channels: usize) -> Vec<u8> {
    let [_, height, width] = case.shape;
    case.values.chunks(channels * height * width).flat_map(pixels::to_interleaved).collect()
}
