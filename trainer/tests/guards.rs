//! Runs that go wrong: they end, or warn, by name and with the remedy.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
    command.current_dir(folder).args(arguments.split_whitespace()).stdin(Stdio::null()).env_remove("LD_LIBRARY_PATH");
    command.output().expect("it starts")
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, message: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(message), "{message:?} in {said}");
}

const SMALL: &str = "--data stripes --size 16 --width 2 --blocks 1 --threads 1";

#[test]
fn a_loss_that_is_no_number_ends_the_run_by_name_and_step_and_keeps_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("runs/stripes");
    // The first update moves every weight by 1e25, which is still a number; what they then compute is none.
    for (log_every, save_every) in [(50, 1), (1, 50), (50, 50)] {
        let arguments = format!("{SMALL} --steps 50 --rate 1e25 --log-every {log_every} --save-every {save_every}");
        let output = run(folder.path(), &format!("{arguments} --overwrite"));
        assert_ends(&output, 4, "at step 2: training has diverged; start again with a lower --rate");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.contains("what was saved after step 1 is in runs/stripes"), save_every == 1, "{said}");
        assert!(trainer::update::LOSSES.iter().any(|loss| said.contains(&format!("the loss {loss} is"))), "{said}");
        let kept = path.join("checkpoints/000001.safetensors").is_file();
        assert_eq!(kept, save_every == 1, "the step before it");
        assert_eq!(path.join("g_ab.ot").is_file(), save_every == 1, "no weights that are no numbers");
    }
    let report = std::fs::read_to_string(path.join("report.html")).expect("it is drawn at the end too");
    assert!(report.contains("\"kind\":\"diverged\"") && report.contains("\"state\":\"stopped\""));
}

#[test]
fn a_generator_that_ignores_its_input_is_warned_of_once_and_marked_in_the_report() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_ends(&run(folder.path(), &format!("{SMALL} --steps 1 --run first")), 0, "");
    // A generator without weights makes the same of every picture, and a rate that moves nothing leaves it so.
    let path = folder.path().join("first/g_ab.ot");
    let mut generator = models_torch::read(&path).expect("our own file");
    generator.weights.iter_mut().for_each(|weight| weight.bytes = vec![0; weight.bytes.len()].into());
    let bytes = models_torch::encode(&generator, models_torch::Format::Ot).expect("its own weights");
    std::fs::write(&path, bytes).expect("writable");
    let steps = "--rate 1e-30 --steps 520 --sample-every 510 --log-every 100";
    let output = run(folder.path(), &format!("{SMALL} --init-from first/g_ab.ot {steps}"));
    assert_ends(&output, 0, "g_ab makes nearly the same of every picture. Raise --cycle-weight");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("warning:").count(), 1, "{said}");
    let read = |file: &str| std::fs::read_to_string(folder.path().join("runs/stripes").join(file)).expect("written");
    assert_eq!(read("metrics.jsonl").matches("\"kind\":\"ignores_its_input\"").count(), 1);
    assert!(read("report.html").contains("\"kind\":\"ignores_its_input\""));
}

#[test]
fn what_no_machine_could_hold_is_refused_before_anything_is_begun() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in ["--width 1024 --blocks 64", "--batch 1024 --size 4096 --width 1 --blocks 0"] {
        let output = run(folder.path(), &format!("--data stripes {arguments}"));
        assert_ends(&output, 3, "not enough memory: lower ");
        assert_ends(&output, 3, "weights and one batch alone need ");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0);
}

#[test]
fn memory_that_does_not_suffice_says_what_to_lower() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let picture = pictures::encode(&pictures::Picture::new(8, 8), pictures::Format::Png).expect("small");
    for side in ["trainA", "trainB"] {
        program::files::write_whole(&folder.path().join("set").join(side).join("one.png"), &picture).expect("writable");
    }
    // 3 GB of addresses: enough to start libtorch, too little for this network's outputs.
    let script = format!(
        "ulimit -v 3000000; exec {} --data set --size 256 --width 32 --blocks 0 --batch 16 --threads 1 --steps 1 --device cpu",
        env!("CARGO_BIN_EXE_trainer")
    );
    let output = Command::new("sh").current_dir(folder.path()).args(["-c", &script]).output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(3 | 5)), "{said}");
    assert!(said.contains("GB of memory"), "the need is printed before: {said}");
    assert!(!said.contains("frame #"), "{said}");
    assert!(said.contains("not enough memory: lower --batch (now 16), --size (now 256), --width (32)"), "{said}");
}
