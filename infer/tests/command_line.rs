//! `infer` as a user types it.

mod campaign;
mod faithful;
mod foreign;
mod gpu_build;
mod journaling;
mod kernels;
mod odd_inputs;
mod pipes;
mod planning;
mod reporting;
mod support;
mod targets;

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use models::Role;
use pictures::Format;
use snapbox::file;
use support::{
    assert_ends, channel_model, encoded, folder_with, identity_model, infer, metadata, nan_model, picture, run, write,
};

#[test]
fn help_says_what_it_is_and_what_it_takes() {
    let output = infer(Path::new("."), &["--help"]).env("COLUMNS", "100").output().expect("it starts");
    snapbox::assert_data_eq!(output.stdout, file!["snapshots/help.txt"]);
}

#[test]
fn a_directory_is_mirrored_and_lossless_pictures_come_back_exactly() {
    let folder = folder_with(&identity_model());
    let photos = folder.path().join("photos");
    let cases = [
        ("a.png", Format::Png),
        ("nested/deeper/b.bmp", Format::Bmp),
        ("nested/c.tiff", Format::Tiff),
        ("nested/d.webp", Format::WebP),
        ("ünïcödé 馬.png", Format::Png),
    ];
    for (name, format) in cases {
        write(&photos.join(name), &encoded(&picture(21, 33), format));
    }
    write(&photos.join(OsStr::from_bytes(b"not-\xffunicode.png")), &encoded(&picture(5, 7), Format::Png));
    write(&photos.join("wide.jpg"), &encoded(&picture(40, 8), Format::Jpeg));
    write(&photos.join("notes.txt"), b"no picture by its name");
    write(&photos.join(".hidden.png"), b"not looked at");
    let output = run(folder.path(), &["photos", "out", "--fit", "native"]);
    assert_ends(&output, 0, "translated 7, skipped 0, failed 0", "pictures  7");
    let out = folder.path().join("out");
    for (name, format) in cases {
        assert_eq!(pictures::read(&out.join(name)).expect("whole"), picture(21, 33), "{name}");
        let bytes = std::fs::read(out.join(name)).expect("written");
        assert_eq!(pictures::format(&bytes).expect("a picture"), format, "{name}: the input's format");
    }
    assert!(out.join(OsStr::from_bytes(b"not-\xffunicode.png")).exists());
    assert_eq!(
        pictures::format(&std::fs::read(out.join("wide.jpg")).expect("written")).expect("a picture"),
        Format::Jpeg
    );
    assert!(!out.join("notes.txt").exists() && !out.join(".hidden.png").exists());
}

#[test]
fn the_network_is_what_changes_the_pictures() {
    let folder = folder_with(&channel_model([2, 0, 1]));
    write(&folder.path().join("a.png"), &encoded(&picture(9, 6), Format::Png));
    assert_ends(&run(folder.path(), &["a.png", "out", "--fit", "native"]), 0, "translated 1, skipped 0, failed 0", "");
    let expected = pictures::Picture::from_fn(9, 6, |x, y| {
        let [red, green, blue] = picture(9, 6).get_pixel(x, y).0;
        [blue, red, green].into()
    });
    assert_eq!(pictures::read(&folder.path().join("out/a.png")).expect("whole"), expected);
}

