#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| pictures_fuzz::photo(input));
