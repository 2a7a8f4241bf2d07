//! Weights in a file beside the model: protobuf ends at 2 GB.
//!
//! The data file's name holds the hash of its content, so that a pair that is replaced by another never mixes with it:
//! data first, then the model that names it. Tensors begin at multiples of a page, so that a runtime can map them.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Component, Path};

use bytes::Bytes;
use program::files;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::ReadError;
use crate::graph::is_learned;
use crate::proto::{GraphProto, ModelProto, NodeProto, SparseTensorProto, StringStringEntryProto, TensorProto};
use crate::summary::element;

/// `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: i32 = 1;

/// Where tensors begin in a data file: at multiples of this many bytes.
const ALIGNMENT: usize = 4096;

/// Tensors of fewer bytes stay in the model.
const SMALL: usize = 1024;

/// How the name of a data file ends, behind its hash.
const DATA_SUFFIX: &str = ".onnx.data";

/// Bytes of the hash in that name.
const DIGEST_BYTES: usize = 8;

/// A file of weights beside the model's.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// Its name, without a folder: by it the model finds it.
    pub name: String,
    /// Its content, in pieces.
    parts: Vec<Bytes>,
}

impl Data {
    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// Whether it holds nothing, which no file of weights does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes it into the folder of its model.
    ///
    /// # Errors
    /// The system's, with the path.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let parts: Vec<&[u8]> = self.parts.iter().map(AsRef::as_ref).collect();
        files::write_whole_parts(&folder.join(&self.name), &parts)
    }
}

/// A file of weights that was found beside a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Beside {
    /// Its name, in the model's folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// How many of the model's tensors lie in it.
    pub tensors: usize,
}

/// Moves the large learned tensors out of a model; none where there is none.
pub(crate) fn move_out(model: &mut ModelProto, stem: &str) -> Option<Data> {
    static ZEROS: [u8; ALIGNMENT] = [0; ALIGNMENT];
    let initializers = model.graph.iter_mut().flat_map(|graph| &mut graph.initializer);
    let large = |tensor: &&mut TensorProto| is_learned(&tensor.name) && tensor.raw_data.len() >= SMALL;
    let mut moved: Vec<&mut TensorProto> = initializers.filter(large).collect();
    if moved.is_empty() {
        return None;
    }
    let (mut parts, mut offset, mut hash) = (Vec::new(), 0, Sha256::new());
    for tensor in &mut moved {
        let content = std::mem::take(&mut tensor.raw_data);
        let end = offset + content.len();
        tensor.data_location = EXTERNAL;
        tensor.external_data =
            [("offset", offset), ("length", content.len())].map(|(key, value)| entry(key, value)).into();
        let gap = Bytes::from_static(&ZEROS[..end.next_multiple_of(ALIGNMENT) - end]);
        for part in [content, gap] {
            hash.update(&part);
            parts.push(part);
        }
        offset = end.next_multiple_of(ALIGNMENT);
    }
    let name = format!("{stem}.{}{DATA_SUFFIX}", digest(hash));
    for tensor in moved {
        tensor.external_data.insert(0, entry("location", &name));
    }
    Some(Data { name, parts })
}

fn entry(key: &str, value: impl ToString) -> StringStringEntryProto {
    StringStringEntryProto { key: key.into(), value: value.to_string() }
}

/// Where a tensor's bytes lie.
struct Place<'a> {
    location: &'a str,
    offset: u64,
    /// Of `length` bytes, which is what the tensor's shape asks for.
    length: u64,
}

/// Whether a tensor's bytes are in another file.
pub(crate) fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == EXTERNAL || !tensor.external_data.is_empty()
}

/// Reads the tensors of a model that lie in files of its folder, and says which files these are. Each is read once, and no
/// further than its tensors reach.
///
/// # Errors
/// Those of [`check_data`].
pub(crate) fn resolve(model: &mut ModelProto, folder: &Path) -> Result<Vec<Beside>, ReadError> {
    let mut contents = BTreeMap::new();
    let mut found: BTreeMap<String, Beside> = BTreeMap::new();
    for (name, end) in ends(model)? {
        let (content, bytes) = read(&folder.join(&name), end)?;
        contents.insert(name.clone(), content);
        found.insert(name.clone(), Beside { name, bytes, tensors: 0 });
    }
    let initializers = model.graph.iter_mut().flat_map(|graph| &mut graph.initializer);
    for tensor in initializers.filter(|tensor| is_external(tensor)) {
        let Place { location, offset, length } = place(tensor)?;
        let content = contents[location].slice(offset as usize..(offset + length) as usize);
        found.entry(location.into()).and_modify(|beside| beside.tensors += 1);
        tensor.raw_data = content;
        tensor.data_location = 0;
        tensor.external_data.clear();
    }
    Ok(found.into_values().collect())
}

