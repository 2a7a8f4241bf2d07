//! Models that others could have made: any element, layout, range, order of channels and scale.

use std::os::unix::fs::symlink;
use std::path::Path;

use models_onnx::proto::{DataType, ModelProto, StringStringEntryProto};
use models_onnx::samples::{Operation, Sample};
use pictures::{Format, Picture};
use prost::Message;

use crate::support::{assert_ends, channel_model_for, encoded, folder_with, infer, picture, run, write};

const ONE: &str = "translated 1, skipped 0, failed 0";

/// The flags that most samples need.
const ENOUGH: [&str; 6] = ["--range", "0..1", "--channels", "rgb", "--size-multiple", "1"];

/// A folder with a model and a picture of 9×6.
fn folder_of(model: &[u8]) -> tempfile::TempDir {
    let folder = folder_with(model);
    write(&folder.path().join("a.png"), &encoded(&picture(9, 6), Format::Png));
    folder
}

fn translated(folder: &Path) -> Picture {
    pictures::read(&folder.join("out/a.png")).expect("whole")
}

/// What the operations make of the picture, pixel by pixel.
fn expected(operation: Operation) -> Picture {
    let original = picture(9, 6);
    match operation {
        Operation::Reverse => Picture::from_fn(9, 6, |x, y| {
            let [red, green, blue] = original.get_pixel(x, y).0;
            [blue, green, red].into()
        }),
        Operation::Enlarge(scale) => {
            let scale = scale as u32;
            Picture::from_fn(9 * scale, 6 * scale, |x, y| *original.get_pixel(x / scale, y / scale))
        }
        Operation::Identity | Operation::Times(_) => original,
    }
}

#[test]
fn any_element_layout_and_size_gives_the_same_picture_back() {
    let elements = [DataType::Float, DataType::Float16, DataType::Uint8];
    let operations = [Operation::Identity, Operation::Reverse, Operation::Enlarge(3)];
    for (number, input) in (0..).zip(elements) {
        for (place, output) in (0..).zip(elements) {
            for interleaved in [false, true] {
                // Each operation meets each element on each side, not all of them at once.
                let operation = operations[(number + place) % 3];
                let (batch, size) = if interleaved == (number == 1) { (None, None) } else { (Some(2), Some([6, 9])) };
                let sample = Sample { operation, input, output, interleaved, batch, size, opset: 17 };
                let folder = folder_of(&sample.to_bytes());
                // What a cast makes of floats are whole numbers.
                let range = if [input, output].contains(&DataType::Uint8) { "0..255" } else { "-1..1" };
                let mut flags = vec!["a.png", "out", "--channels", "rgb", "--output-range", range, "--range", range];
                if size.is_none() {
                    flags.extend(["--size-multiple", "1"]);
                }
                assert_ends(&run(folder.path(), &flags), 0, ONE, "");
                assert_eq!(translated(folder.path()), expected(operation), "{sample:?}");
            }
        }
    }
}

#[test]
fn every_opset_that_the_runtime_takes_is_taken() {
    for opset in 11..=26 {
        let sample = Sample { operation: Operation::Enlarge(2), opset, ..Sample::default() };
        let folder = folder_of(&sample.to_bytes());
        assert_ends(&run(folder.path(), &[&["a.png", "out"], &ENOUGH[..]].concat()), 0, ONE, "");
        assert_eq!(translated(folder.path()), expected(sample.operation), "{opset}");
    }
    let folder = folder_of(&Sample { opset: 99, ..Sample::default() }.to_bytes());
    let output = run(folder.path(), &[&["a.png", "out"], &ENOUGH[..]].concat());
    assert_ends(&output, 3, "", "model.onnx: ONNX Runtime refuses the model: ");
}

#[test]
fn a_model_sees_the_range_mean_and_order_that_it_is_said_to_want() {
    // What doubled numbers are for a byte: it times a factor, and a shift where black is not 0.
    let cases: [(&[&str], f32, f32); 5] = [
        (&["--range", "0..1"], 2.0, 0.0),
        (&["--range", "0..255", "--channels", "bgr"], 2.0, 0.0),
        (&["--range", "-1..1"], 2.0, -127.5),
        (&["--range", "0..255", "--output-range", "0..510"], 1.0, 0.0),
        (&["--range", "0..255", "--mean", "9,9,9", "--std", "2,2,2", "--output-range", "-50..205"], 1.0, 41.0),
    ];
    let folder = folder_of(&Sample { operation: Operation::Times(2.0), ..Sample::default() }.to_bytes());
    for (flags, factor, shift) in cases {
        let channels: &[&str] = if flags.contains(&"--channels") { &[] } else { &["--channels", "rgb"] };
        let common = ["a.png", "out", "--overwrite", "--size-multiple", "1"];
        assert_ends(&run(folder.path(), &[&common, flags, channels].concat()), 0, ONE, "");
        let original = picture(9, 6);
        for (x, y, pixel) in translated(folder.path()).enumerate_pixels() {
            let expected = original.get_pixel(x, y).0.map(|byte| (factor * f32::from(byte) + shift).clamp(0.0, 255.0));
            let near = |(found, expected): (u8, f32)| (f32::from(found) - expected).abs() <= 0.51;
            assert!(pixel.0.into_iter().zip(expected).all(near), "{flags:?}: {pixel:?}, expected {expected:?}");
        }
    }
    // The first channel of an order is where red is in the picture, or blue.
    let first = [&["a.png", "out", "--overwrite", "--size-multiple", "1", "--range", "0..1"][..], &["--mean"]].concat();
    for (channels, color) in [("rgb", 0), ("bgr", 0)] {
        let flags = [&first[..], &["-1,0,0", "--output-range", "0..4", "--channels", channels]].concat();
        assert_ends(&run(folder.path(), &flags), 0, ONE, "");
        let pixel = translated(folder.path()).get_pixel(0, 0).0;
        let brightest = pixel.iter().max().copied().expect("three");
        assert_eq!(pixel[color], brightest, "a mean is that of red, whatever the order: {pixel:?}");
    }
}

