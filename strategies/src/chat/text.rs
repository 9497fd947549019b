//! How much text a model wrote, whatever the shape it comes in: the one rule by which hone counts
//! what nobody reports.

use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Names whose values are not the model's text: labels, and text that stands elsewhere too.
const NOT_TEXT: &[&str] = &[
    "finish_reason",
    "id",
    "index",
    "logprobs",
    "object",
    "role",
    "signature",
    "status",
    "type",
];

/// The bytes of all generated text in a JSON value: every string that is no label. Of raw JSON that
/// nests deeper than any provider's answer nothing.
pub fn text_bytes<'de>(value: impl Deserializer<'de>) -> u64 {
    Text::deserialize(value).map_or(0, |text| text.0)
}

/// The same for the members of an object, such as a message's fields.
pub fn members_text_bytes<'a>(members: impl IntoIterator<Item = (&'a String, &'a Value)>) -> u64 {
    let bytes = members
        .into_iter()
        .filter(|(name, _)| is_text_name(name))
        .map(|(_, value)| text_bytes(value));
    bytes.fold(0, u64::saturating_add)
}

/// Whether a member of this name may hold generated text.
pub fn is_text_name(name: &str) -> bool {
    !NOT_TEXT.contains(&name)
}

/// The tokens that `bytes` of text make, at four bytes each, rounded up.
pub fn tokens_of_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}

struct Text(u64);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Text, E> {
        Ok(Text(0))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Text, E> {
        Ok(Text(0))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Text, E> {
        Ok(Text(0))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Text, E> {
        Ok(Text(0))
    }

    fn visit_unit<E: Error>(self) -> Result<Text, E> {
        Ok(Text(0))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(u64::try_from(text.len()).unwrap_or(u64::MAX)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Text, A::Error> {
        let mut sum = 0_u64;
        while let Some(Text(bytes)) = items.next_element()? {
            sum = sum.saturating_add(bytes);
        }
        Ok(Text(sum))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Text, A::Error> {
        let mut sum = 0_u64;
        while let Some(IsText(is_text)) = members.next_key()? {
            if is_text {
                let Text(bytes) = members.next_value()?;
                sum = sum.saturating_add(bytes);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Text(sum))
    }
}

/// Whether a member of this name may hold generated text.
struct IsText(bool);

impl<'de> Deserialize<'de> for IsText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = IsText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<IsText, E> {
                Ok(IsText(is_text_name(name)))
            }
        }

        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(json: &str) -> u64 {
        text_bytes(&mut serde_json::Deserializer::from_str(json))
    }

    #[test]
    fn text_counts_wherever_it_stands_and_labels_do_not() {
        assert_eq!(
            bytes(
                r#"[{"index":0,"delta":{"role":"assistant","content":"h\u00e9"},
                    "finish_reason":"stop","logprobs":{"content":["x"]}}]"#
            ),
            3
        );
        assert_eq!(
            bytes(
                r#"{"tool_calls":[{"id":"call_1","type":"function",
                    "function":{"name":"f","arguments":"{}"}}]}"#
            ),
            3
        );
        assert_eq!(bytes("null"), 0);
        assert_eq!(bytes("[1, 2.5, true]"), 0);
    }

    #[test]
    fn deep_nesting_counts_nothing_and_does_not_crash() {
        assert_eq!(
            bytes(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))),
            0
        );
    }

    #[test]
    fn four_bytes_are_a_token() {
        assert_eq!([0, 1, 4, 5].map(tokens_of_bytes), [0, 1, 1, 2]);
    }
}
