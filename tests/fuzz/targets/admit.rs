//! Any bytes as choices of requests for objects of every kind, sent to a small world.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _how_many_were_let_in = vmtwin_tests::hostile::admit(bytes);
});
