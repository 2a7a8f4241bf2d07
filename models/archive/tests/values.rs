//! What PyTorch wrote, held against what PyTorch reads in it (`fuzz/make_seeds.py`).

use std::path::{Path, PathBuf};

use bytes::Bytes;
use models::Weight;
use models_archive::{ArchiveError, Contents, Element, Kind, read};

fn path(folder: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(folder).join(name)
}

fn bytes(name: &str) -> Bytes {
    std::fs::read(path("archive", name)).expect("it is kept in the repository").into()
}

fn contents(name: &str) -> Contents {
    read(bytes(name), None).expect(name)
}

/// What PyTorch reads in a file.
fn expected(name: &str) -> Vec<Weight> {
    let name = format!("{}.safetensors", Path::new(name).file_stem().expect("it has one").to_string_lossy());
    read(std::fs::read(path("safetensors", &name)).expect("it lies beside").into(), None).expect("ours").tensors
}

fn by_name(mut weights: Vec<Weight>) -> Vec<Weight> {
    weights.sort_by(|one, other| one.name.cmp(&other.name));
    weights
}

fn message(name: &str, key: Option<&str>) -> String {
    read(bytes(name), key).expect_err(name).to_string()
}

#[test]
fn tensors_have_the_values_that_pytorch_gives_them() {
    let files = [
        "state_dict.pth",
        "protocol4.pth",
        "recompressed.pth",
        "strided.pth",
        "kinds.pth",
        "parameters.pth",
        "training.pth",
        "script.pt",
    ];
    for name in files {
        assert_eq!(by_name(contents(name).tensors), by_name(expected(name)), "{name}");
    }
    let names: Vec<String> = contents("state_dict.pth").tensors.into_iter().map(|weight| weight.name).collect();
    assert_eq!(names[..3], ["0.weight", "0.bias", "1.weight"], "in the order of the file");
}

#[test]
fn each_kind_of_file_is_told_and_a_network_of_ours_has_its_metadata() {
    assert_eq!(contents("state_dict.pth").kind, Kind::PyTorch);
    assert_eq!(contents("script.pt").kind, Kind::LibTorch);
    let ours = contents("libtorch.ot");
    assert_eq!((ours.kind, ours.metadata.as_deref()), (Kind::LibTorch, Some("{\"format_version\":1}")));
    let shapes: Vec<_> = ours.tensors.iter().map(|weight| (weight.name.as_str(), weight.shape.as_slice())).collect();
    assert_eq!(shapes, [("stem.conv.weight", &[2, 1, 3, 3][..]), ("stem.conv.bias", &[2])]);
    let file = std::fs::read(path("safetensors", "kinds.safetensors")).expect("it is kept");
    let header = read(file.into(), None).expect("ours");
    assert_eq!((header.kind, header.metadata.as_deref()), (Kind::Safetensors, Some("{}")));
}

#[test]
fn what_is_stored_as_it_is_used_shares_the_files_bytes() {
    let file = bytes("state_dict.pth");
    let range = file.as_ptr_range();
    let contents = read(file, None).expect("as PyTorch wrote it");
    let copied: Vec<_> = contents.tensors.iter().filter(|weight| !range.contains(&weight.bytes.as_ptr())).collect();
    assert_eq!(copied.iter().map(|weight| weight.name.as_str()).collect::<Vec<_>>(), ["1.num_batches_tracked"]);
    assert_eq!(contents.converted, [("1.num_batches_tracked".into(), Element::I64)]);
}

#[test]
fn conversions_are_recorded_and_what_no_32_bit_float_holds_is_refused() {
    let converted = contents("kinds.pth").converted;
    let lossy: Vec<_> =
        converted.iter().filter(|(_, element)| !element.is_exact()).map(|(name, _)| name.as_str()).collect();
    assert_eq!((converted.len(), lossy), (9, vec!["float64", "int64", "int32"]));
    assert_eq!(message("too_large.pth", None), "tensor `a` holds a number that is too large for a 32-bit float");
}

#[test]
fn the_state_dict_in_a_training_file_is_found_or_chosen_by_its_key() {
    let training = contents("training.pth");
    assert_eq!((training.key.as_deref(), training.tensors.len()), (Some("generator"), 9));
    let several =
        "holds several state_dicts: `networks.g_ab` (9 tensors), `networks.g_ba` (9 tensors); choose one with --key";
    for key in [None, Some("networks")] {
        assert_eq!(message("several.pth", key), several);
    }
    let chosen = read(bytes("several.pth"), Some("networks.g_ba")).expect("it is there");
    assert_eq!((chosen.key.as_deref(), chosen.tensors), (Some("networks.g_ba"), training.tensors));
    let alias = read(bytes("several.pth"), Some("networks.best")).expect("the same as g_ab");
    assert_eq!((alias.key.as_deref(), alias.tensors.len()), (Some("networks.best"), 9));
    let by_its_folder = read(bytes("training.pth"), Some("generator")).expect("it is there");
    assert_eq!(by_its_folder.key.as_deref(), Some("generator"));
    let message_of = |name, key| message(name, Some(key));
    assert_eq!(
        message_of("training.pth", "g_ab"),
        "has no state_dict under the key `g_ab`; there is `generator` (9 tensors)"
    );
    assert!(message_of("libtorch.ot", "g_ab").ends_with("leave --key out"));
    assert_eq!(contents("parameters.pth").skipped, ["epoch"]);
}

#[test]
fn files_that_are_not_read_say_what_they_are_and_what_to_do() {
    for (name, expected) in [
        ("legacy.pth", "convert it: python -c \"import torch; torch.save(torch.load("),
        ("whole_module.pth", "holds no state_dict but an object of `torch.nn.modules.container.Sequential`; save one"),
        ("big_endian.pth", "was written on a big-endian machine"),
    ] {
        assert!(message(name, None).contains(expected), "{name}: {}", message(name, None));
    }
    let page = read(Bytes::from_static(b"<!DOCTYPE html><html>"), None).expect_err("no weights");
    assert!(matches!(&page, ArchiveError::Foreign(seems) if seems.starts_with("a web page")), "{page}");
}
