//! `exporter diff`: what differs between two files, of any formats.

mod fields;
mod graph;
mod network;
mod text;
mod weights;

use program::{Exit, Failure, print_result, terminal_columns};
use serde::Serialize;

use crate::arguments::{DiffArguments, SourceArguments};
use crate::artefact::{Artefact, Format};
use fields::Field;
use network::LayerChange;
use weights::WeightChanges;

/// Version of the JSON object: it grows when a key changes its meaning or goes, not when one is added.
const VERSION: u32 = 1;

/// All that differs. As JSON it is described in docs/inspect.md.
#[derive(Serialize)]
pub(crate) struct Difference {
    version: u32,
    same: bool,
    a: File,
    b: File,
    metadata: Vec<Field>,
    /// None where a file does not say what its network is.
    network: Option<Vec<LayerChange>>,
    weights: WeightChanges,
    /// Whether a file's stored hash says that it was exported from the other's very weights, whatever it holds now.
    a_is_export_of_b: bool,
    b_is_export_of_a: bool,
    /// Of two ONNX files.
    graph: Option<Vec<Field>>,
}

#[derive(Serialize)]
struct File {
    path: String,
    format: Format,
    bytes: u64,
}

/// Prints what differs to stdout.
pub(crate) fn run(arguments: &DiffArguments) -> Result<Exit, Failure> {
    let said = SourceArguments { key: arguments.key.clone(), ..SourceArguments::default() };
    let open = |path| match Artefact::open(path, &said) {
        // The key is the other file's.
        Err(failure) if failure.exit == Exit::Usage => Artefact::open(path, &SourceArguments::default()),
        opened => opened,
    };
    let (one, other) = (open(&arguments.one)?, open(&arguments.other)?);
    let difference = Difference::between(&one, &other);
    match arguments.json {
        true => print_result(serde_json::to_string(&difference).expect("plain values and string keys")),
        false => print_result(text::describe(&difference, terminal_columns())),
    }
    Ok(if difference.same { Exit::Done } else { Exit::Differs })
}

impl Difference {
    fn between(one: &Artefact, other: &Artefact) -> Self {
        let file = |artefact: &Artefact| File {
            path: artefact.path.display().to_string(),
            format: artefact.format,
            bytes: artefact.bytes,
        };
        let metadata = fields::of_metadata(one.metadata.as_ref(), other.metadata.as_ref());
        let networks = (one.metadata.as_ref(), other.metadata.as_ref());
        let network = match networks {
            (Some(one), Some(other)) => Some(network::changes(&one.network, &other.network)),
            _ => None,
        };
        let weights = weights::changes(&one.weights, &other.weights, [&one.left_out, &other.left_out]);
        let graph = match (&one.model, &other.model) {
            (Some(model), Some(other_model)) => {
                let names = one.weights.iter().chain(&other.weights).map(|weight| weight.name.as_str()).collect();
                Some(graph::changes(model, other_model, &names))
            }
            _ => None,
        };
        let is_export = |artefact: &Artefact, hash: &String| {
            artefact.metadata.as_ref().is_some_and(|metadata| metadata.weights_sha256.as_ref() == Some(hash))
        };
        let none = |fields: Option<&Vec<Field>>| fields.is_none_or(Vec::is_empty);
        let same = metadata.is_empty()
            && network.as_ref().is_none_or(Vec::is_empty)
            && weights.tensors.is_empty()
            && none(graph.as_ref());
        Self {
            version: VERSION,
            same,
            a: file(one),
            b: file(other),
            metadata,
            network,
            a_is_export_of_b: is_export(one, &weights.b_sha256),
            b_is_export_of_a: is_export(other, &weights.a_sha256),
            weights,
            graph,
        }
    }
}
