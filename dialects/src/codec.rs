//! Every dialect by its name.

use hone_strategies::chat::{Dialect, weight};

use crate::anthropic::Anthropic;
use crate::chat::Chat;
use crate::gemini::Gemini;
use crate::port::Codec;
use crate::responses::Responses;

/// The reader and writer of `dialect`.
pub fn codec(dialect: Dialect) -> &'static dyn Codec {
    match dialect {
        Dialect::Anthropic => &Anthropic,
        Dialect::Gemini => &Gemini,
        Dialect::OpenAiChat => &Chat,
        Dialect::OpenAiResponses => &Responses,
    }
}

/// The most memory in bytes that [`Codec::decode_request`] takes for `body`, beside the body: its
/// tree, and the blocks that chat cannot say, which are kept beside their chat form.
pub fn request_weight(body: &[u8]) -> usize {
    weight(body).saturating_mul(3).saturating_add(body.len())
}
