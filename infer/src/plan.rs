//! Every output named before any work.

use std::collections::HashMap;
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
    /// differ only in their format's ending, are refused: which one a later reader means would be a matter of luck.
    ///
    /// # Errors
    /// Where an input does not exist or holds no picture, and where outputs collide.
    pub fn make(inputs: &[PathBuf], output: &Path, overwrite: bool) -> Result<Self, Failure> {
        let mut items = Vec::new();
        for input in inputs {
            items.extend(items_of(input, output)?);
        }
        refuse_collisions(&items)?;
        let planned = items.len();
        let work: Vec<Item> = items.into_iter().filter(|item| overwrite || !item.output.exists()).collect();
        Ok(Self { skipped: planned - work.len(), work, planned })
    }
}

fn items_of(input: &Path, output: &Path) -> Result<Vec<Item>, Failure> {
    let metadata =
        std::fs::metadata(input).with_context(|| format!("input {}", input.display())).or_exit(Exit::CannotStart)?;
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

fn refuse_collisions(items: &[Item]) -> Result<(), Failure> {
    let usage = |message: String| Err(Failure::new(Exit::Usage, message));
    let mut taken: HashMap<PathBuf, &Item> = HashMap::new();
    for item in items {
        if item.input.canonicalize().is_ok_and(|input| item.output.canonicalize().is_ok_and(|output| input == output)) {
            return usage(format!(
                "{} would be replaced by its own translation; choose another output",
                item.input.display()
            ));
        }
        if let Some(first) = taken.insert(item.output.with_extension(""), item) {
            return usage(format!(
                "{} and {} both want the output {}; translate them into different directories",
                first.input.display(),
                item.input.display(),
                item.output.with_extension("*").display()
            ));
        }
    }
    Ok(())
}
