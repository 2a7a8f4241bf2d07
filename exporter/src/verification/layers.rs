//! Layer by layer: what ONNX Runtime makes of the graph as it is written, beside what libtorch makes of the same inputs.
//!
//! Each layer starts from the graph's own numbers of the one before. So rounding of earlier layers neither hides a fault nor
//! moves it, and what is allowed is what one layer rounds in the precision of its value: a wrong epsilon of a norm is seen
//! in files of 16 bits and of bytes too. A layer that a graph writes otherwise, two as one node, starts from libtorch's.

use models::shapes::{self, Shape};
use models_onnx::proto::ModelProto;
use models_onnx::{Interface, LayerValue, Precision, Target, cancelled_biases};
use models_torch::{Computed, Module};
use serde::Serialize;
use tch::TchError;

use super::cases::{self, Case};
use super::divergence::{Divergence, Found};
use super::search::{Expected, Same, Search};
use super::values::{Values, values, values_behind};
use super::{Pair, VerificationError, ends, heed_ctrl_c, reference};

/// The largest input, in pixels, of those whose outputs are compared that is also compared layer by layer: each layer of the
/// largest generator takes less than a second in 64-bit floats then.
const LARGEST_FOR_LAYERS: usize = 256 * 256;

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Layers {
    /// How many values were compared and are the same.
    pub same: usize,
    /// Rows and columns that they were compared at.
    pub size: [usize; 2],
    /// The first that is not.
    #[serde(skip)]
    pub(super) divergence: Option<Divergence>,
    /// Whether it computes something else for certain, and is not only written otherwise.
    #[serde(skip)]
    pub(super) is_certain: bool,
}

/// Why a walk ends before its end.
enum Stop {
    /// The first layer that differs is known.
    Settled,
    Failed(VerificationError),
}

impl From<TchError> for Stop {
    fn from(error: TchError) -> Self {
        Self::Failed(error.into())
    }
}

/// Compares on inputs made for this; where a graph is of one size only, any size is tried first.
pub(super) fn compare(pair: &Pair<'_>) -> Result<Layers, VerificationError> {
    let model = models_onnx::parse(fs_err::read(pair.file)?)?;
    let free = Interface { batch: None, size: None, ..pair.interface };
    let cases = |interface| cases::for_layers(pair.network, pair.accepted(interface));
    let found = compare_model(pair, &models_onnx::of_any_size(&model, pair.interface.io), &cases(free)?)?;
    let refused = matches!(&found.divergence, Some(Divergence { found: Found::Refused { .. }, .. }));
    if free != pair.interface && found.divergence.is_some() && (refused || !found.is_certain) {
        // Where a graph needs its size, that is no fault.
        return compare_model(pair, &model, &cases(pair.interface)?);
    }
    Ok(found)
}

/// Compares on an input that the file takes; nothing where it is too large.
pub(super) fn compare_on(pair: &Pair<'_>, case: &Case) -> Result<Option<Layers>, VerificationError> {
    if case.shape.iter().product::<usize>() > LARGEST_FOR_LAYERS {
        return Ok(None);
    }
    let model = models_onnx::parse(fs_err::read(pair.file)?)?;
    compare_model(pair, &model, std::slice::from_ref(case)).map(Some)
}

/// Whether each layer is the same by itself on an input that the file takes.
pub(super) fn are_same(pair: &Pair<'_>, case: &Case) -> Result<bool, VerificationError> {
    Ok(compare_on(pair, case)?.is_some_and(|layers| layers.divergence.is_none()))
}

fn compare_model(pair: &Pair<'_>, model: &ModelProto, cases: &[Case]) -> Result<Layers, VerificationError> {
    let found = values(model, pair, cases)?;
    heed_ctrl_c()?;
    let module = (pair.module)()?;
    let mut all = Layers::default();
    for (case, values) in cases.iter().zip(&found) {
        let one = compare_one(pair, model, &module, case, values)?;
        let [_, height, width] = case.shape;
        all = Layers { same: all.same.max(one.same), size: [height, width], ..one };
        if all.divergence.is_some() {
            break;
        }
    }
    Ok(all)
}

fn compare_one(
    pair: &Pair<'_>,
    model: &ModelProto,
    module: &Module,
    case: &Case,
    Values { values, refused }: &Values,
) -> Result<Layers, VerificationError> {
    let mut search = Search::new(model, values, refused.as_deref());
    let input = ends::input(pair, case, &mut search);
    let last = if search.is_settled { None } else { walk(pair, module, case, &input, &mut search)? };
    let (mut same, mut first, mut is_certain) = (search.same, search.first, search.is_certain);
    // The output's own steps, on numbers beyond black and white too.
    if let (None, Some(last)) = (&first, last) {
        let [_, height, width] = case.shape;
        let shape = [1, last.shape[1], height, width];
        let model = models_onnx::suffix(model, &last.name, last.in_16_bits);
        if model.graph.as_ref().is_some_and(|graph| !graph.node.is_empty()) {
            let given = ends::numbers_for_output(pair, shape, last.in_16_bits);
            let Values { values, refused } = values_behind(&model, pair, &given, shape)?;
            let mut search = Search::new(&model, &values, refused.as_deref());
            ends::output(pair, &given, shape, &mut search);
            same += search.same;
            (first, is_certain) = (search.first, search.is_certain);
        }
    }
    Ok(Layers { same, divergence: first, is_certain, ..Layers::default() })
}

/// Gives the value of the last layer, where it was found.
fn walk<'a>(
    pair: &Pair<'_>,
    module: &Module,
    case: &Case,
    input: &[f32],
    search: &mut Search<'a>,
) -> Result<Option<&'a models_runtime::Value>, VerificationError> {
    let network = module.network();
    let [batch, height, width] = case.shape;
    let cancelled = cancelled_biases(network);
    let target = Target { io: pair.interface.io, precision: pair.precision, ..Target::default() };
    let names = models_onnx::layer_values(network, &target);
    let mut steps = shapes::trace(network, height, width)?.steps.into_iter().zip(names);
    let precision = match pair.precision {
        Precision::F32 => models_torch::Precision::F32,
        Precision::F16 => models_torch::Precision::F16,
    };
    let mut last = None;
    let visit = |computed: &Computed| {
        heed_ctrl_c().map_err(Stop::Failed)?;
        let (step, LayerValue { name, in_16_bits }) = steps.next().expect("the trace has a step for each layer");
        let Shape { channels, height, width } = step.output;
        let expected = Expected {
            name,
            kind: step.kind,
            in_16_bits,
            shape: [batch, channels, height, width],
            exact: reference::numbers(&computed.exact)?,
            float: reference::numbers(&computed.float)?,
            shaken: reference::numbers(&computed.shaken)?,
            unrounded: reference::numbers(&computed.unrounded)?,
            is_centred: cancelled.contains(&format!("{}.bias", step.label)),
        };
        let found = search.next(&expected);
        last = found.as_ref().map(|same| same.value);
        match found {
            Some(Same { value, unrounded }) => {
                let tensor = |numbers: &[f32]| reference::tensor(numbers, expected.shape);
                Ok(Some([tensor(&value.numbers)?, tensor(&unrounded)?]))
            }
            None if search.is_settled => Err(Stop::Settled),
            None => Ok(None),
        }
    };
    let input = reference::tensor(input, [batch, network.channels, height, width])?;
    match tch::no_grad(|| module.step_by_step(precision, &input, visit)) {
        Ok(()) | Err(Stop::Settled) => Ok(last),
        Err(Stop::Failed(error)) => Err(error),
    }
}
