//! A sample of `cargo xtask prove resume`: a run that is killed, stopped or failed anywhere and resumed ends with the bytes
//! of one that never stopped.

use std::path::Path;
use std::process::Command;

/// Every how many points of a kind are tried. Each kind has at least one.
const STRIDE: usize = 60;

#[test]
fn a_stopped_run_of_concat_ends_with_the_same_bytes() {
    prove("concat");
}

#[test]
fn a_stopped_run_of_paper_ends_with_the_same_bytes() {
    prove("paper");
}

#[track_caller]
fn prove(preset: &str) {
    if !xtask::can_inject_faults() {
        assert!(std::env::var_os("CI").is_none(), "CI must have strace: see .ci/run");
        eprintln!("SKIPPED: strace is not installed (apt-get install strace)");
        return;
    }
    let proven = xtask::prove_resume(Path::new(env!("CARGO_BIN_EXE_trainer")), preset, STRIDE);
    proven.unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn a_run_that_goes_on_at_its_end_keeps_no_more_checkpoints_than_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trainer = |arguments: &str| {
        let mut trainer = Command::new(env!("CARGO_BIN_EXE_trainer"));
        let trainer = trainer.current_dir(folder.path()).args(arguments.split(' ')).env_remove("LD_LIBRARY_PATH");
        assert!(trainer.status().expect("it starts").success(), "{arguments}");
    };
    trainer("--data stripes --size 16 --width 2 --blocks 1 --threads 1 --steps 2 --save-every 1 --keep 1 --run run");
    let checkpoint = |step| folder.path().join(format!("run/checkpoints/00000{step}.safetensors"));
    std::fs::copy(checkpoint(2), checkpoint(1)).expect("writable");
    trainer("--resume run");
    assert!(checkpoint(2).exists() && !checkpoint(1).exists(), "as if it had been stopped before the removal");
}
