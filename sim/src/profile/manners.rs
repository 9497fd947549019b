//! What a provider takes and how it answers, as one table.

use serde_json::Value;

use super::asked::Asked;
use super::offence::Offence;
use super::rule::Rule;
use super::shape::Shape;
use crate::refusal::Refusal;

/// What a provider takes and how it answers.
#[derive(Debug)]
pub(crate) struct Manners {
    /// The fields that it knows; it refuses all others. `None`: it ignores what it does not know.
    pub(crate) fields: Option<&'static [&'static str]>,
    /// Fields that do nothing.
    pub(crate) ignores: &'static [&'static str],
    /// Fields that this model refuses, unless their value says the same as their absence.
    pub(crate) refuses: &'static [&'static str],
    /// How many tokens it holds.
    pub(crate) window: Window,
    /// The highest temperature.
    pub(crate) hottest: f64,
    /// The most choices of one answer.
    pub(crate) most_choices: u32,
    /// Which conversations and combinations it refuses.
    pub(crate) rules: &'static [Rule],
    /// Its words for a refusal.
    pub(crate) words: fn(&Offence<'_>) -> Refusal,
    /// The form of its errors.
    pub(crate) form: fn(&Refusal) -> Value,
    /// The form of its answers.
    pub(crate) shape: Shape,
    /// Whether its answers carry OpenAI's headers.
    pub(crate) has_openai_headers: bool,
    /// The name of its server, where it tells one.
    pub(crate) server: Option<&'static str>,
}

/// How many tokens a model holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Prompt and answer together.
    pub(crate) tokens: u32,
    /// What a request is refused for.
    pub(crate) refuses: Beyond,
    /// The most that a request may allow the answer.
    pub(crate) output: u32,
}

/// What a request is refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// A prompt, or a prompt and the answer's ceiling together, above the window.
    PromptAndCeiling,
    /// A prompt above the window. A ceiling only ends the answer earlier.
    Prompt,
    /// Nothing: what does not fit is dropped.
    Nothing,
}

impl Window {
    /// A window that nothing is refused for.
    pub(crate) const BOUNDLESS: Self = Self {
        tokens: u32::MAX,
        refuses: Beyond::Nothing,
        output: u32::MAX,
    };
}

impl Manners {
    /// Refuses what this provider does not take.
    pub(crate) fn check(&self, asked: Asked<'_>) -> Result<(), Refusal> {
        self.offence(asked)
            .map_or(Ok(()), |offence| Err((self.words)(&offence)))
    }

    /// The first thing that this provider would refuse the request for.
    fn offence<'a>(&self, asked: Asked<'a>) -> Option<Offence<'a>> {
        self.field(asked)
            .or_else(|| self.range(asked))
            .or_else(|| self.rules.iter().find_map(|rule| rule.offence(asked)))
            .or_else(|| self.beyond(asked))
    }

    fn field<'a>(&self, asked: Asked<'a>) -> Option<Offence<'a>> {
        let mut fields = asked.fields.iter();
        fields.find_map(|(name, value)| {
            let is_unknown = self
                .fields
                .is_some_and(|known| !known.contains(&name.as_str()));
            if is_unknown {
                return Some(Offence::Unknown { name, value });
            }
            let is_refused = self.refuses.contains(&name.as_str()) && !is_default(name, value);
            is_refused.then_some(Offence::Unsupported { name, value })
        })
    }

    fn range<'a>(&self, asked: Asked<'a>) -> Option<Offence<'a>> {
        let number = |name: &str| asked.fields.get(name).and_then(Value::as_f64);
        let n = asked.fields.get("n").and_then(Value::as_u64);
        let n = n.filter(|_| !self.ignores.contains(&"n"));
        if let Some(n) = n.filter(|n| *n > u64::from(self.most_choices)) {
            let most = self.most_choices;
            return Some(Offence::Choices { n, most });
        }
        let value = number("temperature").filter(|value| *value > self.hottest)?;
        let most = self.hottest;
        Some(Offence::Temperature { value, most })
    }

    fn beyond<'a>(&self, asked: Asked<'a>) -> Option<Offence<'a>> {
        let Window {
            tokens,
            refuses,
            output,
        } = self.window;
        let (name, ceiling) = self.ceiling(asked).unzip();
        let prompt = u64::from(asked.prompt_tokens);
        if let (Some(name), Some(ceiling)) = (name, ceiling)
            && ceiling > u64::from(output)
        {
            let most = output;
            return Some(Offence::Output {
                name,
                ceiling,
                most,
            });
        }
        let wanted = match refuses {
            Beyond::Nothing => return None,
            Beyond::Prompt => prompt,
            Beyond::PromptAndCeiling => prompt.saturating_add(ceiling.unwrap_or(0)),
        };
        (wanted > u64::from(tokens)).then_some(Offence::Window {
            name: name.unwrap_or("max_tokens"),
            prompt,
            ceiling: ceiling.filter(|_| refuses == Beyond::PromptAndCeiling),
            window: tokens,
        })
    }

    /// The ceiling of the answer that it reads.
    fn ceiling(&self, asked: Asked<'_>) -> Option<(&'static str, u64)> {
        ["max_completion_tokens", "max_tokens"]
            .into_iter()
            .filter(|name| !self.ignores.contains(name))
            .find_map(|name| Some((name, asked.fields.get(name)?.as_u64()?)))
    }
}

/// Whether sending `value` means the same as not sending `name`, so that even providers that do not
/// support it accept it.
pub(crate) fn is_default(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => {
            matches!(name, "n" | "temperature" | "top_p") && number.as_f64() == Some(1.0)
        }
        _ => false,
    }
}
