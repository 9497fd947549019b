//! Text and its tokens.

use serde_json::Value;

use crate::chance::Dice;

const WORDS: [&str; 24] = [
    "a",
    "answer",
    "around",
    "because",
    "bright",
    "careful",
    "every",
    "follows",
    "from",
    "given",
    "held",
    "in",
    "letter",
    "model",
    "of",
    "once",
    "plain",
    "river",
    "simulated",
    "stone",
    "the",
    "this",
    "towards",
    "when",
];

/// Bytes that one token holds at most.
const TOKEN_BYTES: usize = 12;

/// `text` in the pieces that are its tokens: words with the white space before them. Together they
/// are the text.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut after_word = true;
    for character in text.chars() {
        let starts = character.is_whitespace() && after_word;
        match pieces.last_mut() {
            Some(piece) if !starts && piece.len() < TOKEN_BYTES => piece.push(character),
            _ => pieces.push(character.to_string()),
        }
        after_word = !character.is_whitespace();
    }
    pieces
}

/// So many words without meaning, one token each.
pub(crate) fn filler(dice: &mut Dice, count: u32) -> String {
    let words: Vec<&str> = (0..count).filter_map(|_| dice.choose(&WORDS)).collect();
    words.join(" ")
}

/// The tokens of a prompt: four for each message, and one for each four bytes of text.
pub(crate) fn prompt_tokens(messages: &[Value]) -> u32 {
    messages.iter().fold(0, |sum: u32, message| {
        sum.saturating_add(4)
            .saturating_add(input_tokens(message.get("content").unwrap_or(&Value::Null)))
    })
}

/// The tokens of any input: a text, or parts or lists of texts.
pub(crate) fn input_tokens(input: &Value) -> u32 {
    match input {
        Value::String(text) => u32::try_from(text.len().div_ceil(4)).unwrap_or(u32::MAX),
        Value::Array(items) => items
            .iter()
            .fold(0, |sum: u32, item| sum.saturating_add(input_tokens(item))),
        Value::Object(part) => part.get("text").map_or(1, input_tokens),
        Value::Number(_) => 1,
        Value::Null | Value::Bool(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_text_in_pieces() {
        for text in [
            "",
            " ",
            "one two  three\n\nfour ",
            "unterbrechungsfreiestromversorgung 長い文章には空白がありませんね",
        ] {
            assert_eq!(tokens(text).concat(), text);
        }
        assert_eq!(tokens("one two three").len(), 3);
        assert_eq!(tokens("長い文章には空白がありませんね").len(), 4);
    }
}
