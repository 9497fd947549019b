//! A borrowed look at the few body fields that hone reads, so that the body itself can be forwarded
//! as it came.
//!
//! One linear scan; nothing is copied but names and values with escapes; `messages` is found, not
//! parsed. What hone does not read passes, however odd: unknown and repeated unknown fields,
//! `1e400`, any depth of nesting. What hone reads must stand there once, because an upstream that
//! takes the other one of two would answer another request than the one that was admitted. Whether
//! the fields make sense together is not decided here.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use crate::api::endpoint::Kind;

pub mod attachments;
mod scan;
pub mod splice;
#[cfg(test)]
mod tests;

pub(crate) use scan::{elements, members};
pub use splice::{Edit, splice};

/// What hone reads of a JSON request body.
///
/// A field that is absent or `null` is `None` or `false`. So is a counting or switching field of an
/// unexpected type, which is the upstream's to refuse; `model` and `optillm_approach` are hone's
/// own business and must be strings. A bound on output tokens that is given and is no count is 0.
#[derive(Clone, Default)]
pub struct Envelope<'a> {
    /// `model`: the name that routes the request.
    pub model: Option<Cow<'a, str>>,
    /// `stream`: whether the answer is to be an event stream.
    pub stream: Option<bool>,
    /// `n`: how many choices are wanted.
    pub n: Option<u64>,
    /// `best_of`: how many choices are made, to give back the best `n` of them.
    pub best_of: Option<u64>,
    /// `stream_options.include_usage`: whether the stream is to end with its token use.
    pub include_usage: Option<bool>,
    /// `max_tokens`: most output tokens per choice.
    pub max_tokens: Option<u64>,
    /// `max_completion_tokens`: its successor for chat.
    pub max_completion_tokens: Option<u64>,
    /// `max_output_tokens`: the same for responses.
    pub max_output_tokens: Option<u64>,
    /// `decoding`: OptiLLM's other way to name an approach. A value of another type is somebody
    /// else's.
    pub decoding: Option<Cow<'a, str>>,
    /// `optillm_approach`: an approach expression, not yet parsed.
    pub approach: Option<Cow<'a, str>>,
    /// Whether `previous_response_id` names a response stored in the key's account.
    pub previous_response_id: bool,
    /// Whether `conversation` names one stored in the key's account.
    pub conversation: bool,
    /// Whether `background` asks for an answer that outlives the request.
    pub background: bool,
    /// `messages`, as written.
    pub messages: Option<&'a str>,
}

/// Why a body cannot be looked into.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// A field that hone reads is given more than once.
    #[error("field `{name}` is given more than once")]
    DuplicateField {
        /// As hone knows it, dotted if it is not at the top level.
        name: String,
    },
    /// Not JSON.
    #[error("invalid JSON at line {line}, column {column}")]
    InvalidJson {
        /// Counted from 1.
        line: usize,
        /// In bytes, counted from 1; 0 at the start of a line.
        column: usize,
    },
    /// JSON is UTF-8, and this is not.
    #[error("invalid UTF-8 at byte {at}")]
    InvalidUtf8 {
        /// Offset of the first byte that is wrong.
        at: usize,
    },
    /// JSON, but no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A field that hone must understand has another type.
    #[error("field `{name}` is not {expected}")]
    WrongType {
        /// The field.
        name: &'static str,
        /// With its article.
        expected: &'static str,
    },
}

impl<'a> Envelope<'a> {
    /// Looks into `body`.
    ///
    /// ```
    /// use hone::request::envelope::Envelope;
    /// let body = br#"{"model": "gpt-4o", "messages": [], "stream": true}"#;
    /// let envelope = Envelope::peek(body).unwrap();
    /// assert_eq!(envelope.model.as_deref(), Some("gpt-4o"));
    /// assert_eq!(envelope.stream, Some(true));
    /// ```
    pub fn peek(body: &'a [u8]) -> Result<Self, EnvelopeError> {
        let text = utf8(body)?;
        let mut envelope = Self::default();
        let mut seen = Seen::default();
        members(text, |member| {
            let name = member.name();
            let Some(field) = Field::of(&name) else {
                return Ok(());
            };
            seen.once(field)?;
            envelope.read(field, &name, member.value)
        })?;
        Ok(envelope)
    }

