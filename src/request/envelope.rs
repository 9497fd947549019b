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

use hone_dialects::marks::OWN_RESPONSE;
use serde::Deserialize;

mod amounts;
pub mod attachments;
mod google;
mod scan;
pub mod splice;
#[cfg(test)]
mod tests;

pub(crate) use amounts::prompts;
pub(crate) use scan::{elements, members};
pub use splice::{Edit, splice};

/// What hone reads of a JSON request body.
///
/// A field that is absent or `null` is `None` or `false`. So is a counting or switching field of an
/// unexpected type, which is the upstream's to refuse; `model` and `optillm_approach` are hone's
/// own business and must be strings. A bound on output tokens that is given and is no count is 0.
/// [`Envelope::tells_amounts`] refuses what servers may read in another way than hone.
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
    /// Whether `previous_response_id` names a response that hone has made, which nobody has stored.
    pub(crate) continues_own: bool,
    /// Whether `conversation` names one stored in the key's account.
    pub conversation: bool,
    /// Whether `background` asks for an answer that outlives the request.
    pub background: bool,
    /// `messages`, as written.
    pub messages: Option<&'a str>,
    /// The largest bound on output tokens in another spelling, which few servers read; 0 if it is
    /// no count.
    misspelled_bound: Option<u64>,
    /// A field that says how much is wanted, in another spelling.
    misspelled: Option<Field>,
    /// Such a field with a value that hone cannot read, though a server may.
    unclear: Option<Field>,
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
    /// It begins with a byte order mark, which JSON may not have (RFC 8259 §8.1).
    #[error("a byte order mark of {charset}")]
    ByteOrderMark {
        /// In which the body is written.
        charset: &'static str,
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
        /// Behind "must be".
        expected: &'static str,
    },
}

impl<'a> Envelope<'a> {
    /// Looks into `body` of a call of Google's API, which names its model in its path.
    pub(crate) fn peek_google(body: &[u8]) -> Result<Envelope<'static>, EnvelopeError> {
        google::look(body).map_err(|error| mark(body).unwrap_or(error))
    }

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
        Self::look(body).map_err(|error| mark(body).unwrap_or(error))
    }

    fn look(body: &'a [u8]) -> Result<Self, EnvelopeError> {
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
            continues_own: self.continues_own,
            conversation: self.conversation,
            background: self.background,
            messages: None,
            misspelled_bound: self.misspelled_bound,
            misspelled: self.misspelled,
            unclear: self.unclear,
        }
    }

    fn read(&mut self, field: Field, name: &str, value: &'a str) -> Result<(), EnvelopeError> {
        if field.is_amount() {
            return self.read_amount(field, name == field.name(), value);
        }
        match field {
            Field::Approach => self.approach = string(field, value)?,
            Field::Background => self.background = is_given(value) && value != "false",
            Field::Conversation => self.conversation = is_given(value),
            Field::Decoding => self.decoding = string(field, value).unwrap_or_default(),
            Field::Messages => self.messages = is_given(value).then_some(value),
            Field::Model => self.model = string(field, value)?,
            Field::PreviousResponseId => {
                let id = value.strip_prefix('"');
                self.continues_own = id.is_some_and(|id| id.starts_with(OWN_RESPONSE));
            }
            _ => {}
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Approach,
    Background,
    BestOf,
    /// Of Google's `generationConfig`, as `MaxOutput` is. No body has them at its top.
    CandidateCount,
    Conversation,
    Decoding,
    MaxCompletionTokens,
    MaxOutput,
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

    /// Whether it says how much is wanted, or whether its use is told.
    fn is_amount(self) -> bool {
        matches!(
            self,
            Self::BestOf
                | Self::MaxCompletionTokens
                | Self::MaxOutputTokens
                | Self::MaxTokens
                | Self::N
                | Self::Stream
                | Self::StreamOptions
        )
    }

    fn name(self) -> &'static str {
        match self {
            Self::Approach => "optillm_approach",
            Self::Background => "background",
            Self::BestOf => "best_of",
            Self::CandidateCount => "generationConfig.candidateCount",
            Self::Conversation => "conversation",
            Self::Decoding => "decoding",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxOutput => "generationConfig.maxOutputTokens",
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

/// The mark that a body begins with, which is why it cannot be read.
fn mark(body: &[u8]) -> Option<EnvelopeError> {
    let marks: [(&[u8], _); 3] = [
        (b"\xef\xbb\xbf", "UTF-8"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
    ];
    let found = marks.iter().find(|(mark, _)| body.starts_with(mark));
    found.map(|(_, charset)| EnvelopeError::ByteOrderMark { charset })
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
