//! How the provider behaves. Every knob can be set at the start, through [`crate::SimHandle::set`],
//! by `POST /sim/knobs` with the members to change, and for one request by a `sim` member in its
//! body.

use std::num::NonZeroU32;
use std::time::Duration;

use hone_strategies::simulation::TaskModel;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::chance::Dice;
use crate::fault::Injection;
use crate::key::KeyDigest;
use crate::key::Slot;
use crate::profile::{Manners, PLAIN, Profile};
use crate::text;
use crate::voice::Dialect;

/// How the provider behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// The provider whose words and forms these are. `null`: OpenAI's, and nothing is refused.
    pub profile: Option<Profile>,
    /// The only dialect that is served: there are no other endpoints. `null`: all are.
    pub speaks: Option<Dialect>,
    /// Before the head of every answer.
    pub latency: Latency,
    /// How fast completion tokens are made. `null`: at once.
    pub tokens_per_second: Option<NonZeroU32>,
    /// Tokens in one event of a stream.
    pub chunk_tokens: NonZeroU32,
    /// Tokens of an answer without `content` or a task.
    pub answer_tokens: u32,
    /// Answer as this model of a task does: questions with known answers, judges and syntheses of
    /// stated reliability.
    pub task: Option<TaskModel>,
    /// Without a task: answer arithmetic right, in whatever words it is asked.
    pub arithmetic: bool,
    /// The text of every answer. It wins over a task.
    pub content: Option<String>,
    /// What precedes the text of a chat answer.
    pub reasoning: Reasoning,
    /// What is reported of the use of tokens: `true` for all of it, `false` for nothing, or an odd
    /// report.
    pub usage: UsageReport,
    /// Whether a request with `tools` is answered with a call to one of them, unless its last
    /// message is what one has returned.
    pub tool_calls: bool,
    /// How many calls such an answer makes, where its dialect is not chat.
    pub calls: NonZeroU32,
    /// How answers end that are not chat's, if not as the request has it.
    pub ending: Option<Ending>,
    /// Tokens of a prompt that were read from the cache.
    pub cached_tokens: u32,
    /// Tokens of a prompt that were written to the cache, where the dialect tells them.
    pub cache_write_tokens: u32,
    /// The longest prompt, in tokens, where the dialect is not chat. `null`: any.
    pub window: Option<u32>,
    /// The header that must carry a key. `null`: none must, unless `keys` is set, which means
    /// that of the dialect: `bearer`, for Messages also `x-api-key`, and for Gemini
    /// `x-goog-api-key` or `?key=`.
    pub auth: Option<Slot>,
    /// The keys that are accepted, as digests. `null`: any.
    pub keys: Option<Vec<KeyDigest>>,
    /// Top-level fields that are treated as absent, e.g. `n`, `logprobs`, `max_tokens`,
    /// `stream_options`.
    pub ignores: Vec<String>,
    /// Top-level fields that are refused with 400 `unsupported_parameter`, unless their value is
    /// the default one.
    pub rejects: Vec<String>,
    /// Shapes of conversations that are refused.
    pub strict: Vec<Strictness>,
    /// What goes wrong, and how often. The first that happens is the one.
    pub faults: Vec<Injection>,
}

/// What is reported of the use of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum UsageReport {
    /// All of it, or nothing.
    Told(bool),
    /// A report as some servers write it.
    Odd(OddReport),
}

/// A report of chat completions that is not what was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OddReport {
    /// The output of the first choice only.
    FirstChoice,
    /// The sum only.
    Sum,
    /// Zeros.
    Zeros,
}

impl UsageReport {
    /// Whether anything is reported.
    pub(crate) fn is_told(self) -> bool {
        self != Self::Told(false)
    }
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            profile: None,
            speaks: None,
            latency: Latency::None,
            tokens_per_second: None,
            chunk_tokens: NonZeroU32::MIN,
            answer_tokens: 16,
            task: None,
            arithmetic: false,
            content: None,
            reasoning: Reasoning::None,
            usage: UsageReport::Told(true),
            tool_calls: false,
            calls: NonZeroU32::MIN,
            ending: None,
            cached_tokens: 0,
            cache_write_tokens: 0,
            window: None,
            auth: None,
            keys: None,
            ignores: Vec::new(),
            rejects: Vec::new(),
            strict: Vec::new(),
            faults: Vec::new(),
        }
    }
}

