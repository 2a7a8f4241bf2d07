//! `trainer` as a user types it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use snapbox::{file, str};

/// A network that trains in a moment.
const SMALL: [&str; 8] = ["--size", "24", "--width", "2", "--blocks", "1", "--threads", "1"];

fn trainer(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).env_remove("LD_LIBRARY_PATH");
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    trainer(folder, arguments).output().expect("it starts")
}

fn on_stripes(folder: &Path, arguments: &[&str]) -> Output {
    run(folder, &[&["--data", "stripes"], SMALL.as_slice(), arguments].concat())
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, message: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(message), "{said}");
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn help_says_what_it_is_and_what_it_takes() {
    let output = trainer(Path::new("."), &["--help"]).env("COLUMNS", "100").output().expect("it starts");
    snapbox::assert_data_eq!(output.stdout, file!["snapshots/help.txt"]);
    let output = run(Path::new("."), &[]);
    snapbox::assert_data_eq!(
        output.stderr,
        str![[r#"
error: the following required arguments were not provided:
  --data <DIR|NAME>

Usage: trainer --data <DIR|NAME>

For more information, try '--help'.

"#]]
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_run_leaves_weights_metrics_samples_and_settings() {
    let folder = folder();
    let arguments =
        ["--steps", "4", "--log-every", "2", "--sample-every", "2", "--eval-every", "2", "--save-every", "2"];
    let output = on_stripes(folder.path(), &arguments);
    assert_ends(&output, 0, "test      A to B, last: L1");
    let said = String::from_utf8_lossy(&output.stderr);
    for line in
        ["device    cpu", "data      stripes: 400 pictures of A, 400 of B, test 24 and 24", "parameters", "memory"]
    {
        assert!(said.contains(line), "{line} in {said}");
    }
    let run = folder.path().join("runs/stripes");
    for file in [
        "g_ab.ot",
        "g_ba.ot",
        "d_a.ot",
        "d_b.ot",
        "run.toml",
        "timing.jsonl",
        "start.json",
        "report.html",
        "best/g_ab.ot",
        "best/best.json",
        "checkpoints/000004.safetensors",
    ] {
        assert!(run.join(file).is_file(), "{file}");
    }
    for sheet in ["000000.png", "000002.png", "000004.png"] {
        let sheet = pictures::read(&run.join("samples").join(sheet)).expect("a picture");
        assert_eq!(sheet.dimensions(), (4 + 6 * 28, 4 + 4 * 28), "four rows: real, translated, cycled, both ways");
    }
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).expect("it was written");
    let lines: Vec<serde_json::Value> = metrics.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for key in ["losses", "paired"] {
        let of = lines.iter().filter(|line| line[key].is_object()).map(|line| line["step"].as_u64());
        assert_eq!(of.collect::<Vec<_>>(), [Some(2), Some(4)], "{key}");
    }
    for loss in trainer::update::LOSSES {
        assert!(lines[0]["losses"][loss].as_f64().is_some_and(f64::is_finite), "{loss}");
    }
    let metadata = models_torch::read(&run.join("g_ab.ot")).expect("our own file").metadata;
    assert_eq!(metadata.training(), "trained on stripes at 24×24 for 4 steps");
}

#[test]
fn printed_settings_are_a_file_that_leads_to_the_same_run() {
    let folder = folder();
    let printed = |arguments: &[&str]| {
        let output = run(folder.path(), &[arguments, &["--print-config"]].concat());
        assert_ends(&output, 0, "");
        String::from_utf8(output.stdout).expect("a text")
    };
    let open = printed(&["--preset", "paper"]);
    assert!(open.contains("\n# data = …\n") && !open.contains("stripes\"\n"), "nobody has said it: {open}");
    std::fs::write(folder.path().join("open.toml"), &open).expect("writable");
    assert_ends(&run(folder.path(), &["--config", "open.toml"]), 2, "--data");

    let whole =
        printed(&["--data", "stripes", "--steps", "1", "--run", "there", SMALL[0], SMALL[1], SMALL[2], SMALL[3]]);
    std::fs::write(folder.path().join("whole.toml"), &whole).expect("writable");
    assert_eq!(printed(&["--config", "whole.toml"]), whole);
    assert_ends(&run(folder.path(), &["--config", "whole.toml", "--blocks", "1"]), 0, "look at there/report.html");
}

#[test]
fn a_flag_that_changes_nothing_is_said() {
    let folder = folder();
    let flags = ["--steps", "1", "--decay-from", "0.3", "--eval-every", "1"];
    let output = on_stripes(folder.path(), &flags);
    assert_ends(&output, 0, "warning: --decay-from changes nothing: the schedule is constant");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("changes nothing").count(), 1, "stripes has pairs to measure on: {said}");
}

#[test]
fn the_same_seed_gives_the_same_weights_and_metrics_with_every_preset() {
    for preset in ["concat", "paper"] {
        let folder = folder();
        let files = |run: &str, seed: &str| {
            let arguments = ["--preset", preset, "--steps", "3", "--log-every", "1", "--seed", seed, "--run", run];
            assert_ends(&on_stripes(folder.path(), &arguments), 0, "");
            let read = |file: &str| std::fs::read(folder.path().join(run).join(file)).expect("it was written");
            ["g_ab.ot", "g_ba.ot", "d_a.ot", "d_b.ot", "metrics.jsonl"].map(read)
        };
        let first = files("one", "5");
        assert!(first == files("two", "5"), "{preset}: the same to the last bit");
        assert!(first[0] != files("three", "6")[0], "{preset}: another seed, other weights");
    }
}

#[test]
fn pictures_of_every_kind_are_trained_on() {
    let folder = folder();
    let picture = pictures::Picture::from_fn(40, 24, |x, y| [x as u8 * 6, y as u8 * 10, 128].into());
    for side in ["trainA", "trainB"] {
        for format in ["png", "jpeg", "webp", "bmp", "tiff"] {
            let path = folder.path().join("set").join(side).join(format!("picture.{format}"));
            let bytes =
                pictures::encode(&picture, pictures::Format::from_extension(format).expect("known")).expect("small");
            program::files::write_whole(&path, &bytes).expect("writable");
        }
    }
    let output = run(folder.path(), &[&["--data", "set", "--steps", "6"], SMALL.as_slice()].concat());
    assert_ends(&output, 0, "set: 5 pictures of A, 5 of B");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("warning"), "every one could be read");
}

#[test]
fn an_existing_run_is_not_overwritten_unless_asked() {
    let folder = folder();
    assert_ends(&on_stripes(folder.path(), &["--steps", "1"]), 0, "");
    let weights = || std::fs::read(folder.path().join("runs/stripes/g_ab.ot")).expect("it was written");
    let before = weights();
    assert_ends(&on_stripes(folder.path(), &["--steps", "2"]), 3, "runs/stripes holds a run already");
    assert!(weights() == before);
    assert_ends(&on_stripes(folder.path(), &["--steps", "2", "--overwrite"]), 0, "");
    assert!(weights() != before);
}

#[test]
fn settings_come_from_a_file_and_flags_win() {
    let folder = folder();
    let printed = run(folder.path(), &["--preset", "paper", "--size", "24", "--width", "2", "--print-config"]);
    assert_ends(&printed, 0, "");
    std::fs::write(folder.path().join("all.toml"), &printed.stdout).expect("writable");
    let again = run(folder.path(), &["--config", "all.toml", "--print-config"]);
    assert!(again.stdout == printed.stdout, "what is printed is a file that says the same");

    std::fs::write(
        folder.path().join("mine.toml"),
        "data = 'stripes'\npreset = 'paper'\nepochs = 7\nrun = 'here'\ncycle-weight = 3\n",
    )
    .expect("writable");
    let arguments = [&["--config", "mine.toml", "--steps", "1", "--cycle-weight", "4"], SMALL.as_slice()].concat();
    assert_ends(&run(folder.path(), &arguments), 0, "here/report.html");
    let saved = std::fs::read_to_string(folder.path().join("here/run.toml")).expect("it was written");
    let saved: toml::Table = saved.parse().expect("TOML");
    for (name, value) in [("preset", "paper"), ("schedule", "linear"), ("generator", "paper")] {
        assert_eq!(saved[name].as_str(), Some(value), "{name}");
    }
    assert_eq!((saved["steps"].as_integer(), saved["cycle_weight"].as_float()), (Some(1), Some(4.0)));
    assert!(!saved.contains_key("epochs"), "--steps replaced it");

    for (text, message) in [
        ("data = 'stripes'\nsise = 24", "wrong.toml: `sise` is no setting; did you mean `size`?"),
        ("data = 'stripes'\nsize = 8", "wrong.toml: invalid value '8' for '--size <PIXELS>': 8 is not in 16..=4096"),
        ("size = 24", "wrong.toml: the following required arguments were not provided: --data <DIR|NAME>"),
        ("size 24", "wrong.toml: is no TOML"),
    ] {
        std::fs::write(folder.path().join("wrong.toml"), text).expect("writable");
        assert_ends(&run(folder.path(), &["--config", "wrong.toml", "--steps", "1"]), 2, message);
    }
    assert_ends(&run(folder.path(), &["--config", "none.toml"]), 3, "none.toml");
}

#[test]
fn weight_0_computes_no_identity_losses() {
    let folder = folder();
    assert_ends(&on_stripes(folder.path(), &["--steps", "1", "--identity-weight", "0"]), 0, "");
    let metrics = std::fs::read_to_string(folder.path().join("runs/stripes/metrics.jsonl")).expect("it was written");
    assert!(metrics.contains("cycle_a") && !metrics.contains("id_a"), "{metrics}");
}

#[test]
fn pictures_that_are_smaller_than_the_crop_are_named_before_the_run() {
    let folder = folder();
    let arguments = ["datasets", "stripes", "small", "--size", "20"];
    assert_ends(&run(folder.path(), &arguments), 0, "");
    let arguments = [&["--data", "small", "--resize", "off", "--steps", "1"], SMALL.as_slice()].concat();
    let message =
        "scene-0000.png is 20×20, smaller than the crop of 24×24, as 400 of 400 pictures there are; lower --size";
    assert_ends(&run(folder.path(), &arguments), 3, message);
    let arguments = [&["--data", "small", "--steps", "1"], SMALL.as_slice()].concat();
    assert_ends(&run(folder.path(), &arguments), 0, "");
}

#[test]
fn what_cannot_start_says_why_and_what_to_do() {
    let folder = folder();
    let cases: [(&[&str], i32, &str); 8] = [
        (&["--data", "no-such-set"], 3, "there is no folder no-such-set, nor datasets/no-such-set"),
        (&["--data", "stripes", "--size", "30"], 2, "both sides must be multiples of 4"),
        (
            &["--data", "stripes", "--size", "16", "--preset", "paper"],
            2,
            "layer head.conv: its input [512, 1, 1] is too small",
        ),
        (&["--data", "stripes", "--device", "cuda"], 3, "cuda:0 was asked for and cannot be used"),
        (&["--data", "stripes", "--device", "gpu"], 2, "`gpu` is no device; use auto, cpu, cuda or cuda:N"),
        (&["--data", "stripes", "--steps", "2", "--epochs", "1"], 2, "cannot be used with"),
        (&["--data", "stripes", "--rate=-1"], 2, "must be 0 or more"),
        (&["--data", "stripes", "--preset", "papre"], 2, "a similar value exists: 'paper'"),
    ];
    for (arguments, code, message) in cases {
        let output = run(folder.path(), arguments);
        assert_ends(&output, code, message);
        assert!(output.stdout.is_empty(), "errors go to stderr");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0, "nothing was begun");
}

#[test]
fn the_built_in_data_set_is_written_out_as_files_and_is_the_same_from_there() {
    let folder = folder();
    let output = run(folder.path(), &["datasets", "stripes", "written", "--size", "24"]);
    assert_ends(&output, 0, "written: 848 pictures of 24×24");
    let count = |side: &str| pictures::find(&folder.path().join("written").join(side)).expect("a folder").len();
    assert_eq!(["trainA", "trainB", "testA", "testB"].map(count), [400, 400, 24, 24]);
    // From files, as drawn: the order, the pixels and so the weights are the same.
    let weights = |data: &str, to: &str| {
        let arguments = [&["--data", data, "--steps", "2", "--run", to], SMALL.as_slice()].concat();
        assert_ends(&run(folder.path(), &arguments), 0, "");
        models_torch::read(&folder.path().join(to).join("g_ab.ot")).expect("our own file").weights
    };
    assert!(weights("stripes", "drawn") == weights("written", "read"));
}
