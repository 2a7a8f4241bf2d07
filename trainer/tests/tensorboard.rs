//! What PyPI's `tensorboard` reads from the event files.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use trainer::tensorboard::EventFile;

/// Prints all that TensorBoard's own reader finds in a folder. It runs without TensorFlow.
const SCRIPT: &str = "
import json, struct, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
run = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'images': 0, 'tensors': 0}).Reload()
tags = run.Tags()
def size(png):
    assert png[:8] == b'\\x89PNG\\r\\n\\x1a\\n'
    return struct.unpack('>II', png[16:24])
def text(event):
    assert run.SummaryMetadata('settings').plugin_data.plugin_name == 'text'
    return event.tensor_proto.string_val[0].decode()
print(json.dumps({
    'scalars': {tag: [[e.step, round(e.value, 4)] for e in run.Scalars(tag)] for tag in sorted(tags['scalars'])},
    'images': {tag: [[e.step, e.width, e.height, *size(e.encoded_image_string)] for e in run.Images(tag)] for tag in tags['images']},
    'texts': {tag: [text(e) for e in run.Tensors(tag)] for tag in tags['tensors']},
}))
";

/// The Python that has `tensorboard`; CI installs it and names it.
fn python() -> Option<String> {
    let python = std::env::var("CYCLEGAN_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_it = Command::new(&python).args(["-c", "import tensorboard"]).stderr(Stdio::null()).status();
    if has_it.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "CI must have Python's `tensorboard` package: see .ci/run");
    eprintln!(
        "SKIPPED: Python's `tensorboard` is not installed (pip install tensorboard, or set CYCLEGAN_TEST_PYTHON)"
    );
    None
}

fn read(python: &str, folder: &Path) -> Value {
    let output = Command::new(python).arg("-c").arg(SCRIPT).arg(folder).output().expect("it just ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the script prints JSON")
}

#[test]
fn tensorboard_reads_scalars_images_and_text() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut events = EventFile::create(folder.path(), 0).expect("writable");
    events.text(0, "settings", "| size | 32 |").expect("writable");
    events.scalars(50, &[("losses/cycle_a", 0.5), ("learning_rate", 2e-4)]).expect("writable");
    events.scalars(100, &[("losses/cycle_a", 0.25)]).expect("writable");
    let sheet = pictures::Picture::from_pixel(20, 12, [200, 90, 30].into());
    let png = pictures::encode(&sheet, pictures::Format::Png).expect("small");
    events.image(100, "samples", &png, 20, 12).expect("writable");

    let read = read(&python, folder.path());
    assert_eq!(read["scalars"], json!({ "learning_rate": [[50, 0.0002]], "losses/cycle_a": [[50, 0.5], [100, 0.25]] }));
    assert_eq!(read["images"], json!({ "samples": [[100, 20, 12, 20, 12]] }));
    assert_eq!(read["texts"], json!({ "settings": ["| size | 32 |"] }));
}

#[test]
fn a_resumed_run_hides_what_the_killed_one_logged_after_its_last_save() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut killed = EventFile::create(folder.path(), 0).expect("writable");
    for step in [10, 20, 30] {
        killed.scalars(step, &[("losses/d_a", 1.0)]).expect("writable");
    }
    let mut resumed = EventFile::create(folder.path(), 20).expect("a file of its own");
    for step in [30, 40] {
        resumed.scalars(step, &[("losses/d_a", 2.0)]).expect("writable");
    }
    let read = read(&python, folder.path());
    assert_eq!(read["scalars"]["losses/d_a"], json!([[10, 1.0], [20, 1.0], [30, 2.0], [40, 2.0]]));
}

#[test]
fn a_run_that_begins_again_hides_what_the_killed_one_logged() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for value in [1.0, 2.0] {
        let mut events = EventFile::create(folder.path(), 0).expect("a file of its own");
        for step in [10, 20] {
            events.scalars(step, &[("losses/d_a", value)]).expect("writable");
        }
    }
    assert_eq!(read(&python, folder.path())["scalars"]["losses/d_a"], json!([[10, 2.0], [20, 2.0]]));
}

#[test]
fn tensorboard_reads_a_training_run() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arguments = "--data stripes --size 24 --width 2 --blocks 1 --threads 1 --steps 4 --log-every 2 --sample-every 2 --eval-every 2 --run run";
    let mut trainer = Command::new(env!("CARGO_BIN_EXE_trainer"));
    let trainer = trainer.current_dir(folder.path()).args(arguments.split(' ')).env_remove("LD_LIBRARY_PATH");
    assert!(trainer.status().expect("it starts").success());

    let read = read(&python, &folder.path().join("run"));
    for tag in trainer::update::LOSSES.iter().map(|loss| format!("losses/{loss}")).chain([
        "learning_rate".into(),
        "speed/seconds_per_step".into(),
        "speed/waiting_share".into(),
        "paired/a_to_b_l1".into(),
        "paired/b_to_a_psnr".into(),
        "paired/a_to_b_ssim".into(),
    ]) {
        let steps: Vec<&Value> = read["scalars"][&tag].as_array().into_iter().flatten().map(|pair| &pair[0]).collect();
        assert_eq!(steps, [2, 4], "{tag}");
    }
    let sheet = [4 + 6 * 28, 4 + 4 * 28];
    let expected = [0, 2, 4].map(|step| json!([step, sheet[0], sheet[1], sheet[0], sheet[1]]));
    assert_eq!(read["images"]["samples"], json!(expected));
    assert!(read["texts"]["settings"][0].as_str().is_some_and(|text| text.contains("data = \"stripes\"")));
}
