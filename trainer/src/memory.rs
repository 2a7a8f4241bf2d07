//! What to do when memory does not suffice.

use program::{available_bytes, bytes};

use crate::cost::Cost;
use crate::settings::Settings;

/// An error with the advice to lower what needs memory, where it is about memory. libtorch says so in words alone.
pub(crate) fn with_advice(error: anyhow::Error, settings: &Settings) -> anyhow::Error {
    let text = format!("{error:#}").to_lowercase();
    let about_memory = ["out of memory", "can't allocate memory", "cannot allocate memory", "alloc_failed"];
    if !about_memory.iter().any(|words| text.contains(words)) {
        return error;
    }
    // libtorch's own words end in a trace of C++ frames.
    advice(settings, error.to_string().lines().next().unwrap_or_default())
}

/// Refuses what cannot fit into a CPU's memory, whatever the way to compute: our own allocations end the program where
/// libtorch's are errors, as a card's are.
pub(crate) fn check_least(cost: &Cost, settings: &Settings, device: tch::Device) -> anyhow::Result<()> {
    match available_bytes().filter(|_| !device.is_cuda()) {
        Some(available) if cost.least_bytes > available as f64 => {
            let need = bytes(cost.least_bytes as u64);
            Err(advice(settings, &format!("weights and one batch alone need {need}, {} are free", bytes(available))))
        }
        _ => Ok(()),
    }
}

fn advice(settings: &Settings, why: &str) -> anyhow::Error {
    let Settings { batch, size, width, blocks, .. } = settings;
    let batch = if *batch > 1 { format!("--batch (now {batch}), ") } else { String::new() };
    anyhow::anyhow!(
        "not enough memory: lower {batch}--size (now {size}), --width ({width}) or --blocks ({blocks}), in this order, or end \
         other programs that use the device ({why})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::small;

    #[test]
    fn what_is_about_memory_says_what_to_lower_and_the_rest_stays_as_it_is() {
        for words in [
            "CUDA out of memory. Tried to allocate 2.00 GiB",
            "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes",
        ] {
            let settings = Settings { batch: 4, ..small() };
            let said = format!("{:#}", with_advice(anyhow::anyhow!(words), &settings));
            assert!(
                said.starts_with("not enough memory: lower --batch (now 4), --size (now 16)") && said.contains(words),
                "{said}"
            );
        }
        assert_eq!(with_advice(anyhow::anyhow!("no such file"), &small()).to_string(), "no such file");
    }
}
