//! What a file is, by its first bytes: names lie.

use crate::ArchiveError;

/// What is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A header in JSON, then numbers.
    Safetensors,
    /// A zip archive: `torch.save`, `torch.jit.save` or libtorch, if PyTorch wrote it.
    Zip,
}

/// How `torch.save` began before it wrote zip archives: a pickle of one long number.
const LEGACY: [u8; 3] = [0x8a, 0x0a, 0x6c];

/// Where a tar archive says that it is one.
const TAR: usize = 257;

/// Tells what a file is.
///
/// # Errors
/// What it seems to be, if it is not read here.
pub(crate) fn tell(file: &[u8]) -> Result<Content, ArchiveError> {
    if file.starts_with(b"PK\x03\x04") || file.starts_with(b"PK\x05\x06") {
        return Ok(Content::Zip);
    }
    if file.get(8) == Some(&b'{') && file[..8].ends_with(&[0; 4]) {
        return Ok(Content::Safetensors);
    }
    // The pickle's protocol stands before the number.
    if file.first() == Some(&0x80) && file.get(2..5) == Some(&LEGACY) {
        return Err(ArchiveError::Legacy);
    }
    let is_tar = file.get(TAR..).is_some_and(|rest| rest.starts_with(b"ustar"));
    // PyTorch's tar archives hold these, in this order.
    if is_tar && (file.starts_with(b"sys_info") || file.starts_with(b"storages")) {
        return Err(ArchiveError::LegacyTar);
    }
    Err(ArchiveError::Foreign(seems(file, is_tar)))
}

fn seems(file: &[u8], is_tar: bool) -> String {
    let begins = |with: &[&[u8]]| with.iter().any(|with| file.starts_with(with));
    let text = file.trim_ascii_start();
    let is_html = [&b"<!doctype"[..], b"<html"]
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)));
    let seems = match file {
        [] => "empty",
        _ if is_tar => "a tar archive; unpack it",
        _ if begins(&[b"\x1f\x8b"]) => "compressed with gzip; unpack it",
        _ if begins(&[b"\x89HDF\r\n"]) => "an HDF5 file, as Keras writes; save the weights with PyTorch or safetensors",
        _ if begins(&[b"version https://git-lfs"]) => {
            "a pointer of Git LFS in place of the file; fetch the file itself: git lfs pull"
        }
        _ if is_html => "a web page; the download gave a page in place of the file",
        _ if is_onnx(file) => {
            "an ONNX file, which is what weights are exported to; give the weights that it was made from"
        }
        [0x80, 2..=5, ..] => "a pickle that torch.save did not write",
        _ => {
            let first: Vec<String> = file.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            return format!("something unknown (it begins with the bytes {})", first.join(" "));
        }
    };
    seems.into()
}

/// The first field of a model in protobuf: the format's version, then the producer, its version, the domain or the graph.
fn is_onnx(file: &[u8]) -> bool {
    matches!(file, [0x08, 1..=30, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_file_is_told_by_its_first_bytes() {
        let mut tar = vec![0; 512];
        tar[..8].copy_from_slice(b"sys_info");
        tar[TAR..TAR + 5].copy_from_slice(b"ustar");
        let mut other_tar = tar.clone();
        other_tar[..8].copy_from_slice(b"pictures");
        let cases: [(&[u8], &str); 14] = [
            (b"PK\x03\x04and more", ""),
            (b"\x02\0\0\0\0\0\0\0{}", ""),
            (b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", "weights_only=True)"),
            (b"\x80\x04\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", "weights_only=True)"),
            (&tar, "weights_only=False)"),
            (&other_tar, "a tar archive"),
            (b"", "empty"),
            (b"\x80\x02}q\0.", "a pickle that torch.save did not write"),
            (b"\x08\x08\x12\x04test", "an ONNX file"),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
            (b"\n<!DOCTYPE html>", "a web page"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"hello, world", "begins with the bytes 68 65 6c 6c 6f 2c 20 77)"),
        ];
        for (file, expected) in cases {
            let message = tell(file).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(message.contains(expected) && message.is_empty() == expected.is_empty(), "{expected}: {message}");
        }
    }
}
