//! `exporter` as a user types it.

mod difference;
mod inspection;
mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use models::families::{Family, GeneratorOptions};
use models::{Layer, Metadata, Role, weights_hash};
use models_torch::Module;
use prost::Message;
use rand::SeedableRng;
use snapbox::file;
use support::{assert_ends, assert_prints, folder, run, saved, write};

#[test]
fn help_says_what_it_is_and_what_it_takes() {
    snapbox::assert_data_eq!(run(Path::new("."), &["--help"]).stdout, file!["snapshots/help.txt"]);
}

#[test]
fn a_generator_is_verified_and_written_with_its_metadata() {
    let folder = folder();
    for (family, name) in [(Family::Paper, "g_ab.ot"), (Family::Concat, "g_ab.safetensors")] {
        let saved = saved(Role::GAb, family);
        write(folder.path(), name, &saved);
        let output = run(folder.path(), &[name, "-o", "out/g_ab.onnx"]);
        assert_ends(&output, 0, "they agree");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "out/g_ab.onnx\n", "the result, for scripts");
        let said = String::from_utf8_lossy(&output.stderr);
        for row in ["1 × 32×32", "3 × ", "faint  ", "1 × 512×512"] {
            assert!(said.contains(row), "{row} in {said}");
        }
        let file = std::fs::read(folder.path().join("out/g_ab.onnx")).expect("it was written");
        let model = models_onnx::parse(file.clone()).expect("our own file");
        let hash = Some(weights_hash(&saved.weights));
        let expected = Metadata { weights_sha256: hash, ..saved.metadata };
        assert_eq!(models_onnx::metadata(&model).expect("our own metadata"), expected);
        assert_ends(&run(folder.path(), &[name, "-o", "again.onnx"]), 0, "");
        assert!(std::fs::read(folder.path().join("again.onnx")).expect("it was written") == file, "the same bytes");
    }
}

#[test]
fn a_file_is_made_for_what_the_flags_say_and_verified_as_such() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Paper));
    let cases = [
        ("--opset 26 --keep-bias", "26 f32 [batch, 3, height, width] 32-bit floats", "1 × 512×512"),
        ("--batch 3 --size 16x24", "17 f32 [3, 3, 16, 24] 32-bit floats", "3 × 16×24"),
        ("--precision f16", "17 f16 [batch, 3, height, width] 32-bit floats", "tolerance 2e-2"),
        ("--precision f16 --io f16", "17 f16 [batch, 3, height, width] 16-bit floats", "3 × 64×64"),
        ("--io uint8 --size 32×8", "17 f32 [batch, 32, 8, 3] bytes", "2 × 32×8"),
    ];
    for (flags, made_for, said) in cases {
        let flags: Vec<&str> = flags.split(' ').collect();
        let output = run(folder.path(), &[&["g_ab.ot", "-o", "g.onnx"], flags.as_slice()].concat());
        assert_ends(&output, 0, said);
        let model = models_onnx::open(&folder.path().join("g.onnx")).expect("our own file");
        let (opset, precision) = (model.opset_import[0].version, models_onnx::precision(&model));
        let found = format!("{opset} {precision} {}", models_onnx::interface(&model).expect("our own"));
        assert_eq!(found, made_for, "{flags:?}");
        let network = models_onnx::metadata(&model).expect("our own").network;
        let dropped = models_onnx::dropped_biases(&model, &network).expect("our own");
        assert_eq!(dropped.len(), if flags.contains(&"--keep-bias") { 0 } else { 9 }, "{flags:?}");
    }
    let refused = run(folder.path(), &["g_ab.ot", "-o", "none.onnx", "--size", "30x32"]);
    let message =
        "g_ab.ot: --size: 32×30 does not fit the network: both sides must be multiples of 4, 8 or more; 32×32";
    assert_ends(&refused, 2, message);
    assert!(!folder.path().join("none.onnx").exists());
}

