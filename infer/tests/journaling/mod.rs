//! What a second run does with what the first one did.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use pictures::Format;
use tempfile::TempDir;

use crate::support::{assert_ends, channel_model, encoded, folder_with, identity_model, picture, run, write};

const JOURNAL: &str = "out/.infer.jsonl";

/// Three translated pictures.
fn translated() -> TempDir {
    let folder = folder_with(&identity_model());
    for (side, name) in (4..).zip(["a.png", "b.png", "sub/c.jpg"]) {
        let format = if name.ends_with("jpg") { Format::Jpeg } else { Format::Png };
        write(&folder.path().join("photos").join(name), &encoded(&picture(side, side), format));
    }
    assert_ends(&run(folder.path(), &["photos", "out"]), 0, "translated 3, skipped 0, failed 0", "");
    folder
}

/// All files below a folder with their content.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        match path.is_dir() {
            true => files.extend(content(&path)),
            false => files.push((path.display().to_string(), fs::read(&path).expect("readable"))),
        }
    }
    files.sort();
    files
}

/// Flips a bit in the middle of a file; its length stays.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).expect("written");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write(path, &bytes);
}

#[test]
fn a_second_run_translates_exactly_what_has_changed() {
    type Change = fn(&Path);
    let cases: [(&str, Change, &[&str], &str); 12] = [
        ("nothing", |_| {}, &[], "translated 0, skipped 3, failed 0"),
        ("nothing, looked at", |_| {}, &["--verify"], "translated 0, skipped 3, failed 0"),
        (
            "nothing that changes pictures",
            |_| {},
            &["--batch", "2", "--jobs", "2:1"],
            "translated 0, skipped 3, failed 0",
        ),
        ("asked for", |_| {}, &["--overwrite"], "translated 3, skipped 0, failed 0"),
        (
            "a time",
            |here| {
                let photo = File::options().write(true).open(here.join("photos/a.png")).expect("there");
                photo.set_modified(SystemTime::now() - Duration::from_secs(9)).expect("our own");
            },
            &[],
            "translated 0, skipped 3, failed 0",
        ),
        (
            "a picture",
            |here| write(&here.join("photos/a.png"), &encoded(&picture(9, 4), Format::Png)),
            &[],
            "translated 1, skipped 2, failed 0",
        ),
        (
            "a new picture",
            |here| write(&here.join("photos/d.png"), &encoded(&picture(9, 4), Format::Png)),
            &[],
            "translated 1, skipped 3, failed 0",
        ),
        (
            "the model",
            |here| write(&here.join("model.onnx"), &channel_model([2, 1, 0])),
            &[],
            "translated 3, skipped 0, failed 0",
        ),
        ("an option", |_| {}, &["--fit", "20"], "translated 3, skipped 0, failed 0"),
        (
            "an output is lost",
            |here| fs::remove_file(here.join("out/a.png")).expect("written"),
            &[],
            "translated 1, skipped 2, failed 0",
        ),
        (
            "an output is cut",
            |here| {
                let output = File::options().write(true).open(here.join("out/a.png")).expect("written");
                output.set_len(20).expect("our own");
            },
            &[],
            "translated 1, skipped 2, failed 0",
        ),
        (
            "an output is damaged",
            |here| damage(&here.join("out/a.png")),
            &["--verify"],
            "translated 1, skipped 2, failed 0",
        ),
    ];
    for (what, change, flags, last_line) in cases {
        let folder = translated();
        change(folder.path());
        assert_ends(&run(folder.path(), &[&["photos", "out"], flags].concat()), 0, last_line, "");
        let after = content(&folder.path().join("out"));
        fs::remove_dir_all(folder.path().join("out")).expect("our own");
        let flags: Vec<&str> =
            flags.iter().copied().filter(|flag| !["--verify", "--overwrite"].contains(flag)).collect();
        assert_eq!(run(folder.path(), &[&["photos", "out"], &flags[..]].concat()).status.code(), Some(0));
        assert!(content(&folder.path().join("out")) == after, "{what}: the directory of a run that does all at once");
    }
}

