//! `exporter inspect`: what a network's file holds, for a person (a table, a drawing) and for a program (JSON).

mod facts;
mod text;

use std::path::Path;

use program::{Console, Exit, Failure, OrExit, files, print_result, terminal_columns};

use crate::arguments::InspectArguments;
use crate::artefact::Artefact;
use crate::drawing;
use facts::{Inspection, Weights};

/// Prints a file's facts to stdout, and draws its network where that is asked for. A stored hash that is not the weights'
/// is a comparison that differs.
pub(crate) fn run(arguments: &InspectArguments, console: &Console) -> Result<Exit, Failure> {
    if let Some(svg) = &arguments.svg {
        refuse_odd_drawing(svg)?;
    }
    let artefact = Artefact::open(&arguments.file, &arguments.source)?;
    let inspection = Inspection::of(&artefact, arguments.size)?;
    if let Some(svg) = &arguments.svg {
        let (Some(metadata), Some(size)) = (&artefact.metadata, inspection.size) else {
            let message = "has no metadata, so its network is unknown and cannot be drawn; leave --svg out";
            return Err(Failure::new(Exit::CannotStart, format!("{}: {message}", artefact.path.display())));
        };
        let headings = inspection.headings(&artefact.name());
        let drawing = drawing::draw(&metadata.network, size, &headings).or_exit(Exit::CannotStart)?;
        files::write_whole(svg, drawing.as_bytes()).or_exit(Exit::Fault)?;
        console.say(format!("wrote {}", svg.display()));
    }
    match arguments.json {
        true => print_result(serde_json::to_string(&inspection).expect("plain values and string keys")),
        false => print_result(text::describe(&inspection, terminal_columns())),
    }
    let Weights { agrees, unchanged, .. } = inspection.weights;
    Ok(if [agrees, unchanged].contains(&Some(false)) { Exit::Differs } else { Exit::Done })
}

fn refuse_odd_drawing(svg: &Path) -> Result<(), Failure> {
    let refuse = |message: &str| Err(Failure::new(Exit::Usage, format!("--svg {}: {message}", svg.display())));
    if svg.extension().is_none_or(|extension| extension != "svg") {
        return refuse("the file's name must end in .svg");
    }
    if svg.is_dir() { refuse("that is a folder; name the file in it") } else { Ok(()) }
}
