//! An inspection as a person reads it.

use std::cmp::Reverse;
use std::fmt::Write;

use models_onnx::{Beside, End, Initializers, Side, Summary};
use program::{bytes, count};

use super::facts::{Inspection, Layer, Peak, Weights};
use crate::source;
use crate::table::{Table, printable};

/// Facts, then the table of layers. Fits `width` columns where the terminal has so few.
pub(super) fn describe(inspection: &Inspection, width: Option<usize>) -> String {
    let Inspection { file, metadata, made_for, graph, remarks, layers, .. } = inspection;
    let mut facts = vec![("file", format!("{}, {} ({} bytes)", file.format, bytes(file.bytes), file.bytes))];
    facts.extend(file.data.iter().map(|Beside { name, bytes: size, tensors }| {
        ("data", format!("{name}, {} ({size} bytes), {tensors} tensors: move both together", bytes(*size)))
    }));
    facts.extend(training_facts(inspection));
    facts.extend(cost_facts(inspection));
    facts.extend(weight_facts(&inspection.weights));
    facts.extend(made_for.iter().map(|made_for| ("made for", made_for.clone())));
    facts.extend(graph.iter().flat_map(graph_facts));
    facts.extend(remarks.iter().map(|remark| ("remark", remark.clone())));

    let mut text = String::new();
    for (name, value) in facts {
        writeln!(text, "{name:<14} {}", printable(&value)).expect("a string takes all");
    }
    if let Some(metadata) = metadata.as_ref().filter(|metadata| !metadata.assumptions.is_empty()) {
        let assumed = source::assumed(metadata);
        let lines: Vec<String> = assumed.lines().map(printable).collect(); // a file may say anything
        writeln!(text, "\n{}", lines.join("\n")).expect("a string takes all");
    }
    if let Some(layers) = layers {
        write!(text, "\n{}", layer_table(layers).fit(width, "kind")).expect("a string takes all");
    }
    text.trim_end().to_owned()
}

type Facts = Vec<(&'static str, String)>;

fn training_facts(inspection: &Inspection) -> Facts {
    let (Some(network), Some(training), Some(metadata)) =
        (inspection.network(), inspection.training(), &inspection.metadata)
    else {
        return Vec::new();
    };
    let [black, white] = metadata.pixel_range;
    let mut facts = vec![
        ("network", network),
        ("training", training),
        ("written by", format!("{}, format version {}", metadata.program, metadata.format_version)),
        ("pixels", format!("{black} is black, {white} is white, RGB")),
    ];
    if let Some(sizes) = &inspection.sizes {
        facts.push(("sizes", format!("multiples of {}, {} or more", sizes.multiple, sizes.smallest)));
    }
    facts
}

fn cost_facts(inspection: &Inspection) -> Facts {
    let Inspection { parameters, multiply_adds, peak_activations, weights, layers, size, .. } = inspection;
    let mut facts =
        vec![("parameters", format!("{} ({parameters}) in {} tensors", count(*parameters), weights.tensors))];
    let Some([height, width]) = size else { return facts };
    if let Some(multiply_adds) = multiply_adds {
        facts.push(("multiply-adds", format!("{} at {height}×{width}", count(*multiply_adds))));
    }
    if let Some(Peak { bytes: peak, at, .. }) = peak_activations {
        facts.push(("activations", format!("{} at most, at {at}: one picture, 32-bit floats", bytes(*peak))));
    }
    let is_generator = inspection.sizes.is_some();
    if let (false, Some(last)) = (is_generator, layers.as_ref().and_then(|layers| layers.last())) {
        let [_, height, width] = last.output;
        facts.push(("verdicts", format!("{height}×{width}")));
    }
    facts
}

fn weight_facts(weights: &Weights) -> Facts {
    let Weights { sha256, stored_sha256, agrees, written_sha256, unchanged, .. } = weights;
    let mut facts: Facts = sha256.iter().map(|hash| ("sha256", hash.clone())).collect();
    let mut fact = |name, hash: &str, what: &str| facts.push((name, format!("{hash}{what}")));
    match (agrees, stored_sha256) {
        (Some(true), _) => fact("", "", "of the weights, as stored in the file"),
        (None, Some(stored)) => fact("sha256", stored, " of the weights that it was made from"),
        _ => {}
    }
    // Earlier exports stored only the hash of what they were made from.
    match (unchanged.or(*agrees), written_sha256.as_ref().or(stored_sha256.as_ref())) {
        (Some(true), _) if agrees.is_none() => fact("", "", "those in it are as the export wrote them"),
        (Some(false), Some(stored)) => {
            fact("stored sha256", stored, " DIFFERS: the weights were changed after the export");
        }
        _ => {}
    }
    facts
}

fn graph_facts(summary: &Summary) -> Facts {
    let Summary { ir_version, opsets, producer, inputs, outputs, operators, initializers } = summary;
    let opsets: Vec<String> = opsets.iter().map(|(domain, version)| format!("{domain} {version}")).collect();
    let producer = if producer.is_empty() { "an unnamed program" } else { producer };
    let mut facts = vec![("graph", format!("opset {}, IR version {ir_version}, by {producer}", opsets.join(", ")))];
    facts.extend(inputs.iter().map(|end| ("input", describe_end(end))));
    facts.extend(outputs.iter().map(|end| ("output", describe_end(end))));
    let Initializers { tensors, numbers, bytes: stored, outside } = *initializers;
    let outside = if outside == 0 { String::new() } else { format!(", {outside} of them in another file") };
    let tensors = format!("{tensors} tensors, {} numbers, {}{outside}", count(numbers), bytes(stored));
    facts.push(("initializers", tensors));
    let mut by_count: Vec<_> = operators.iter().collect();
    by_count.sort_by_key(|&(name, &count)| (Reverse(count), name));
    let each: Vec<String> = by_count.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let total: usize = operators.values().sum();
    facts.push(("nodes", format!("{total}: {}", each.join(", "))));
    facts
}

/// `image, float32 [batch, 3, height, width]`.
fn describe_end(end: &End) -> String {
    let side = |side: &Side| match side {
        Side::Fixed(side) => side.to_string(),
        Side::Symbolic(name) => name.clone().unwrap_or_else(|| "?".into()),
    };
    let shape = match &end.shape {
        None => String::new(),
        Some(sides) => format!(" [{}]", sides.iter().map(side).collect::<Vec<_>>().join(", ")),
    };
    format!("{}, {}{shape}", end.name, end.kind)
}

fn layer_table(layers: &[Layer]) -> Table {
    let mut table =
        Table::new().words("layer").words("kind").numbers("output").numbers("parameters").numbers("mult-adds");
    let number = |value: u64| if value == 0 { String::new() } else { count(value) };
    for Layer { name, kind, output: [channels, height, width], parameters, multiply_adds, .. } in layers {
        let output = format!("[{channels}, {height}, {width}]");
        table.row([name.clone(), kind.clone(), output, number(*parameters), number(*multiply_adds)]);
    }
    table
}
