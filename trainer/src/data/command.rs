//! `trainer datasets`: what there is by name, whether a folder is fit to train on, the built-in set as files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use program::{ConsoleArguments, Exit, Failure, print_result};

use super::catalogue::{self, Kind, PUBLISHED, STRIPES};
use super::places::Places;
use super::{check, write};
use crate::table::table;

/// What to do with data sets.
#[derive(Debug, clap::Subcommand)]
pub enum DatasetsAction {
    /// Show the data sets that have names
    ///
    /// `trainer --data NAME` fetches one that is not there yet.
    List {
        /// Where data sets are looked up by name
        #[arg(long, default_value = "datasets", value_name = "DIR")]
        data_root: PathBuf,
    },
    /// Look at every picture of a data set
    ///
    /// Counts them, names those that cannot be read, and those that are on more than one side: the same picture in A and
    /// B, or in training and test, spoils both. Ends with 1 if anything is wrong.
    Check {
        /// Folder with trainA and trainB [testA, testB], or the name of one below --data-root
        #[arg(value_name = "DIR")]
        folder: String,
        /// Where data sets are looked up by name
        #[arg(long, default_value = "datasets", value_name = "DIR")]
        data_root: PathBuf,
        /// Print one JSON object instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Write the built-in data set out as files
    ///
    /// Makes trainA, trainB, testA and testB with PNG files. In the test folders the same name is the same scene.
    Stripes {
        /// Folder to make
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Side of the pictures in pixels
        #[arg(long, default_value_t = 64, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=4096))]
        size: u32,
        /// Seed of the scenes
        #[arg(long, default_value_t = 0, value_name = "N")]
        seed: u64,
    },
}

/// Does what was asked for with data sets.
pub(crate) fn run(action: DatasetsAction, console: ConsoleArguments) -> Result<Exit, Failure> {
    match action {
        DatasetsAction::List { data_root } => {
            print_result(list(&data_root));
            Ok(Exit::Done)
        }
        DatasetsAction::Check { folder, data_root, json } => {
            let report = check::check(&folder_of(&folder, &data_root)?, console)?;
            print_result(if json { report.to_json() } else { report.to_table() });
            Ok(if report.is_fine() { Exit::Done } else { Exit::Differs })
        }
        DatasetsAction::Stripes { folder, size, seed } => write::write(&folder, size, seed, console),
    }
}

fn folder_of(name: &str, root: &Path) -> Result<PathBuf, Failure> {
    if let Some(folder) = (Places { root, url: None, patience: Duration::ZERO }).folder(name) {
        return Ok(folder);
    }
    let remedy = match name {
        STRIPES => format!("it is built in: `trainer datasets stripes {STRIPES}` writes it there"),
        _ if catalogue::find(name).is_some_and(|published| published.kind != Kind::Withheld) => {
            format!("`trainer --data {name}` fetches it")
        }
        _ => "give a folder that holds trainA and trainB".into(),
    };
    let below_root = root.join(name);
    let message = format!("there is no folder {name}, nor {}; {remedy}", below_root.display());
    Err(Failure::new(Exit::CannotStart, message))
}

/// The table of names.
fn list(root: &Path) -> String {
    let there = |name: &str| Some(root.join(name)).filter(|folder| folder.is_dir());
    let place = |name: &str, otherwise: &str| {
        there(name).map_or_else(|| otherwise.to_owned(), |folder| folder.display().to_string())
    };
    let mut rows = vec![["name", "A", "B", "where"].map(str::to_owned)];
    rows.push([STRIPES.into(), "plain animals".into(), "striped animals".into(), place(STRIPES, "built in")]);
    for published in &PUBLISHED {
        let otherwise = match published.kind {
            Kind::Whole => "to be fetched",
            Kind::TestsOnly => "to be fetched; only pictures to translate",
            Kind::Withheld => "withheld: its licence forbids passing it on; make it yourself",
        };
        let place = place(published.name, otherwise);
        rows.push([published.name.into(), published.a.into(), published.b.into(), place]);
    }
    table(&rows, 4)
}
