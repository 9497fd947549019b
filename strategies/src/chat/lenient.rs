//! JSON as it is found: with halves of surrogate pairs, and bytes that are no UTF-8.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// Reads JSON. What serde_json refuses only for half of a surrogate pair, which JavaScript writes
/// where a text was cut inside of an emoji, or for bytes that are no UTF-8, is read with U+FFFD in
/// its place.
pub(super) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(json).or_else(|error| match mended(json) {
        Cow::Borrowed(_) => Err(error),
        Cow::Owned(mended) => serde_json::from_slice(&mended),
    })
}

/// `json` with U+FFFD for each escaped half of a surrogate pair and for bytes that are no UTF-8.
/// Borrowed if there are none. Escapes keep their length.
pub fn mended(json: &[u8]) -> Cow<'_, [u8]> {
    let text = match String::from_utf8_lossy(json) {
        Cow::Borrowed(_) => Cow::Borrowed(json),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    let halves = halves(&text);
    if halves.is_empty() {
        return text;
    }
    let mut text = text.into_owned();
    for at in halves {
        if let Some(digits) = text.get_mut(at..at + 4) {
            digits.copy_from_slice(b"fffd");
        }
    }
    Cow::Owned(text)
}

/// Where the digits of escaped halves stand whose other half is missing.
fn halves(json: &[u8]) -> Vec<usize> {
    let mut halves = Vec::new();
    let mut at = 0;
    while let Some(backslash) = json.get(at..).and_then(backslash_in) {
        let escape = at + backslash;
        at = escape + 2;
        match code(json, escape) {
            Some(0xd800..=0xdbff) if matches!(code(json, escape + 6), Some(0xdc00..=0xdfff)) => {
                at = escape + 12;
            }
            Some(0xd800..=0xdfff) => halves.push(escape + 2),
            _ => {}
        }
    }
    halves
}

fn backslash_in(json: &[u8]) -> Option<usize> {
    json.iter().position(|byte| *byte == b'\\')
}

/// The code unit of the escape that begins at `at`, if one does.
fn code(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn halves_become_the_replacement_character() {
        for (json, text) in [
            (r#""a\ud83d b""#, "a\u{fffd} b"),
            (r#""\ude00""#, "\u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\uD83D\uDE00""#, "😀"),
            (r#""\\ud83d \ud83d""#, "\\ud83d \u{fffd}"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
        ] {
            assert_eq!(read::<Value>(json.as_bytes()).unwrap(), text, "{json}");
        }
        assert_eq!(read::<Value>(b"\"\xff\"").unwrap(), "\u{fffd}");
        assert!(read::<Value>(br#"{"a":"#).is_err());
        assert!(read::<Value>(br#""\u12"#).is_err());
    }

    proptest! {
        #[test]
        fn what_is_json_stays_as_it_is(text in any::<String>()) {
            let json = Value::from(text).to_string();
            prop_assert!(matches!(mended(json.as_bytes()), Cow::Borrowed(_)));
        }

        #[test]
        fn every_string_of_code_units_is_read(units in prop::collection::vec(any::<u16>(), 0..20)) {
            let escapes: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let escapes = escapes.concat();
            let read = read::<String>(format!("\"{escapes}\"").as_bytes()).unwrap();
            prop_assert_eq!(read, String::from_utf16_lossy(&units));
        }
    }
}
