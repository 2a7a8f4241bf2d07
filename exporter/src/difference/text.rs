//! A difference as a person reads it.

use std::fmt::Write;

use program::bytes;

use super::fields::{Field, shown};
use super::network::{Change as LayerChanged, LayerChange};
use super::weights::{Change as TensorChanged, Side, TensorChange, WeightChanges};
use super::{Difference, File};
use crate::table::{Table, printable};

/// Rows of a table at most: more are counted, not shown.
const MOST: usize = 24;

/// Each part with what differs in it, and a verdict as the last line.
pub(super) fn describe(difference: &Difference, width: Option<usize>) -> String {
    let Difference { a, b, metadata, network, weights, graph, .. } = difference;
    let mut text = String::new();
    for (side, File { path, format, bytes: size, .. }) in [("A", a), ("B", b)] {
        writeln!(text, "{side}  {}: {format}, {}", printable(path), bytes(*size)).expect("a string takes all");
    }
    let mut part = |name: &str, said: &str, table: Option<(Table, usize)>| {
        writeln!(text, "\n{name}: {said}").expect("a string takes all");
        if let Some((table, rows)) = table {
            writeln!(text, "{table}").expect("a string takes all");
            if rows > MOST {
                writeln!(text, "… and {} more: --json lists all", rows - MOST).expect("a string takes all");
            }
        }
    };
    part("metadata", &fields_said(metadata), fields_table(metadata));
    match network {
        None => part("network", "not compared: only a file with metadata says what it is", None),
        Some(changes) => {
            let rows = layer_rows(changes);
            let said = if rows.is_empty() { "the same".into() } else { counted(changes.len(), "difference") };
            part("network", &said, table(["layer", "what", "A", "B"], &rows));
        }
    }
    let said = weights_said(weights) + origin_said(difference);
    part("weights", &said, tensor_table(weights, width));
    if let Some(graph) = graph {
        part("graph", &fields_said(graph), fields_table(graph));
    }
    write!(text, "\n{}", verdict(difference)).expect("a string takes all");
    text
}

fn verdict(difference: &Difference) -> String {
    let Difference { a, b, same, metadata, network, weights, graph, .. } = difference;
    if *same && a.format != b.format {
        return format!("the same network and weights, other format: {} and {}", a.format, b.format);
    }
    if *same {
        return "the same".into();
    }
    let differs = [
        (!metadata.is_empty(), "metadata"),
        (network.as_ref().is_some_and(|changes| !changes.is_empty()), "network"),
        (!weights.tensors.is_empty(), "weights"),
        (graph.as_ref().is_some_and(|fields| !fields.is_empty()), "graph"),
    ];
    let parts: Vec<&str> = differs.into_iter().filter_map(|(differs, part)| differs.then_some(part)).collect();
    format!("they differ in: {}", parts.join(", "))
}

fn counted(number: usize, what: &str) -> String {
    let ending = if what.ends_with('s') { "es" } else { "s" };
    format!("{number} {what}{}", if number == 1 { "" } else { ending })
}

fn fields_said(fields: &[Field]) -> String {
    if fields.is_empty() { "the same".into() } else { counted(fields.len(), "difference") }
}

fn fields_table(fields: &[Field]) -> Option<(Table, usize)> {
    let row = |Field { field, a, b }: &Field| [field.clone(), shown(a.as_ref()), shown(b.as_ref())];
    let rows: Vec<_> = fields.iter().map(row).collect();
    table(["field", "A", "B"], &rows)
}

fn layer_rows(changes: &[LayerChange]) -> Vec<[String; 4]> {
    let mut rows = Vec::new();
    for LayerChange { layer, change } in changes {
        let none = || "–".to_owned();
        let row = |what: &str, a: String, b: String| [layer.clone(), what.to_owned(), a, b];
        match change {
            LayerChanged::OnlyInA { kind } => rows.push(row("only in A", kind.clone(), none())),
            LayerChanged::OnlyInB { kind } => rows.push(row("only in B", none(), kind.clone())),
            LayerChanged::Order => rows.push(row("is elsewhere", none(), none())),
            LayerChanged::Attributes { attributes } => {
                rows.extend(
                    attributes.iter().map(|Field { field, a, b }| row(field, shown(a.as_ref()), shown(b.as_ref()))),
                );
            }
        }
    }
    rows
}

fn weights_said(weights: &WeightChanges) -> String {
    let WeightChanges { same, rounded, left_out, tensors, a_sha256, .. } = weights;
    match tensors.len() {
        0 if left_out.is_empty() => format!("the same {same} tensors\nsha256 {a_sha256}"),
        0 => {
            let biases = counted(left_out.len(), "bias");
            format!("the same {same} tensors; {biases} that a norm takes away are left out of one")
        }
        differing => {
            let said = match rounded {
                None => "",
                Some(Side::A) => ": A is B rounded to 16 bits",
                Some(Side::B) => ": B is A rounded to 16 bits",
            };
            format!("{differing} of {} tensors differ{said}", same + differing)
        }
    }
}

/// Where the weights differ although one file was made from the other, and rounding is not why.
fn origin_said(difference: &Difference) -> &'static str {
    if difference.weights.rounded.is_some() {
        return "";
    }
    match (difference.weights.tensors.is_empty(), difference.a_is_export_of_b, difference.b_is_export_of_a) {
        (false, true, _) => ", although A was exported from those of B",
        (false, _, true) => ", although B was exported from those of A",
        _ => "",
    }
}

fn tensor_table(weights: &WeightChanges, width: Option<usize>) -> Option<(Table, usize)> {
    let WeightChanges { tensors: changes, rounded, .. } = weights;
    let mut table = Table::new().words("tensor").words("what").numbers("largest").numbers("mean").numbers("values");
    for TensorChange { tensor, change } in changes.iter().take(MOST) {
        let bare = |what: String| [tensor.clone(), what, String::new(), String::new(), String::new()];
        let size = |value: f64| if value.is_finite() { format!("{value:.1e}") } else { "not finite".into() };
        table.row(match change {
            TensorChanged::OnlyInA { shape } => bare(format!("only in A, {shape:?}")),
            TensorChanged::OnlyInB { shape } => bare(format!("only in B, {shape:?}")),
            TensorChanged::Shape { a, b } => bare(format!("A {a:?}, B {b:?}")),
            TensorChanged::Values { largest, mean, differing, numbers } => {
                let share = format!("{differing} of {numbers}");
                let what = if rounded.is_some() { "rounded to 16 bits" } else { "other values" };
                [tensor.clone(), what.into(), size(*largest), size(*mean), share]
            }
        });
    }
    (!changes.is_empty()).then(|| (table.fit(width, "mean"), changes.len()))
}

fn table<const N: usize>(titles: [&'static str; N], rows: &[[String; N]]) -> Option<(Table, usize)> {
    let mut table = titles.into_iter().fold(Table::new(), Table::words);
    rows.iter().take(MOST).cloned().for_each(|row| table.row(row));
    (!rows.is_empty()).then_some((table, rows.len()))
}
