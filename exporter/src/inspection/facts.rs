//! What is found out about a file. As JSON it is described in docs/inspect.md.

use models::families::GeneratorOptions;
use models::shapes::{self, ShapeError, Step, Trace};
use models::{Metadata, check_weights, parameters, weights_hash};
use models_onnx::proto::ModelProto;
use models_onnx::{Beside, Precision, Summary};
use program::{Exit, Failure, count};
use serde::Serialize;

use crate::artefact::{Artefact, Format};

/// Version of the JSON object: it grows when a key changes its meaning or goes, not when one is added.
const VERSION: u32 = 1;

/// Bytes of a 32-bit float.
const BYTES: u64 = 4;

#[derive(Serialize)]
pub(super) struct Inspection {
    version: u32,
    pub file: File,
    pub metadata: Option<Metadata>,
    /// Width, blocks and the like, where the network is exactly what the family makes of them.
    pub options: Option<GeneratorOptions>,
    /// Height and width that everything is counted at.
    pub size: Option<[usize; 2]>,
    /// Of generators.
    pub sizes: Option<Sizes>,
    pub parameters: u64,
    pub multiply_adds: Option<u64>,
    pub peak_activations: Option<Peak>,
    pub layers: Option<Vec<Layer>>,
    pub weights: Weights,
    /// What an ONNX file takes and gives, and what it is computed in; none where that is nothing that is exported here.
    pub made_for: Option<String>,
    pub graph: Option<Summary>,
    /// What is missing or odd, in words.
    pub remarks: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct File {
    pub path: String,
    pub format: Format,
    pub bytes: u64,
    /// Files of weights beside it.
    pub data: Vec<Beside>,
}

/// Sides that a generator takes.
#[derive(Serialize)]
pub(super) struct Sizes {
    pub multiple: usize,
    pub smallest: usize,
}

/// The most memory that feature maps take at one moment: see [`Step::alive`].
#[derive(Serialize)]
pub(super) struct Peak {
    pub bytes: u64,
    /// Place in the table of layers, from 0.
    pub layer: usize,
    /// The layer in words.
    pub at: String,
}

#[derive(Serialize)]
pub(super) struct Layer {
    pub name: String,
    pub kind: String,
    /// Channels, rows, columns.
    pub output: [usize; 3],
    pub parameters: u64,
    pub multiply_adds: u64,
    pub alive_bytes: u64,
}

#[derive(Serialize)]
pub(super) struct Weights {
    pub tensors: usize,
    pub numbers: u64,
    /// None where the file's tensors are not exactly the network's.
    pub sha256: Option<String>,
    pub stored_sha256: Option<String>,
    pub agrees: Option<bool>,
    /// What an export stored of the tensors as it wrote them.
    pub written_sha256: Option<String>,
    /// Whether they are still those.
    pub unchanged: Option<bool>,
}

impl Inspection {
    /// Finds out everything about a file, at a size other than the training size where one is given.
    pub(super) fn of(artefact: &Artefact, size: Option<[usize; 2]>) -> Result<Self, Failure> {
        let Artefact { path, format, bytes, data, metadata, weights, left_out, model } = artefact;
        let numbers = weights.iter().map(|weight| weight.bytes.len() as u64 / BYTES).sum();
        let hash = weights_hash(weights);
        let written_sha256 = model.as_ref().and_then(models_onnx::written_hash).map(str::to_owned);
        let unchanged = written_sha256.as_ref().map(|written| *written == hash);
        let mut found = Self {
            version: VERSION,
            file: File { path: path.display().to_string(), format: *format, bytes: *bytes, data: data.clone() },
            metadata: metadata.clone(),
            options: None,
            size: None,
            sizes: None,
            parameters: numbers,
            multiply_adds: None,
            peak_activations: None,
            layers: None,
            weights: Weights {
                tensors: weights.len(),
                numbers,
                sha256: None,
                stored_sha256: None,
                agrees: None,
                written_sha256,
                unchanged,
            },
            made_for: model.as_ref().and_then(made_for),
            graph: model.as_ref().map(|model| summary(model, data)),
            remarks: Vec::new(),
        };
        let Some(metadata) = metadata else {
            let key = models_onnx::METADATA_KEY;
            let message = format!("no `{key}` metadata: network, sizes, pixel range and training are not known");
            found.remarks.push(format!("{message}; was it written by `exporter`?"));
            if size.is_some() {
                found.remarks.push("--size has no effect: what it is for needs the network".into());
            }
            return Ok(found);
        };

        let mut table = parameters::table(&metadata.network);
        found.parameters = parameters::count(&table) as u64;
        table.retain(|parameter| !left_out.contains(&parameter.name));
        let is_rounded = model.as_ref().is_some_and(|model| models_onnx::precision(model) == Precision::F16);
        match check_weights(&table, weights.iter().map(|weight| (weight.name.as_str(), weight.shape.as_slice()))) {
            Ok(()) => {
                let stored = metadata.weights_sha256.clone();
                // The stored one is of the weights that were exported, before any was left out or rounded.
                let is_whole = left_out.is_empty() && !is_rounded;
                let agrees = stored.as_ref().filter(|_| is_whole).map(|stored| *stored == hash);
                let sha256 = is_whole.then_some(hash);
                found.weights = Weights { sha256, stored_sha256: stored, agrees, ..found.weights };
            }
            Err(error) => found.remarks.push(error.to_string()),
        }
        if !left_out.is_empty() {
            let message = "biases that a norm takes away are left out; the stored hash is that of the whole";
            found.remarks.push(format!("{} {message}", left_out.len()));
        }
        if is_rounded {
            found.remarks.push("weights are rounded to 16 bits; the stored hash is that of the exact ones".into());
        }
        found.count(metadata, size).map_err(|error| {
            let (exit, remedy) = match size {
                Some(_) => (Exit::Usage, ""),
                None => (Exit::CannotStart, "; another --size may fit"),
            };
            Failure::new(exit, format!("{}: {error}{remedy}", path.display()))
        })?;
        Ok(found)
    }

