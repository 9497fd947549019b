//! Requests that are too long for their model. Agents shorten their conversation when they are told
//! so in the words that they know, and in no others.

use hone_strategies::chat::Dialect;

use crate::shape::{ErrorReply, Overflow};

/// What providers say, in lower case.
const WORDS: [&str; 8] = [
    "context_length_exceeded",
    "context length exceeded",
    "context window",
    "exceed_context_size_error",
    "exceeds the available context size",
    "maximum context length",
    "model_context_window_exceeded",
    "prompt is too long",
];
/// Google's, around a number.
const GEMINI: (&str, &str) = ("input token count", "exceeds the maximum");
/// A longer message is not looked through, in bytes.
const LONGEST: usize = 16 * 1024;

/// Whether an error says that the request is too long, and by how much.
pub fn overflow(status: u16, code: Option<&str>, message: &str) -> Option<Overflow> {
    if !(400..500).contains(&status) || message.len() > LONGEST {
        return None;
    }
    let code = code.unwrap_or_default().to_ascii_lowercase();
    let text = message.to_ascii_lowercase();
    let says = |words: &&str| text.contains(*words) || code == **words;
    let is_gemini = text.contains(GEMINI.0) && text.contains(GEMINI.1);
    if !is_gemini && !WORDS.iter().any(says) {
        return None;
    }
    Some(figures(&text))
}

/// The tokens and their limit, if the text has two numbers that can be these.
fn figures(text: &str) -> Overflow {
    let numbers = text.split(|c: char| !c.is_ascii_digit() && c != ',');
    let numbers = numbers.filter_map(|digits| digits.replace(',', "").parse::<u64>().ok());
    // Models have numbers in their names.
    let mut numbers: Vec<u64> = numbers.filter(|number| *number >= 256).take(8).collect();
    numbers.sort_unstable();
    numbers.dedup();
    match numbers.as_slice() {
        [most, .., tokens] => Overflow {
            tokens: Some(*tokens),
            most: Some(*most),
        },
        _ => Overflow::default(),
    }
}

/// The error in the words and with the status and code by which `dialect`'s clients know it.
pub(super) fn respoken(dialect: Dialect, error: &ErrorReply) -> ErrorReply {
    let Some(Overflow { tokens, most }) = error.overflow else {
        return error.clone();
    };
    let (tokens, most) = (tokens.zip(most)).map_or((None, None), |(t, m)| (Some(t), Some(m)));
    let message = match (dialect, tokens, most) {
        (Dialect::Anthropic, Some(tokens), Some(most)) => {
            format!("prompt is too long: {tokens} tokens > {most} maximum")
        }
        (Dialect::Anthropic, ..) => "prompt is too long".to_owned(),
        (Dialect::Gemini, Some(tokens), Some(most)) => format!(
            "The input token count ({tokens}) exceeds the maximum number of tokens allowed \
             ({most})."
        ),
        (Dialect::Gemini, ..) => {
            "The input token count exceeds the maximum number of tokens allowed.".to_owned()
        }
        (Dialect::OpenAiChat | Dialect::OpenAiResponses, ..) => error.message.clone(),
    };
    ErrorReply {
        status: 400,
        code: Some("context_length_exceeded".to_owned()),
        kind: None,
        message,
        ..error.clone()
    }
}