#[test]
fn broken_pictures_are_reported_and_do_not_stop_the_rest() {
    let folder = folder_with(&identity_model());
    let photos = folder.path().join("photos");
    let whole = encoded(&picture(30, 30), Format::Png);
    write(&photos.join("cut.png"), &whole[..whole.len() / 2]);
    write(&photos.join("empty.jpg"), b"");
    write(&photos.join("text.png"), b"this is no picture");
    write(&photos.join("misnamed.jpg"), &whole);
    write(&photos.join("one-pixel.png"), &encoded(&picture(1, 1), Format::Png));
    write(&photos.join("unreadable.png"), &whole);
    let locked = photos.join("unreadable.png");
    std::fs::set_permissions(&locked, Permissions::from_mode(0o000)).expect("our own file");
    let readable_all_the_same = std::fs::read(&locked).is_ok(); // root may
    let (translated, failed) = if readable_all_the_same { (3, 3) } else { (2, 4) };
    for batch in ["1", "4"] {
        let arguments = ["photos", "out", "--overwrite", "--batch", batch];
        let output = run(folder.path(), &arguments);
        let last = format!("translated {translated}, skipped 0, failed {failed}");
        assert_ends(&output, 1, &last, "failed: photos/cut.png: cannot be decoded");
        assert_ends(
            &output,
            1,
            &last,
            "failed: photos/empty.jpg: is not a PNG, JPEG, WebP, TIFF, BMP, GIF, PNM or QOI picture",
        );
        assert_ends(&output, 1, &last, "failed: photos/text.png: is not a PNG");
    }
    let out = folder.path().join("out");
    assert_eq!(pictures::find(&out).expect("a folder").len(), translated, "nothing half is left");
    let misnamed = std::fs::read(out.join("misnamed.jpg")).expect("written");
    assert_eq!(pictures::format(&misnamed).expect("a picture"), Format::Jpeg, "what the name says");
}

#[test]
fn a_picture_for_which_the_network_gives_nan_fails() {
    let folder = folder_with(&nan_model());
    write(&folder.path().join("a.png"), &encoded(&picture(4, 4), Format::Png));
    let output = run(folder.path(), &["a.png", "out"]);
    assert_ends(&output, 1, "translated 0, skipped 0, failed 1", "failed: a.png: the network gives NaN for it");
    assert!(!folder.path().join("out/a.png").exists());
}

#[test]
fn what_an_earlier_run_did_is_skipped_and_what_others_wrote_is_not_replaced_unless_asked() {
    let folder = folder_with(&identity_model());
    for name in ["a.png", "b.png"] {
        write(&folder.path().join("photos").join(name), &encoded(&picture(4, 4), Format::Png));
    }
    write(&folder.path().join("out/a.png"), b"of another program");
    let said = "failed: photos/a.png: its output out/a.png is there already, and no run here says that it wrote it";
    assert_ends(&run(folder.path(), &["photos", "out"]), 1, "translated 1, skipped 0, failed 1", said);
    assert_eq!(std::fs::read(folder.path().join("out/a.png")).expect("still there"), b"of another program");
    assert_ends(&run(folder.path(), &["photos", "out"]), 1, "translated 0, skipped 1, failed 1", said);
    assert_ends(&run(folder.path(), &["photos", "out", "--overwrite"]), 0, "translated 2, skipped 0, failed 0", "");
    assert!(pictures::read(&folder.path().join("out/a.png")).is_ok());
    assert_ends(&run(folder.path(), &["photos", "out"]), 0, "translated 0, skipped 2, failed 0", "");
}

#[test]
fn an_output_directory_inside_the_input_is_no_input() {
    let folder = folder_with(&identity_model());
    write(&folder.path().join("photos/a.png"), &encoded(&picture(4, 4), Format::Png));
    for overwrite in [[].as_slice(), &["--overwrite"]] {
        let output = run(folder.path(), &[&["photos", "photos/out"], overwrite].concat());
        assert_ends(&output, 0, "translated 1, skipped 0, failed 0", "");
    }
    assert!(!folder.path().join("photos/out/out").exists());
}

#[test]
fn what_would_replace_an_input_is_refused_before_any_work() {
    let folder = folder_with(&identity_model());
    write(&folder.path().join("two/b.png"), &encoded(&picture(4, 4), Format::Png));
    let output = run(folder.path(), &["two", "two"]);
    assert_ends(&output, 2, "", "two/b.png would be replaced by its own translation");
    assert_ends(&run(folder.path(), &["two", "two/out", "--include", "*.gif"]), 3, "", "--include '*.gif'");
    assert!(!folder.path().join("two/out").exists());
}

