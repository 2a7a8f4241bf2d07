//! The export itself: a file of weights to a verified ONNX file.

use std::path::Path;

use models::Metadata;
use models_onnx::{Exported, Interface, Target};
use models_torch::SavedNetwork;
use program::{Console, Exit, Failure, OrExit, bytes, count, files, interrupt, print_result};

use crate::arguments::{ExportArguments, SourceArguments};
use crate::comparison::{Made, compare};
use crate::source::{self, Source};
use crate::unfinished::Unfinished;
use crate::verification::Basis;

/// Exports as the command line says.
pub(crate) fn run(arguments: &ExportArguments, said: &SourceArguments, console: &mut Console) -> Result<Exit, Failure> {
    let (source, target) = (arguments.input(), arguments.output());
    refuse_odd_target(source, target)?;
    let made_for = arguments.target.target();
    let (exported, metadata) = exported(source, said, &made_for, console)?;

    if !arguments.no_verify {
        interrupt::watch("stopping after this input").or_exit(Exit::CannotStart)?; // from here on there is something to remove
    }
    let unfinished = Unfinished::begin(target).or_exit(Exit::Fault)?;
    unfinished.write(&exported).or_exit(Exit::Fault)?;
    let length = exported.model.len() as u64;
    let data = exported.data.as_ref().map(|data| (data.name.clone(), data.len() as u64));
    drop(exported); // both sides of the comparison need the memory
    let Target { io, batch, size, precision, .. } = made_for;
    let interface = Interface { io, batch, size };
    let file = unfinished.model();
    let made = Made {
        name: target,
        file: &file,
        interface,
        precision,
        basis: Basis::Target,
        source: &metadata,
        contradictions: Vec::new(),
        unchanged: Some(true), // just written
    };
    verify(arguments, said, &made, console)?;
    unfinished.finish(data.as_ref().map(|(name, _)| name.as_str())).or_exit(Exit::Fault)?;
    console.say(format!("wrote {}, {}", target.display(), bytes(length)));
    if let Some((name, length)) = data {
        let path = files::folder_of(target).join(name);
        console.say(format!("wrote {}, {}: move both together", path.display(), bytes(length)));
    }
    print_result(target.display());
    Ok(Exit::Done)
}

/// Reads the weights and makes the file; the weights are gone afterwards. Also what is known of the network.
fn exported(
    source: &Path,
    said: &SourceArguments,
    target: &Target,
    console: &Console,
) -> Result<(Exported, Metadata), Failure> {
    let Source { network: SavedNetwork { metadata, weights }, recognised, .. } = source::read(source, said)?;
    let parameters = count(weights.iter().map(|weight| weight.bytes.len() as u64 / 4).sum());
    let (role, training) = (metadata.role, metadata.training());
    console.say(format!("{}: {role}, {training}, {parameters} parameters", source.display()));
    if let Some(recognised) = recognised {
        console.say(format!("recognised as a {recognised}; {}", source::assumed(&metadata)));
    }
    let exported = models_onnx::export(&metadata, weights, target).map_err(|error| {
        let exit = if error.is_of_target() { Exit::Usage } else { Exit::CannotStart };
        Failure::new(exit, format!("{}: {error}", source.display()))
    })?;
    let Exported { dropped, vanished, .. } = &exported;
    if !dropped.is_empty() {
        console.say(format!("{} biases have no effect before a norm and are left out (--keep-bias)", dropped.len()));
    }
    if *vanished > 0 {
        console.say(format!("{vanished} weights are below 3e-8, which is 0 in 16 bits"));
    }
    Ok((exported, metadata))
}

/// Compares what was made with where it is from; an error where they differ.
fn verify(
    arguments: &ExportArguments,
    said: &SourceArguments,
    made: &Made<'_>,
    console: &mut Console,
) -> Result<(), Failure> {
    if arguments.no_verify {
        return Ok(());
    }
    let report = compare(arguments.input(), said, made, &arguments.verification, console)?;
    console.say(&report);
    if report.agrees() {
        return Ok(());
    }
    let message = "ONNX Runtime does not compute what libtorch does (see above); nothing was written";
    Err(Failure::new(Exit::Differs, format!("{}: {message}", made.name.display())))
}

/// Refuses what would confuse a person later, or destroy the weights.
fn refuse_odd_target(source: &Path, target: &Path) -> Result<(), Failure> {
    let usage = |message: String| Err(Failure::new(Exit::Usage, message));
    if target.extension().is_none_or(|extension| extension != "onnx") {
        return usage(format!("-o {}: the file's name must end in .onnx", target.display()));
    }
    let is_source =
        matches!((source.canonicalize(), target.canonicalize()), (Ok(source), Ok(target)) if source == target);
    if is_source {
        return usage(format!("-o {}: that is the input", target.display()));
    }
    if target.is_dir() {
        return usage(format!("-o {}: that is a folder; name the file in it", target.display()));
    }
    Ok(())
}
