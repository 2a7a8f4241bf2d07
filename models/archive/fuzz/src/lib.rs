//! What the fuzzer runs, one function for each target, and what must hold whatever it feeds. `tests/hostile` of
//! `models-archive` runs the same functions on the seeds.

use std::collections::HashSet;
use std::io::{Cursor, Write};

use bytes::Bytes;
use models::recognise::{self, Choices, Norm, Origin, Padding, RunningStatistics, StridedPadding};
use models::{Metadata, Weight, check_weights, parameters, shapes};
use models_archive::{ArchiveError, Contents};
use models_onnx::{Io, OPSETS, Precision, Target};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Bytes of the storages `data/0`, `data/1`, … beside a pickle: those of `seeds/pickle/state_dict.pkl`.
const STORAGES: [usize; 9] = [216, 12, 12, 12, 12, 12, 8, 48, 4];

/// Any file.
pub fn archive(input: &[u8]) {
    check(input, None);
    check(input, Some("networks.g_ab"));
}

/// A `data.pkl` in an otherwise good archive: checksums would keep the fuzzer out of it.
pub fn pickle(input: &[u8]) {
    let storages = STORAGES.map(|size| vec![0x3f; size]);
    for entries in [&[][..], &[("constants.pkl", &b"\x80\x02)."[..])]] {
        check(&wrapped(input, &storages, entries), None);
    }
}

/// A safetensors header and numbers. The header ends at the last brace.
pub fn safetensors(input: &[u8]) {
    check(input, None);
    let header = input.iter().rposition(|&byte| byte == b'}').map_or(0, |last| last + 1);
    check(&[&(header as u64).to_le_bytes(), input].concat(), None);
}

/// An ONNX file.
pub fn onnx(input: &[u8]) {
    if let Ok(model) = models_onnx::parse(input.to_vec()) {
        let _ = models_onnx::metadata(&model);
        let _ = models_onnx::weights(&model);
    }
}

/// An ONNX file with weights in `g.data` beside it. Whoever reads them and whoever only checks them agree.
pub fn external(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("g.onnx");
    std::fs::write(folder.path().join("g.data"), [0x3f; DATA]).expect("writable");
    std::fs::write(&path, input).expect("writable");
    let checked = models_onnx::parse(input.to_vec())
        .and_then(|model| Ok((models_onnx::check_data(&model, folder.path())?, models_onnx::summary(&model))));
    match (models_onnx::open_with_data(&path), checked) {
        (Ok((model, data)), Ok((any, before))) => {
            assert_eq!(any, !data.is_empty());
            assert!(data.iter().all(|file| file.name == "g.data" && file.bytes == DATA as u64 && file.tensors > 0));
            assert_eq!(models_onnx::summary(&model).initializers.numbers, before.initializers.numbers);
            let _ = models_onnx::weights(&model);
            let _ = models_onnx::floats(&model);
        }
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
        (one, other) => panic!("{one:?} by who reads it, {other:?} by who does not"),
    }
}

/// Bytes of the file beside a model.
const DATA: usize = 8192;

/// The metadata of a file, and what is done with its network before anything runs.
pub fn metadata(input: &[u8]) {
    let Ok(metadata) = Metadata::from_json(input) else { return };
    network(metadata);
}

/// Two bytes of choices, then a tensor's name and its sides on each line.
pub fn recognise(input: &[u8]) {
    let [first, second, text @ ..] = input else { return };
    let one_of = |byte: u8, place: u8| byte >> (2 * place) & 3;
    fn choose<T: Copy, const N: usize>(number: u8, words: [T; N]) -> Option<T> {
        words.get(usize::from(number)).copied()
    }
    let choices = Choices {
        norm: choose(one_of(*first, 0), [Norm::Instance, Norm::Batch]),
        running_statistics: choose(one_of(*first, 1), [RunningStatistics::Use, RunningStatistics::Ignore]),
        padding: choose(one_of(*first, 2), [Padding::Reflect, Padding::Zero]),
        edge_padding: choose(one_of(*first, 3), [Padding::Reflect, Padding::Zero]),
        upsample_padding: choose(one_of(*second, 0), [Padding::Reflect, Padding::Zero]),
        strided_padding: choose(
            one_of(*second, 1),
            [StridedPadding::Symmetric, StridedPadding::Same, StridedPadding::Reflect],
        ),
        ..Choices::default()
    };
    let Some(weights) = std::str::from_utf8(text).ok().and_then(listed) else { return };
    let origin = Origin { name: "latest_net_G_A", ordered: one_of(*second, 2) == 0 };
    match recognise::recognise(weights, &choices, origin) {
        Ok(recognised) => {
            let (metadata, weights) = recognised.into_parts("fuzz", None);
            let found = weights.iter().map(|weight| (weight.name.as_str(), weight.shape.as_slice()));
            check_weights(&parameters::table(&metadata.network), found).expect("the network's own tensors");
            network(metadata);
        }
        Err(error) => {
            let message = error.to_string();
            let is_odd = |letter: char| letter.is_control() && letter != '\n';
            assert!(message.len() < 20_000 && !message.contains(is_odd), "{message:?}");
        }
    }
}