    /// The same without the messages, borrowing nothing.
    pub(crate) fn into_owned(self) -> Envelope<'static> {
        let owned = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Envelope {
            model: owned(self.model),
            stream: self.stream,
            n: self.n,
            best_of: self.best_of,
            include_usage: self.include_usage,
            max_tokens: self.max_tokens,
            max_completion_tokens: self.max_completion_tokens,
            max_output_tokens: self.max_output_tokens,
            decoding: owned(self.decoding),
            approach: owned(self.approach),
            previous_response_id: self.previous_response_id,
            conversation: self.conversation,
            background: self.background,
            messages: None,
        }
    }

    /// The client's own bound on output tokens per choice, if there is one that holds: the largest
    /// of the fields that the endpoint reads. Providers ignore the others, and which of two they
    /// obey differs. If one of them is no count (-1 means no bound to some), none is known.
    pub(crate) fn output_limit(&self, kind: Kind) -> Option<u64> {
        let own = match kind {
            Kind::Chat => [self.max_completion_tokens, self.max_tokens],
            Kind::Completions | Kind::Messages => [self.max_tokens, None],
            Kind::Responses => [self.max_output_tokens, None],
            Kind::Embeddings | Kind::Models | Kind::Other => [None, None],
        };
        if own.contains(&Some(0)) {
            return None;
        }
        own.into_iter().flatten().max()
    }

    /// How many choices are made for each prompt, whether they are given back or not.
    pub(crate) fn choices_made(&self) -> u64 {
        self.n.max(self.best_of).unwrap_or(1).max(1)
    }

    fn read(&mut self, field: Field, name: &str, value: &'a str) -> Result<(), EnvelopeError> {
        // In another spelling it may raise what is reserved, but not lower it: few providers obey.
        let bound = || (name == field.name()).then(|| bound(value)).flatten();
        match field {
            Field::Approach => self.approach = string(field, value)?,
            Field::Background => self.background = is_given(value) && value != "false",
            Field::BestOf => self.best_of = times(value),
            Field::Conversation => self.conversation = is_given(value),
            Field::Decoding => self.decoding = string(field, value).unwrap_or_default(),
            Field::MaxCompletionTokens => self.max_completion_tokens = bound(),
            Field::MaxOutputTokens => self.max_output_tokens = bound(),
            Field::MaxTokens => self.max_tokens = bound(),
            Field::Messages => self.messages = is_given(value).then_some(value),
            Field::Model => self.model = string(field, value)?,
            Field::N => self.n = times(value),
            Field::PreviousResponseId => self.previous_response_id = is_given(value),
            Field::Stream => self.stream = switch(value),
            Field::StreamOptions => self.include_usage = include_usage(value)?,
        }
        Ok(())
    }
}

impl fmt::Debug for Envelope<'_> {
    /// Without the conversation, which belongs in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("model", &self.model)
            .field("stream", &self.stream)
            .field("n", &self.n)
            .field("include_usage", &self.include_usage)
            .field("approach", &self.approach)
            .field("message_bytes", &self.messages.map(str::len))
            .finish_non_exhaustive()
    }
}

/// The top-level fields that hone reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Approach,
    Background,
    BestOf,
    Conversation,
    Decoding,
    MaxCompletionTokens,
    MaxOutputTokens,
    MaxTokens,
    Messages,
    Model,
    N,
    PreviousResponseId,
    Stream,
    StreamOptions,
}

impl Field {
    const ALL: [Self; 14] = [
        Self::Approach,
        Self::Background,
        Self::BestOf,
        Self::Conversation,
        Self::Decoding,
        Self::MaxCompletionTokens,
        Self::MaxOutputTokens,
        Self::MaxTokens,
        Self::Messages,
        Self::Model,
        Self::N,
        Self::PreviousResponseId,
        Self::Stream,
        Self::StreamOptions,
    ];

    /// The field that an upstream may take `name` for. Some (those written in Go) ignore case: what
    /// is refused or counted as `model` must not pass as `Model`.
    fn of(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        if name.is_ascii() {
            all.find(|field| name.eq_ignore_ascii_case(field.name()))
        } else {
            all.find(|field| is_same(name, field.name()))
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Approach => "optillm_approach",
            Self::Background => "background",
            Self::BestOf => "best_of",
            Self::Conversation => "conversation",
            Self::Decoding => "decoding",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::MaxTokens => "max_tokens",
            Self::Messages => "messages",
            Self::Model => "model",
            Self::N => "n",
            Self::PreviousResponseId => "previous_response_id",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
        }
    }
}

