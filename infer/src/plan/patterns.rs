//! `--include` and `--exclude`.

use std::path::Path;

use globset::{Candidate, GlobBuilder, GlobSet};
use program::{Exit, Failure};

use super::usage;

/// The patterns of one flag, and which of them have matched something.
#[derive(Debug)]
pub(super) struct Patterns {
    flag: &'static str,
    texts: Vec<String>,
    set: GlobSet,
    matched: Vec<bool>,
    places: Vec<usize>,
}

impl Patterns {
    /// Patterns without `/` match a name in any folder.
    pub fn new(flag: &'static str, texts: &[String]) -> Result<Self, Failure> {
        let mut set = GlobSet::builder();
        for text in texts {
            let anywhere = if text.contains('/') { text.clone() } else { format!("**/{text}") };
            match GlobBuilder::new(&anywhere).literal_separator(true).build() {
                Ok(_) if text.is_empty() => return usage(format!("{flag} '': is no pattern; leave it out")),
                Ok(pattern) => set.add(pattern),
                Err(error) => return usage(format!("{flag} '{text}': is no pattern: {}", error.kind())),
            };
        }
        let set = match set.build() {
            Ok(set) => set,
            Err(error) => return usage(format!("{flag}: these patterns are too large together: {error}")),
        };
        Ok(Self { flag, texts: texts.to_vec(), set, matched: vec![false; texts.len()], places: Vec::new() })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Whether one matches a path below an input.
    pub fn match_path(&mut self, below: &Path) -> bool {
        self.set.matches_candidate_into(&Candidate::new(below), &mut self.places);
        self.places.iter().for_each(|place| self.matched[*place] = true);
        !self.places.is_empty()
    }

    /// Whether one matches a path below an input or a folder above it.
    pub fn match_path_or_folder(&mut self, below: &Path) -> bool {
        let mut matches = false;
        for folder in below.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
            matches |= self.match_path(folder); // each is looked at: every pattern is to be seen at work
        }
        matches
    }

    /// An error that names each pattern that has matched nothing.
    pub fn refuse_idle(&self, what: &str) -> Result<(), Failure> {
        let idle = self.texts.iter().zip(&self.matched).filter(|(_, matched)| !**matched);
        let idle: Vec<String> = idle.map(|(text, _)| format!("{} '{text}'", self.flag)).collect();
        if idle.is_empty() {
            return Ok(());
        }
        let message = format!("{}: matches no {what}; patterns see the path below the input", idle.join(", "));
        Err(Failure::new(Exit::CannotStart, message))
    }
}
