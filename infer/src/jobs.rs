//! How many threads decode and encode beside the network.

use std::str::FromStr;
use std::thread::available_parallelism;

/// `--jobs DECODE:ENCODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// Threads that decode.
    pub decoders: usize,
    /// Threads that encode and write.
    pub encoders: usize,
}

/// As many decoders as there are cores: where the network is what takes the time they sleep, and where it is not they are
/// what takes it. Of encoders twice as many, since half of their time they wait for the disk: a translation counts as done
/// only when it is there for good.
impl Default for Jobs {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from).min(MOST / 2);
        Self { decoders: cores, encoders: 2 * cores }
    }
}

/// Threads of a kind.
const MOST: usize = 256;

impl FromStr for Jobs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|number| (1..=MOST).contains(number));
        let jobs = text
            .split_once(':')
            .and_then(|(decoders, encoders)| Some(Self { decoders: number(decoders)?, encoders: number(encoders)? }));
        jobs.ok_or_else(|| format!("use DECODE:ENCODE, two numbers from 1 to {MOST}, as 4:4"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_two_numbers() {
        assert_eq!("3:1".parse(), Ok(Jobs { decoders: 3, encoders: 1 }));
        for wrong in ["", "3", "3:", "0:1", "1:257", "a:b", "1:1:1"] {
            assert!(wrong.parse::<Jobs>().is_err(), "{wrong}");
        }
    }
}
