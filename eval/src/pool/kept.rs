//! What a pool keeps: its settings, then a sample a line, like a journal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::endpoint::{Reply, Tokens, is_none};
use crate::journal::{Kept, Outcome};

/// What is sampled.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Samples {
    /// Answers to the question as it is.
    Text,
    /// Programs, asked for as `pal` does, where the question asks for a number.
    Program,
}

/// A temperature, in hundredths; nothing means that none is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Temperature(Option<u16>);

/// The greatest that providers take.
const HOTTEST: u16 = 200;

impl Temperature {
    /// The provider's own.
    pub const DEFAULT: Self = Self(None);

    pub(crate) const fn is_greedy(self) -> bool {
        matches!(self.0, Some(0))
    }

    /// As it is sent.
    pub(crate) fn value(self) -> Option<f64> {
        self.0.map(|hundredths| f64::from(hundredths) / 100.0)
    }

    /// For comparing: providers' own is 1 as far as they say.
    pub(crate) const fn heat(self) -> u16 {
        match self.0 {
            None => 100,
            Some(hundredths) => hundredths,
        }
    }
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value() {
            None => f.write_str("default"),
            Some(value) => write!(f, "{value}"),
        }
    }
}

impl FromStr for Temperature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is neither a number from 0 to 2 nor `default`");
        if text == "default" {
            return Ok(Self::DEFAULT);
        }
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_plain =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !(is_plain(whole) && is_plain(part) && (1..=2).contains(&part.len())) {
            return Err(wrong());
        }
        let hundredths = format!("{whole}{part:0<2}")
            .parse()
            .map_err(|_error| wrong())?;
        if hundredths > HOTTEST {
            return Err(wrong());
        }
        Ok(Self(Some(hundredths)))
    }
}

impl TryFrom<String> for Temperature {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Temperature> for String {
    fn from(temperature: Temperature) -> Self {
        temperature.to_string()
    }
}

/// One sample to ask for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Draw {
    pub(crate) model: String,
    /// The question's id.
    pub(crate) question: String,
    pub(crate) kind: Samples,
    pub(crate) temperature: Temperature,
    /// The number of the sample.
    pub(crate) sample: u32,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) text: String,
    /// Why it ended, in the provider's word.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) finish: String,
    /// Tokens of the visible answer that have log probabilities, and the means over them.
    #[serde(default)]
    pub(crate) scored_tokens: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) logprob: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certainty: Option<f64>,
    pub(crate) input_tokens: u64,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) cached_tokens: u64,
    pub(crate) output_tokens: u64,
    /// Why there is no sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Sample {
    pub(crate) fn of(reply: Reply) -> Self {
        Self {
            text: reply.text,
            finish: reply.finish,
            scored_tokens: reply.sure.tokens,
            logprob: reply.sure.logprob,
            certainty: reply.sure.certainty,
            input_tokens: reply.input_tokens,
            cached_tokens: reply.cached_tokens,
            output_tokens: reply.output_tokens,
            error: None,
        }
    }

    pub(crate) fn tokens(&self) -> Tokens {
        Tokens::new(self.input_tokens, self.cached_tokens, self.output_tokens)
    }

    /// Whether it may vote: approaches let what was cut off or filtered abstain.
    pub(crate) fn is_sound(&self) -> bool {
        !matches!(self.finish.as_str(), "length" | "content_filter")
    }
}

impl Outcome for Sample {
    const CURE: &str = "name another file with --pool, or remove this one";

    fn has_failed(&self) -> bool {
        self.error.is_some()
    }
}

/// All samples, and the file.
pub(crate) type Pool = Kept<Draw, Sample>;

/// The settings under which a pool was kept: its first line.
///
/// # Errors
///
/// When there is none.
pub(super) fn settings(text: &str) -> Result<Value, String> {
    let first = text.lines().next().ok_or("not a pool: it is empty")?;
    let settings: Value =
        serde_json::from_str(first).map_err(|error| format!("not a pool: {error}"))?;
    if settings.is_object() {
        Ok(settings)
    } else {
        Err("not a pool: its first line holds no settings".to_owned())
    }
}
