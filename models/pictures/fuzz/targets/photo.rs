#![no_main]

libfuzzer_sys::fuzz_target!(
    // A decoder's panic is caught where photos are read. libFuzzer's hook would end the program before that; what gets past it
    // ends the program all the same.
    init: std::panic::set_hook(Box::new(|_| {})),
    |input: &[u8]| pictures_fuzz::photo(input)
);
