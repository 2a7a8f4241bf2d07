//! What is fetched: wheels from the Python package index, pinned by version and hash, and the files of them that are
//! kept.
//!
//! To raise a version: change it here with the wheel's sha256 and size (`pip download --no-deps NAME==VERSION`, then
//! `sha256sum` and `ls -l`), and the pins of tch, torch-sys and ort in the workspace's Cargo.toml, which go together
//! with these. The versions of NVIDIA's wheels are those that torch's own METADATA requires.

use std::fmt;

use sha2::{Digest, Sha256};

/// Raised when set-up makes something else of the same wheels, so that an older cache is not taken for the new one.
const LAYOUT: u32 = 1;

/// What `torch/build-version` says: torch-sys compares it with the version that it wants.
pub(super) const LIBTORCH_VERSION: &str = "2.13.0";

/// A set of libraries; a later one can do all that an earlier one can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// ONNX Runtime alone: for who only translates.
    Infer,
    /// With libtorch, on the CPU.
    Cpu,
    /// With libtorch, ONNX Runtime and what they need of CUDA.
    Cuda,
}

impl Kind {
    /// All sets, smallest first.
    pub const ALL: [Self; 3] = [Self::Infer, Self::Cpu, Self::Cuda];

    /// The wheels of the set.
    pub fn wheels(self) -> &'static [Wheel] {
        match self {
            Self::Infer => &[ONNX_RUNTIME],
            Self::Cpu => &CPU,
            Self::Cuda => &CUDA,
        }
    }

    /// Name of the set's folder in the cache: other pins have another folder.
    pub fn folder_name(self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{LAYOUT} {LIBTORCH_VERSION} {:?}", self.wheels()));
        let hash = hash.finalize();
        format!("native-{:02x}{:02x}{:02x}{:02x}-{self}", hash[0], hash[1], hash[2], hash[3])
    }

    /// The set in a folder of the cache, by its name, whatever its pins.
    pub(super) fn of_folder(name: &str) -> Option<Self> {
        let (_, kind) = name.strip_prefix("native-")?.split_once('-')?;
        Self::ALL.into_iter().find(|known| known.to_string() == kind)
    }

    /// Disk space in bytes that set-up takes while it works: what is kept, and the largest wheel twice, since pip copies
    /// it from its temporary folder.
    pub(super) fn space_while_fetching(self) -> u64 {
        match self {
            Self::Infer => 60_000_000,
            Self::Cpu => 1_100_000_000,
            Self::Cuda => 4_300_000_000,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Infer => "infer",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// A file on the package index.
#[derive(Clone, Copy, Debug)]
pub struct Wheel {
    /// Name on the index.
    pub name: &'static str,
    /// Version.
    pub version: &'static str,
    /// Hash of the file, in hexadecimal.
    pub sha256: &'static str,
    /// Size of the file.
    pub bytes: u64,
    /// What is kept of it, in the wheel's own layout. `*` stands for anything, slashes too; each must match something.
    pub keep: &'static [&'static str],
}

const TORCH: Wheel = Wheel {
    name: "torch",
    version: LIBTORCH_VERSION,
    sha256: "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
    bytes: 526_574_961,
    // No libtorch_cuda.so: torch-sys links CUDA wherever it sees it.
    keep: &[
        "torch/include/*",
        "torch/lib/libc10.so*",
        "torch/lib/libgomp.so*",
        "torch/lib/libtorch_cpu.so*",
        "torch-*.dist-info/licenses/*",
    ],
};

const CUPTI: Wheel = Wheel {
    name: "nvidia-cuda-cupti",
    version: "13.0.85",
    sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
    bytes: 10_715_597,
    keep: &["nvidia/cu13/lib/libcupti.so*", "*.dist-info/licenses/*"],
};

const CUDA_RUNTIME: Wheel = Wheel {
    name: "nvidia-cuda-runtime",
    version: "13.0.96",
    sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    bytes: 2_243_632,
    keep: &["nvidia/cu13/lib/libcudart.so*", "*.dist-info/licenses/*"],
};

const ONNX_RUNTIME: Wheel = Wheel {
    name: "onnxruntime",
    version: "1.31.1",
    sha256: "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
    bytes: 23_753_652,
    keep: &["onnxruntime/capi/libonnxruntime*", "onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt"],
};

/// libtorch_cpu.so of this wheel is a CUDA build: it links CUPTI and the CUDA runtime also where there is no GPU.
const CPU: [Wheel; 4] = [TORCH, CUPTI, CUDA_RUNTIME, ONNX_RUNTIME];

/// Libraries of one of NVIDIA's wheels, with its licence.
const LIBRARIES: &[&str] = &["nvidia/*/lib/*.so*", "*.dist-info/licenses/*"];

const fn nvidia(name: &'static str, version: &'static str, sha256: &'static str, bytes: u64) -> Wheel {
    Wheel { name, version, sha256, bytes, keep: LIBRARIES }
}

const CUDA: [Wheel; 17] = [
    Wheel { keep: &["torch/include/*", "torch/lib/*", "torch-*.dist-info/licenses/*"], ..TORCH },
    Wheel { keep: LIBRARIES, ..CUPTI },
    Wheel { keep: LIBRARIES, ..CUDA_RUNTIME },
    nvidia(
        "nvidia-cublas",
        "13.1.1.3",
        "37936a16db8fe4ac1f065c2139360608a543a09275cb1a1af612e08cfa065436",
        423_138_758,
    ),
    nvidia(
        "nvidia-cuda-nvrtc",
        "13.0.88",
        "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
        90_215_200,
    ),
    nvidia(
        "nvidia-cudnn-cu13",
        "9.20.0.48",
        "0c45dd8eeb50b603f07995b1b300c62ffe6a1980482b82b3bcf94a4ca9d49304",
        366_173_588,
    ),
    nvidia(
        "nvidia-cufft",
        "12.0.0.61",
        "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
        214_085_489,
    ),
    nvidia("nvidia-cufile", "1.15.1.6", "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44", 1_223_672),
    nvidia(
        "nvidia-curand",
        "10.4.0.35",
        "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
        59_544_258,
    ),
    nvidia(
        "nvidia-cusolver",
        "12.0.4.66",
        "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112",
        200_941_980,
    ),
    nvidia(
        "nvidia-cusparse",
        "12.6.3.3",
        "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
        145_942_937,
    ),
    Wheel {
        keep: &["nvidia/*/lib/*.so*", "nvidia/*/LICENSE.txt"],
        ..nvidia(
            "nvidia-cusparselt-cu13",
            "0.8.1",
            "786ce87568c303fadb5afcc7102d454cd3040d75f6f8626f5db460d1871f4dd0",
            170_148_586,
        )
    },
    nvidia(
        "nvidia-nccl-cu13",
        "2.29.7",
        "edd81538446786ec3b73972543e53bb43bcaf0bfc8ef76cb679fcc390ffe136d",
        205_976_000,
    ),
    // torch would take any of CUDA 13; this is the one of the same release as the rest.
    nvidia(
        "nvidia-nvjitlink",
        "13.0.88",
        "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
        40_713_933,
    ),
    nvidia(
        "nvidia-nvshmem-cu13",
        "3.4.5",
        "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
        60_412_546,
    ),
    nvidia("nvidia-nvtx", "13.0.85", "4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4", 148_047),
    Wheel {
        name: "onnxruntime-gpu",
        sha256: "e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6",
        bytes: 255_560_985,
        ..ONNX_RUNTIME
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_tells_its_set_and_its_pins() {
        for kind in Kind::ALL {
            let name = kind.folder_name();
            assert_eq!(name, kind.folder_name(), "the same pins, the same folder");
            assert_eq!(Kind::of_folder(&name), Some(kind));
        }
        assert_eq!(Kind::of_folder("native-00000000-cuda"), Some(Kind::Cuda), "also with other pins");
        assert_eq!(Kind::of_folder("native-manual"), None);
    }

    #[test]
    fn every_hash_has_64_hexadecimal_digits_and_is_used_once() {
        for kind in Kind::ALL {
            let mut seen = std::collections::BTreeSet::new();
            for wheel in kind.wheels() {
                let digits = wheel.sha256.chars().filter(|c| matches!(c, '0'..='9' | 'a'..='f')).count();
                assert!(digits == 64 && wheel.sha256.len() == 64, "{}: {}", wheel.name, wheel.sha256);
                assert!(seen.insert(wheel.sha256), "{}: the hash of another wheel", wheel.name);
            }
        }
    }
}
