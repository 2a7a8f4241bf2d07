//! ONNX Runtime's side.

use std::path::Path;
use std::time::Instant;

use models::pixels;
use models_onnx::Io;
use models_runtime::{Options, Session, SessionError, Value};
use program::Device;

use super::VerificationError;
use super::cases::Case;

/// What a file makes of an input, or why it makes nothing of it.
pub(super) struct Outcome {
    pub(super) values: Result<Vec<f32>, String>,
    pub(super) seconds: f64,
}

/// What a file makes of inputs of so many channels. `progress` hears how many are done.
pub(super) fn outputs(
    file: &Path,
    io: Io,
    cases: &[Case],
    channels: usize,
    progress: impl Fn(u64),
) -> Result<Vec<Outcome>, VerificationError> {
    let mut session = match Session::open_file(file, Options { device: Device::Cpu, ..Options::default() }) {
        Ok(session) => Ok(session),
        Err(SessionError::Model(reason)) => Err(reason.to_string()),
        Err(error) => return Err(error.into()),
    };
    let mut one = |(made, case)| {
        super::heed_ctrl_c()?;
        progress(made);
        let start = Instant::now();
        let values = match &mut session {
            Ok(session) => output(session, io, case, channels).map_err(|error| error.to_string()),
            Err(reason) => Err(reason.clone()),
        };
        Ok(Outcome { values, seconds: start.elapsed().as_secs_f64() })
    };
    (0..).zip(cases).map(&mut one).collect()
}

/// As `[n, c, h, w]` floats: a byte is exactly one number. Nothing where it is of another number or size of pictures.
fn output(session: &mut Session, io: Io, case: &Case, channels: usize) -> Result<Vec<f32>, SessionError> {
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
