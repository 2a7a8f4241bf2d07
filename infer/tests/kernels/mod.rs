//! Our own kernels for the CPU, as far as who translates pictures sees of them.

use models::families::{Family, GeneratorOptions};
use models::{Metadata, Role, Weight, parameters};
use models_onnx::{Target, export};
use pictures::{Format, Picture};

use crate::support::{assert_ends, encoded, folder_with, metadata, run, write};

/// A generator with residual blocks of 32 channels; features stay near 1 through it.
fn generator(family: Family) -> Vec<u8> {
    let network = family.generator(GeneratorOptions::sized(8, 2));
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let weights = parameters::table(&network).into_iter().map(|parameter| {
        let scale = 1.7 / ((parameter.len() / parameter.shape[0]) as f32).sqrt();
        let bytes = (0..parameter.len()).flat_map(|_| (draw() * scale).to_le_bytes()).collect();
        Weight { name: parameter.name, shape: parameter.shape, bytes }
    });
    let weights = weights.collect();
    let metadata = Metadata { network, ..metadata(Role::GAb) };
    export(&metadata, weights, &Target::default()).expect("its own weights").model
}

/// A picture as a camera makes them: soft, with some noise.
fn photo(width: u32, height: u32) -> Picture {
    let noise = |x: u32, y: u32| ((x * 7919 + y * 104_729) % 13) as f32;
    Picture::from_fn(width, height, |x, y| {
        let (across, down) = (x as f32 / width as f32, y as f32 / height as f32);
        [across * 200.0, down * 220.0, (across * down * 9.0).sin() * 100.0 + 120.0]
            .map(|color| (color + noise(x, y)) as u8)
            .into()
    })
}

#[test]
fn pictures_are_the_same_on_our_kernels_but_for_one_value_in_ten_thousand() {
    let folder = folder_with(&generator(Family::Paper));
    write(&folder.path().join("photos/a.png"), &encoded(&photo(221, 130), Format::Png));
    let of = |kernels: &str| {
        let said = match kernels {
            "off" => "device",
            _ => "kernels   our own for 14 of 19 convolutions and norms",
        };
        let output =
            run(folder.path(), &["photos", kernels, "--fit", "native", "--device", "cpu", "--cpu-kernels", kernels]);
        assert_ends(&output, 0, "translated 1, skipped 0, failed 0", said);
        pictures::read(&folder.path().join(kernels).join("a.png")).expect("whole").into_raw()
    };
    let expected = of("off");
    let model = || std::fs::read(folder.path().join("model.onnx")).expect("the model");
    let before = model();
    for kernels in ["auto", "winograd4", "winograd6"] {
        let found = of(kernels);
        assert!(model() == before, "the model on the disk is as it was");
        assert_eq!(found.len(), expected.len());
        let far = found.iter().zip(&expected).filter(|(found, expected)| found.abs_diff(**expected) > 1).count();
        assert!(far * 10_000 <= found.len(), "{kernels}: {far} of {}", found.len());
    }
}

#[test]
fn the_contract_says_which_nodes_are_replaced_and_why_others_stay() {
    let folder = folder_with(&generator(Family::Paper));
    let printed = |flags: &[&str]| {
        let output = run(folder.path(), &[&["--print-contract"], flags].concat());
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    let said = printed(&["--cpu-kernels", "winograd4"]);
    for line in [
        "kernel  block1.conv1       Conv                   replaced by Winograd F(4×4, 3×3) with its padding, reflected",
        "kernel  block1.conv2.norm  InstanceNormalization  replaced by norm with the sum after it",
        "kernel  up1.conv           ConvTranspose          replaced by Winograd, its four parities at once",
        "kernel  up2.conv           ConvTranspose          stays: of 16 to 8 channels, it has too few for it to pay",
        "kernel  down1.conv         Conv                   stays: its stride is not 1",
    ] {
        assert!(said.lines().any(|found| found == line), "{line} in\n{said}");
    }
    assert!(!printed(&["--cpu-kernels", "off"]).contains("kernel "));
    let wrong = run(folder.path(), &["--print-contract", "--cpu-kernels", "fast"]);
    assert_ends(&wrong, 2, "", "`fast` is none; use auto, off, winograd4 or winograd6");
}

#[test]
fn memory_that_kernels_keep_counts_where_a_picture_is_to_fit() {
    let folder = folder_with(&generator(Family::Concat));
    write(&folder.path().join("a.png"), &encoded(&photo(64, 64), Format::Png));
    // A layer takes and gives 16 numbers for each pixel; points are 4.5 more for each feature.
    let common = ["a.png", "out", "--fit", "native", "--device", "cpu", "--memory", "330k", "--cpu-kernels"];
    let output = run(folder.path(), &[&common[..], &["winograd4"]].concat());
    assert_ends(
        &output,
        1,
        "translated 0, skipped 0, failed 1",
        "failed: a.png: would be 64×64 pixels for the network",
    );
    let output = run(folder.path(), &[&common[..], &["off"]].concat());
    assert_ends(&output, 0, "translated 1, skipped 0, failed 0", "device    cpu");
}
