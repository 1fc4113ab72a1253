//! Any bytes as a scenario file, and what it comes to is run within tight limits.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    vmtwin_tests::hostile::run(bytes);
});
