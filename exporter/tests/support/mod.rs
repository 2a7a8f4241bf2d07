//! The program, as a user types it, and small networks for it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use models::families::{Family, GeneratorOptions};
use models::{FORMAT_VERSION, Metadata, Role, pixels};
use models_torch::{Format, Module, SavedNetwork};
use rand::SeedableRng;
use serde_json::Value;

pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exporter"));
    command
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .env("COLUMNS", "100")
        .env_remove("LD_LIBRARY_PATH");
    command.output().expect("it starts")
}

#[track_caller]
pub fn assert_ends(output: &Output, code: i32, message: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(message), "{said}");
}

#[track_caller]
pub fn assert_prints(output: &Output, code: i32, result: &str) {
    let [printed, said] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert_eq!(output.status.code(), Some(code), "{printed}{said}");
    assert!(printed.contains(result), "{printed}");
}

pub fn saved(role: Role, family: Family) -> SavedNetwork {
    let network = match role.is_generator() {
        true => family.generator(GeneratorOptions::sized(4, 2)),
        false => family.discriminator(4),
    };
    let mut random = rand_pcg::Pcg64::seed_from_u64(1);
    let module = Module::initialise(network.clone(), &mut random, tch::Device::Cpu).expect("small");
    let metadata = Metadata {
        format_version: FORMAT_VERSION,
        role,
        family: Some(family),
        network,
        data_set: Some("horse2zebra".into()),
        training_size: Some(32),
        pixel_range: pixels::RANGE,
        steps: Some(17),
        seed: Some(1),
        program: "trainer 0.1.0".into(),
        weights_sha256: None,
        assumptions: Vec::new(),
    };
    SavedNetwork { metadata, weights: module.weights().to_weights().expect("on the CPU") }
}

pub fn write(folder: &Path, name: &str, saved: &SavedNetwork) {
    let path = folder.join(name);
    let bytes = models_torch::encode(saved, Format::of(&path).expect("a known ending")).expect("its own weights");
    std::fs::write(path, bytes).expect("writable");
}

pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Checks that the keys of a JSON object are exactly those of a table in docs/inspect.md, in which `a.b` is a key inside
/// `a`, and `[]` stands for the members of a list. What is a map from names, or has a documentation of its own, is not
/// looked into.
#[track_caller]
pub fn assert_documented(found: &Value, section: &str) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/inspect.md"));
    let text = text.expect("docs/inspect.md is there");
    let begin = text.find(&format!("## `{section} --json`")).expect("a section on it");
    let table = text[begin..].split("\n## ").next().unwrap_or_default();
    let keys = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<String> = keys.map(str::to_owned).collect();
    let mut all = BTreeSet::new();
    collect(found, "", &documented, &mut all);
    assert_eq!(all, documented, "what is printed, and what is documented");
}

fn collect(value: &Value, path: &str, documented: &BTreeSet<String>, all: &mut BTreeSet<String>) {
    let has_more = |path: &str| documented.iter().any(|key| key.starts_with(&format!("{path}.")));
    match value {
        Value::Object(entries) if path.is_empty() || has_more(path) => {
            for (key, value) in entries {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                all.insert(path.clone());
                collect(value, &path, documented, all);
            }
        }
        Value::Array(members) => {
            members.iter().for_each(|member| collect(member, &format!("{path}[]"), documented, all));
        }
        _ => {}
    }
}
