//! The licences of all crates that are inside a program, which may not be passed on without them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::Task;

/// How licence files begin to be called.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// A list of the crates of `package` with their licences, then each text once with the crates that it is of.
pub(super) fn of(root: &Path, package: &str) -> Result<String> {
    let crates = crates(root, package)?;
    let mut list = String::from("The Rust standard library  MIT OR Apache-2.0\n");
    let mut texts: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for Crate { name, licence, folder } in &crates {
        writeln!(list, "{name}  {licence}").expect("a string takes all");
        for text in texts_in(folder)? {
            texts.entry(text).or_default().insert(name);
        }
    }
    for (text, names) in texts {
        let names: Vec<&str> = names.into_iter().collect();
        write!(list, "\n\n──── {}\n\n{}\n", names.join(", "), text.trim_end()).expect("a string takes all");
    }
    Ok(list)
}

/// One crate of somebody else.
struct Crate {
    /// With its version.
    name: String,
    /// As SPDX writes it.
    licence: String,
    folder: PathBuf,
}

/// All that is compiled into `package`, sorted by name.
fn crates(root: &Path, package: &str) -> Result<Vec<Crate>> {
    let words = ["tree", "--locked", "--package", package, "--edges", "normal,no-proc-macro", "--prefix", "none"];
    let tree = String::from_utf8(Task::cargo(words).output(root)?).context("cargo tree prints no UTF-8")?;
    // `name v1.2.3 (path) (*)`
    let compiled: BTreeSet<String> =
        tree.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    let metadata = Task::cargo(["metadata", "--locked", "--format-version", "1"]).output(root)?;
    let metadata: Value = serde_json::from_slice(&metadata).context("cargo metadata is no JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let mut crates: Vec<Crate> = packages
        .iter()
        // Ours have no source, and lie under the licences beside the program.
        .filter(|package| package["source"].is_string())
        .map(|package| Crate {
            name: format!("{} v{}", text(package, "name"), text(package, "version")),
            licence: text(package, "license"),
            folder: Path::new(&text(package, "manifest_path")).with_file_name(""),
        })
        .filter(|package| compiled.contains(&package.name))
        .collect();
    crates.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(crates)
}

fn texts_in(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().to_uppercase()).unwrap_or_default();
        if path.is_file() && NAMES.iter().any(|begin| name.starts_with(begin)) {
            texts.push(String::from_utf8_lossy(&fs_err::read(path)?).replace("\r\n", "\n"));
        }
    }
    Ok(texts)
}
