//! Scripts for a solver: what is printed reads the same, and begins every command with an allowed name.
#![no_main]

use hone_strategies::smt::Script;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(script) = Script::parse(text) else { return };
    let printed = script.to_string();
    assert!(!printed.contains("(include") || printed.contains(['"', '|']), "only quoted");
    assert_eq!(Script::parse(&printed).as_ref(), Ok(&script));
});
