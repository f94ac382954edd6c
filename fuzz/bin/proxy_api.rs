//! See `fault_proxy::fuzz::api`.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::survive_closed_sockets(), |input: &[u8]| fault_proxy::fuzz::api(input));
