//! Every output named before any work.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use program::{Exit, Failure, OrExit};

/// One picture to translate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it is read.
    pub input: PathBuf,
    /// Where its translation is written.
    pub output: PathBuf,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Pictures to translate, in the order of their paths.
    pub work: Vec<Item>,
    /// Pictures whose output is there already.
    pub skipped: usize,
    /// All pictures found.
    pub planned: usize,
}

impl Plan {
    /// Finds all pictures below `inputs` and names their outputs below `output`.
    ///
    /// A directory's pictures keep their path below it, a file its name. Two inputs that want one output, or outputs that
    /// differ only in their format's ending, are refused: which one a later reader means would be a matter of luck. A
    /// picture that is named twice is translated once.
    ///
    /// # Errors
    /// Where an input does not exist or holds no picture, where outputs collide, and where one would replace an input.
    pub fn make(inputs: &[PathBuf], output: &Path, overwrite: bool) -> Result<Self, Failure> {
        if output.exists() && !output.is_dir() {
            // What a shell makes of `infer --model g_ab.onnx *.png`.
            return usage(format!("{} is no directory; the last argument is where translations go", output.display()));
        }
        let mut items = Vec::new();
        for input in inputs {
            items.extend(items_of(input, output)?);
        }
        let items = with_outputs_of_their_own(items)?;
        refuse_to_replace_inputs(&items)?;
        let planned = items.len();
        // A directory in an output's place is no translation: writing it fails, and says so.
        let is_there = |item: &Item| item.output.exists() && !item.output.is_dir();
        let work: Vec<Item> = items.into_iter().filter(|item| overwrite || !is_there(item)).collect();
        Ok(Self { skipped: planned - work.len(), work, planned })
    }
}

fn items_of(input: &Path, output: &Path) -> Result<Vec<Item>, Failure> {
    let metadata =
        std::fs::metadata(input).with_context(|| format!("input {}", input.display())).or_exit(Exit::CannotStart)?;
    if !metadata.is_dir() && !metadata.is_file() {
        let message = format!("input {}: is neither a file nor a directory", input.display());
        return Err(Failure::new(Exit::CannotStart, message)); // a pipe would be waited for without end
    }
    if !metadata.is_dir() {
        let name = input.file_name().expect("a file has a name");
        return Ok(vec![Item { input: input.into(), output: output.join(name) }]);
    }
    let found = pictures::find(input).map_err(anyhow::Error::from).or_exit(Exit::CannotStart)?;
    // Translations of an earlier run are no inputs of this one. (An output that is the input itself is a collision.)
    let below = |own: &PathBuf| input.canonicalize().is_ok_and(|input| own.starts_with(&input) && *own != input);
    let own = output.canonicalize().ok().filter(below);
    let is_output =
        |path: &Path| own.as_ref().is_some_and(|own| path.canonicalize().is_ok_and(|path| path.starts_with(own)));
    let items: Vec<Item> = found
        .into_iter()
        .filter(|path| !is_output(path))
        .map(|path| {
            let below = path.strip_prefix(input).expect("it was found there");
            Item { output: output.join(below), input: path.clone() }
        })
        .collect();
    match items.is_empty() {
        true => Err(Failure::new(
            Exit::CannotStart,
            format!("input {}: no pictures there (png, jpg, webp, bmp or tiff)", input.display()),
        )),
        false => Ok(items),
    }
}

/// Each input once. Two that want one output are refused.
fn with_outputs_of_their_own(items: Vec<Item>) -> Result<Vec<Item>, Failure> {
    let mut places: HashMap<PathBuf, usize> = HashMap::with_capacity(items.len());
    let mut own: Vec<Item> = Vec::with_capacity(items.len());
    for item in items {
        let place = *places.entry(item.output.with_extension("")).or_insert(own.len());
        match own.get(place) {
            None => own.push(item),
            Some(first) if first.output == item.output && is_same_file(&first.input, &item.input) => {}
            Some(first) => {
                return usage(format!(
                    "{} and {} both want the output {}; translate them into different directories",
                    first.input.display(),
                    item.input.display(),
                    item.output.with_extension("*").display()
                ));
            }
        }
    }
    Ok(own)
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// No output may be an input, its own or another's: nothing here destroys a photo.
fn refuse_to_replace_inputs(items: &[Item]) -> Result<(), Failure> {
    let there: Vec<(PathBuf, &Item)> =
        items.iter().filter_map(|item| Some((item.output.canonicalize().ok()?, item))).collect();
    if there.is_empty() {
        return Ok(());
    }
    let inputs: HashSet<PathBuf> = items.iter().filter_map(|item| item.input.canonicalize().ok()).collect();
    match there.iter().find(|(output, _)| inputs.contains(output)) {
        None => Ok(()),
        Some((_, Item { input, output })) if is_same_file(input, output) => {
            usage(format!("{} would be replaced by its own translation; choose another output", input.display()))
        }
        Some((_, Item { input, output })) => usage(format!(
            "{}, an input too, would be replaced by the translation of {}; choose another output",
            output.display(),
            input.display()
        )),
    }
}

fn usage<T>(message: String) -> Result<T, Failure> {
    Err(Failure::new(Exit::Usage, message))
}