/// Checks, without reading it, that all data of a model lies in plain files of its folder; gives whether there is any.
///
/// # Errors
/// The first tensor whose place is not allowed or does not fit its shape or its file, and any outside the model's file that
/// is no initializer: a runtime that is handed such a model could be made to read any file.
pub fn check_data(model: &ModelProto, folder: &Path) -> Result<bool, ReadError> {
    let ends = ends(model)?;
    ends.iter().try_for_each(|(location, end)| check_file(&folder.join(location), *end).map(drop))?;
    Ok(!ends.is_empty())
}

/// The names of the files in a model's folder that hold its data.
///
/// # Errors
/// As [`check_data`], for places that are not allowed.
pub fn data_files(model: &ModelProto) -> Result<Vec<String>, ReadError> {
    Ok(ends(model)?.into_keys().collect())
}

/// Whether all data of a model lies in files that hold in their names the hash of their content, as [`Data`] does. Such a
/// model cannot make anybody read a file that was not made for it. Call [`check_data`] before.
///
/// # Errors
/// If a file holds another content than its name says, or cannot be read.
pub fn check_own_data(model: &ModelProto, folder: &Path) -> Result<bool, ReadError> {
    for location in ends(model)?.into_keys() {
        let stem = location.strip_suffix(DATA_SUFFIX).and_then(|stem| stem.rsplit_once('.'));
        let Some((_, digest)) = stem.filter(|(_, digest)| digest.len() == 2 * DIGEST_BYTES) else { return Ok(false) };
        let path = folder.join(&location);
        let found = hash_of_file(&path).map_err(|error| unusable(&path, error))?;
        if found != digest {
            return Err(unusable(&path, "its content is not what its name says; was it changed or cut?"));
        }
    }
    Ok(true)
}

fn hash_of_file(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(digest(hash)),
            length => hash.update(&piece[..length]),
        }
    }
}

/// The part of a hash that stands in a data file's name.
fn digest(hash: Sha256) -> String {
    hash.finalize().iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// How far the tensors reach in each file of a model's data.
fn ends(model: &ModelProto) -> Result<BTreeMap<String, u64>, ReadError> {
    let sparse = model.graph.iter().flat_map(|graph| &graph.sparse_initializer).flat_map(parts_of);
    let nodes = model.graph.iter().flat_map(|graph| &graph.node);
    let nodes = nodes.chain(model.functions.iter().flat_map(|function| &function.node));
    if let Some(tensor) = nodes.flat_map(tensors_of).chain(sparse).find(|tensor| is_external(tensor)) {
        return Err(refused(tensor, "no initializer's place in the graph"));
    }
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    let initializers = model.graph.iter().flat_map(|graph| &graph.initializer);
    for tensor in initializers.filter(|tensor| is_external(tensor)) {
        let place = place(tensor)?;
        let end = ends.entry(place.location.into()).or_default();
        *end = (*end).max(place.offset + place.length);
    }
    Ok(ends)
}

/// Tensors in a node's attributes, those of graphs inside among them.
fn tensors_of(node: &NodeProto) -> Vec<&TensorProto> {
    let mut found = Vec::new();
    for attribute in &node.attribute {
        found.extend(attribute.t.iter().chain(&attribute.tensors));
        let sparse = attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors);
        found.extend(sparse.flat_map(parts_of));
        for graph in attribute.g.as_deref().into_iter().chain(&attribute.graphs) {
            let GraphProto { node, initializer, sparse_initializer, .. } = graph;
            found.extend(initializer.iter().chain(sparse_initializer.iter().flat_map(parts_of)));
            found.extend(node.iter().flat_map(tensors_of));
        }
    }
    found
}

fn parts_of(sparse: &SparseTensorProto) -> impl Iterator<Item = &TensorProto> {
    sparse.values.iter().chain(&sparse.indices)
}

fn place(tensor: &TensorProto) -> Result<Place<'_>, ReadError> {
    let text = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let number = |key: &str| match text(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| refused(tensor, &format!("the {key} `{text}`"))),
    };
    let location = text("location").ok_or_else(|| refused(tensor, "no location"))?;
    let mut components = Path::new(location).components();
    if !matches!((components.next(), components.next()), (Some(Component::Normal(_)), None)) {
        return Err(refused(
            tensor,
            &format!("the location `{location}`, which is no file's name in the model's folder"),
        ));
    }
    let expected = bytes_of(tensor).ok_or_else(|| refused(tensor, "a shape of no known size"))?;
    let length = number("length")?.unwrap_or(expected);
    let offset = number("offset")?.unwrap_or(0);
    if length != expected || offset.checked_add(length).is_none_or(|end| end > isize::MAX as u64) {
        return Err(refused(tensor, &format!("{length} bytes at {offset}; its shape asks for {expected}")));
    }
    Ok(Place { location, offset, length })
}

