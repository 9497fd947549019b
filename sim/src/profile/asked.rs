//! A chat request, as far as a provider decides by it whether to answer.

use serde_json::{Map, Value};

/// A chat request, as far as a provider decides by it whether to answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) fields: &'a Map<String, Value>,
    pub(crate) messages: &'a [Value],
    pub(crate) prompt_tokens: u32,
}
