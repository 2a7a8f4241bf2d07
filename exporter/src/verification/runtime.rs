//! ONNX Runtime's side.

use std::time::Instant;

use models_onnx::Io;
use models_runtime::{Options, Session, SessionError, Value};
use program::Device;

use super::cases::Case;
use super::{Pair, VerificationError, ends};

/// What a file makes of an input, or why it makes nothing of it.
pub(super) struct Outcome {
    pub(super) values: Result<Vec<f32>, String>,
    pub(super) seconds: f64,
}

/// What a file makes of inputs. `progress` hears how many are done.
pub(super) fn outputs(
    pair: &Pair<'_>,
    cases: &[Case],
    progress: impl Fn(u64),
) -> Result<Vec<Outcome>, VerificationError> {
    let mut session = match Session::open_file(pair.file, Options { device: Device::Cpu, ..Options::default() }) {
        Ok(session) => Ok(session),
        Err(SessionError::Model(reason)) => Err(reason.to_string()),
        Err(error) => return Err(error.into()),
    };
    let mut one = |(made, case)| {
        super::heed_ctrl_c()?;
        progress(made);
        let start = Instant::now();
        let values = match &mut session {
            Ok(session) => output(session, pair, case).map_err(|error| error.to_string()),
            Err(reason) => Err(reason.clone()),
        };
        Ok(Outcome { values, seconds: start.elapsed().as_secs_f64() })
    };
    (0..).zip(cases).map(&mut one).collect()
}

/// As `[n, c, h, w]` floats: a byte is exactly one number. Nothing where it is of another number or size of pictures.
fn output(session: &mut Session, pair: &Pair<'_>, case: &Case) -> Result<Vec<f32>, SessionError> {
    let [batch, height, width] = case.shape;
    let [channels, _] = pair.channels();
    let (output, shape) = match pair.interface.io {
        Io::Float | Io::F16 => session.run(&case.values, [batch, channels, height, width])?,
        Io::Uint8 => {
            let (bytes, [batch, height, width, channels]) =
                session.run_bytes(&bytes(pair, case), [batch, height, width, channels])?;
            let planes = ends::planes(&bytes, channels, height * width);
            let output = planes.into_iter().map(|byte| pair.scale.to_network(byte.into())).collect();
            (output, [batch, channels, height, width])
        }
    };
    let [pictures, _, rows, columns] = shape;
    Ok(if [pictures, rows, columns] == case.shape { output } else { Vec::new() })
}

/// All values of a file that has them as outputs.
pub(super) fn values(session: &mut Session, pair: &Pair<'_>, case: &Case) -> Result<Vec<Value>, SessionError> {
    let [batch, height, width] = case.shape;
    let [channels, _] = pair.channels();
    match pair.interface.io {
        Io::Float | Io::F16 => session.values(&case.values, [batch, channels, height, width]),
        Io::Uint8 => session.values_of_bytes(&bytes(pair, case), [batch, height, width, channels]),
    }
}

fn bytes(pair: &Pair<'_>, case: &Case) -> Vec<u8> {
    let [_, height, width] = case.shape;
    let planes: Vec<u8> = case.values.iter().map(|&value| pair.scale.to_picture(value) as u8).collect();
    ends::interleaved(&planes, pair.channels()[0], height * width)
}
