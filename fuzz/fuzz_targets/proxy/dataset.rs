//! Files of questions for `hone eval`: everything before an empty line, and a reply to grade behind
//! it.
#![no_main]

use hone_eval::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (dataset, reply) = text.split_once("\n\n").unwrap_or((text, ""));
    fuzzing::dataset(dataset, reply);
    fuzzing::judge(reply);
});
