//! `x-hone-…` headers: read as they stand there, or refused by name.
#![no_main]

use std::time::Duration;

use hone::request::headers::{APPROACH, Detail, HeaderError, HoneHeaders, text};
use hone_fuzz::headers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let headers = headers(lines);
    let given = |name: &str| headers.get_all(name).iter().count();
    match HoneHeaders::read(&headers, "id") {
        Ok(hone) => {
            assert!(
                ["x-hone-deadline-ms", "x-hone-detail", "x-hone-dry-run"]
                    .iter()
                    .all(|name| given(name) <= 1)
            );
            assert_eq!(hone.deadline.is_some(), given("x-hone-deadline-ms") == 1);
            assert!(
                hone.deadline
                    .is_none_or(|deadline| deadline >= Duration::from_millis(1))
            );
            assert_eq!(hone.detail != Detail::None, given("x-hone-detail") == 1);
            assert!(!hone.dry_run || given("x-hone-dry-run") == 1);
        }
        Err(HeaderError { name, .. }) => assert!(given(name) >= 1),
    }
    if let Ok(Some(approach)) = text(&headers, &APPROACH) {
        assert_eq!(approach, approach.trim());
    }
});
