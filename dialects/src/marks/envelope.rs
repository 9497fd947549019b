//! Reasoning that only its provider can read, on its way through a client of another dialect.
//!
//! hone stores nothing. What one dialect calls a signature carries, in hone's own envelope, what
//! another one needs back. Only the same model gets it; to anybody else it would be an error.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hone_strategies::chat::{Dialect, Native};
use memchr::memmem;
use serde_json::{Map, Value, json};

use super::ids::hex;
use super::{reasoning, signatures};

const PREFIX: &str = "hone1.";
/// Bytes of the largest envelope.
const LARGEST: usize = 256 * 1024;
/// Of reasoning that hone has put together itself. Nobody reads it again.
const OWN: &str = "hone";

/// How an envelope begins in a client's JSON.
const GUARD: &[u8] = b"\"hone1.";
/// The same in standard base64, where the slot takes nothing else.
const GUARD_BASE64: &[u8] = b"\"aG9uZTEu";

/// An envelope that has been opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    dialect: Option<Dialect>,
    maker: String,
    /// Reasoning, and nothing else.
    value: Vec<Value>,
}

/// What `value`, which `maker` made in `dialect`, is to the client: nothing if it is too large.
pub fn seal(dialect: Dialect, maker: &str, value: &Value) -> Option<String> {
    written(dialect.name(), maker, value)
}

/// What of a turn, or of a piece of one, its provider needs back: signed thinking, encrypted
/// reasoning items, Google's signatures. Nothing if it needs none of it. `said` is the same in
/// chat's fields, which have the ids of the calls.
pub fn seal_native(native: &Native, said: &Map<String, Value>) -> Option<String> {
    let kept = |is_kept: fn(&Value) -> bool| {
        let kept = native.value.iter().filter(|value| is_kept(value));
        kept.cloned().collect()
    };
    let kept: Vec<Value> = match native.dialect {
        Dialect::Anthropic => kept(|block| {
            let kind = block.get("type").and_then(Value::as_str);
            matches!(kind, Some("redacted_thinking" | "thinking"))
        }),
        Dialect::Gemini => signatures::of(&native.value, said),
        Dialect::OpenAiChat => Vec::new(),
        Dialect::OpenAiResponses => {
            kept(|item| item.get("encrypted_content").is_some_and(Value::is_string))
        }
    };
    if kept.is_empty() {
        return None;
    }
    seal(native.dialect, &native.model, &Value::Array(kept))
}

/// Adds what came in another envelope of the same turn. What somebody else made takes its place.
pub fn gather(kept: &mut Option<Native>, more: Option<Native>) {
    match (kept.as_mut(), more) {
        (_, None) => {}
        (Some(kept), Some(more)) if kept.dialect == more.dialect && kept.model == more.model => {
            kept.value.extend(more.value);
        }
        (_, more) => *kept = more,
    }
}

/// The signature of reasoning that is no model's.
pub fn seal_own() -> String {
    written(OWN, "", &Value::Null).unwrap_or_default()
}

fn written(dialect: &str, maker: &str, value: &Value) -> Option<String> {
    let json = json!({"d": dialect, "m": mark(maker), "v": value}).to_string();
    let length = PREFIX.len() + json.len().div_ceil(3) * 4;
    (length <= LARGEST).then(|| format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json)))
}

/// Which model it was, without its name.
fn mark(maker: &str) -> String {
    hex(maker.as_bytes(), 8)
}

/// Whether `text` is an envelope, whole or not.
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// What the envelope `text` holds of reasoning: nothing if it is none, or damaged. Clients can
/// write envelopes of their own: what else stands in one is left out.
pub fn open(text: &str) -> Option<Envelope> {
    let sealed = text.strip_prefix(PREFIX)?;
    if text.len() > LARGEST {
        return None;
    }
    let json = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let mut fields: Value = serde_json::from_slice(&json).ok()?;
    let dialect = Dialect::parse(fields.get("d")?.as_str()?);
    let value = fields.get_mut("v").map(Value::take).unwrap_or_default();
    Some(Envelope {
        dialect,
        maker: fields.get("m")?.as_str()?.to_owned(),
        value: dialect.map_or_else(Vec::new, |dialect| reasoning::only(dialect, value)),
    })
}

