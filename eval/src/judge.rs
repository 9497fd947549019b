//! A model's verdict on answers that no rule can grade.

use serde_json::{Value, json};

use crate::endpoint::{Endpoint, ModelUse};

/// Asks for the verdict: the last line of the judge's reply.
const VERDICT: &str = "Verdict: <right or wrong>";

const PROMPT: &str = include_str!("judge/prompt.txt");

/// Tokens that a judge may write, reasoning included.
const MOST_TOKENS: u32 = 1024;

/// Whether `reply` answers `question` as one of `expected` does, and the tokens that finding out
/// took.
///
/// # Errors
///
/// Why there is no verdict. It is asked for twice and never guessed.
pub(crate) async fn verdict(
    endpoint: &impl Endpoint,
    model: &str,
    question: &str,
    expected: &[String],
    reply: &str,
) -> (ModelUse, Result<bool, String>) {
    let prompt = PROMPT
        .replace("{question}", question)
        .replace("{expected}", &expected.join("\n or: "))
        .replace("{reply}", reply)
        .replace("{contract}", VERDICT);
    let mut used = ModelUse {
        model: model.to_owned(),
        ..ModelUse::default()
    };
    let mut failure = None;
    for seed in 0..2 {
        match endpoint.chat(&body(model, &prompt, seed)).await {
            Ok(reply) => {
                used.input_tokens = used.input_tokens.saturating_add(reply.input_tokens);
                used.output_tokens = used.output_tokens.saturating_add(reply.output_tokens);
                if let Some(verdict) = read(&reply.text) {
                    return (used, Ok(verdict));
                }
            }
            Err(error) => failure = Some(format!("the judge failed: {error}")),
        }
    }
    let why = failure.unwrap_or_else(|| "the judge gave no verdict".to_owned());
    (used, Err(why))
}

fn body(model: &str, prompt: &str, seed: u32) -> Value {
    json!({
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "seed": seed,
        "max_tokens": MOST_TOKENS,
    })
}

/// The verdict in the last line of a reply, strictly.
pub(crate) fn read(text: &str) -> Option<bool> {
    let text = hone_strategies::reasoning::strip(text);
    let line = text
        .lines()
        .rev()
        .map(|line| line.trim().trim_matches('*'))
        .find(|line| !line.is_empty())?;
    match line
        .strip_prefix("Verdict:")?
        .trim()
        .trim_end_matches('.')
        .to_lowercase()
        .as_str()
    {
        "right" => Some(true),
        "wrong" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_last_line_is_a_verdict() {
        assert_eq!(read("It matches.\nVerdict: right"), Some(true));
        assert_eq!(read("**Verdict: Wrong.**\n"), Some(false));
        for unclear in [
            "",
            "right",
            "Verdict: right or wrong",
            "Verdict: right\nbut then again",
            "The verdict: right",
        ] {
            assert_eq!(read(unclear), None, "{unclear}");
        }
        assert!(PROMPT.contains("{contract}"));
    }
}
