//! What a graph has between its ends.

use models_onnx::proto::ModelProto;
use models_runtime::{Options, Session, SessionError, Value};
use program::Device;
use program::files::folder_of;
use prost::Message;

use super::cases::Case;
use super::{Pair, VerificationError, heed_ctrl_c, runtime};

/// Every value of a graph, in its order.
pub(super) struct Values {
    pub(super) values: Vec<Value>,
    /// Why there are not all of them.
    pub(super) refused: Option<String>,
}

/// Runs a graph as it is written on some inputs, with every value as an output; one that does not run as a whole as far as it
/// does.
pub(super) fn values(model: &ModelProto, pair: &Pair<'_>, cases: &[Case]) -> Result<Vec<Values>, VerificationError> {
    let nodes = model.graph.as_ref().map_or(0, |graph| graph.node.len());
    let run = |nodes: usize| -> Result<Result<Vec<Vec<Value>>, SessionError>, VerificationError> {
        heed_ctrl_c()?;
        let mut session = match open(&models_onnx::prefix(model, nodes), pair) {
            Ok(session) => session,
            Err(error @ SessionError::Library(_)) => return Err(error.into()),
            Err(error) => return Ok(Err(error)),
        };
        heed_ctrl_c()?;
        let values = cases.iter().map(|case| runtime::values(&mut session, pair, case)).collect();
        heed_ctrl_c()?; // which ends a run as well
        Ok(values)
    };
    let refused = match run(nodes)? {
        Ok(all) => return Ok(all.into_iter().map(|values| Values { values, refused: None }).collect()),
        Err(error) => error.to_string(),
    };
    // A graph that stops at a node stops there whatever follows.
    let (mut runs, mut stops, mut all) = (0, nodes, vec![Vec::new(); cases.len()]);
    while stops - runs > 1 {
        let middle = runs + (stops - runs) / 2;
        match run(middle)? {
            Ok(found) => (runs, all) = (middle, found),
            Err(_) => stops = middle,
        }
    }
    Ok(all.into_iter().map(|values| Values { values, refused: Some(refused.clone()) }).collect())
}

/// What a graph computes from one of its values on, given these numbers there.
pub(super) fn values_behind(
    model: &ModelProto,
    pair: &Pair<'_>,
    numbers: &[f32],
    shape: [usize; 4],
) -> Result<Values, VerificationError> {
    heed_ctrl_c()?;
    let found = open(model, pair).and_then(|mut session| session.values(numbers, shape));
    heed_ctrl_c()?;
    Ok(match found {
        Ok(values) => Values { values, refused: None },
        Err(error) => Values { values: Vec::new(), refused: Some(error.to_string()) },
    })
}

fn open(model: &ModelProto, pair: &Pair<'_>) -> Result<Session, SessionError> {
    let options = Options { device: Device::Cpu, as_written: true, ..Options::default() };
    Session::open_many(&model.encode_to_vec(), Some(folder_of(pair.file)), options)
}