/// Whether `maker` has made what a [`hone_strategies::chat::Native`] says is `model`'s.
pub fn is_made_by(model: &str, maker: &str) -> bool {
    match model.strip_prefix('#') {
        Some(mark) => mark == self::mark(maker),
        None => model == maker,
    }
}

impl Envelope {
    /// What is inside, for whoever made it, as a message's own: its model is `#` and a mark, and it
    /// holds the reasoning of the turn and nothing else. Nothing for reasoning of hone's.
    pub fn into_native(self) -> Option<Native> {
        Some(Native {
            dialect: self.dialect?,
            model: format!("#{}", self.maker),
            value: self.value,
        })
    }

    /// What is inside, if `maker` made it in `dialect`.
    pub fn of(self, dialect: Dialect, maker: &str) -> Option<Value> {
        let fits = self.dialect == Some(dialect) && self.maker == mark(maker);
        fits.then_some(Value::Array(self.value))
    }
}

/// An envelope in a slot that takes only standard base64, as Gemini's `thoughtSignature` does.
pub fn to_base64(envelope: &str) -> String {
    STANDARD.encode(envelope)
}

/// The envelope in such a slot: nothing if the slot holds something else.
pub fn from_base64(slot: &str) -> Option<String> {
    if slot.len() > LARGEST * 2 {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(slot).ok()?).ok()?;
    is_sealed(&text).then_some(text)
}

/// Whether a body in `dialect` holds an envelope, and therefore must not go to a provider as it is:
/// the provider would refuse it as a signature of its own.
///
/// ```
/// use hone_dialects::marks::envelope::is_in;
/// use hone_strategies::chat::Dialect;
/// assert!(is_in(Dialect::Anthropic, br#"{"signature":"hone1.abc"}"#));
/// assert!(!is_in(Dialect::Anthropic, br#"{"text":"about hone1.abc"}"#));
/// ```
pub fn is_in(dialect: Dialect, body: &[u8]) -> bool {
    let guard = match dialect {
        Dialect::Gemini => GUARD_BASE64,
        Dialect::Anthropic | Dialect::OpenAiChat | Dialect::OpenAiResponses => GUARD,
    };
    memmem::find(body, guard).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_model_that_made_it_gets_it_back() {
        let value = json!([{"type": "thinking", "thinking": "é", "signature": "s"}]);
        let sealed = seal(Dialect::Anthropic, "a/claude", &value).unwrap();
        let open = || open(&sealed).unwrap();
        assert_eq!(open().of(Dialect::Anthropic, "a/claude"), Some(value));
        assert_eq!(open().of(Dialect::Anthropic, "a/other"), None);
        assert_eq!(open().of(Dialect::Gemini, "a/claude"), None);
        let own = super::open(&seal_own()).unwrap();
        assert_eq!(own.of(Dialect::Anthropic, ""), None, "hone's own is none's");
    }

    #[test]
    fn what_is_damaged_or_too_large_is_none() {
        for text in ["", "hone1.", "hone1.!", "hone1.e30", "x"] {
            assert_eq!(open(text), None, "{text}");
        }
        let large = Value::from("x".repeat(LARGEST));
        assert_eq!(seal(Dialect::Anthropic, "a/m", &large), None);
    }

    #[test]
    fn an_envelope_is_found_in_the_slot_of_each_dialect() {
        let sealed = seal(Dialect::OpenAiResponses, "a/m", &json!(1)).unwrap();
        for dialect in Dialect::ALL {
            let slot = match dialect {
                Dialect::Gemini => to_base64(&sealed),
                _ => sealed.clone(),
            };
            let body = json!({"a": [{"signature": slot}]}).to_string();
            assert!(is_in(dialect, body.as_bytes()), "{dialect:?}");
        }
        assert_eq!(from_base64(&to_base64(&sealed)), Some(sealed));
        assert_eq!(from_base64(&STANDARD.encode("their own")), None);
    }
}
