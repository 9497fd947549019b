//! `POST /v1/chat/completions` and `POST /v1/completions`.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::chance::Dice;
use crate::fault::Fault;
use crate::knobs::{OddReport, UsageReport};
use crate::refusal::Refusal;
use crate::script::{Before, Script};
use crate::text;

mod choice;
mod json;
mod stream;
mod strict;

use choice::Choice;

/// Which of the two endpoints answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Messages, and deltas of them.
    Chat,
    /// Plain text.
    Text,
}

/// A completed answer, not yet in either form.
#[derive(Debug)]
struct Completion {
    endpoint: Endpoint,
    id: String,
    model: String,
    choices: Vec<Choice>,
    prompt_tokens: u32,
    cached_tokens: u32,
}

/// Answers a request of either shape.
pub(crate) fn answer(endpoint: Endpoint, ask: &Ask, dice: &mut Dice) -> Result<Script, Refusal> {
    let model = ask.model()?.to_owned();
    let prompt_tokens = match endpoint {
        Endpoint::Chat => {
            let messages = ask.messages()?;
            strict::check(ask, messages)?;
            let tokens = text::prompt_tokens(messages);
            ask.check(messages, tokens)?;
            tokens
        }
        Endpoint::Text => text::input_tokens(ask.get("prompt").ok_or_else(|| {
            Refusal::invalid("Missing required parameter: 'prompt'.").param("prompt")
        })?),
    };
    let limit = match endpoint {
        Endpoint::Chat => ask.token_limit()?,
        Endpoint::Text => ask.number("max_tokens", 1..=u32::MAX)?,
    };
    let asked = ask.number("n", 1..=128)?.unwrap_or(1);
    let count = if ask.fault == Some(Fault::NoChoices) {
        0
    } else {
        asked
    };
    let id = format!(
        "{}-sim{:016x}",
        if endpoint == Endpoint::Chat {
            "chatcmpl"
        } else {
            "cmpl"
        },
        dice.number()
    );
    let choices: Vec<Choice> = (0..count).map(|_| Choice::draw(ask, limit, dice)).collect();
    let completion = Completion {
        endpoint,
        id,
        model,
        choices,
        prompt_tokens,
        cached_tokens: ask.knobs.cached_tokens.min(prompt_tokens),
    };
    if let Some(include_usage) = ask.stream() {
        return Ok(stream::script(&completion, &ask.knobs, include_usage).answering(prompt_tokens));
    }
    let mut script = json::script(&completion, &ask.knobs);
    script.before.push(Before::Generate {
        tokens: completion.tokens(),
        takes: ask.knobs.pace(completion.longest()),
    });
    Ok(script.answering(prompt_tokens))
}

impl Completion {
    /// Tokens of all choices.
    fn tokens(&self) -> u32 {
        self.choices.iter().map(Choice::tokens).sum()
    }

    /// Tokens of the longest choice: choices are made at the same time.
    fn longest(&self) -> u32 {
        self.choices.iter().map(Choice::tokens).max().unwrap_or(0)
    }

    fn usage(&self, report: UsageReport) -> Value {
        let completion = match report {
            UsageReport::Odd(OddReport::FirstChoice) => {
                self.choices.first().map_or(0, Choice::tokens)
            }
            _ => self.tokens(),
        };
        let total = self.prompt_tokens.saturating_add(completion);
        match report {
            UsageReport::Odd(OddReport::Zeros) => {
                return json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0});
            }
            UsageReport::Odd(OddReport::Sum) => return json!({"total_tokens": total}),
            UsageReport::Told(_) | UsageReport::Odd(OddReport::FirstChoice) => {}
        }
        let thinking = self.choices.iter().map(Choice::thinking_tokens);
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": total,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": thinking.sum::<u32>()},
        })
    }
}
