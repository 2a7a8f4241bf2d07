//! Which pictures are translated, and how their outputs are called.

mod lists;
mod names;
mod safety;
mod walk;

use std::path::{Path, PathBuf};

use infer::plan::{Plan, PlanArguments};
use program::{Exit, Failure};

use super::support::{identity_model, infer, write};

/// A folder with files of these names, and a model.
fn folder_of(names: &[&str]) -> tempfile::TempDir {
    let folder = super::support::folder_with(&identity_model());
    names.iter().for_each(|name| write(&folder.path().join(name), name.as_bytes()));
    folder
}

/// The plan of `infer --model model.onnx --dry-run` with these arguments, typed in that folder.
#[track_caller]
fn planned(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let all = [&["--model", "model.onnx", "--dry-run"], arguments].concat();
    // It would fail, were ONNX Runtime loaded.
    let output = infer(folder, &all).env("ORT_DYLIB_PATH", "/no/such/lib.so").output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("what is not Unicode is escaped").lines().map(Into::into).collect()
}

/// Why a plan cannot be made.
fn refused(folder: &Path, arguments: PlanArguments) -> (Exit, String) {
    let Failure { exit, error } = Plan::make(&in_folder(folder, arguments)).expect_err("there is no such plan");
    (exit, format!("{error:#}").replace(&format!("{}/", folder.display()), ""))
}

/// The plan, with paths as seen from the folder.
#[track_caller]
fn pairs(folder: &Path, arguments: PlanArguments) -> Vec<(PathBuf, PathBuf)> {
    let plan = Plan::make(&in_folder(folder, arguments)).expect("a plan");
    let here = |path: PathBuf| path.strip_prefix(folder).expect("inside").to_owned();
    plan.items.into_iter().map(|item| (here(item.input), here(item.output))).collect()
}

fn in_folder(folder: &Path, arguments: PlanArguments) -> PlanArguments {
    let inputs = arguments.inputs.iter().map(|input| folder.join(input)).collect();
    PlanArguments { inputs, output: Some(folder.join(arguments.output())), ..arguments }
}

/// `inputs` to `out`.
fn from(inputs: &[&str]) -> PlanArguments {
    PlanArguments {
        inputs: inputs.iter().map(PathBuf::from).collect(),
        output: Some("out".into()),
        ..PlanArguments::default()
    }
}

fn globs(patterns: &[&str]) -> Vec<String> {
    patterns.iter().map(ToString::to_string).collect()
}