    /// Fills in what depends on the size.
    fn count(&mut self, metadata: &Metadata, size: Option<[usize; 2]>) -> Result<(), ShapeError> {
        let Metadata { network, role, .. } = metadata;
        let [height, width] = size.unwrap_or([metadata.usual_size(); 2]);
        if role.is_generator() {
            shapes::check_size(network, height, width)?;
            let (multiple, smallest) = (shapes::size_multiple(network), shapes::smallest_size(network)?);
            self.sizes = Some(Sizes { multiple, smallest });
        }
        let trace = shapes::trace(network, height, width)?;
        self.size = Some([height, width]);
        self.multiply_adds = Some(trace.multiply_adds());
        self.peak_activations = peak(&trace);
        self.layers = Some(trace.steps.into_iter().map(Layer::of).collect());
        // Only now, when all of it can be counted.
        self.options = metadata.family.and_then(|family| GeneratorOptions::of(family, network));
        Ok(())
    }

    /// The network in a few words: `generator A to B, family paper, width 64, 9 blocks`.
    pub(super) fn network(&self) -> Option<String> {
        let Metadata { role, family, .. } = self.metadata.as_ref()?;
        let family =
            family.map_or("none of the families".to_owned(), |family| format!("family {family:?}").to_lowercase());
        let options = self.options.map_or_else(String::new, |GeneratorOptions { width, blocks, .. }| {
            format!(", width {width}, {blocks} {}", if blocks == 1 { "block" } else { "blocks" })
        });
        Some(format!("{role}, {family}{options}"))
    }

    /// What the network was trained on.
    pub(super) fn training(&self) -> Option<String> {
        let metadata = self.metadata.as_ref()?;
        let training = metadata.training();
        let said = ["trained ", "training "].iter().find_map(|word| training.strip_prefix(word)).unwrap_or(&training);
        Some(metadata.seed.map_or_else(|| said.to_owned(), |seed| format!("{said}, seed {seed}")))
    }

