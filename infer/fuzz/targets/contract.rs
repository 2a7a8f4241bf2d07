#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    infer_fuzz::contract(input); // taken or refused, both are fine
});
