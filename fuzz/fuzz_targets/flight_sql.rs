#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wanqu_tests::fuzzed::read("flight_sql", bytes));
