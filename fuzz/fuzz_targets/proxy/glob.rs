//! Globs over model names: line 1 is the pattern, the rest the name. A glob matches what its
//! definition says.
#![no_main]

use hone::config::glob;
use hone_fuzz::first_line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (pattern, name) = first_line(text);
    assert_eq!(
        glob::matches(pattern, name),
        by_definition(pattern.as_bytes(), name.as_bytes())
    );
});

/// Which beginnings of `name` the pattern so far matches, byte by byte of the pattern.
fn by_definition(pattern: &[u8], name: &[u8]) -> bool {
    let mut matched: Vec<bool> = (0..=name.len()).map(|length| length == 0).collect();
    for byte in pattern {
        let mut next = vec![false; name.len() + 1];
        for length in 0..=name.len() {
            next[length] = match (byte, length.checked_sub(1)) {
                (b'*', shorter) => matched[length] || shorter.is_some_and(|shorter| next[shorter]),
                (byte, Some(shorter)) => matched[shorter] && name[shorter] == *byte,
                (_, None) => false,
            };
        }
        matched = next;
    }
    matched[name.len()]
}