#[test]
fn weights_beside_the_model_are_verified_there_and_go_where_it_differs() {
    let folder = folder();
    let files = || {
        let entries = std::fs::read_dir(folder.path().join("out")).expect("a folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("readable").file_name()).collect();
        names.sort();
        names
    };
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Concat));
    let arguments = ["g_ab.ot", "-o", "out/g.onnx", "--largest-file", "4096"];
    assert_ends(&run(folder.path(), &arguments), 0, "move both together");
    let before = files();
    assert!(before.len() == 2 && before[1].to_string_lossy().ends_with(".onnx.data"), "{before:?}");

    // In 16 bits this network is another: what is added to a sum of 60000 is lost.
    let mut odd = saved(Role::GAb, Family::Concat);
    for weight in odd.weights.iter_mut().filter(|weight| weight.name == "down1.conv.weight") {
        weight.replace(|_, _| 60_000.0);
    }
    write(folder.path(), "odd.ot", &odd);
    let arguments = ["odd.ot", "-o", "out/odd.onnx", "--precision", "f16", "--largest-file", "4096"];
    assert_ends(&run(folder.path(), &arguments), 1, "nothing was written");
    assert_eq!(files(), before);
}

#[test]
fn what_cannot_be_exported_says_why_and_leaves_nothing() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Paper));
    write(folder.path(), "d_a.ot", &saved(Role::DA, Family::Paper));
    std::fs::write(folder.path().join("broken.ot"), b"no archive").expect("writable");
    std::fs::write(folder.path().join("published.pth"), b"other").expect("writable");
    std::fs::write(folder.path().join("g_ab.onnx"), b"earlier").expect("writable");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["g_ab.ot"], 2, "--output <FILE>"),
        (&["missing.ot", "-o", "g_ab.onnx"], 3, "missing.ot: cannot be read"),
        (&["broken.ot", "-o", "g_ab.onnx"], 3, "broken.ot: is no file of weights that is read here"),
        (
            &["published.pth", "-o", "g_ab.onnx"],
            3,
            "published.pth: is no file of weights that is read here (.ot, .safetensors, .pth, .pt)",
        ),
        (&["d_a.ot", "-o", "g_ab.onnx"], 3, "only generators (g_ab, g_ba) translate pictures"),
        (&["g_ab.ot", "-o", "g_ab.ot"], 2, "must end in .onnx"),
        (&["inspect", "broken.ot"], 3, "broken.ot: is no file of weights that is read here"),
        (&["inspect", "g_ab.onnx"], 3, "is no ONNX file, or a damaged one"),
    ];
    for (arguments, code, message) in cases {
        assert_ends(&run(folder.path(), arguments), code, message);
    }
    assert_eq!(std::fs::read(folder.path().join("g_ab.onnx")).expect("still there"), b"earlier");
}

/// Its smallest picture alone would take 120 GB.
#[test]
fn a_network_that_no_memory_holds_is_refused_before_anything_runs() {
    let folder = folder();
    let mut hostile = saved(Role::GAb, Family::Paper);
    write(folder.path(), "g_ab.ot", &hostile);
    assert_ends(&run(folder.path(), &["g_ab.ot", "-o", "g_ab.onnx", "--no-verify"]), 0, "");
    let strides = hostile.metadata.network.layers.iter_mut().filter_map(|layer| match layer {
        Layer::Conv { stride, .. } => Some(stride),
        _ => None,
    });
    strides.take(1).for_each(|stride| *stride = 100_000);
    write(folder.path(), "hostile.safetensors", &hostile);
    let mut model = models_onnx::open(&folder.path().join("g_ab.onnx")).expect("our own file");
    model.metadata_props[0].value = hostile.metadata.to_json();
    std::fs::write(folder.path().join("hostile.onnx"), model.encode_to_vec()).expect("writable");
    let message = "the network in its metadata cannot be computed: it takes no picture smaller than 800000×800000";
    let cases: [&[&str]; 5] = [
        &["hostile.safetensors", "-o", "out.onnx"],
        &["verify", "hostile.safetensors", "g_ab.onnx"],
        &["inspect", "hostile.safetensors"],
        &["inspect", "hostile.onnx"],
        &["diff", "hostile.onnx", "g_ab.ot"],
    ];
    for arguments in cases {
        assert_ends(&run(folder.path(), arguments), 3, message);
    }
    assert!(!folder.path().join("out.onnx").exists());
}