#[test]
fn a_picture_that_fails_later_keeps_its_translation_and_is_tried_again() {
    let folder = translated();
    let here = folder.path();
    let (photo, before) =
        (fs::read(here.join("photos/a.png")).expect("there"), fs::read(here.join("out/a.png")).expect("there"));
    write(&here.join("photos/a.png"), b"no picture any more");
    for _ in 0..2 {
        assert_ends(
            &run(here, &["photos", "out"]),
            1,
            "translated 0, skipped 2, failed 1",
            "failed: photos/a.png: is not a",
        );
        assert_eq!(fs::read(here.join("out/a.png")).expect("there"), before);
    }
    write(&here.join("photos/a.png"), &photo);
    assert_ends(&run(here, &["photos", "out"]), 0, "translated 0, skipped 3, failed 0", "");
}

#[test]
fn runs_of_other_pictures_share_a_directory_and_its_journal() {
    let folder = translated();
    let here = folder.path();
    write(&here.join("more/z.png"), &encoded(&picture(5, 5), Format::Png));
    assert_ends(&run(here, &["more", "out"]), 0, "translated 1, skipped 0, failed 0", "");
    assert_ends(&run(here, &["photos", "more", "out"]), 0, "translated 0, skipped 4, failed 0", "");
}

#[test]
fn a_second_run_into_a_directory_in_use_is_refused() {
    let folder = translated();
    let lock = File::open(folder.path().join("out")).expect("a folder");
    lock.lock().expect("nobody else has it");
    let refused = run(folder.path(), &["photos", "out"]);
    assert_ends(&refused, 3, "", "error: out: another `infer` writes there; wait for it, or take another directory");
    lock.unlock().expect("it is ours");
    assert_ends(&run(folder.path(), &["photos", "out"]), 0, "translated 0, skipped 3, failed 0", "");
}

#[test]
fn a_damaged_journal_costs_no_more_than_what_it_cannot_say() {
    let folder = translated();
    let journal = folder.path().join(JOURNAL);
    let whole = fs::read_to_string(&journal).expect("text");
    // As a power failure leaves it: zeros in the place of a line.
    let line = whole.lines().find(|line| line.contains("\"a.png\"")).expect("its line");
    write(&journal, whole.replace(line, &"\0".repeat(line.len())).as_bytes());
    let output = run(folder.path(), &["photos", "out"]);
    assert_ends(&output, 1, "translated 0, skipped 2, failed 1", "out/.infer.jsonl: 1 lines cannot be read");
    assert_ends(
        &output,
        1,
        "translated 0, skipped 2, failed 1",
        "failed: photos/a.png: its output out/a.png is there already",
    );
    assert_ends(&run(folder.path(), &["photos", "out", "--overwrite"]), 0, "translated 3, skipped 0, failed 0", "");
    assert_eq!(fs::read_to_string(&journal).expect("text"), whole);

    // Without its end, as a kill leaves it.
    let (all_but_the_end, _) = whole.trim_end().rsplit_once('\n').expect("several lines");
    write(&journal, &all_but_the_end.as_bytes()[..all_but_the_end.len() - 3]);
    write(&folder.path().join("out/sub/.writing-abc"), b"of the killed run");
    assert_eq!(run(folder.path(), &["photos", "out", "--overwrite"]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&journal).expect("text"), whole);
    assert!(!folder.path().join("out/sub/.writing-abc").exists());
}

#[test]
fn a_journal_of_a_later_version_is_left_alone() {
    let folder = translated();
    write(&folder.path().join(JOURNAL), b"{\"journal\":2}\n{\"what\":\"nobody knows yet\"}\n");
    let said = "out/.infer.jsonl: is a journal of version 2, this program knows 1; use the newer program, or another directory";
    assert_ends(&run(folder.path(), &["photos", "out", "--overwrite"]), 3, "", said);
}

#[test]
fn names_that_few_programs_bear_are_borne() {
    let folder = folder_with(&identity_model());
    let here = folder.path();
    let photo = encoded(&picture(4, 4), Format::Png);
    let long = format!("{}.png", "x".repeat(251));
    let names = [long.as_str(), "line\nbreak.png", "-dash.png", "e\u{301}.png", "é.png", " .png", "quote\"'`$.png"];
    names.iter().for_each(|name| write(&here.join("photos").join(name), &photo));
    write(&here.join("photos/in the way.png"), &photo);
    write(&here.join("out/in the way.png/keep"), b"somebody's");
    for last_line in ["translated 7, skipped 0, failed 1", "translated 0, skipped 7, failed 1"] {
        let said = "failed: photos/in the way.png: its output out/in the way.png is a directory; move that";
        assert_ends(&run(here, &["photos", "out"]), 1, last_line, said);
    }
    assert!(here.join("out").join(long).is_file() && here.join("out/in the way.png/keep").is_file());
}
