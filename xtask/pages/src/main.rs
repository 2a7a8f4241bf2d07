//! `pages FOLDER`: man pages and shell completions of the three programs, for `cargo xtask dist`.
//!
//! A program of its own, since it links all three and with them libtorch, which `xtask` must not.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: pages FOLDER");
        return ExitCode::from(2);
    };
    match write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            ExitCode::from(3)
        }
    }
}

/// `man/PROGRAM[-SUBCOMMAND].1` and, for each shell, a file in `completions` that is called as that shell wants it.
fn write(folder: &Path) -> io::Result<()> {
    let [manual, completions] = ["man", "completions"].map(|name| folder.join(name));
    std::fs::create_dir_all(&manual)?;
    std::fs::create_dir_all(&completions)?;
    for mut command in [trainer::Arguments::command(), exporter::Arguments::command(), infer::Arguments::command()] {
        // `help` says what the others' pages say.
        clap_mangen::generate_to(command.clone().disable_help_subcommand(true), &manual)?;
        let name = command.get_name().to_owned();
        for &shell in Shell::value_variants() {
            clap_complete::generate_to(shell, &mut command, &name, &completions)?;
        }
    }
    Ok(())
}
