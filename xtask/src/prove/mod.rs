//! `cargo xtask prove`: campaigns that are too long, or need too much, for every push.

pub(crate) mod faults;
mod fuzz;
pub(crate) mod infer;
pub(crate) mod resume;
mod sanitizer;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::process::Task;

/// Flags of `cargo xtask prove`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// What to prove [default: everything]
    #[arg(value_enum, value_name = "CAMPAIGN")]
    campaigns: Vec<Campaign>,
    /// How long `fuzz` feeds each target
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = fuzz::time)]
    time: Duration,
    /// What `fuzz` feeds [default: all]
    #[arg(long, value_enum, value_name = "NAME")]
    target: Option<fuzz::Target>,
}

/// Something to prove. A new one is a variant here and an arm in [`Campaign::run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Campaign {
    /// Licences, sources and bans of all dependencies (deny.toml)
    Licences,
    /// A run that is killed, stopped or failed anywhere and resumed ends with the same bytes
    Resume,
    /// A job that is killed, stopped or failed anywhere and started again ends with the same directory
    Infer,
    /// The kernels reach no memory that is not theirs
    Sanitizer,
    /// No file that the fuzzer thinks of makes a reader panic, hang or swallow memory
    Fuzz,
}

impl Campaign {
    fn run(self, root: &Path, arguments: &Arguments) -> Result<()> {
        match self {
            Self::Licences => licences(root),
            Self::Resume => resume::run(root),
            Self::Infer => infer::run(root),
            Self::Sanitizer => sanitizer::run(root),
            Self::Fuzz => fuzz::run(root, arguments.target, arguments.time),
        }
    }
}

/// Runs the campaigns; stops at the first that fails.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let all = Campaign::value_variants();
    let campaigns = if arguments.campaigns.is_empty() { all } else { &arguments.campaigns };
    for campaign in campaigns {
        let name = campaign.to_possible_value().expect("no campaign is hidden");
        eprintln!("── {}", name.get_name());
        campaign.run(root, arguments).with_context(|| format!("campaign `{}` failed", name.get_name()))?;
    }
    Ok(())
}

fn licences(root: &Path) -> Result<()> {
    if Task::cargo(["deny", "--version"]).output(root).is_err() {
        bail!("cargo-deny is not installed: `cargo install cargo-deny --locked`");
    }
    // Not `advisories`: their database is fetched from outside the package registries.
    Task::cargo(["deny", "check", "licenses", "bans", "sources"]).run(root)
}
