//! `.safetensors`: the crate checks header and offsets; here numbers become floats.

use bytes::Bytes;
use models::Weight;
use safetensors::SafeTensors;

use crate::allowance::Allowance;
use crate::error::{said, shown};
use crate::{ArchiveError, Contents, Element, Kind, METADATA, tensor};

/// What a byte of the header may become in memory: `0,` is an element of 32 bytes in a list that doubles as it grows.
const MEMORY_OF_HEADER: u64 = 32;

/// Reads the tensors and, from the header, the metadata.
pub(crate) fn read(file: &Bytes, allowance: &mut Allowance) -> Result<Contents, ArchiveError> {
    let length = file.first_chunk().map_or(0, |length| u64::from_le_bytes(*length)).min(file.len() as u64);
    allowance.take(length.saturating_mul(MEMORY_OF_HEADER))?;
    let (header_bytes, header) =
        SafeTensors::read_metadata(file).map_err(|error| ArchiveError::Safetensors(said(error)))?;
    let numbers = file.slice(size_of::<u64>() + header_bytes..);
    let (mut tensors, mut converted) = (Vec::new(), Vec::new());
    for name in header.offset_keys() {
        let info = header.info(&name).expect("the header gave the name");
        let (start, end) = info.data_offsets;
        let of_tensor = |why: String| ArchiveError::Tensor { name: shown(&name), why };
        tensor::numbers(&info.shape).map_err(of_tensor)?;
        let element = Element::of_dtype(info.dtype)
            .ok_or_else(|| of_tensor(format!("holds numbers of the kind {:?}, which is not read here", info.dtype)))?;
        let mut bytes = numbers.slice(start..end);
        if element != Element::F32 {
            let count = bytes.len() / element.size();
            allowance.take((count * size_of::<f32>()) as u64)?;
            bytes = element.convert(&bytes, 0..count).ok_or_else(|| of_tensor(tensor::TOO_LARGE.into()))?;
            allowance.push(&mut converted, (name.clone(), element))?;
        }
        let weight = Weight { name: name.clone(), shape: info.shape.clone(), bytes };
        allowance.push(&mut tensors, weight)?;
    }
    let metadata = header.metadata().as_ref().and_then(|entries| entries.get(METADATA)).cloned();
    Ok(Contents { kind: Kind::Safetensors, metadata, tensors, converted, key: None, skipped: Vec::new() })
}