#[test]
fn numbers_beyond_the_range_are_clamped_and_nan_fails_its_picture() {
    let sample = |factor| Sample { operation: Operation::Times(factor), ..Sample::default() };
    let flags = [&["a.png", "out"], &ENOUGH[..]].concat();
    for (factor, byte) in [(1e9, 255), (f32::INFINITY, 255), (-1.0, 0)] {
        let folder = folder_of(&sample(factor).to_bytes());
        write(&folder.path().join("a.png"), &encoded(&Picture::from_pixel(3, 3, [9; 3].into()), Format::Png));
        assert_ends(&run(folder.path(), &flags), 0, ONE, "");
        assert!(translated(folder.path()).as_raw().iter().all(|found| *found == byte), "{factor}");
    }
    let folder = folder_of(&sample(f32::NAN).to_bytes());
    let output = run(folder.path(), &flags);
    assert_ends(&output, 1, "translated 0, skipped 0, failed 1", "failed: a.png: the network gives NaN for it");
}

#[test]
fn what_is_missing_is_listed_and_a_file_beside_the_model_can_say_it() {
    let folder = folder_of(&Sample { operation: Operation::Enlarge(2), ..Sample::default() }.to_bytes());
    let here = folder.path();
    let output = run(here, &["a.png", "out"]);
    assert_ends(
        &output,
        3,
        "",
        "error: model.onnx: does not say all that is needed, and this program does not guess; missing:\n  \
         what black and white are for it: --range -1..1, 0..1, 0..255 or others\n  \
         the order of its channels: --channels rgb or bgr\n  \
         what width and height must be a multiple of: --size-multiple N (1 where any will do)\n\
         use the flags, or write the same keys into model.toml, as in `size-multiple = 4`\n",
    );
    assert!(!here.join("out").exists());
    write(&here.join("model.toml"), b"range = '0..1'\nchannels = 'rgb'\nsize-multiple = 4\n");
    let said = "and gives 2 times the width and height";
    assert_ends(&run(here, &["a.png", "out"]), 0, ONE, said);
    assert_eq!(translated(here), expected(Operation::Enlarge(2)));

    let output = infer(here, &["--model", "model.onnx", "--print-contract"]).output().expect("it starts");
    assert_ends(&output, 0, "size          multiples of 4 from 4 on        model.toml", "");
    let output = infer(here, &["--model", "model.onnx", "--print-contract", "--scale", "3"]).output();
    let message = "model.onnx: scale 3 contradicts the graph, whose output is 2 times as wide and high as its input";
    assert_ends(&output.expect("it starts"), 3, "", message);
    let output = infer(here, &["--model", "model.onnx", "--print-contract", "a.png", "out"]).output();
    assert_ends(&output.expect("it starts"), 2, "", "cannot be used with");

    write(&here.join("model.toml"), b"rnge = '0..1'");
    assert_ends(&run(here, &["a.png", "out"]), 3, "", "unknown field `rnge`");
    std::fs::remove_file(here.join("model.toml")).expect("it is there");
    std::fs::create_dir(here.join("model.toml")).expect("writable");
    assert_ends(
        &run(here, &["a.png", "out"]),
        3,
        "",
        "model.toml, which describes the model, cannot be used: it is no file",
    );
}

#[test]
fn a_model_that_breaks_its_word_fails_the_picture_and_says_how() {
    let mut model = Sample { operation: Operation::Enlarge(2), ..Sample::default() }.model();
    model
        .graph
        .iter_mut()
        .for_each(|graph| graph.output[0] = Sample::default().model().graph.expect("one").output.remove(0));
    model.graph.iter_mut().for_each(|graph| graph.output[0].name = "result".into());
    let folder = folder_of(&model.encode_to_vec());
    let output = run(folder.path(), &[&["a.png", "out"], &ENOUGH[..]].concat());
    let message = "failed: a.png: the model gives [1, 3, 12, 18] for [1, 3, 6, 9], not [1, 3, 6, 9]";
    assert_ends(&output, 1, "translated 0, skipped 0, failed 1", message);
}

