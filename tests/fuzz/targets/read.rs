//! Any bytes as a scenario file: diagnostics or scenarios, and nothing else.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _scenarios_or_diagnostics = vmtwin_tests::hostile::read(bytes);
});
