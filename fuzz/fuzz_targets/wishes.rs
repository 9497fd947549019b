//! `x-hone-…` headers: read as they stand there, or refused by name.
#![no_main]

use std::time::Duration;

use hone::answer::encode::chat::Detail;
use hone::answer::error::ProxyError;
use hone::request::headers::{APPROACH, Wishes, text};
use hone_fuzz::headers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let headers = headers(lines);
    let given = |name: &str| headers.get_all(name).iter().count();
    match Wishes::read(&headers, "id") {
        Ok(wishes) => {
            assert!(
                ["x-hone-deadline-ms", "x-hone-detail", "x-hone-dry-run"]
                    .iter()
                    .all(|name| given(name) <= 1)
            );
            assert_eq!(wishes.deadline.is_some(), given("x-hone-deadline-ms") == 1);
            assert!(
                wishes
                    .deadline
                    .is_none_or(|deadline| deadline >= Duration::from_millis(1))
            );
            assert_eq!(wishes.detail != Detail::None, given("x-hone-detail") == 1);
            assert!(!wishes.dry_run || given("x-hone-dry-run") == 1);
        }
        Err(ProxyError::Header { name, .. }) => assert!(given(name) >= 1),
        Err(error) => panic!("{error}"),
    }
    if let Ok(Some(approach)) = text(&headers, &APPROACH) {
        assert_eq!(approach, approach.trim());
    }
});
