//! What the fuzzer runs, and what must hold whatever it feeds. `tests/hostile.rs` of `infer` runs the same function on the
//! seeds.

use std::path::Path;

use infer::contract::{Contract, MOST_AT_ONCE, Said};
use kernels::{CpuKernels, Machine, Plan};

/// Between a description and the model that it describes, in one input.
pub const SEPARATOR: &[u8] = b"\n---\n";

/// A description, the separator, a model; or a model alone. Says whether it is taken.
pub fn contract(input: &[u8]) -> bool {
    let place = input.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
    let (description, model) = match place {
        Some(place) => (&input[..place], &input[place + SEPARATOR.len()..]),
        None => (&[][..], input),
    };
    let Ok(model) = models_onnx::parse(model.to_vec()) else { return false };
    // Places of other files are checked before any is opened.
    let _ = models_onnx::check_data(&model, Path::new("/nowhere"));
    // Whatever the graph is, the kernels look at it and end.
    let plan = Plan::new(&model, CpuKernels::Auto);
    assert!(plan.is_empty() || plan.apply(&model, Machine::Portable, 1).is_ok_and(|new| !new.model.is_empty()));
    let description = String::from_utf8_lossy(description);
    let contract = match Contract::from_text(&model, Path::new("model.onnx"), &Said::default(), &description) {
        Ok(contract) => contract,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let sizes = contract.sizes;
    assert!((1..=16).contains(&contract.scale) && contract.bytes_per_pixel > 0);
    assert!(contract.batch.is_none_or(|batch| (1..=MOST_AT_ONCE).contains(&batch)));
    assert!(sizes.multiple > 0 && sizes.smallest > 0 && sizes.usual != Some(0));
    assert!(sizes.fixed.is_none_or(|(width, height)| (1..65536).contains(&width) && (1..65536).contains(&height)));
    assert!(contract.print().lines().count() >= 8 && !contract.describe().contains(char::is_control));
    let [batch, .., last] = contract.conversion().shape(1, 2, 2);
    assert!(batch == 1 && (last == 2 || last == 3));
    true
}