#[test]
fn a_pair_that_was_made_earlier_is_compared_again() {
    let folder = folder();
    let same = saved(Role::GAb, Family::Concat);
    write(folder.path(), "g_ab.ot", &same);
    assert_ends(&run(folder.path(), &["g_ab.ot", "-o", "g_ab.onnx", "--no-verify"]), 0, "");
    let compared = |arguments: &[&str]| {
        run(folder.path(), &[&["verify", "g_ab.ot", "g_ab.onnx", "--largest-size", "64"], arguments].concat())
    };
    let output = compared(&["--report", "report.json"]);
    assert_ends(&output, 0, "");
    assert!(String::from_utf8_lossy(&output.stdout).trim_end().ends_with("they agree"), "the result is the table");
    let report = |name: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(folder.path().join(name)).expect("it was written");
        serde_json::from_str(&text).expect("JSON")
    };
    assert_eq!(report("report.json")["agrees"], true);
    let first = &report("report.json")["report"]["comparisons"][0];
    for number in ["largest", "mean", "p999", "changed", "levels"] {
        assert!(first["difference"][number].is_number(), "{number} in {first}");
    }
    assert!(first["torch_seconds"].is_number() && first["runtime_seconds"].is_number(), "{first}");

    let mut other = same;
    let weight = other.weights.iter_mut().find(|weight| weight.name == "block1.conv2.weight").expect("it has one");
    weight.replace(|index, number| if index == 0 { 1.0 } else { number });
    write(folder.path(), "g_ab.ot", &other);
    let output = compared(&["--report", "report.json"]);
    assert_ends(&output, 1, "");
    assert!(String::from_utf8_lossy(&output.stdout).contains("the first layer that differs is block1.conv2 ("));
    assert_eq!(report("report.json")["report"]["divergence"]["layer"], "block1.conv2");
}

#[test]
fn real_pictures_are_compared_too() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Paper));
    let arguments = ["g_ab.ot", "-o", "g_ab.onnx", "--largest-size", "64", "--pictures", "photos"];
    assert_ends(&run(folder.path(), &arguments), 3, "photos");
    for name in ["a", "b"] {
        let picture = pictures::Picture::from_fn(90, 50, |x, y| [x as u8, y as u8, 7].into());
        let png = pictures::encode(&picture, pictures::Format::Png).expect("small");
        program::files::write_whole(&folder.path().join(format!("photos/{name}.png")), &png).expect("writable");
    }
    let output = run(folder.path(), &arguments);
    assert_ends(&output, 0, "they agree");
    for row in ["a.png", "b.png", "1 × 32×56"] {
        assert_ends(&output, 0, row);
    }
}

#[test]
fn what_is_no_pair_says_why() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Paper));
    write(folder.path(), "d_a.ot", &saved(Role::DA, Family::Paper));
    std::fs::write(folder.path().join("broken.onnx"), b"no graph").expect("writable");
    assert_ends(&run(folder.path(), &["g_ab.ot", "-o", "g_ab.onnx", "--no-verify"]), 0, "");
    for (arguments, code, message) in [
        (["verify", "g_ab.ot", "missing.onnx"], 3, "missing.onnx"),
        (["verify", "g_ab.ot", "broken.onnx"], 3, "broken.onnx: is no ONNX file, or a damaged one"),
        (["verify", "d_a.ot", "g_ab.onnx"], 3, "d_a.ot: this is the discriminator of A; only generators"),
        (["verify", "g_ab.onnx", "g_ab.ot"], 3, "it seems to be an ONNX file"),
    ] {
        assert_ends(&run(folder.path(), &arguments), code, message);
    }
}

