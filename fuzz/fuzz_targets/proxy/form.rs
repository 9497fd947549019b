//! A form that comes in pieces: its model is where one boundary ends and the next begins, however
//! it is cut.
#![no_main]

use std::ops::Range;

use hone::request::form::{FormError, FormReader, Found};
use hone_fuzz::first_line_of_bytes;
use libfuzzer_sys::fuzz_target;

/// The models of a form that comes in pieces of `step` bytes, and whether it came to its end.
fn read(kind: &str, form: &[u8], step: usize) -> Result<(Vec<Range<usize>>, bool), FormError> {
    let mut reader = FormReader::new(kind)?.without(&["models"]);
    let (mut models, mut come) = (Vec::new(), 0);
    loop {
        come = (come + step).min(form.len());
        let is_over = loop {
            match reader.read(&form[..come])? {
                Found::Model(place) => models.push(place),
                Found::Nothing => break false,
                Found::End => break true,
            }
        };
        if come == form.len() {
            return Ok((models, is_over));
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let (kind, rest) = first_line_of_bytes(input);
    let (Ok(kind), Some((step, form))) = (std::str::from_utf8(kind), rest.split_first()) else {
        return;
    };
    // Which of two faults is met first depends on what has come.
    let whole = read(kind, form, form.len().max(1)).ok();
    assert_eq!(read(kind, form, usize::from(*step) + 1).ok(), whole);
    assert_eq!(read(kind, form, 1).ok(), whole);
    let Some((models, _)) = whole else { return };
    assert!(models.len() <= 1, "two of them are refused");
    for place in models {
        let boundary = kind
            .rsplit("oundary=")
            .next()
            .unwrap_or_default()
            .trim_matches('"');
        let name = String::from_utf8_lossy(&form[place.clone()]);
        assert!(!boundary.is_ascii() || !name.contains(&format!("\r\n--{boundary}\r\n")));
        assert!(form[..place.start].ends_with(b"\r\n\r\n"));
        assert!(form[place.end..].starts_with(b"\r\n--"));
    }
});