/// Bytes that a tensor's shape asks for; none where it has no such shape, or its elements no size.
pub(crate) fn bytes_of(tensor: &TensorProto) -> Option<u64> {
    let (_, bits) = element(tensor.data_type);
    let bits = Some(bits).filter(|bits| *bits > 0); // strings have no size
    let total = tensor.dims.iter().try_fold(bits?, |total, side| total.checked_mul(u64::try_from(*side).ok()?));
    Some(total?.div_ceil(8))
}

fn refused(tensor: &TensorProto, found: &str) -> ReadError {
    ReadError::Place { name: tensor.name.clone(), found: found.into() }
}

/// Checks that a file is a plain one of at least `length` bytes, and gives its size.
fn check_file(path: &Path, length: u64) -> Result<u64, ReadError> {
    // A link could lead out of the folder, and a pipe has no end.
    let found = path.symlink_metadata().map_err(|error| unusable(path, error))?;
    match (found.is_file(), found.len()) {
        (false, _) => Err(unusable(path, "it is no plain file")),
        (true, bytes) if bytes < length => {
            Err(unusable(path, format!("it has {bytes} bytes, its tensors reach to {length}; is it of another model?")))
        }
        (true, bytes) => Ok(bytes),
    }
}

/// The first `length` bytes of a file, and its size.
fn read(path: &Path, length: u64) -> Result<(Bytes, u64), ReadError> {
    let bytes = check_file(path, length)?;
    let mut content = Vec::new();
    content.try_reserve_exact(length as usize).map_err(|error| unusable(path, error))?;
    let file = std::fs::File::open(path).map_err(|error| unusable(path, error))?;
    file.take(length).read_to_end(&mut content).map_err(|error| unusable(path, error))?;
    match content.len() as u64 == length {
        true => Ok((content.into(), bytes)),
        false => Err(unusable(path, "it was cut while it was read")),
    }
}

