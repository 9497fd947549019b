//! Configuration files: resolved, or a list of mistakes. Files that name other files are left out, since those would be read.
#![no_main]

use hone::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if text.contains("file") {
        return;
    }
    match Config::parse(text, &|_| Some("secret".to_owned())) {
        Ok(config) => assert!(!config.upstreams.is_empty()),
        Err(mistakes) => assert!(mistakes.iter().count() > 0),
    }
});
