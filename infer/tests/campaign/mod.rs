//! A sample of `cargo xtask prove infer`: a job that is killed, stopped or failed anywhere and started again ends with the
//! directory of one that nothing disturbed.

use std::path::Path;

use crate::support::{channel_model, write};

/// Every how many points of a kind are tried. Each kind has at least one; kills by the clock are all tried.
const STRIDE: usize = 23;

/// The model of the campaign: red and blue swapped.
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/swap.onnx");

#[test]
fn a_disturbed_job_that_is_started_again_ends_with_the_same_directory() {
    if !xtask::can_inject_faults() {
        assert!(std::env::var_os("CI").is_none(), "CI must have strace: see .ci/run");
        eprintln!("SKIPPED: strace is not installed (apt-get install strace)");
        return;
    }
    let proven = xtask::prove_infer(Path::new(env!("CARGO_BIN_EXE_infer")), Path::new(MODEL), STRIDE);
    proven.unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn the_campaigns_model_is_what_the_exporter_would_write() {
    let made = channel_model([2, 1, 0]);
    if std::env::var_os("SNAPSHOTS").is_some_and(|action| action == "overwrite") {
        write(Path::new(MODEL), &made);
    }
    assert!(std::fs::read(MODEL).expect("in the repository") == made, "another; run again with SNAPSHOTS=overwrite");
}
