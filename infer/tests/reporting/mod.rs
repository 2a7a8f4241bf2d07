//! `--report`, `--profile`, `--json`, and when a run ends early.

use std::path::Path;

use pictures::Format;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{assert_ends, encoded, folder_with, identity_model, picture, run, write};

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("written");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn the_report_has_a_line_for_each_picture_and_one_for_all() {
    let folder = folder_with(&identity_model());
    let here = folder.path();
    write(&here.join("photos/old.png"), &encoded(&picture(6, 5), Format::Png));
    assert_eq!(run(here, &["photos", "out"]).status.code(), Some(0));
    write(&here.join("photos/new.png"), &encoded(&picture(8, 5), Format::Png));
    write(&here.join("photos/text.png"), b"no picture");
    let arguments =
        ["photos", "out", "--fit", "train", "--device", "cpu", "--report", "made/report.jsonl", "--restore-size"];
    assert_eq!(run(here, &arguments).status.code(), Some(1));
    assert_eq!(run(here, &arguments).status.code(), Some(1));
    let lines = lines(&here.join("made/report.jsonl"));
    let line =
        |name: &str| lines.iter().find(|line| line["input"] == format!("photos/{name}")).expect("a line").clone();
    assert_eq!(lines.len(), 4);
    for name in ["old.png", "new.png"] {
        let line = line(name);
        let bytes = std::fs::read(here.join("out").join(name)).expect("written");
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((&line["status"], &line["output"]), (&"skipped".into(), &format!("out/{name}").into()));
        assert_eq!((&line["output_bytes"], &line["output_sha256"]), (&bytes.len().into(), &hash.into()));
    }
    let failed = line("text.png");
    assert_eq!(failed["status"], "failed");
    assert!(failed["reason"].as_str().is_some_and(|reason| reason.starts_with("is not a PNG")), "{failed}");
    let summary = &lines[3]["summary"];
    assert_eq!((&summary["translated"], &summary["skipped"], &summary["failed"]), (&0.into(), &2.into(), &1.into()));
    assert_eq!((&summary["left"], &summary["devices"][0]["device"]), (&0.into(), &"cpu".into()));

    let again = run(here, &[&arguments[..], &["--overwrite", "--json"]].concat());
    let lines = self::lines(&here.join("made/report.jsonl"));
    let new = lines.iter().find(|line| line["input"] == "photos/new.png").expect("a line");
    assert_eq!(
        (&new["status"], &new["size"], &new["output_size"]),
        (&"translated".into(), &vec![8, 5].into(), &vec![8, 5].into())
    );
    for stage in ["decode", "translate", "encode"] {
        assert!(new["seconds"][stage].as_f64().is_some_and(|seconds| seconds > 0.0), "{new}");
    }
    let printed: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(printed, lines.last().expect("a summary")["summary"]);
}

#[test]
fn a_run_ends_early_where_that_is_asked_for_and_the_same_command_goes_on() {
    for (flags, most) in [(&["--fail-fast"][..], 1), (&["--max-failures", "3"], 3)] {
        let folder = folder_with(&identity_model());
        let here = folder.path();
        for number in 0..40 {
            write(&here.join(format!("photos/{number:02}.png")), b"no picture");
        }
        write(&here.join("photos/whole.png"), &encoded(&picture(4, 4), Format::Png));
        let arguments = [&["photos", "out", "--jobs", "1:1", "--report", "report.jsonl"], flags].concat();
        let output = run(here, &arguments);
        let last_line = format!("translated 0, skipped 0, failed {most}");
        assert_ends(
            &output,
            1,
            &last_line,
            &format!("ended after too many failures, with {} pictures left", 41 - most),
        );
        let lines = lines(&here.join("report.jsonl"));
        let left = lines.iter().filter(|line| line["status"] == "left").count();
        assert_eq!((lines.len(), left), (42, 41 - most));
        let output = run(here, &["photos", "out"]);
        assert_ends(&output, 1, "translated 1, skipped 0, failed 40", "");
    }
    let folder = folder_with(&identity_model());
    assert_ends(&run(folder.path(), &["photos", "out", "--max-failures", "0"]), 2, "", "--max-failures");
}

#[test]
fn the_profile_shows_each_stage_of_each_picture() {
    let folder = folder_with(&identity_model());
    for number in 0..5 {
        write(&folder.path().join(format!("photos/{number}.png")), &encoded(&picture(8, 8), Format::Png));
    }
    let arguments = ["photos", "out", "--batch", "2", "--jobs", "2:2", "--profile", "trace.json"];
    assert_ends(&run(folder.path(), &arguments), 0, "translated 5, skipped 0, failed 0", "");
    let trace: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("trace.json")).expect("written")).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("a list");
    let of = |stage: &'static str| events.iter().filter(move |event| event["name"] == stage);
    assert_eq!((of("decode").count(), of("encode").count()), (5, 5));
    let translated: usize =
        of("translate").map(|event| event["args"]["picture"].as_array().expect("a batch").len()).sum();
    assert_eq!(translated, 5);
    assert!(events.iter().all(|event| event["ph"] == "X" && event["dur"].as_f64().is_some_and(|took| took > 0.0)));
}

#[test]
fn what_cannot_be_written_at_the_end_is_a_fault_and_costs_no_translation() {
    let folder = folder_with(&identity_model());
    let here = folder.path();
    write(&here.join("photos/a.png"), &encoded(&picture(4, 4), Format::Png));
    write(&here.join("taken/keep"), b"somebody's");
    let output = run(here, &["photos", "out", "--profile", "taken"]);
    assert_ends(&output, 5, "translated 1, skipped 0, failed 0", "error: --profile: ");
    let output = run(here, &["photos", "out", "--report", "taken"]);
    assert_ends(&output, 5, "translated 0, skipped 1, failed 0", "error: --report: ");
    let output = run(here, &["photos", "out", "--report", "taken/keep/report"]);
    assert_ends(&output, 3, "", "taken/keep");
    assert!(here.join("taken/keep").is_file());
}
