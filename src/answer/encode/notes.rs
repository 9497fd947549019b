//! hone's own headers on a response.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers of its own that hone puts on a relayed answer, as a rule.
const USUAL: usize = 5;

/// hone's own headers on whatever the response will be, each once.
#[derive(Debug)]
pub(crate) struct Notes(Vec<(HeaderName, HeaderValue)>);

impl Default for Notes {
    fn default() -> Self {
        Self(Vec::with_capacity(USUAL))
    }
}

impl Notes {
    /// Adds a header, in the place of an earlier one of that name.
    pub(crate) fn set(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.put(name, value);
        }
    }

    /// The same for one of hone's own words, which is copied nowhere.
    pub(crate) fn set_word(&mut self, name: HeaderName, word: &'static str) {
        self.put(name, HeaderValue::from_static(word));
    }

    fn put(&mut self, name: HeaderName, value: HeaderValue) {
        match self.0.iter_mut().find(|(noted, _)| *noted == name) {
            Some((_, earlier)) => *earlier = value,
            None => self.0.push((name, value)),
        }
    }

    /// Puts them into `headers`, with room for `more` beside them.
    pub(crate) fn write(self, headers: &mut HeaderMap, more: usize) {
        headers.reserve(self.0.len() + more);
        for (name, value) in self.0 {
            headers.insert(name, value);
        }
    }
}