/// A sample whose only constant lies in `location`.
fn with_data(location: &str, offset: &str, length: &str) -> ModelProto {
    let mut model = Sample { operation: Operation::Reverse, ..Sample::default() }.model();
    let constant = model.graph.as_mut().map(|graph| &mut graph.initializer[0]).expect("the order of channels");
    constant.raw_data.clear();
    constant.data_location = 1;
    let entry = |(key, value): (&str, &str)| StringStringEntryProto { key: key.into(), value: value.into() };
    constant.external_data = [("location", location), ("offset", offset), ("length", length)].map(entry).into();
    model
}

#[test]
fn data_beside_a_foreign_model_is_read_only_when_allowed_and_only_from_plain_files_of_its_folder() {
    let order: Vec<u8> = [7_i64, 2, 1, 0].iter().flat_map(|place| place.to_le_bytes()).collect();
    let folder = folder_of(&with_data("model.onnx_data", "8", "24").encode_to_vec());
    let here = folder.path();
    write(&here.join("model.onnx_data"), &order);
    write(&here.join("deeper/data"), &order);
    symlink(here.join("model.onnx_data"), here.join("link")).expect("writable");
    symlink("/dev/zero", here.join("zeros")).expect("writable");
    let flags = [&["a.png", "out"], &ENOUGH[..]].concat();
    let allowed = [&flags[..], &["--allow-external-data"]].concat();
    assert_ends(&run(here, &flags), 3, "", "model.onnx: has weights in other files of its folder");
    assert_ends(&run(here, &allowed), 0, ONE, "");
    assert_eq!(translated(here), expected(Operation::Reverse));

    let cases = [
        ("../data", "0", "24", "which is no file's name in the model's folder"),
        ("/etc/passwd", "0", "24", "which is no file's name in the model's folder"),
        ("deeper/data", "0", "24", "which is no file's name in the model's folder"),
        ("link", "0", "24", "it is no plain file"),
        ("zeros", "0", "24", "it is no plain file"),
        ("deeper", "0", "24", "it is no plain file"),
        ("none", "0", "24", "No such file"),
        ("model.onnx_data", "16", "24", "it has 32 bytes, its tensors reach to 40"),
        ("model.onnx_data", "0", "32", "has 32 bytes at 0; its shape asks for 24"),
        ("model.onnx_data", "-8", "24", "has the offset `-8`"),
    ];
    for (location, offset, length, message) in cases {
        write(&here.join("model.onnx"), &with_data(location, offset, length).encode_to_vec());
        assert_ends(&run(here, &[&allowed[..], &["--overwrite"]].concat()), 3, "", message);
    }
    // Metadata alone makes no file our own.
    let ours = models_onnx::parse(channel_model_for([0, 1, 2], &Default::default()).model).expect("our own");
    let posing = ModelProto { metadata_props: ours.metadata_props, ..with_data("model.onnx_data", "8", "24") };
    write(&here.join("model.onnx"), &posing.encode_to_vec());
    assert_ends(
        &run(here, &["a.png", "out", "--overwrite"]),
        3,
        "",
        "use --allow-external-data if you trust the model",
    );
}

#[test]
fn what_is_no_image_to_image_model_ends_with_the_reason() {
    let mut two = Sample::default().model();
    two.graph.iter_mut().for_each(|graph| graph.output.extend_from_within(..));
    let mut classifier = Sample::default().model();
    let batch_and_classes = Sample::default().model();
    for (from, to) in batch_and_classes.graph.iter().zip(&mut classifier.graph) {
        let mut end = from.output[0].clone();
        if let Some(models_onnx::proto::TypeValue::Tensor(tensor)) =
            end.r#type.as_mut().and_then(|kind| kind.value.as_mut())
        {
            tensor.shape.iter_mut().for_each(|shape| shape.dim.truncate(2));
        }
        to.output[0] = end;
    }
    let whole = Sample::default().to_bytes();
    let cases: [(&[u8], &str); 5] = [
        (&two.encode_to_vec(), "is not image-to-image: it has 1 input (picture) and 2 outputs (result, result)"),
        (&classifier.encode_to_vec(), "is not image-to-image: its output has 2 dimensions"),
        (&whole[..whole.len() - 9], "is no ONNX file, or a damaged one"),
        (b"", "it holds no graph"),
        (b"\x89PNG\r\n", "is no ONNX file, or a damaged one"),
    ];
    for (model, message) in cases {
        let folder = folder_of(model);
        assert_ends(&run(folder.path(), &[&["a.png", "out"], &ENOUGH[..]].concat()), 3, "", message);
        assert!(!folder.path().join("out").exists());
    }
}
