//! Configuration files: resolved, or a list of mistakes. Files that name other files are left out,
//! since those would be read.
#![no_main]

use hone::config::{Config, Price};
use libfuzzer_sys::fuzz_target;

/// Behind every `env`; no file would say it by chance.
const SECRET: &str = "a-secret-of-the-environment";

fuzz_target!(|text: &str| {
    if text.contains("file") {
        return;
    }
    match Config::parse(text, &|_| Some(SECRET.to_owned())) {
        Ok(config) => {
            assert!(!config.upstreams.is_empty());
            let shown = config.effective().expect("what was read can be shown");
            assert!(!shown.contains(SECRET), "secrets are redacted");
        }
        Err(mistakes) => assert!(mistakes.iter().count() > 0),
    }
    match Price::read(text) {
        Ok(prices) => assert!(
            prices
                .iter()
                .all(|price| price.input >= 0.0 && price.output >= 0.0)
        ),
        Err(mistakes) => assert!(mistakes.iter().count() > 0),
    }
});
