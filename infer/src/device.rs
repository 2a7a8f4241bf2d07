//! Where the network runs.

use models_runtime::Options;
use program::Device;

use crate::arguments::between;

/// Flags about the device.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct DeviceArguments {
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: Device,
    /// Threads that the network runs on [default: one for each core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

fn threads(text: &str) -> Result<usize, String> {
    between(text, 1024)
}

impl DeviceArguments {
    /// How a session is to run.
    pub fn options(&self) -> Options {
        Options { device: self.device, threads: self.threads, ..Options::default() }
    }
}
