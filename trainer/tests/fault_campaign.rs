//! A sample of `cargo xtask prove resume`: a run that is killed, stopped or failed anywhere and resumed ends with the bytes
//! of one that never stopped.

use std::path::Path;

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
