//! `POST /v1/chat/completions`.

use serde_json::{Value, json};

use super::ask::Ask;
use super::chance::Dice;
use super::refusal::Refusal;
use super::script::{Before, Script};
use super::text;

mod choice;
mod json;
mod stream;
mod strict;

use choice::Choice;

/// The moment at which every answer claims to have been made: the same in every run.
pub(super) const CREATED: u64 = 1_767_225_600;

/// A completed answer, not yet in either form.
#[derive(Debug)]
struct Completion {
    id: String,
    model: String,
    choices: Vec<Choice>,
    prompt_tokens: u32,
}

/// Answers a chat request.
pub(super) fn answer(ask: &Ask, dice: &mut Dice) -> Result<Script, Refusal> {
    let (model, messages) = (ask.model()?.to_owned(), ask.messages()?);
    strict::check(ask, messages)?;
    let limit = ask.token_limit()?;
    let count = ask.number("n", 1..=128)?.unwrap_or(1);
    let id = format!("chatcmpl-sim{:016x}", dice.number());
    let choices: Vec<Choice> = (0..count).map(|_| Choice::draw(ask, limit, dice)).collect();
    let completion = Completion { id, model, choices, prompt_tokens: text::prompt_tokens(messages) };
    if let Some(include_usage) = ask.stream() {
        return Ok(stream::script(&completion, &ask.knobs, include_usage));
    }
    let mut script = json::script(&completion, &ask.knobs);
    script.before.push(Before::Generate { tokens: completion.tokens(), takes: ask.knobs.pace(completion.longest()) });
    Ok(script)
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

    fn usage(&self) -> Value {
        let completion = self.tokens();
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens.saturating_add(completion),
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        })
    }
}
