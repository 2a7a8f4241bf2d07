//! Where the network runs.

use std::fmt;
use std::str::FromStr;

use kernels::CpuKernels;
use models_runtime::Options;
use program::Device;

/// Flags about the device.
#[derive(Clone, Debug, clap::Args)]
pub struct DeviceArguments {
    /// auto, cpu, cuda, cuda:N, or cuda:N,M for several cards
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: Devices,
    /// Memory for what the network works on, like 4G or 500M [default: what is free]
    ///
    /// On a card the most that ONNX Runtime keeps for it; on the CPU pictures that need more are refused.
    #[arg(long, value_name = "BYTES", value_parser = memory)]
    pub memory: Option<u64>,
    /// Let recent cards round products of 32-bit floats to 10 bits of mantissa: on or off
    #[arg(long, value_enum, default_value_t, value_name = "SWITCH", hide_possible_values = true)]
    pub tf32: Switch,
    /// Threads that the network runs on [default: one for each core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Kernels of our own on the CPU: auto, off, winograd4 or winograd6
    ///
    /// They convolve with a quarter of the multiplications and round a little more; auto takes them where the processor has
    /// AVX2. winograd6 takes twice the memory of winograd4 for weights. --print-contract says which nodes they replace.
    #[arg(long, default_value_t, value_name = "KERNELS")]
    pub cpu_kernels: CpuKernels,
}

/// The devices that share a run, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices(Vec<Device>);

/// On or off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// On.
    #[default]
    On,
    /// Off.
    Off,
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

impl DeviceArguments {
    /// How the sessions are to run, one for each device, never none.
    pub fn options(&self) -> Vec<Options> {
        let options = |&device: &Device| Options {
            device,
            threads: self.threads,
            exact: self.tf32 == Switch::Off,
            memory: self.memory.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            ..Options::default()
        };
        self.device.0.iter().map(options).collect()
    }
}

impl Default for Devices {
    fn default() -> Self {
        Self(vec![Device::Auto])
    }
}

impl FromStr for Devices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(cards) = text.strip_prefix("cuda:").filter(|cards| cards.contains(',')) else {
            let unknown = || format!("`{text}` is no device; use auto, cpu, cuda, cuda:N or cuda:N,M");
            return text.parse().map(|device| Self(vec![device])).map_err(|_: String| unknown());
        };
        let mut devices: Vec<Device> = Vec::new();
        for card in cards.split(',') {
            let number = card.parse().map_err(|_| format!("`{card}` is no card's number; use them as in cuda:0,1"))?;
            if devices.contains(&Device::Cuda(number)) {
                return Err(format!("card {number} is named twice"));
            }
            devices.push(Device::Cuda(number));
        }
        Ok(Self(devices))
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, device) in self.0.iter().enumerate() {
            match (place, device) {
                (0, device) => write!(f, "{device}")?,
                (_, Device::Cuda(number)) => write!(f, ",{number}")?,
                (_, device) => write!(f, ",{device}")?,
            }
        }
        Ok(())
    }
}

fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=1024).contains(number));
    number.ok_or_else(|| "must be a number from 1 to 1024".into())
}

/// Bytes as they are typed: `4G`, `500M`, `1048576`. A unit is a power of 1000.
fn memory(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((place, 'K' | 'k')) => (&text[..place], 1_000),
        Some((place, 'M' | 'm')) => (&text[..place], 1_000_000),
        Some((place, 'G' | 'g')) => (&text[..place], 1_000_000_000),
        _ => (text, 1),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "use a number of bytes, like 4G or 500M".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_printed() {
        for text in ["auto", "cpu", "cuda:0", "cuda:3", "cuda:0,1", "cuda:2,0,1"] {
            assert_eq!(text.parse::<Devices>().map(|devices| devices.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("cuda".parse::<Devices>().map(|devices| devices.0), Ok(vec![Device::Cuda(0)]));
        let cases = [
            ("gpu", "use auto, cpu, cuda, cuda:N or cuda:N,M"),
            ("cpu,cuda", "use auto"),
            ("cuda:", "use auto"),
            ("cuda:0,", "`` is no card's number"),
            ("cuda:0,x", "`x` is no card's number; use them as in cuda:0,1"),
            ("cuda:1,1", "card 1 is named twice"),
        ];
        for (wrong, message) in cases {
            let error = wrong.parse::<Devices>().expect_err(wrong);
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn memory_is_typed_with_and_without_a_unit() {
        for (typed, bytes) in [("4G", 4_000_000_000), ("500M", 500_000_000), ("12k", 12_000), ("77", 77)] {
            assert_eq!(memory(typed), Ok(bytes));
        }
        for wrong in ["", "G", "0", "-1", "1.5G", "4T", "4GB", "18446744073709551615G", "ä"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }
}