#[test]
fn outputs_that_would_collide_are_all_written_in_the_format_of_their_name() {
    let folder = folder_with(&identity_model());
    for (name, side) in [("one/a.jpg", 3), ("one/a.png", 4), ("two/A.PNG", 5)] {
        write(&folder.path().join(name), &encoded(&picture(side, side), Format::Png));
    }
    let output = run(folder.path(), &["one", "two", "out", "--fit", "native", "--format", "bmp"]);
    assert_ends(
        &output,
        0,
        "translated 3, skipped 0, failed 0",
        "names     3 outputs renamed, as others want the same",
    );
    let sizes = [("a.jpg.bmp", 3)];
    for (name, side) in sizes {
        let bytes = std::fs::read(folder.path().join("out").join(name)).expect("written");
        assert_eq!(pictures::format(&bytes).expect("a picture"), Format::Bmp);
        assert_eq!(pictures::decode(&bytes).expect("whole"), picture(side, side), "{name}");
    }
    assert_eq!(pictures::find(&folder.path().join("out")).expect("a folder").len(), 3);
}

#[test]
fn what_cannot_start_says_why_and_what_to_do() {
    let folder = folder_with(&identity_model());
    let here = folder.path();
    write(&here.join("a.png"), &encoded(&picture(4, 4), Format::Png));
    write(&here.join("damaged.onnx"), &identity_model()[..40]);
    let mut foreign = models_onnx::parse(identity_model()).expect("our own");
    foreign.metadata_props.clear();
    write(&here.join("foreign.onnx"), &prost::Message::encode_to_vec(&foreign));
    let mut judge = models_onnx::parse(identity_model()).expect("our own");
    judge.metadata_props[0].value = metadata(Role::DA).to_json();
    write(&here.join("judge.onnx"), &prost::Message::encode_to_vec(&judge));
    std::fs::create_dir(here.join("empty")).expect("writable");
    write(&here.join("file"), b"in the way");
    let cases: [(&[&str], &str); 8] = [
        (&["--model", "none.onnx", "a.png", "out"], "--model none.onnx"),
        (&["--model", "damaged.onnx", "a.png", "out"], "damaged.onnx: is no ONNX file, or a damaged one"),
        (&["--model", "foreign.onnx", "a.png", "out"], "foreign.onnx: does not say all that is needed"),
        (&["--model", "judge.onnx", "a.png", "out"], "judge.onnx: is the discriminator of A, which judges pictures"),
        (&["--model", "model.onnx", "missing", "out"], "input missing"),
        (&["--model", "model.onnx", "empty", "out"], "input empty: no pictures there"),
        (&["--model", "model.onnx", "a.png", "file/out"], "file"),
        (
            &["--model", "model.onnx", "a.png", "out", "--device", "cuda"],
            "cuda:0 was asked for and cannot be used: this ONNX Runtime is built without CUDA\nuse --device cpu",
        ),
    ];
    for (arguments, message) in cases {
        assert_ends(&infer(here, arguments).output().expect("it starts"), 3, "", message);
    }
    let mut without = infer(here, &["--model", "model.onnx", "a.png", "out"]);
    let output = without.env("ORT_DYLIB_PATH", "/no/such/lib.so").output().expect("it starts");
    assert_ends(&output, 3, "", "tried\n  /no/such/lib.so (from ORT_DYLIB_PATH): no such file");
    let output = without.env("ORT_DYLIB_PATH", here.join("file")).output().expect("it starts");
    assert_ends(&output, 3, "", "file cannot be loaded");
    assert!(!here.join("out").exists());
}

#[test]
fn the_chosen_size_is_said_and_kept() {
    let folder = folder_with(&identity_model());
    write(&folder.path().join("a.png"), &encoded(&picture(40, 30), Format::Png));
    let cases = [
        ("train", (21, 16), "the shorter side is scaled to 16 (the training size; --fit native keeps it)"),
        ("native", (40, 30), "as it is"),
        ("60", (80, 60), "the shorter side is scaled to 60"),
        ("squash", (16, 16), "squashed to 16×16"),
    ];
    for (fit, size, said) in cases {
        let output = run(folder.path(), &["a.png", "out", "--overwrite", "--fit", fit]);
        assert_ends(&output, 0, "translated 1, skipped 0, failed 0", said);
        assert_eq!(pictures::read(&folder.path().join("out/a.png")).expect("whole").dimensions(), size, "{fit}");
    }
    assert_ends(&run(folder.path(), &["a.png", "out", "--fit", "0"]), 2, "", "use train, native, squash, or a number");
}