/// Whether an upstream may take `name` for `field`, which is lower case of ASCII: Go's parser
/// ignores case, and takes the long s and the Kelvin sign for letters, too.
pub(crate) fn is_same(name: &str, field: &str) -> bool {
    let folded = |letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    name.eq_ignore_ascii_case(field)
        || !name.is_ascii() && name.chars().map(folded).eq(field.chars())
}

/// The fields met so far, one bit each.
#[derive(Default)]
struct Seen(u16);

impl Seen {
    fn once(&mut self, field: Field) -> Result<(), EnvelopeError> {
        let bit = 1 << field as u16;
        if self.0 & bit != 0 {
            return Err(EnvelopeError::DuplicateField {
                name: field.name().to_owned(),
            });
        }
        self.0 |= bit;
        Ok(())
    }
}

/// The body as text.
fn utf8(body: &[u8]) -> Result<&str, EnvelopeError> {
    std::str::from_utf8(body).map_err(|error| EnvelopeError::InvalidUtf8 {
        at: error.valid_up_to(),
    })
}

fn is_given(value: &str) -> bool {
    value != "null"
}

fn switch(value: &str) -> Option<bool> {
    value.parse().ok()
}

/// A bound on tokens: 0 if it is given and is none that can be relied on.
fn bound(value: &str) -> Option<u64> {
    is_given(value).then(|| count(value).unwrap_or(0))
}

/// How many of something are wanted, also if the number is written as a string, which some
/// providers take for the number.
fn times(value: &str) -> Option<u64> {
    count(value).or_else(|| count(value.strip_prefix('"')?.strip_suffix('"')?.trim()))
}

/// How many prompts a body for `completions` has: one, or one for each element of a list of texts
/// or of token lists. Of several fields `prompt` the one with most counts.
pub(crate) fn prompts(body: &[u8]) -> u64 {
    let mut most = 1;
    let found = utf8(body).and_then(|text| {
        members(text, |member| {
            if is_same(&member.name(), "prompt") {
                most = in_prompt(member.value).max(most);
            }
            Ok(())
        })
    });
    // What is no object has no prompt either.
    found.map_or(1, |()| most)
}

fn in_prompt(prompt: &str) -> u64 {
    let (mut count, mut are_prompts) = (0, false);
    let found = elements(prompt, |element| {
        are_prompts |= count == 0 && element.starts_with(['"', '[']);
        count += 1;
        Ok(())
    });
    if found.is_ok() && are_prompts {
        count
    } else {
        1
    }
}

/// A count, also if it is written as `2.0` or `2e0`, which upstreams take for 2.
fn count(value: &str) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if let Ok(count) = value.parse() {
        return Some(count);
    }
    let number: f64 = serde_json::from_str(value).ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an integer between 0 and 2^53"
    )]
    (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then_some(number as u64)
}

fn string(field: Field, value: &str) -> Result<Option<Cow<'_, str>>, EnvelopeError> {
    /// A derived field borrows where a bare `Cow` would copy.
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    if !is_given(value) {
        return Ok(None);
    }
    match serde_json::from_str(value) {
        Ok(Text(text)) => Ok(Some(text)),
        Err(_not_a_string) => Err(EnvelopeError::WrongType {
            name: field.name(),
            expected: "a string",
        }),
    }
}

/// `include_usage` of the object `options`; anything but an object has none.
fn include_usage(options: &str) -> Result<Option<bool>, EnvelopeError> {
    const NAME: &str = "include_usage";
    if !options.starts_with('{') {
        return Ok(None);
    }
    let mut found = None;
    members(options, |member| {
        if !is_same(&member.name(), NAME) {
            return Ok(());
        }
        match found.replace(member.value) {
            None => Ok(()),
            Some(_) => Err(EnvelopeError::DuplicateField {
                name: format!("stream_options.{NAME}"),
            }),
        }
    })?;
    Ok(found.and_then(switch))
}
