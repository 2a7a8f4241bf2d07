//! Every output named before any work.
//!
//! `inputs` are the arguments or a list, `gather` and `walk` find the pictures that they mean, `names` gives each an
//! output of its own, `safety` sees to it that no output is an input. What is done already is not asked here. Each step
//! looks at sets, never at an order, so that a plan follows from the files and arguments alone.

mod arguments;
mod format;
mod found;
mod gather;
mod inputs;
mod names;
mod patterns;
mod safety;
mod show;
mod walk;

use std::path::PathBuf;

use program::{Exit, Failure};

pub use arguments::PlanArguments;
pub use format::Format;
use gather::{Gathered, Gathering};
use inputs::cleaned;

/// One picture to translate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it is read.
    pub input: PathBuf,
    /// Where its translation is written. The ending says the format, see [`Format::of`].
    pub output: PathBuf,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// All pictures, in the order of their outputs' paths. No two outputs are alike, also where capitals or Unicode forms
    /// do not count.
    pub items: Vec<Item>,
    /// Outputs that are not called as their inputs, since others want the same name.
    pub renamed: usize,
    /// What a person should know of how it was made: sentences.
    pub notes: Vec<String>,
}

impl Plan {
    /// Finds all pictures and names their outputs.
    ///
    /// # Errors
    /// With 3 where an input does not exist, cannot be listed or holds no picture, and where a pattern matches nothing; with 2
    /// where a flag says nothing of these inputs and where an output would replace an input.
    pub fn make(arguments: &PlanArguments) -> Result<Self, Failure> {
        let output = arguments.output();
        if arguments.inputs.iter().map(PathBuf::as_path).chain([output]).any(|path| path.as_os_str() == "-") {
            return usage("- stands for one picture through pipes and goes alone: infer --model FILE - -");
        }
        if output.exists() && !output.is_dir() {
            // What a shell makes of `infer --model g_ab.onnx *.png`.
            return usage(format!("{} is no directory; the last argument is where translations go", output.display()));
        }
        let mut gathering = Gathering::new(arguments)?;
        for input in inputs::of(arguments)? {
            gathering.take(&input)?;
        }
        let Gathered { mut pictures, folders, links_left } = gathering.end()?;
        let found = pictures.len();
        found::each_once(&mut pictures);
        let twice = found - pictures.len();
        let (named, renamed) = names::give(pictures, output, arguments.format);
        safety::refuse_to_replace(&named, &folders)?;
        let items: Vec<Item> =
            named.into_iter().map(|(found, output)| Item { input: found.input.into(), output }).collect();
        let mut notes = Vec::new();
        if let Some(first) = renamed.first() {
            let number = several(renamed.len(), "output");
            notes.push(format!("names     {number} renamed, as others want the same: {}", show::line(&items[*first])));
        }
        if twice > 0 {
            notes.push(format!("inputs    {} named again, translated once", several(twice, "picture")));
        }
        if links_left > 0 {
            let number = several(links_left, "link");
            notes.push(format!("inputs    {number} to directories not entered (--follow-links enters them)"));
        }
        Ok(Self { items, renamed: renamed.len(), notes })
    }

    /// Prints the plan to stdout, a line an item: `INPUT -> OUTPUT`, or a JSON object. A name that a line could not show is
    /// quoted and escaped.
    pub fn print(&self, json: bool) {
        for item in &self.items {
            match json {
                true => program::print_result(show::json(item)),
                false => program::print_result(show::line(item)),
            }
        }
    }
}

fn usage<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(Exit::Usage, message.into()))
}

fn several(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
