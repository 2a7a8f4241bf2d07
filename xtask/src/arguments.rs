//! The command line.

use clap::{Parser, Subcommand};

use crate::{bench, compare, demo, dist, prove, setup, test};

/// The developer's and the newcomer's commands
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch the native libraries
    ///
    /// Fetches the pinned libtorch and ONNX Runtime with pip into $XDG_CACHE_HOME/cyclegan (or ~/.cache/cyclegan) and
    /// links them as .native in the project. What is there already is not fetched again. A link to the CUDA libraries
    /// stays until `--remove`.
    Setup(setup::Arguments),
    /// Train, export and translate something small, and show it
    ///
    /// Writes demo/index.html, prints its path and the mean L1 error in [0, 255] before and after.
    Demo(demo::Arguments),
    /// Check all that must hold before a push
    ///
    /// Format, lints, documentation, documentation's examples and all tests, cheapest first. Stops at the first failure.
    Test(test::Arguments),
    /// Check what is too long for every push
    Prove(prove::Arguments),
    /// Measure how fast the programs are
    Bench(bench::Arguments),
    /// Say how far pictures are from the truth
    ///
    /// Prints the mean absolute difference in [0, 255] over pictures whose names are the same up to the ending.
    Compare(compare::Arguments),
    /// Pack what is given to people who build nothing
    ///
    /// A tarball of `infer` with ONNX Runtime beside it, and man pages and shell completions of all three programs. Prints the
    /// tarball's path and its size.
    Dist(dist::Arguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
