//! Where the network runs.

use std::path::Path;

use models_runtime::{Options, Session, SessionError};
use program::Device;


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
    let number = text.parse().ok().filter(|number| (1..=1024).contains(number));
    number.ok_or_else(|| "must be a number from 1 to 1024".into())
}

impl DeviceArguments {
    /// A session on each device.
    ///
    /// # Errors
    /// If one cannot be had.
    pub fn open(&self, model: &[u8], data: Option<&Path>) -> Result<Vec<Session>, SessionError> {
        let options = Options { device: self.device, threads: self.threads, ..Options::default() };
        Ok(vec![Session::with_data(model, data, options)?])
    }
}