/// A file of the variants that PyTorch wrote, without metadata.
fn variant(name: &str) -> String {
    format!("{}/../tests/variants/{name}.safetensors", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_generator_from_elsewhere_is_exported_with_what_was_assumed() {
    let folder = folder();
    let published = variant("published");
    let output = run(folder.path(), &[&published, "-o", "g.onnx", "--norm-eps", "1e-3", "--role", "g_ba"]);
    assert_ends(&output, 0, "generator B to A, training unknown");
    assert_ends(&output, 0, "recognised as a ResNet generator, width 2, 2 downsamplings, 2 residual blocks");
    for row in
        ["norm-eps           1e-3       given", "pixel-range        -1,1       the published default", "they agree"]
    {
        assert_ends(&output, 0, row);
    }
    let model = models_onnx::parse(std::fs::read(folder.path().join("g.onnx")).expect("it was written"));
    let metadata = models_onnx::metadata(&model.expect("our own file")).expect("our own metadata");
    assert_eq!((metadata.role, metadata.data_set.as_deref(), metadata.training_size), (Role::GBa, None, None));
    let kept: Vec<_> = metadata.assumptions.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
    assert!(kept.contains(&("norm-eps", "1e-3")) && kept.contains(&("output-activation", "tanh")), "{kept:?}");
    let inspected = run(folder.path(), &["inspect", "g.onnx"]);
    assert!(String::from_utf8_lossy(&inspected.stdout).contains("training       unknown"));

    let sized = [&published, "-o", "sized.onnx", "--training-size", "32", "--pixel-range", "-1,1"];
    assert_ends(&run(folder.path(), &sized), 0, "trained on unknown data at 32×32 for an unknown number of steps");
}

#[test]
fn grey_pictures_may_become_coloured_ones() {
    let folder = folder();
    assert_ends(&run(folder.path(), &[&variant("grey_to_colour"), "-o", "g.onnx"]), 0, "they agree");
    let bytes = std::fs::read(folder.path().join("g.onnx")).expect("it was written");
    let model = models_onnx::parse(bytes).expect("our own file");
    assert_eq!(models_onnx::metadata(&model).expect("our own metadata").network.channels, 1);
    let again = ["verify", &variant("grey_to_colour"), "g.onnx"];
    assert_prints(&run(folder.path(), &again), 0, "they agree");
    let wedge = pictures::Picture::from_fn(40, 30, |x, y| [(20 + x * 6) as u8, (9 + y * 8) as u8, 4].into());
    let png = pictures::encode(&wedge, pictures::Format::Png).expect("small");
    program::files::write_whole(&folder.path().join("photos/wedge.png"), &png).expect("writable");
    let output = run(folder.path(), &[&again[..], &["--pictures", "photos"]].concat());
    assert_prints(&output, 0, "they agree");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("wedge.png"), "{table}");
}

#[test]
fn files_of_any_pixel_range_are_compared_in_it() {
    let folder = folder();
    let published = variant("published");
    for range in ["-1,1", "0,1", "1,0", "0,255"] {
        for io in ["float", "f16", "uint8"] {
            // A tanh reaches below 0: bytes end there.
            let ranged = [&published, "--pixel-range", range];
            let made = run(folder.path(), &[&ranged[..], &["-o", "g.onnx", "--io", io]].concat());
            assert_ends(&made, 0, "they agree");
            let again = run(folder.path(), &[&["verify", &published, "g.onnx"], &ranged[1..]].concat());
            assert_prints(&again, 0, "they agree");
        }
        let other = if range == "-1,1" { "0,1" } else { "-1,1" };
        let other = run(folder.path(), &["verify", &published, "g.onnx", "--pixel-range", other]);
        assert_prints(&other, 1, "pixel range: the file's metadata say");
    }
}

#[test]
fn what_a_file_was_to_be_decides_the_tolerance_where_it_is_said() {
    let folder = folder();
    let published = variant("published");
    assert_ends(&run(folder.path(), &[&published, "-o", "g.onnx", "--precision", "f16"]), 0, "they agree");
    let verify = ["verify", &published, "g.onnx"];
    assert_prints(&run(folder.path(), &verify), 0, "tolerance 2e-2 of f16, what the file's weights are: they agree");
    let asked = run(folder.path(), &[&verify[..], &["--precision", "f32"]].concat());
    assert_prints(&asked, 1, "precision: --precision f32, but the file's weights are f16");
}

#[test]
fn files_from_elsewhere_that_are_not_taken_say_why() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Paper));
    let [published, batch, u_net, several] = ["published", "batch", "u_net", "several"].map(variant);
    let cases: [(&[&str], i32, &str); 8] = [
        (&[&u_net], 3, "u_net.safetensors: is a U-Net: only ResNet generators are supported"),
        (&[&u_net], 3, "  model.model.3.weight [4, 3, 4, 4]"),
        (&[&several], 3, "choose it with --key netG_A2B"),
        (&[&several, "--key", "netD_A"], 3, "is a PatchGAN discriminator"),
        (&[&published, "--norm", "batch"], 2, "--norm batch: it needs running_mean and running_var"),
        (&[&published, "--norm", "group"], 2, "use instance or batch"),
        (&[&batch, "--running-statistics", "ignore"], 2, "--norm instance can leave them out"),
        (&["g_ab.ot", "--norm-eps", "1e-3"], 2, "g_ab.ot: --norm-eps: the file says itself what it computes"),
    ];
    for (arguments, code, message) in cases {
        assert_ends(&run(folder.path(), &[arguments, &["-o", "g.onnx"]].concat()), code, message);
    }
    assert!(!folder.path().join("g.onnx").exists());
    assert_ends(&run(folder.path(), &[&several, "--key", "netG_B2A", "-o", "g.onnx"]), 0, "generator B to A");
}

