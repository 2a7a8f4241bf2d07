//! The kinds of numbers that files hold, and how each becomes a 32-bit float.

use std::fmt;

use bytes::Bytes;
use half::{bf16, f16};

/// What a tensor's numbers are in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit float: what all weights become.
    F32,
    /// 64-bit float.
    F64,
    /// 16-bit float with a mantissa of ten bits.
    F16,
    /// 16-bit float with the exponent of a 32-bit float.
    BF16,
    /// 64-bit integer.
    I64,
    /// 32-bit integer.
    I32,
    /// 16-bit integer.
    I16,
    /// 8-bit integer.
    I8,
    /// Byte.
    U8,
    /// A byte that is 0 or 1.
    Bool,
}

impl Element {
    /// By the class of a storage in PyTorch's pickles.
    pub(crate) fn of_storage(class: &str) -> Option<Self> {
        Some(match class {
            "FloatStorage" => Self::F32,
            "DoubleStorage" => Self::F64,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::BF16,
            "LongStorage" => Self::I64,
            "IntStorage" => Self::I32,
            "ShortStorage" => Self::I16,
            "CharStorage" => Self::I8,
            "ByteStorage" => Self::U8,
            "BoolStorage" => Self::Bool,
            _ => return None,
        })
    }

    /// By a safetensors header.
    pub(crate) fn of_dtype(dtype: safetensors::Dtype) -> Option<Self> {
        use safetensors::Dtype;
        Some(match dtype {
            Dtype::F32 => Self::F32,
            Dtype::F64 => Self::F64,
            Dtype::F16 => Self::F16,
            Dtype::BF16 => Self::BF16,
            Dtype::I64 => Self::I64,
            Dtype::I32 => Self::I32,
            Dtype::I16 => Self::I16,
            Dtype::I8 => Self::I8,
            Dtype::U8 => Self::U8,
            Dtype::BOOL => Self::Bool,
            _ => return None,
        })
    }

    /// Bytes of a number.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether every such number is a 32-bit float too.
    pub fn is_exact(self) -> bool {
        !matches!(self, Self::F64 | Self::I64 | Self::I32)
    }

    /// The numbers at some places of a storage as little-endian 32-bit floats; none if one is too large to be one. All
    /// places lie in the storage, and memory for the result has been taken.
    pub(crate) fn convert(self, storage: &[u8], places: impl ExactSizeIterator<Item = usize>) -> Option<Bytes> {
        match self {
            Self::F32 => each(storage, places, |bytes| Some(f32::from_le_bytes(bytes))),
            Self::F64 => each(storage, places, |bytes| {
                let wide = f64::from_le_bytes(bytes);
                let narrow = wide as f32;
                (narrow.is_finite() || !wide.is_finite()).then_some(narrow)
            }),
            Self::F16 => each(storage, places, |bytes| Some(f16::from_le_bytes(bytes).to_f32())),
            Self::BF16 => each(storage, places, |bytes| Some(bf16::from_le_bytes(bytes).to_f32())),
            Self::I64 => each(storage, places, |bytes| Some(i64::from_le_bytes(bytes) as f32)),
            Self::I32 => each(storage, places, |bytes| Some(i32::from_le_bytes(bytes) as f32)),
            Self::I16 => each(storage, places, |bytes| Some(i16::from_le_bytes(bytes).into())),
            Self::I8 => each(storage, places, |bytes| Some(i8::from_le_bytes(bytes).into())),
            Self::U8 | Self::Bool => each(storage, places, |[byte]| Some(byte.into())),
        }
    }
}

fn each<const N: usize>(
    storage: &[u8],
    places: impl ExactSizeIterator<Item = usize>,
    number: impl Fn([u8; N]) -> Option<f32>,
) -> Option<Bytes> {
    let mut converted = Vec::with_capacity(places.len() * size_of::<f32>());
    let (numbers, _) = storage.as_chunks::<N>();
    for place in places {
        converted.extend_from_slice(&number(numbers[place])?.to_le_bytes());
    }
    Some(converted.into())
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "32-bit floats",
            Self::F64 => "64-bit floats",
            Self::F16 => "16-bit floats",
            Self::BF16 => "bfloat16 numbers",
            Self::I64 => "64-bit integers",
            Self::I32 => "32-bit integers",
            Self::I16 => "16-bit integers",
            Self::I8 => "8-bit integers",
            Self::U8 => "bytes",
            Self::Bool => "truth values",
        })
    }
}