fn unusable(path: &Path, reason: impl ToString) -> ReadError {
    ReadError::Data { path: path.into(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use models::Role;
    use models::families::Family;
    use prost::Message;

    use super::*;
    use crate::Exported;
    use crate::samples::{metadata_of, ramp};
    use crate::{Target, export, open, parse, weights};

    fn exported(family: Family) -> Exported {
        let metadata = metadata_of(Role::GAb, family);
        let target = Target { largest_file: 4096, ..Target::default() };
        export(&metadata, ramp(&metadata), &target).expect("fitting weights")
    }

    fn data(exported: &Exported) -> &Data {
        exported.data.as_ref().expect("the limit is below it")
    }

    #[test]
    fn weights_beside_the_model_are_read_back_from_aligned_places() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("g.onnx");
        for family in [Family::Paper, Family::Concat] {
            let exported = exported(family);
            assert_eq!(exported, self::exported(family), "the same bytes and the same name");
            exported.write(&path).expect("writable");
            let metadata = metadata_of(Role::GAb, family);
            let inside = export(&metadata, ramp(&metadata), &Target::default()).expect("fits");
            assert_eq!(inside.data, None, "2 GB are enough");
            let found = open(&path).expect("our own pair");
            assert_eq!(found, parse(inside.model).expect("our own file"), "as if it had been one file");

            let model = parse(exported.model.clone()).expect("our own file");
            let moved: Vec<_> =
                model.graph.iter().flat_map(|graph| &graph.initializer).filter(|t| is_external(t)).collect();
            assert!(moved.len() > 3, "{}", moved.len());
            assert!(moved.iter().all(|tensor| place(tensor).expect("ours").offset.is_multiple_of(4096)));
            assert!(weights(&model).is_err(), "the data was not read");
            let there = fs_err::metadata(folder.path().join(&data(&exported).name)).expect("written");
            assert_eq!(there.len(), data(&exported).len() as u64);
        }
    }

    #[test]
    fn a_pair_that_is_replaced_never_mixes_with_the_new_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("g.onnx");
        let [old, new] = [Family::Paper, Family::Concat].map(exported);
        old.write(&path).expect("writable");
        let read = open(&path).expect("our own pair");
        // As far as the new pair gets before its model is renamed.
        data(&new).write(folder.path()).expect("writable");
        assert_eq!(open(&path).expect("still the old pair"), read);
        new.write(&path).expect("writable");
        assert_ne!(open(&path).expect("the new pair"), read);
    }

    #[test]
    fn a_location_outside_the_folder_or_the_file_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let here = folder.path();
        fs_err::create_dir(here.join("models")).expect("writable");
        let path = here.join("models/g.onnx");
        let exported = exported(Family::Paper);
        let name = data(&exported).name.clone();
        exported.write(&path).expect("writable");
        fs_err::copy(here.join("models").join(&name), here.join("secret")).expect("writable");
        symlink(here.join("secret"), here.join("models/link")).expect("writable");
        let secret = here.join("secret").display().to_string();

        let with = |key: &str, value: &str| {
            let mut model = parse(exported.model.clone()).expect("our own file");
            let tensors = model.graph.iter_mut().flat_map(|graph| &mut graph.initializer);
            let tensor = tensors.into_iter().find(|tensor| is_external(tensor)).expect("some lie outside");
            tensor.external_data.retain(|entry| entry.key != key);
            if !value.is_empty() {
                tensor.external_data.push(entry(key, value));
            }
            fs_err::write(&path, model.encode_to_vec()).expect("writable");
            let checked = check_data(&model, &here.join("models")).map(drop).map_err(|error| error.to_string());
            let opened = open(&path).map(drop).map_err(|error| error.to_string());
            assert_eq!(checked, opened, "whoever does not read it refuses the same");
            opened
        };
        assert_eq!(with("location", &name), Ok(()));
        let cases = [
            ("location", "", "has no location"),
            ("location", "../secret", "the location `../secret`, which is no file's name"),
            ("location", &secret, "which is no file's name in the model's folder"),
            ("location", "..", "which is no file's name"),
            ("location", "link", "it is no plain file"),
            ("location", "missing", "missing, which cannot be used: No such file"),
            ("offset", "99999999", "its tensors reach to"),
            ("offset", "18446744073709551615", "bytes at 18446744073709551615"),
            ("offset", "-1", "has the offset `-1`"),
            ("length", "7", "has 7 bytes at 0; its shape asks for"),
        ];
        for (key, value, message) in cases {
            let error = with(key, value).expect_err(message);
            assert!(error.contains(message), "{key} {value}: {error}");
        }
    }

    #[test]
    fn data_is_our_own_by_the_hash_in_its_name_and_a_changed_one_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let here = folder.path();
        let exported = exported(Family::Paper);
        exported.write(&here.join("g.onnx")).expect("writable");
        let mut model = parse(exported.model.clone()).expect("our own file");
        assert!(matches!(check_own_data(&model, here), Ok(true)));

        let path = here.join(&data(&exported).name);
        let mut content = fs_err::read(&path).expect("written");
        content[0] ^= 1;
        fs_err::write(&path, &content).expect("writable");
        let error = check_own_data(&model, here).expect_err("another content").to_string();
        assert!(error.contains("its content is not what its name says"), "{error}");

        for name in ["weights.bin", "g.onnx.data", "g.0123.onnx.data"] {
            let entries = model.graph.iter_mut().flat_map(|graph| &mut graph.initializer);
            let locations =
                entries.flat_map(|tensor| &mut tensor.external_data).filter(|entry| entry.key == "location");
            locations.for_each(|entry| entry.value = name.into());
            assert!(matches!(check_own_data(&model, here), Ok(false)), "{name}");
        }
    }

    #[test]
    fn a_shape_asks_for_whole_bytes_of_any_element_that_has_a_size() {
        let bytes = |data_type: i32, dims: &[i64]| {
            bytes_of(&TensorProto { data_type, dims: dims.into(), ..Default::default() })
        };
        // float32, uint8, int64, bool, bfloat16 and, two to a byte, int4.
        let cases = [(1, 24), (2, 6), (7, 48), (9, 6), (16, 12), (22, 3)];
        for (kind, expected) in cases {
            assert_eq!(bytes(kind, &[2, 3]), Some(expected), "{kind}");
        }
        assert_eq!(bytes(22, &[3]), Some(2));
        for (kind, dims) in [(0, &[1][..]), (8, &[1]), (99, &[1]), (1, &[-1]), (1, &[i64::MAX, 3])] {
            assert_eq!(bytes(kind, dims), None, "{kind} {dims:?}");
        }
    }

    #[test]
    fn data_in_an_operators_constant_is_refused() {
        let exported = exported(Family::Paper);
        let mut model = parse(exported.model).expect("our own file");
        let graph = model.graph.as_mut().expect("has one");
        let outside = graph.initializer.iter().find(|tensor| is_external(tensor)).expect("some lie outside").clone();
        let attribute = crate::proto::AttributeProto { t: Some(outside), ..Default::default() };
        graph.node[0].attribute.push(attribute);
        let error = check_data(&model, Path::new(".")).expect_err("no initializer").to_string();
        assert!(error.contains("stored outside the file"), "{error}");
    }
}