/// Killed, not stopped: nothing in the program can clean up.
#[test]
fn what_a_killed_export_left_is_gone_after_the_next_to_that_place() {
    let folder = folder();
    write_large(folder.path(), "g_ab.ot");
    std::fs::create_dir(folder.path().join("out")).expect("writable");
    let files = || {
        let found = std::fs::read_dir(folder.path().join("out")).expect("a folder");
        found.map(|entry| entry.expect("readable").file_name().into_string().expect("ASCII")).collect::<Vec<_>>()
    };
    let arguments = ["g_ab.ot", "-o", "out/g_ab.onnx", "--largest-file", "4096"];
    let mut exporter = Command::new(env!("CARGO_BIN_EXE_exporter"));
    exporter.current_dir(folder.path()).args(arguments).env_remove("LD_LIBRARY_PATH");
    let mut child = exporter.stderr(Stdio::null()).spawn().expect("it starts");
    let unfinished = folder.path().join("out/.writing-g_ab.onnx/g_ab.onnx");
    while !unfinished.exists() {
        assert!(child.try_wait().expect("our own child").is_none(), "it ended before it wrote anything");
        std::thread::yield_now();
    }
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    assert_eq!(files(), [".writing-g_ab.onnx"], "all that it left is in one place");
    assert!(unfinished.exists());

    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Concat));
    assert_ends(&run(folder.path(), &arguments), 0, "they agree");
    let after = files();
    assert!(after.len() == 2 && after.iter().all(|name| name.starts_with("g_ab.")), "{after:?}");
    let data = after.iter().filter(|name| name.ends_with(".onnx.data")).count();
    assert_eq!(data, 1, "that of the new model: {after:?}");
}

/// A network whose comparison takes seconds.
fn write_large(folder: &Path, name: &str) {
    let network = Family::Paper.generator(GeneratorOptions::sized(32, 6));
    let mut large = saved(Role::GAb, Family::Paper);
    let mut random = rand_pcg::Pcg64::seed_from_u64(1);
    let module = Module::initialise(network.clone(), &mut random, tch::Device::Cpu).expect("it fits");
    large.weights = module.weights().to_weights().expect("on the CPU");
    large.metadata.network = network;
    write(folder, name, &large);
}

#[test]
fn ctrl_c_while_comparing_leaves_nothing_behind() {
    let folder = folder();
    write_large(folder.path(), "g_ab.ot");
    std::fs::create_dir(folder.path().join("out")).expect("writable");
    let files = || std::fs::read_dir(folder.path().join("out")).expect("a folder").count();
    let mut exporter = Command::new(env!("CARGO_BIN_EXE_exporter"));
    exporter.current_dir(folder.path()).args(["g_ab.ot", "-o", "out/g_ab.onnx"]).env_remove("LD_LIBRARY_PATH");
    let mut child = exporter.stderr(Stdio::piped()).spawn().expect("it starts");
    while files() == 0 {
        assert!(child.try_wait().expect("our own child").is_none(), "it ended before it wrote anything");
        std::thread::yield_now();
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is everywhere");
    assert!(sent.success());
    assert_ends(&child.wait_with_output().expect("it ends by itself"), 130, "stopped while comparing");
    assert_eq!(files(), 0);
}

#[test]
fn a_network_of_full_width_stands_16_bits_and_a_report_takes_nobodys_place() {
    let folder = folder();
    let network = Family::Paper.generator(GeneratorOptions::sized(64, 9));
    let mut full = saved(Role::GAb, Family::Paper);
    let mut random = rand_pcg::Pcg64::seed_from_u64(1);
    let module = Module::initialise(network.clone(), &mut random, tch::Device::Cpu).expect("it fits");
    full.weights = module.weights().to_weights().expect("on the CPU");
    full.metadata.network = network;
    write(folder.path(), "g_ab.ot", &full);
    let export = ["g_ab.ot", "-o", "g_ab.onnx", "--precision", "f16", "--largest-size", "64"];
    assert_ends(&run(folder.path(), &export), 0, "they agree");
    let report = [&export[..], &["--report", "g_ab.ot"]].concat();
    assert_ends(&run(folder.path(), &report), 2, "must end in .json");
}