impl Knobs {
    /// These knobs with the members of `patch` in place of theirs. Fails on an unknown member or a
    /// wrong type.
    pub fn patched(&self, patch: Map<String, Value>) -> serde_json::Result<Self> {
        let mut all = match serde_json::to_value(self)? {
            Value::Object(all) => all,
            _ => Map::new(),
        };
        all.extend(patch);
        serde_json::from_value(Value::Object(all))
    }

    /// What the provider takes, and how it answers.
    pub(crate) fn manners(&self) -> &'static Manners {
        self.profile.map_or(&PLAIN, Profile::manners)
    }

    /// How long `tokens` take to make.
    pub(crate) fn pace(&self, tokens: u32) -> Duration {
        self.tokens_per_second.map_or(Duration::ZERO, |rate| {
            Duration::from_secs(1) * tokens / rate.get()
        })
    }
}

/// How long an answer's head takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Latency {
    /// No time at all.
    #[default]
    None,
    /// Always the same.
    Constant {
        /// Milliseconds.
        ms: u64,
    },
    /// Anything between two times, equally likely.
    Uniform {
        /// The shortest, in milliseconds.
        from_ms: u64,
        /// The longest, in milliseconds.
        to_ms: u64,
    },
    /// Mostly short, sometimes long.
    Exponential {
        /// The mean, in milliseconds.
        mean_ms: u64,
    },
}

impl Latency {
    pub(crate) fn draw(self, dice: &mut Dice) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Constant { ms } => Duration::from_millis(ms),
            Self::Uniform { from_ms, to_ms } => {
                Duration::from_millis(from_ms)
                    + Duration::from_millis(to_ms.saturating_sub(from_ms)).mul_f64(dice.unit())
            }
            // 1 - unit is in (0, 1], so the logarithm is finite and not positive.
            Self::Exponential { mean_ms } => {
                Duration::from_millis(mean_ms).mul_f64(-(1.0 - dice.unit()).ln())
            }
        }
    }
}

/// How a chat answer shows its reasoning, of eight tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reasoning {
    /// There is none.
    #[default]
    None,
    /// Between `<think>` and `</think>`, ahead of the text.
    Tags,
    /// The same without the opening tag, as chat templates leave it that open it themselves.
    ClosingTag,
    /// In `reasoning_content`, beside the content.
    Field,
}

impl Reasoning {
    const TOKENS: u32 = 8;

    /// The tokens of reasoning beside the text, and the text with the reasoning that is in it.
    pub(crate) fn prepend(self, text: String, dice: &mut Dice) -> (Vec<String>, String) {
        let mut thoughts = || text::filler(dice, Self::TOKENS);
        match self {
            Self::None => (Vec::new(), text),
            Self::Tags => (
                Vec::new(),
                format!("<think>\n{}\n</think>\n\n{text}", thoughts()),
            ),
            Self::ClosingTag => (Vec::new(), format!("{}\n</think>\n\n{text}", thoughts())),
            Self::Field => (text::tokens(&thoughts()), text),
        }
    }
}

/// How an answer ends, whatever was asked. Each dialect has its own word for it; where it has none,
/// the answer ends as usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The model refuses: `refusal`, a part `refusal`, `SAFETY`.
    Refusal,
    /// A filter takes the answer: `refusal`, `content_filter`, `RECITATION`.
    Filter,
    /// The prompt is not answered at all: `promptFeedback` in Gemini, elsewhere as `filter`.
    Blocked,
    /// A call that nobody can read: `MALFORMED_FUNCTION_CALL` in Gemini.
    MalformedCall,
    /// The turn is to be gone on with: `pause_turn` in Messages.
    Pause,
    /// It fails, with status 200: `failed` in Responses.
    Failed,
}

impl Ending {
    /// Whether such an answer has neither text nor calls.
    pub(crate) const fn is_empty(self) -> bool {
        !matches!(self, Self::Pause)
    }
}

/// A shape of conversation that some providers refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// `max_tokens` and `max_completion_tokens` together.
    BothTokenLimits,
    /// A system message without text.
    EmptySystem,
    /// A message without content, unless it carries tool calls.
    NullContent,
    /// Two user or two assistant messages in a row.
    RepeatedRoles,
    /// A system message that is not the first message.
    SystemInMiddle,
    /// A top-level field that OpenAI does not document.
    UnknownFields,
}
