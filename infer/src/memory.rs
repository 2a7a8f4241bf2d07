//! Whether pictures have room in this machine's memory.
//!
//! Linux promises more memory than there is and then ends the program that uses it: one panorama would end the run for
//! all other pictures. So what cannot fit is refused beforehand. What might just fit is tried.

use models_runtime::Session;
use program::{Device, available_bytes};

use crate::contract::Contract;

/// How the memory that is free is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// The most pixels of one picture for which the network has memory.
    pub(crate) most_pixels: u64,
    /// Bytes that decoding one picture may take.
    pub(crate) most_decoded: u64,
    /// Bytes of pictures on their way from decoding to writing.
    pub(crate) under_way: u64,
}

/// What pictures on their way take, at most: more would not make anything faster.
const MOST_UNDER_WAY: u64 = 2 << 30;
/// Where Linux does not say what is free.
const UNKNOWN: u64 = 4 << 30;

impl Memory {
    /// For these sessions of one model; `allowed` is what the user grants the network.
    pub(crate) fn of(sessions: &[Session], contract: &Contract, allowed: Option<u64>) -> Self {
        let available = available_bytes();
        let for_network = available.into_iter().chain(allowed).min();
        let on_cpu = sessions.iter().any(|session| session.device() == Device::Cpu); // a card says by itself when it is full
        let most_pixels =
            for_network.filter(|_| on_cpu).map_or(u64::MAX, |bytes| bytes / contract.bytes_per_pixel.max(1));
        let available = available.unwrap_or(UNKNOWN);
        Self { most_pixels, most_decoded: available / 2, under_way: (available / 4).min(MOST_UNDER_WAY) }
    }
}
