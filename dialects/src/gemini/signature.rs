//! Thought signatures, which a model wants back beside the part that it has signed.

use std::collections::{HashMap, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hone_strategies::chat::{Dialect, Native};
use serde_json::{Map, Value};

use super::fields::{get, text};
use crate::marks::{clean, envelope};
use crate::shape::Target;
use crate::wire::json::str_of;

/// What the API takes in place of a signature that nobody has.
const NONE: &str = "skip_thought_signature_validator";

/// The signature of a part.
pub(super) fn of(part: &Value) -> &str {
    text(part, "thoughtSignature")
}

/// Puts a signature beside what `part` says.
pub(super) fn sign(part: &mut Value, signature: String) {
    if let Some(fields) = part.as_object_mut() {
        fields.insert("thoughtSignature".to_owned(), signature.into());
    }
}

/// The part without a signature.
pub(super) fn unsigned(part: &Value) -> Value {
    let Some(fields) = part.as_object() else {
        return part.clone();
    };
    let is_other = |name: &str| !matches!(name, "thoughtSignature" | "thought_signature");
    let others = fields.iter().filter(|(name, _)| is_other(name));
    others
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What stands in for a signature.
pub(super) fn stand_in() -> String {
    STANDARD.encode(NONE)
}

/// The generation of a Gemini by its name, if that tells it.
pub(super) fn generation(model: &str) -> Option<u32> {
    let (_, rest) = model.split_once("gemini-")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Whether the model refuses a call of the current turn that has no signature.
pub(super) fn must_sign(model: &str) -> bool {
    model.contains("gemini") && generation(model).is_none_or(|generation| generation >= 3)
}

/// Whether what the native parts hold of signatures is the target's.
pub(super) fn is_its_own(native: &Native, target: &Target) -> bool {
    if native.model.is_empty() {
        target.is_asked
    } else {
        envelope::is_made_by(&native.model, &target.maker())
    }
}

/// Signatures that came back in an envelope of hone's, by what they belong to.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    /// By the ids of the calls.
    calls: HashMap<String, VecDeque<String>>,
    text: Option<String>,
    /// Thoughts, each with its own.
    pub(super) thoughts: Vec<Value>,
}

impl Signatures {
    /// Those of a turn, if they are `target`'s.
    pub(super) fn of(native: Option<&Native>, target: &Target) -> Self {
        let mut signatures = Self::default();
        let native = native.filter(|native| is_its_own(native, target));
        for part in native.iter().flat_map(|native| &native.value) {
            let signature = of(part);
            if signature.is_empty() || is_sealed(signature) {
                continue;
            }
            if let Some(call) = get(part, "functionCall") {
                let id = clean(text(call, "id")).into_owned();
                let of_call = signatures.calls.entry(id).or_default();
                of_call.push_back(signature.to_owned());
            } else if get(part, "thought") == Some(&Value::Bool(true)) {
                signatures.thoughts.push(part.clone());
            } else {
                signatures.text = Some(signature.to_owned());
            }
        }
        signatures
    }

    /// Takes the one that belongs to the call `id`.
    pub(super) fn call(&mut self, id: &str) -> Option<String> {
        self.calls.get_mut(&*clean(id))?.pop_front()
    }

    /// Takes the one of the last text.
    pub(super) fn text(&mut self) -> Option<String> {
        self.text.take()
    }
}

/// The signature that a chat client gives back beside a call, in the form of Google's own endpoint
/// for chat.
pub(super) fn beside_call(call: &Value) -> Option<&str> {
    call.pointer("/extra_content/google/thought_signature")?
        .as_str()
}

/// Puts a signature there.
pub(super) fn put_beside_call(call: &mut Value, signature: &str) {
    let inner = Map::from_iter([("thought_signature".to_owned(), signature.into())]);
    let google = Map::from_iter([("google".to_owned(), inner.into())]);
    if let Some(fields) = call.as_object_mut() {
        fields.insert("extra_content".to_owned(), google.into());
    }
}

/// The reasoning among another dialect's `native` elements: what its provider needs back.
pub(super) fn reasoning(native: &Native) -> Option<Native> {
    let is_reasoning = |value: &&Value| match native.dialect {
        Dialect::Anthropic => matches!(str_of(value, "type"), "redacted_thinking" | "thinking"),
        Dialect::OpenAiResponses => str_of(value, "type") == "reasoning",
        Dialect::Gemini | Dialect::OpenAiChat => false,
    };
    let value: Vec<Value> = native.value.iter().filter(is_reasoning).cloned().collect();
    (!value.is_empty()).then(|| Native {
        value,
        model: native.model.clone(),
        dialect: native.dialect,
    })
}

/// The slot in which a client of this dialect keeps another one's reasoning.
pub(super) fn sealed(native: &Native) -> Option<String> {
    let value = Value::Array(native.value.clone());
    let envelope = envelope::seal(native.dialect, &native.model, &value)?;
    Some(envelope::to_base64(&envelope))
}

/// What a client gives back in such a slot: nothing of reasoning of hone's, or of what is damaged.
pub(super) fn opened(signature: &str) -> Option<Native> {
    envelope::open(&envelope::from_base64(signature)?)?.into_native()
}

/// Whether a signature is an envelope of hone's.
pub(super) fn is_sealed(signature: &str) -> bool {
    envelope::from_base64(signature).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_read_from_names() {
        for (model, expected) in [
            ("gemini-2.5-pro", Some(2)),
            ("models/gemini-3-flash-preview", Some(3)),
            ("gemini-10-pro", Some(10)),
            ("gemini-flash-latest", None),
            ("gemma-3", None),
        ] {
            assert_eq!(generation(model), expected, "{model}");
        }
        let signing = ["gemini-3.1-pro", "gemini-flash-latest"];
        assert!(signing.into_iter().all(must_sign));
        let others = ["gemini-2.5-flash", "gemma-3-27b-it"];
        assert!(!others.into_iter().any(must_sign));
    }
}
