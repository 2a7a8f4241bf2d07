//! `trainer datasets` and the names of data sets, as a user types them.

mod typed;

use std::path::Path;
use std::process::Output;

use typed::{assert_ends, entries, folder, trainer};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    trainer(folder, arguments).output().expect("it starts")
}

/// A picture that no other shade is the same as.
fn picture(shade: u8) -> Vec<u8> {
    let picture = pictures::Picture::from_fn(24, 24, |x, y| [shade, x as u8 * 10, y as u8 * 10].into());
    pictures::encode(&picture, pictures::Format::Png).expect("small")
}

#[test]
fn names_that_cannot_be_fetched_say_why_and_nothing_is_begun() {
    let folder = folder();
    std::fs::write(folder.path().join("maps"), b"").expect("writable");
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--data", "horse2zebr"], 3, "(did you mean horse2zebra?)"),
        (&["--data", "no/such/folder"], 3, "there is no folder no/such/folder, nor datasets/no/such/folder"),
        (&["--data", "cityscapes"], 3, "the licence of Cityscapes forbids passing its pictures on"),
        (&["--data", "maps"], 3, "maps is a file; a data set is a folder that holds trainA and trainB"),
        (
            &["--data", "facades", "--data-root", "maps/below"],
            3,
            "facades cannot be fetched to maps/below: failed to create directory `maps/below`: Not a directory",
        ),
        (&["--data", "mine", "--data-url", "ftp://host"], 2, "an address begins with https:// or http://"),
    ];
    for (arguments, code, message) in cases {
        assert_ends(&run(folder.path(), arguments), code, message);
    }
    assert_eq!(entries(folder.path()), ["maps"]);
}

#[test]
fn the_list_shows_what_there_is_and_where() {
    let folder = folder();
    std::fs::create_dir_all(folder.path().join("sets/facades")).expect("writable");
    let output = run(folder.path(), &["datasets", "list", "--data-root", "sets"]);
    assert_ends(&output, 0, "");
    snapbox::assert_data_eq!(output.stdout, snapbox::file!["snapshots/datasets.txt"]);
}

#[test]
fn a_check_counts_measures_and_finds_nothing_wrong_with_a_good_set() {
    let folder = folder();
    assert_ends(&run(folder.path(), &["datasets", "stripes", "datasets/own", "--size", "16"]), 0, "");
    let output = run(folder.path(), &["datasets", "check", "own"]);
    assert_ends(&output, 0, "");
    let printed = String::from_utf8(output.stdout).expect("text");
    let expected = "\
side    pictures  smallest  largest  unreadable
trainA       400     16×16    16×16           0
trainB       400     16×16    16×16           0
testA         24     16×16    16×16           0
testB         24     16×16    16×16           0
";
    assert_eq!(printed, expected);
}

#[test]
fn a_check_names_unreadable_files_and_pictures_on_two_sides() {
    let folder = folder();
    let write = |path: &str, bytes: &[u8]| {
        program::files::write_whole(&folder.path().join("set").join(path), bytes).expect("writable");
    };
    write("trainA/1.png", &picture(1));
    write("trainA/cut.png", &picture(2)[..60]);
    write("trainB/2.png", &picture(2));
    // The same pixels in another format: another file, the same picture.
    let same = pictures::encode(&pictures::decode(&picture(1)).expect("whole"), pictures::Format::Bmp).expect("small");
    write("trainB/other.bmp", &same);
    write("trainB/twice.png", &picture(2)); // on one side only: a heavier weight, no fault
    write("testA", b"");
    let output = run(folder.path(), &["datasets", "check", "set"]);
    assert_ends(&output, 1, "");
    let printed = String::from_utf8(output.stdout).expect("text");
    let lines = [
        "trainA         2     24×24    24×24           1",
        "trainB         3     24×24    24×24           0",
        "unusable: set/testA is a file; a side is a folder of pictures",
        "set/trainA/cut.png cannot be decoded",
        "set/trainA/1.png = set/trainB/other.bmp",
    ];
    for line in lines {
        assert!(printed.contains(line), "{line} in {printed}");
    }
    assert!(!printed.contains("twice.png"), "{printed}");

    let output = run(folder.path(), &["datasets", "check", "set", "--json"]);
    assert_ends(&output, 1, "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(report["fine"], false);
    assert_eq!(report["sides"][0]["smallest"], serde_json::json!([24, 24]));
    assert_eq!(report["same"], serde_json::json!([["set/trainA/1.png", "set/trainB/other.bmp"]]));
    assert_eq!(report["unreadable"][0]["path"], "set/trainA/cut.png");
}

#[test]
fn a_check_of_nothing_says_what_to_do() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("empty")).expect("writable");
    let cases = [
        ("nowhere", "there is no folder nowhere, nor datasets/nowhere; give a folder that holds trainA and trainB"),
        ("maps", "`trainer --data maps` fetches it"),
        ("stripes", "it is built in: `trainer datasets stripes stripes` writes it there"),
        ("empty", "empty: no folder trainA; a data set has trainA and trainB"),
    ];
    for (name, message) in cases {
        let output = run(folder.path(), &["datasets", "check", name]);
        assert_ends(&output, 3, message);
        assert!(output.stdout.is_empty(), "errors go to stderr");
    }
}
