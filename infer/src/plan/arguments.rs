//! The part of the command line that says which pictures, and where to.

use std::path::{Path, PathBuf};

use clap::Args;

use super::format::Format;

/// Which pictures are translated, and how their outputs are called.
#[derive(Args, Clone, Debug, Default)]
#[command(allow_missing_positional = true)]
pub struct PlanArguments {
    /// Pictures or directories of them
    ///
    /// Below a directory, what is called like a picture is taken, hidden files and directories are not. A file is taken
    /// whatever it is called.
    #[arg(required_unless_present_any = ["from_file", "print_contract"], conflicts_with = "from_file", value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Directory for the translated pictures
    #[arg(required = true, value_name = "OUTPUT")]
    pub output: Option<PathBuf>,
    /// Of directories only the pictures that match [may be given again]
    ///
    /// A pattern is matched on the path below the input: `*` and `?` stay within a name, `**` goes over folders, `[a-z]`
    /// and `{jpg,png}` are alternatives. One without `/` matches a name in any folder. A folder that matches counts for
    /// all that is in it. A pattern that matches nothing is an error.
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// Of directories all but what matches [may be given again]
    ///
    /// Patterns are those of --include, and win over them. A folder that matches is not looked into.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Folders that are looked into: 1 is the directory itself [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_depth: Option<u32>,
    /// Enter links to directories, too
    ///
    /// A link that leads back to a folder above it is left out. Links to files are read always.
    #[arg(long)]
    pub follow_links: bool,
    /// Take the inputs from a file, or from standard input where it is -
    ///
    /// One path a line, from the working directory. An output keeps the path as it is listed, or only the name where that
    /// begins with / or contains `..`.
    #[arg(long, value_name = "FILE")]
    pub from_file: Option<PathBuf>,
    /// End the paths of --from-file with NUL, as `find -print0` does, not with the line
    #[arg(short = '0', long = "null")]
    pub nul: bool,
    /// Format of the outputs [default: what their inputs' names say, else png]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Print what would be translated, `INPUT -> OUTPUT`, and do nothing
    ///
    /// A name that a line could not show is quoted, with escapes. With --json each line is a JSON object.
    #[arg(long)]
    pub dry_run: bool,
}

impl PlanArguments {
    /// Directory for the translated pictures.
    pub fn output(&self) -> &Path {
        self.output.as_deref().expect("required where anything is translated")
    }
}