/// Numbers that tensors of an input may have.
const NUMBERS: usize = 1 << 18;

/// Tensors by lines of names and sides; as a reader does, without names that hold control characters, or that come twice.
fn listed(text: &str) -> Option<Vec<Weight>> {
    let (mut weights, mut names, mut left) = (Vec::new(), HashSet::new(), NUMBERS);
    for line in text.lines() {
        let (name, sides) = line.rsplit_once(' ')?;
        let shape: Vec<usize> = sides.split(',').map(|side| side.parse().ok()).collect::<Option<_>>()?;
        let numbers = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side))?;
        left = left.checked_sub(numbers)?;
        if name.contains(char::is_control) || !names.insert(name) {
            return None;
        }
        weights.push(Weight { name: name.into(), shape, bytes: vec![0x3f; 4 * numbers].into() });
    }
    Some(weights)
}

/// All that is done with a network that was read, but for running it.
fn network(metadata: Metadata) {
    let again = Metadata::from_json(metadata.to_json().as_bytes()).expect("what was taken is taken again");
    assert_eq!(again.to_json(), metadata.to_json());
    let side = shapes::smallest_size(&metadata.network).expect("it is within the bounds");
    let trace = shapes::trace(&metadata.network, side, side).expect("the smallest fits");
    let _ = shapes::check_size(&metadata.network, metadata.usual_size(), 256);
    let table = parameters::table(&metadata.network);
    if parameters::count(&table) > NUMBERS {
        return;
    }
    let weight = |parameter: &parameters::Parameter| Weight {
        name: parameter.name.clone(),
        shape: parameter.shape.clone(),
        bytes: vec![0x3f; 4 * parameter.len()].into(),
    };
    let weights: Vec<Weight> = table.iter().map(weight).collect();
    for (io, precision) in [(Io::Float, Precision::F32), (Io::Uint8, Precision::F16), (Io::F16, Precision::F32)] {
        let target = Target { io, precision, opset: *OPSETS.end(), ..Target::default() };
        assert_eq!(models_onnx::layer_values(&metadata.network, &target).len(), trace.steps.len());
        let Ok(exported) = models_onnx::export(&metadata, weights.clone(), &target) else { continue };
        let model = models_onnx::parse(exported.model).expect("our own file");
        let written = models_onnx::weights(&model).expect("our own storage");
        assert_eq!(written.len() + exported.dropped.len(), table.len());
        assert_eq!(models_onnx::written_hash(&model), Some(models::weights_hash(&written).as_str()));
        let found = models_onnx::metadata(&model).expect("our own metadata");
        assert_eq!(found.network, again.network);
    }
}

/// An archive as torch.save writes it.
pub fn wrapped(pickle: &[u8], storages: &[Vec<u8>], others: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, bytes: &[u8]| {
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file(format!("archive/{name}"), stored).expect("another name");
        archive.write_all(bytes).expect("in memory");
    };
    add("data.pkl", pickle);
    for (number, storage) in storages.iter().enumerate() {
        add(&format!("data/{number}"), storage);
    }
    others.iter().for_each(|(name, bytes)| add(name, bytes));
    archive.finish().expect("in memory").into_inner()
}

/// Reads a file and checks what is promised of all that can be read.
pub fn check(file: &[u8], key: Option<&str>) -> Option<Contents> {
    let contents = match models_archive::read(Bytes::copy_from_slice(file), key) {
        Ok(contents) => contents,
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < 5000 && !message.contains(char::is_control), "{message:?}");
            assert!(!matches!(error, ArchiveError::NoKey { .. }) || key.is_some());
            return None;
        }
    };
    let mut total = 0;
    let mut names = HashSet::new();
    for weight in &contents.tensors {
        assert_eq!(weight.bytes.len(), 4 * weight.shape.iter().product::<usize>(), "{}", weight.name);
        assert!(names.insert(&weight.name), "{} twice", weight.name);
        total += weight.bytes.len();
    }
    assert!(total <= 8 * file.len() + (16 << 20), "{total} bytes out of {}", file.len());
    assert!(contents.converted.iter().all(|(name, _)| names.contains(name)));
    Some(contents)
}
