//! Requests for no answer: their provider is to keep their prompt ready.

use memchr::memmem;
use serde::Deserialize;

use crate::api::endpoint::Kind;
use crate::request::envelope::Envelope;
use crate::request::head::RequestHead;

/// Whether a request of which `envelope` is known asks for no answer.
pub(super) fn is_asked(head: RequestHead<'_>, envelope: &Envelope<'_>, body: &[u8]) -> bool {
    match head.endpoint.kind() {
        Kind::Messages => envelope.max_tokens == Some(0),
        Kind::Responses => memmem::find(body, b"\"prewarm\"").is_some() && prewarms(body),
        _ => false,
    }
}

/// The same of a Responses request.
fn prewarms(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Request {
        prompt_cache_options: Options,
    }
    #[derive(Deserialize)]
    struct Options {
        prewarm: bool,
    }
    let request = serde_json::from_slice::<Request>(body);
    request.is_ok_and(|request| request.prompt_cache_options.prewarm)
}
