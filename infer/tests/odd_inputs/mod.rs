//! What lies in real folders: pictures of every kind, links, names given twice, and models that fail on the way.

use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};
use models_onnx::proto::{DataType, NodeProto, TensorProto};
use pictures::{Format, Picture};

use crate::support::{assert_ends, encoded, folder_with, identity_model, infer, picture, run, write};

fn bytes(image: impl Into<DynamicImage>, format: Format) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).expect("a small picture");
    bytes.into_inner()
}

/// A BMP with two colours in a table, 4 × 1 pixels, written by hand: our encoder has no such form.
fn palette_bmp(colours: [[u8; 3]; 2], pixels: [u8; 4]) -> Vec<u8> {
    let mut file = b"BM".to_vec();
    for word in [14 + 40 + 8 + 4_u32, 0, 14 + 40 + 8, 40, 4, 1, 1 | 8 << 16, 0, 4, 0, 0, 2, 2] {
        file.extend(word.to_le_bytes());
    }
    colours.iter().for_each(|[red, green, blue]| file.extend([*blue, *green, *red, 0]));
    file.extend(pixels);
    file
}

/// A JPEG's EXIF segment, written by hand: orientation 6 says that the stored picture is to be turned right.
const TURN_RIGHT: &[u8] = b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";

#[test]
fn pictures_of_every_kind_come_out_as_a_person_sees_them() {
    let folder = folder_with(&identity_model());
    let deep: ImageBuffer<Rgb<u16>, Vec<u16>> = ImageBuffer::from_pixel(2, 2, Rgb([65_535, 257 * 100, 0]));
    let grey: ImageBuffer<Luma<u8>, Vec<u8>> = ImageBuffer::from_pixel(2, 2, Luma([77]));
    let clear: ImageBuffer<Rgba<u8>, Vec<u8>> = ImageBuffer::from_pixel(2, 2, Rgba([9, 9, 9, 0]));
    let both: ImageBuffer<LumaA<u8>, Vec<u8>> = ImageBuffer::from_pixel(2, 2, LumaA([0, 255]));
    let cases = [
        ("deep.png", bytes(deep.clone(), Format::Png), [255, 100, 0]),
        ("deep-tiff.tiff", bytes(deep, Format::Tiff), [255, 100, 0]),
        ("grey.png", bytes(grey.clone(), Format::Png), [77; 3]),
        ("grey-jpeg.jpg", bytes(grey, Format::Jpeg), [77; 3]),
        ("clear.png", bytes(clear.clone(), Format::Png), [255; 3]),
        ("clear-webp.webp", bytes(clear, Format::WebP), [255; 3]),
        ("grey-and-alpha.png", bytes(both, Format::Png), [0; 3]),
        ("palette.bmp", palette_bmp([[1, 2, 3], [200, 100, 50]], [1, 1, 0, 0]), [200, 100, 50]),
    ];
    for (name, file, _) in &cases {
        write(&folder.path().join("photos").join(name), file);
    }
    let half = Picture::from_fn(32, 16, |x, _| if x < 16 { Rgb([0; 3]) } else { Rgb([255; 3]) });
    let mut turned = encoded(&half, Format::Jpeg);
    turned.splice(2..2, TURN_RIGHT.iter().copied());
    write(&folder.path().join("photos/turned.jpg"), &turned);

    let output = run(folder.path(), &["photos", "out", "--fit", "native"]);
    assert_ends(&output, 0, "translated 9, skipped 0, failed 0", "");
    let translated = |name: &str| pictures::read(&folder.path().join("out").join(name)).expect("whole");
    for (name, _, expected) in &cases {
        assert_eq!(translated(name).get_pixel(0, 0).0, *expected, "{name}");
    }
    assert_eq!(translated("palette.bmp").get_pixel(3, 0).0, [1, 2, 3]);
    let turned = translated("turned.jpg");
    assert_eq!(turned.dimensions(), (16, 32), "upright, and nothing in the file turns it again");
    assert!(turned.get_pixel(8, 2).0[0] < 10 && turned.get_pixel(8, 29).0[0] > 245);
}

#[test]
fn links_are_followed_and_one_that_leads_nowhere_stops_nothing() {
    let folder = folder_with(&identity_model());
    let photos = folder.path().join("photos");
    for name in ["a.png", "sub/b.png", ".trash/deleted.png"] {
        write(&photos.join(name), &encoded(&picture(4, 4), Format::Png));
    }
    for (to, name) in [("a.png", "linked.png"), ("nowhere", "lost.png"), ("..", "sub/up"), ("nowhere", "notes")] {
        symlink(to, photos.join(name)).expect("writable");
    }
    let output = run(folder.path(), &["photos", "out"]);
    assert_ends(
        &output,
        1,
        "translated 3, skipped 0, failed 1",
        "failed: photos/lost.png: cannot be opened: No such file",
    );
    assert!(!folder.path().join("out/.trash").exists());
    assert!(folder.path().join("photos/linked.png").is_symlink(), "the folder of photos is left as it was");
}

#[test]
fn a_picture_named_twice_is_translated_once() {
    let folder = folder_with(&identity_model());
    write(&folder.path().join("photos/a.png"), &encoded(&picture(4, 4), Format::Png));
    let output = run(folder.path(), &["photos", "./photos", "photos/a.png", "out"]);
    assert_ends(&output, 0, "translated 1, skipped 0, failed 0", "pictures  1");
}