    /// The lines above a drawing.
    pub(super) fn headings(&self, file: &str) -> Vec<String> {
        let line = |text: Option<String>| text.unwrap_or_default();
        let counts = format!(
            "{} parameters · {} multiply-adds · {} of activations at most",
            count(self.parameters),
            count(self.multiply_adds.unwrap_or_default()),
            program::bytes(self.peak_activations.as_ref().map_or(0, |peak| peak.bytes)),
        );
        let size = self.size.map_or_else(String::new, |[height, width]| format!(" · at {height}×{width}"));
        vec![line(self.network()), format!("{file}, training: {}", line(self.training())), format!("{counts}{size}")]
    }
}

impl Layer {
    fn of(step: Step) -> Self {
        let Step { label, kind, output, parameters, multiply_adds, alive } = step;
        let output = [output.channels, output.height, output.width];
        let (parameters, alive_bytes) = (parameters as u64, alive * BYTES);
        Self { name: label, kind, output, parameters, multiply_adds, alive_bytes }
    }
}

/// Weights that were read from files beside are told from the others.
fn summary(model: &ModelProto, data: &[Beside]) -> Summary {
    let mut summary = models_onnx::summary(model);
    summary.initializers.outside += data.iter().map(|file| file.tensors).sum::<usize>();
    summary
}

fn made_for(model: &ModelProto) -> Option<String> {
    let interface = models_onnx::interface(model).ok()?;
    Some(format!("{interface}, computed in {}", models_onnx::precision(model)))
}

fn peak(trace: &Trace) -> Option<Peak> {
    let (layer, step) = trace.peak()?;
    // Layers without weights have no name of their own: say behind which one.
    let named = trace.steps[..=layer].iter().rposition(|step| step.parameters > 0);
    let at = match named {
        Some(named) if named == layer => step.label.clone(),
        Some(named) => format!("{} after {}", step.kind, trace.steps[named].label),
        None => format!("{} before the first weights", step.kind),
    };
    Some(Peak { bytes: step.alive * BYTES, layer, at })
}

#[cfg(test)]
mod tests {
    use models::families::Family;
    use models::{FORMAT_VERSION, Role, pixels};

    use super::*;

    /// A file that claims to hold a network; nothing else is in it.
    fn claiming(change: impl FnOnce(String) -> String) -> Artefact {
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            role: Role::GAb,
            family: Some(Family::Paper),
            network: Family::Paper.generator(GeneratorOptions::sized(4, 1)),
            data_set: Some("none".into()),
            training_size: Some(32),
            pixel_range: pixels::RANGE,
            steps: Some(0),
            seed: Some(0),
            program: "test".into(),
            weights_sha256: None,
            assumptions: Vec::new(),
        };
        let changed = Metadata::from_json(change(metadata.to_json()).as_bytes()).expect("still the right form");
        Artefact {
            path: "hostile.onnx".into(),
            format: Format::Onnx,
            bytes: 0,
            data: Vec::new(),
            metadata: Some(changed),
            weights: Vec::new(),
            left_out: Vec::new(),
            model: None,
        }
    }

    #[test]
    fn a_size_that_nobody_can_compute_is_refused_whatever_the_file_claims() {
        let changes = [
            ("\"training_size\":32", format!("\"training_size\":{}", usize::MAX), "more than can be counted"),
            ("\"training_size\":32", "\"training_size\":0".into(), "does not fit the network"),
        ];
        for (old, new, message) in changes {
            let artefact = claiming(|json| {
                assert!(json.contains(old), "{old} in {json}");
                json.replace(old, &new)
            });
            let failure = Inspection::of(&artefact, None).err().expect(&new);
            assert!(failure.exit == Exit::CannotStart && failure.to_string().contains(message), "{new}: {failure}");
            assert!(failure.to_string().ends_with("another --size may fit"), "{failure}");
        }
    }

    #[test]
    fn tensors_that_are_not_the_networks_are_a_remark_and_have_no_hash() {
        let inspection = Inspection::of(&claiming(|json| json), None).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(inspection.remarks[0].starts_with("tensor `stem.conv.weight` is missing"), "{:?}", inspection.remarks);
        assert_eq!((inspection.weights.sha256, inspection.weights.agrees), (None, None));
    }
}
