//! No photo is replaced, and no output is an input of the next run.

use std::os::unix::fs::symlink;

use infer::plan::{Format, PlanArguments};
use program::Exit;

use super::{folder_of, from, pairs, planned, refused};
use crate::support::write;

#[test]
fn an_output_that_is_an_input_by_any_path_is_refused() {
    let folder = folder_of(&["photos/a.png", "photos/b.png", "out/keep.txt", "linked/keep.txt", "hard/keep.txt"]);
    let here = folder.path();
    symlink("photos", here.join("mirror")).expect("writable");
    symlink("../photos/b.png", here.join("linked/a.png")).expect("writable");
    std::fs::hard_link(here.join("photos/a.png"), here.join("hard/a.png")).expect("writable");
    let own = "photos/a.png would be replaced by its own translation";
    let cases = [
        ("photos", own),
        ("photos/../photos", own),
        ("mirror", own),
        ("hard", own),
        ("linked", "photos/b.png, an input too, would be replaced by the translation of photos/a.png"),
    ];
    for (output, said) in cases {
        for inputs in [&["photos"][..], &["photos/a.png", "photos/b.png"]] {
            let (exit, message) = refused(here, PlanArguments { output: Some(output.into()), ..from(inputs) });
            assert!(exit == Exit::Usage && message.contains(said), "{output}: {message}");
        }
    }
}

#[test]
fn translations_do_not_come_into_a_folder_that_is_walked() {
    let folder = folder_of(&["photos/a.png", "photos/photos/b.png", "elsewhere/photos/keep.txt"]);
    symlink("../photos", folder.path().join("elsewhere/sub")).expect("writable");
    let cases = [("photos", &["photos"][..]), ("", &["photos"]), ("photos/../photos", &["photos"])];
    for (output, inputs) in cases {
        let arguments = PlanArguments { output: Some(output.into()), format: Some(Format::Jpg), ..from(inputs) };
        let (exit, message) = refused(folder.path(), arguments);
        assert!(exit == Exit::Usage && message.contains("would come into photos, an input"), "{output}: {message}");
    }
    // Beside a photo that was named is no such place.
    let beside = PlanArguments { output: Some("photos".into()), format: Some(Format::Jpg), ..from(&["photos/a.png"]) };
    assert_eq!(pairs(folder.path(), beside), [("photos/a.png".into(), "photos/a.jpg".into())]);
}

#[test]
fn a_dry_run_makes_nothing() {
    let folder = folder_of(&["photos/a.png"]);
    assert_eq!(planned(folder.path(), &["photos", "deep/out"]), ["photos/a.png -> deep/out/a.png"]);
    assert!(!folder.path().join("deep").exists());
    // From inside, and with an output of an earlier run.
    let photos = folder.path().join("photos");
    write(&photos.join("out/a.png"), b"");
    std::fs::copy(folder.path().join("model.onnx"), photos.join("model.onnx")).expect("writable");
    assert_eq!(planned(&photos, &[".", "out"]), ["a.png -> out/a.png"]);
}