#[test]
fn what_runs_is_said_and_memory_that_is_not_granted_is_not_used() {
    let folder = folder_with(&identity_model());
    write(&folder.path().join("a.png"), &encoded(&picture(40, 30), Format::Png));
    let common = ["a.png", "out", "--overwrite", "--fit", "native"];
    let output = run(folder.path(), &[&common[..], &["--device", "cpu", "--threads", "2"]].concat());
    assert_ends(&output, 0, "translated 1, skipped 0, failed 0", "device    cpu (CPUExecutionProvider, 2 threads)\n");
    let output = run(folder.path(), &common);
    let said =
        "device    cpu (CPUExecutionProvider, a thread for each core) (no CUDA: this ONNX Runtime is built without";
    assert_ends(&output, 0, "translated 1, skipped 0, failed 0", said);
    let output = run(folder.path(), &[&common[..], &["--device", "cpu", "--memory", "1k"]].concat());
    let said = "failed: a.png: would be 40×30 pixels for the network";
    assert_ends(&output, 1, "translated 0, skipped 0, failed 1", said);
}

#[test]
fn results_are_for_scripts_and_messages_for_people() {
    let folder = folder_with(&identity_model());
    write(&folder.path().join("a.png"), &encoded(&picture(4, 4), Format::Png));
    let output = run(folder.path(), &["a.png", "out", "--json", "--device", "cpu"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
    assert_eq!((&json["translated"], &json["failed"]), (&1.into(), &0.into()));
    let device = &json["devices"][0];
    assert_eq!((&device["device"], &device["provider"]), (&"cpu".into(), &"CPUExecutionProvider".into()));
    assert!(!output.stderr.contains(&b'\r') && !output.stderr.contains(&0x1b), "no bar and no colour off a terminal");
    let output = run(folder.path(), &["a.png", "out", "--quiet"]);
    assert_ends(&output, 0, "translated 0, skipped 1, failed 0", "");
    assert!(output.stderr.is_empty(), "quiet");

    // A reader that has gone is no reason to fail.
    let mut child = infer(folder.path(), &["--model", "model.onnx", "a.png", "out"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn ctrl_c_ends_with_whole_files_and_the_next_run_goes_on() {
    let folder = folder_with(&identity_model());
    let (here, photo) = (folder.path(), encoded(&picture(64, 64), Format::Png));
    const PHOTOS: usize = 2000;
    for number in 0..PHOTOS {
        write(&here.join(format!("photos/{number:04}.png")), &photo);
    }
    let mut child = infer(here, &["--model", "model.onnx", "photos", "out"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let start = Instant::now();
    while !here.join("out/0000.png").exists() {
        assert!(child.try_wait().expect("our own child").is_none(), "it ended before");
        assert!(start.elapsed() < Duration::from_secs(60), "it never got there");
        std::thread::yield_now();
    }
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is everywhere").success()
    );
    let output = child.wait_with_output().expect("it ends by itself");
    let done = pictures::find(&here.join("out")).expect("a folder");
    assert_ends(
        &output,
        130,
        &format!("translated {}, skipped 0, failed 0", done.len()),
        "pictures left; the same command goes on",
    );
    assert!(done.len() < PHOTOS, "it was stopped on the way");
    for path in &done {
        assert_eq!(pictures::read(path).expect("whole").dimensions(), (16, 16));
    }
    let all = std::fs::read_dir(here.join("out")).expect("a folder").count();
    assert_eq!(all, done.len() + 1, "beside the journal no other file is left");
    let rest = format!("translated {}, skipped {}, failed 0", PHOTOS - done.len(), done.len());
    assert_ends(&run(here, &["photos", "out"]), 0, &rest, "");
}
