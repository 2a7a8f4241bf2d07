//! Models made for something: bytes or 16-bit floats, one size, one batch, data beside them.

use models::{Layer, Metadata, Network, Pads, Role, Weight};
use models_onnx::{Io, Precision, Target};
use pictures::{Format, Picture};

use crate::support::{assert_ends, channel_model_for, encoded, folder_with, infer, metadata, picture, run, write};

const SIZES: [Option<[usize; 2]>; 2] = [None, Some([12, 20])];

#[test]
fn every_target_gives_the_same_pictures_also_where_the_last_batch_is_not_full() {
    let expected = Picture::from_fn(20, 12, |x, y| {
        let [red, green, blue] = picture(20, 12).get_pixel(x, y).0;
        [blue, red, green].into()
    });
    for io in [Io::Float, Io::F16, Io::Uint8] {
        for (batch, size) in [None, Some(3)].into_iter().flat_map(|batch| SIZES.map(|size| (batch, size))) {
            for precision in [Precision::F32, Precision::F16] {
                let target = Target { io, batch, size, precision, opset: 21, ..Target::default() };
                let folder = folder_with(&channel_model_for([2, 0, 1], &target).model);
                for name in ["a.png", "b.png", "c.png", "d.png", "e.png"] {
                    write(&folder.path().join("photos").join(name), &encoded(&picture(20, 12), Format::Png));
                }
                // Without --batch: a model that takes three at once is given three.
                let output = run(folder.path(), &["photos", "out", "--fit", "native"]);
                assert_ends(&output, 0, "translated 5, skipped 0, failed 0", "");
                for translated in pictures::find(&folder.path().join("out")).expect("a folder") {
                    // 11 bits are enough for 8.
                    assert_eq!(pictures::read(&translated).expect("whole"), expected, "{target:?}");
                }
            }
        }
    }
}

#[test]
fn a_model_says_what_it_takes_and_a_batch_that_it_cannot_take_is_a_usage_error() {
    let target = Target { io: Io::Uint8, batch: Some(2), size: Some([12, 20]), ..Target::default() };
    let folder = folder_with(&channel_model_for([0, 1, 2], &target).model);
    write(&folder.path().join("a.png"), &encoded(&picture(20, 12), Format::Png));
    let output = run(folder.path(), &["a.png", "out", "--batch", "2"]);
    assert_ends(&output, 0, "translated 1, skipped 0, failed 0", "takes [2, 12, 20, 3] bytes");
    let output = run(folder.path(), &["a.png", "out", "--batch", "4"]);
    assert_ends(&output, 2, "", "--batch 4: the model takes 2 at once and no other number; leave it out");
}

#[test]
fn a_model_of_one_size_takes_pictures_of_any_and_gives_back_what_is_left_of_them() {
    let target = Target { size: Some([12, 20]), ..Target::default() };
    let folder = folder_with(&channel_model_for([0, 1, 2], &target).model);
    write(&folder.path().join("wide.png"), &encoded(&picture(100, 30), Format::Png));
    let cases = [
        ("train", (20, 6), "scaled to fit into 20×12; padded by reflection to 20×12, all that the model takes"),
        ("squash", (20, 12), "squashed to 20×12, all that the model takes"),
        ("4", (13, 4), "the shorter side is scaled to 4; padded by reflection to 20×12"),
    ];
    for (fit, size, said) in cases {
        let output = run(folder.path(), &["wide.png", "out", "--overwrite", "--fit", fit]);
        assert_ends(&output, 0, "translated 1, skipped 0, failed 0", said);
        let translated = pictures::read(&folder.path().join("out/wide.png")).expect("whole");
        assert_eq!(translated.dimensions(), size, "{fit}");
    }
    let output = run(folder.path(), &["wide.png", "out", "--overwrite", "--fit", "native"]);
    let reason =
        "failed: wide.png: would be 100×30 pixels for the network, and the model takes 20×12 only; use --fit train";
    assert_ends(&output, 1, "translated 0, skipped 0, failed 1", reason);
}

#[test]
fn weights_beside_the_model_are_found_from_any_folder_and_missed_by_name() {
    let folder = folder_with(b"");
    let here = folder.path();
    let wide = Metadata { network: wide_network(), ..metadata(Role::GAb) };
    let target = Target { largest_file: 0, ..Target::default() };
    let exported = models_onnx::export(&wide, wide_identity(), &target).expect("its own weights");
    exported.write(&here.join("model.onnx")).expect("writable");
    let data = here.join(&exported.data.as_ref().expect("the limit is below it").name);
    write(&here.join("elsewhere/a.png"), &encoded(&picture(20, 12), Format::Png));
    for (from, model) in [(here.to_owned(), "model.onnx"), (here.join("elsewhere"), "../model.onnx")] {
        let photo = here.join("elsewhere/a.png").display().to_string();
        let arguments = ["--model", model, &photo, "out", "--fit", "native"];
        let output = infer(&from, &arguments).output().expect("it starts");
        assert_ends(&output, 0, "translated 1, skipped 0, failed 0", "");
        assert_eq!(pictures::read(&from.join("out/a.png")).expect("whole"), picture(20, 12), "{model}");
    }
    std::fs::write(&data, b"cut").expect("writable");
    let output = run(here, &["elsewhere/a.png", "out"]);
    assert_ends(&output, 3, "", "it has 3 bytes, its tensors reach to");
    std::fs::remove_file(&data).expect("it is there");
    let output = run(here, &["elsewhere/a.png", "out"]);
    assert_ends(
        &output,
        3,
        "",
        "which cannot be used: No such file or directory (os error 2)\nmove both files together",
    );
}

/// One convolution, large enough that its weights are worth a file.
fn wide_network() -> Network {
    let pad = Pads::all(5);
    let conv = Layer::Conv { name: "wide".into(), from: 3, to: 3, kernel: 11, stride: 1, pad };
    Network { channels: 3, layers: vec![conv] }
}

/// Its weights, of which all but the middle are zero.
fn wide_identity() -> Vec<Weight> {
    let middle = |place: usize| (place / 121).is_multiple_of(4) && place % 121 == 60; // [to, from, 11, 11] with to = from
    let numbers = (0..9 * 121).map(|place| if middle(place) { 1.0_f32 } else { 0.0 });
    let bytes = numbers.flat_map(f32::to_le_bytes).collect();
    let weight = Weight { name: "wide.weight".into(), shape: vec![3, 3, 11, 11], bytes };
    let bias = Weight { name: "wide.bias".into(), shape: vec![3], bytes: vec![0; 12].into() };
    vec![weight, bias]
}
