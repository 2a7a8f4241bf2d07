//! What ONNX Runtime needs for CUDA, each tried by opening it once CUDA has failed: why there is none is said with all its
//! reasons, not with the first that the library stumbles over.

use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;

/// The oldest driver for CUDA 13.0, by NVIDIA's table of releases.
const OLDEST_DRIVER: u32 = 580;

/// The driver's file of its version.
const DRIVER_VERSION: &str = "/proc/driver/nvidia/version";

/// What the CUDA provider of ONNX Runtime 1.31 is linked against, and cuDNN, which it opens by itself, with what a person
/// calls them.
const LIBRARIES: [(&str, &str); 5] = [
    ("libcudart.so.13", "the CUDA 13 runtime"),
    ("libcublasLt.so.13", "cuBLAS 13"),
    ("libcublas.so.13", "cuBLAS 13"),
    ("libcurand.so.10", "cuRAND 10"),
    ("libcudnn.so.9", "cuDNN 9"),
];

/// The library that holds ONNX Runtime's CUDA provider, beside its own.
const PROVIDER: &str = "libonnxruntime_providers_cuda.so";

/// All that is missing for CUDA, from the library down to the driver. Empty where all can be opened.
pub(crate) fn missing(library: Option<&Path>) -> Vec<String> {
    let provider = library.and_then(Path::parent).map(|folder| folder.join(PROVIDER));
    if let Some(provider) = provider.filter(|provider| !provider.is_file()) {
        // Nothing else matters to a library that would not use it.
        return vec![format!("this ONNX Runtime is built without CUDA: there is no {}", provider.display())];
    }
    let mut missing: Vec<String> = Vec::new();
    for (file, what) in LIBRARIES {
        if let Err(reason) = open(file) {
            missing.push(format!("{what} cannot be opened ({reason})"));
        }
    }
    missing.extend(driver());
    missing
}

/// Why the driver will not do, as far as that can be seen from outside.
fn driver() -> Option<String> {
    if let Err(reason) = open("libcuda.so.1") {
        return Some(format!("the NVIDIA driver cannot be opened ({reason})"));
    }
    let version = std::fs::read_to_string(DRIVER_VERSION).ok()?;
    let found = driver_version(&version)?;
    (found < OLDEST_DRIVER)
        .then(|| format!("the NVIDIA driver is of version {found}, and CUDA 13 needs {OLDEST_DRIVER}"))
}

/// The first number of a driver's version, out of a text like
/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 …`.
fn driver_version(text: &str) -> Option<u32> {
    let line = text.lines().find(|line| line.starts_with("NVRM version:"))?;
    let is_version = |word: &&str| word.contains('.') && word.split('.').all(|part| part.parse::<u32>().is_ok());
    line.split_whitespace().find(is_version)?.split('.').next()?.parse().ok()
}

fn open(file: impl AsRef<OsStr>) -> Result<(), String> {
    // The outer error says "dlopen failed" and no more.
    ort::util::preload_dylib(file.as_ref()).map_err(|error| error.source().unwrap_or(&error).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drivers_version_is_read_from_what_it_says_of_itself() {
        let text =
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\nGCC version: 12.2.0";
        assert_eq!(driver_version(text), Some(580));
        for other in ["", "GCC version: 12.2.0", "NVRM version: none", "NVRM version: 1..2"] {
            assert_eq!(driver_version(other), None, "{other}");
        }
    }

    #[test]
    fn a_library_without_the_provider_has_that_one_reason() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = folder.path().join("libonnxruntime.so");
        let reasons = missing(Some(&library));
        assert!(
            matches!(reasons.as_slice(), [only] if only.contains("built without CUDA: there is no /")),
            "{reasons:?}"
        );
    }
}