#[test]
fn no_photo_is_ever_replaced() {
    let folder = folder_with(&identity_model());
    let photo = encoded(&picture(4, 4), Format::Png);
    for name in ["one/sub/a.png", "two/sub/a.png"] {
        write(&folder.path().join(name), &photo);
    }
    let cases: [(&[&str], &str); 3] = [
        (
            &["one", "two/sub", "two"],
            "two/sub/a.png, an input too, would be replaced by the translation of one/sub/a.png",
        ),
        (&["one", "one"], "one/sub/a.png would be replaced by its own translation"),
        (
            &["one/sub/a.png", "two/sub/a.png"],
            "two/sub/a.png is no directory; the last argument is where translations go",
        ),
    ];
    for (arguments, message) in cases {
        assert_ends(&run(folder.path(), &[arguments, &["--overwrite"]].concat()), 2, "", message);
    }
    for name in ["one/sub/a.png", "two/sub/a.png"] {
        assert_eq!(std::fs::read(folder.path().join(name)).expect("still there"), photo);
    }
}

#[test]
fn what_is_neither_file_nor_directory_is_not_waited_for() {
    let folder = folder_with(&identity_model());
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe.png")).status().expect("in every Linux").success());
    assert_ends(&run(folder.path(), &["pipe.png", "out"]), 3, "", "input pipe.png: is neither a file nor a directory");
}

#[test]
fn a_picture_that_cannot_fit_into_memory_fails_alone() {
    let folder = folder_with(&identity_model());
    write(&folder.path().join("photos/strip.png"), &encoded(&Picture::new(1, 60_000), Format::Png));
    write(&folder.path().join("photos/whole.png"), &encoded(&picture(9, 9), Format::Png));
    // 65535 × 3.9 thousand million pixels, which no machine holds.
    let output = run(folder.path(), &["photos", "out", "--fit", "65535", "--device", "cpu"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("failed: photos/strip.png: would be 65535×3932100000 pixels")
    );
    assert_eq!(output.status.code(), Some(1));
}

/// A model that by its metadata and its graph's ends is free in all dimensions, and fails inside for all but one size.
fn fixed(dimension: usize, value: i64) -> Vec<u8> {
    let mut model = models_onnx::parse(identity_model()).expect("our own");
    let graph = model.graph.as_mut().expect("has one");
    graph.node[0].output = vec!["inner".into()];
    let mut sides = [0_i64; 4]; // as they are
    sides[dimension] = value;
    let raw_data = sides.iter().flat_map(|side| side.to_le_bytes()).collect::<Vec<_>>().into();
    let (name, data_type) = ("constant.sides".to_owned(), DataType::Int64.into());
    graph.initializer.push(TensorProto { name, dims: vec![4], data_type, raw_data, ..Default::default() });
    graph.node.push(NodeProto {
        name: "fixed".into(),
        op_type: "Reshape".into(),
        input: vec!["inner".into(), "constant.sides".into()],
        output: vec![models_onnx::OUTPUT.into()],
        ..Default::default()
    });
    prost::Message::encode_to_vec(&model)
}

#[test]
fn a_picture_on_which_the_model_fails_does_not_stop_the_rest() {
    let folder = folder_with(&fixed(2, 16));
    for (name, height) in [("a.png", 16), ("b.png", 18), ("c.png", 16)] {
        write(&folder.path().join("photos").join(name), &encoded(&picture(20, height), Format::Png));
    }
    let output = run(folder.path(), &["photos", "out", "--fit", "native"]);
    assert_ends(&output, 1, "translated 2, skipped 0, failed 1", "failed: photos/b.png: ONNX Runtime failed");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(!messages.contains("\n\n"), "what ONNX Runtime says ends with the line: {messages}");
}

#[test]
fn a_batch_that_fails_is_tried_again_picture_by_picture() {
    let folder = folder_with(&fixed(0, 1));
    for name in ["a.png", "b.png", "c.png"] {
        write(&folder.path().join("photos").join(name), &encoded(&picture(16, 16), Format::Png));
    }
    let output = run(folder.path(), &["photos", "out", "--batch", "3"]);
    assert_ends(&output, 0, "translated 3, skipped 0, failed 0", "");
}

#[test]
fn readers_that_have_gone_are_no_reason_to_fail() {
    let folder = folder_with(&identity_model());
    write(&folder.path().join("a.png"), &encoded(&picture(4, 4), Format::Png));
    write(&folder.path().join("text.png"), b"no picture");
    // As in `infer … 2>&1 | head -0`.
    let mut child = infer(folder.path(), &["--model", "model.onnx", "a.png", "text.png", "out"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "one failed; nothing panicked");
    assert!(folder.path().join("out/a.png").exists());
}

#[test]
fn onnx_runtime_sends_nothing_home_and_leaves_nothing_there() {
    let folder = folder_with(&identity_model());
    let here = folder.path();
    write(&here.join("a.png"), &encoded(&picture(4, 4), Format::Png));
    std::fs::create_dir(here.join("home")).expect("writable");
    let mut infer = infer(here, &["--model", "model.onnx", "a.png", "out"]);
    infer.env_remove("ORT_DISABLE_TELEMETRY").env("HOME", here.join("home")).env("XDG_CACHE_HOME", here.join("home"));
    assert_ends(&infer.output().expect("it starts"), 0, "translated 1, skipped 0, failed 0", "");
    let left: Vec<_> = std::fs::read_dir(here.join("home")).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
}
