//! The endpoints of the API that hone knows, and what holds at each: one table.
//!
//! Routing, metering, the permissions of confined tenants, and what a fallback key serves all read
//! it; `docs/endpoints.md` is printed from it. A path that another server could take for a known
//! endpoint, though it is not spelled like one, is refused: it would pass by all of these rules.
//! Any other path below `/v1` is [unlisted](Endpoint::is_listed).

use std::fmt;

use hone_dialects::Dialect;
use http::Method;

use crate::usage::Api;

pub(crate) mod fields;
mod spelling;
mod table;
#[cfg(test)]
mod tests;

use table::ROWS;
pub use table::document;

/// What a request asks of the API: a row of the table, or a path that is in none.
#[derive(Clone, Copy)]
pub struct Endpoint(Option<&'static Row>);

/// What holds for one method at one known path.
#[derive(Debug)]
pub(crate) struct Row {
    method: Verb,
    /// Below `/v1`. `{id}` is any one segment, `{model}` all the rest: models' names have slashes.
    /// `{model}:verb` is all the rest, too. Such calls of Google's API are served below `/v1beta`
    /// as well.
    path: &'static str,
    kind: Kind,
    meter: Meter,
    confined: Confined,
    fallback: Fallback,
    body: Need,
    /// Whether its body names a model.
    has_model: bool,
}

/// The methods of known endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Delete,
    /// And HEAD.
    Get,
    Post,
}

/// What hone does at an endpoint beside forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `chat/completions`: the one that strategies answer.
    Chat,
    /// `completions`.
    Completions,
    /// `responses/input_tokens`.
    CountInput,
    /// `messages/count_tokens`.
    CountMessages,
    /// Google's `countTokens`.
    CountTokens,
    /// `embeddings`.
    Embeddings,
    /// Google's `generateContent`.
    GenerateContent,
    /// `messages`, of Anthropic's dialect.
    Messages,
    /// `models` and below.
    Models,
    /// Nothing.
    Other,
    /// `responses`.
    Responses,
    /// Google's `streamGenerateContent`.
    StreamGenerateContent,
}

impl Kind {
    /// Whether it calls a model in Google's way: by its path.
    pub(crate) fn is_google(self) -> bool {
        matches!(
            self,
            Self::CountTokens | Self::GenerateContent | Self::StreamGenerateContent
        )
    }
}

/// What a request is charged against limits on tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meter {
    /// Nothing: it generates no tokens, or others than those that are limited.
    Free,
    /// The `usage` that this API's answers report; without one, hone's own count of their text.
    Usage(Api),
    /// The `usage` that the answer reports, if it does; else a token for every four bytes of
    /// request and answer: nobody knows what is served there.
    Bytes,
}

/// What tenants may do that are confined to some models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confined {
    /// Ask for a model that is named in the body, or by Google's clients in the path, and allowed.
    ByModel,
    /// See the models that are allowed.
    Listed,
    /// Nothing: the request names no model, or more than one.
    Refused,
}

/// What the operator's key serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// JSON with these fields.
    Fields(&'static [&'static str]),
    /// A form with these fields.
    Form(fields::Form),
    /// Nothing: its callers would see or change what others have stored.
    Refused,
    /// All requests: they have no body.
    Served,
}

/// What hone needs of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// What hone cannot read, it forwards.
    Anything,
    /// JSON: wherever a model is named and tokens are counted, so that no other content type is a
    /// way around routing, lists of models and limits.
    Json,
}

/// Why a path below `/v1` is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotServed {
    /// Another server could take it for this endpoint.
    Alias(&'static str),
    /// The endpoint has other methods: these.
    Method(String),
}

/// What paths of Google's other version begin with, behind a slash.
pub(crate) const BETA: &str = "v1beta/";

/// Methods that are forwarded to paths that hone does not know.
const METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

impl Endpoint {
    /// A path that is in no row.
    const UNLISTED: Self = Self(None);

    /// Finds what `method` asks for at `path`, which is below `/v1`. A slash at its end means
    /// nothing.
    ///
    /// # Errors
    ///
    /// For a known endpoint in another spelling or with a method that it does not have, and for
    /// methods that are nowhere forwarded.
    pub fn of(method: &Method, path: &str) -> Result<Self, NotServed> {
        let path = path.strip_suffix('/').unwrap_or(path);
        if let Some(row) = ROWS
            .iter()
            .find(|row| row.path == path && row.method.is(method))
        {
            return Ok(Self(Some(row)));
        }
        Self::found(
            spelling::find(&ROWS.iter().map(|row| row.path), path),
            method,
        )
    }

    /// Finds what `method` asks for at `path`, which is below `/v1beta`: a call of a model in
    /// Google's way, a question for models, or what no row has.
    ///
    /// # Errors
    ///
    /// As those of [`Endpoint::of`].
    pub fn of_beta(method: &Method, path: &str) -> Result<Self, NotServed> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_read = Verb::Get.is(method);
        let rows = ROWS.iter().filter(|row| {
            row.kind.is_google() || is_read && row.kind == Kind::Models && row.method.is(method)
        });
        Self::found(spelling::find(&rows.map(|row| row.path), path), method)
    }

    fn found(found: Option<spelling::Found>, method: &Method) -> Result<Self, NotServed> {
        match found {
            Some(spelling::Found::Alias(known)) => Err(NotServed::Alias(known)),
            Some(spelling::Found::Plain(known)) => {
                let mut rows = ROWS.iter().filter(|row| row.path == known);
                let row = rows.find(|row| row.method.is(method));
                row.map(|row| Self(Some(row)))
                    .ok_or_else(|| NotServed::Method(methods_of(known)))
            }
            None if is_forwarded(method) => Ok(Self::UNLISTED),
            None => Err(NotServed::Method(forwarded())),
        }
    }

    /// Whether hone knows it.
    pub fn is_listed(self) -> bool {
        self.0.is_some()
    }

    /// What hone does here beside forwarding.
    pub(crate) fn kind(self) -> Kind {
        self.0.map_or(Kind::Other, |row| row.kind)
    }

    /// The kind whose bodies are those of this endpoint: what counts the tokens of a request has
    /// its fields.
    pub(crate) fn counted(self) -> Kind {
        match self.0.map(|row| row.path) {
            Some("messages/count_tokens") => Kind::Messages,
            Some("responses/input_tokens") => Kind::Responses,
            _ => self.kind(),
        }
    }

    /// Whether strategies answer here.
    pub(crate) fn is_chat(self) -> bool {
        self.kind() == Kind::Chat
    }

    /// The dialect in which an answer of a model is asked for here: what other upstreams than those
    /// of that dialect, and approaches, can answer, too.
    pub(crate) fn asks_in(self) -> Option<Dialect> {
        match self.kind() {
            Kind::Chat => Some(Dialect::OpenAiChat),
            Kind::Messages => Some(Dialect::Anthropic),
            Kind::Responses => Some(Dialect::OpenAiResponses),
            Kind::GenerateContent | Kind::StreamGenerateContent => Some(Dialect::Gemini),
            Kind::Completions
            | Kind::CountInput
            | Kind::CountMessages
            | Kind::CountTokens
            | Kind::Embeddings
            | Kind::Models
            | Kind::Other => None,
        }
    }

    /// The dialect of a prompt whose tokens are counted here, without an answer to it.
    pub(crate) fn counts_in(self) -> Option<Dialect> {
        match self.kind() {
            Kind::CountInput => Some(Dialect::OpenAiResponses),
            Kind::CountMessages => Some(Dialect::Anthropic),
            Kind::CountTokens => Some(Dialect::Gemini),
            _ => None,
        }
    }

    /// A bounded name for logs and metric labels.
    pub(crate) fn name(self) -> &'static str {
        match self.kind() {
            Kind::Chat => "chat",
            Kind::Completions => "text_completion",
            Kind::CountInput | Kind::CountMessages | Kind::CountTokens => "count_tokens",
            Kind::Embeddings => "embeddings",
            Kind::GenerateContent => "generate_content",
            Kind::Messages => "messages",
            Kind::Models => "models",
            Kind::Other => "other",
            Kind::Responses => "responses",
            Kind::StreamGenerateContent => "stream_generate_content",
        }
    }

    /// What hone needs of its body.
    pub(crate) fn need(self) -> Need {
        self.0.map_or(Need::Anything, |row| row.body)
    }

    /// Whether its body names a model, as far as hone knows.
    pub(crate) fn has_model(self) -> bool {
        self.0.is_none_or(|row| row.has_model)
    }

    /// What it is charged against limits on tokens.
    pub(crate) fn meter(self) -> Meter {
        self.0.map_or(Meter::Bytes, |row| row.meter)
    }

    /// How its answers tell their token use, if they do; those of unknown endpoints are read only
    /// where `tokens_count`.
    pub(crate) fn usage(self, tokens_count: bool) -> Option<Api> {
        match self.meter() {
            Meter::Usage(api) => Some(api),
            Meter::Bytes => tokens_count.then_some(Api::Any),
            Meter::Free => None,
        }
    }

    /// What tenants may do here that are confined to some models.
    pub(crate) fn confined(self) -> Confined {
        self.0.map_or(Confined::Refused, |row| row.confined)
    }

    /// What the operator's key serves here.
    pub(crate) fn fallback(self) -> Fallback {
        self.0.map_or(Fallback::Refused, |row| row.fallback)
    }
}

/// Whether requests with this method are forwarded anywhere. Methods have case.
pub(crate) fn is_forwarded(method: &Method) -> bool {
    METHODS.contains(method)
}

/// The methods that are forwarded to paths that hone does not know, as `Allow` writes them.
pub(crate) fn forwarded() -> String {
    names(&METHODS)
}

/// A text after as many percent-decodes as change it.
pub(crate) fn undisguised(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('%') {
        spelling::decoded_to_the_end(text).into()
    } else {
        text.into()
    }
}

/// Whether `segment` is a word of the API, and stands in no place of an id's. The busiest endpoints
/// are looked at first.
pub(crate) fn is_word(segment: &str) -> bool {
    let mut words = ROWS.iter().flat_map(|row| row.path.split('/'));
    words.any(|word| word == segment)
}

/// A path below `/v1`, or `v1beta/…`, without the version.
pub(crate) fn below_version(path: &str) -> &str {
    path.strip_prefix(BETA).unwrap_or(path)
}

/// The name of a model in a path below `models/`, as the client means it: after one
/// percent-decode.
pub fn model_in(path: &str) -> Option<std::borrow::Cow<'_, str>> {
    let name = path.strip_suffix('/').unwrap_or(path);
    name.strip_prefix("models/").map(spelling::decoded)
}

fn methods_of(path: &str) -> String {
    let rows = ROWS.iter().filter(|row| row.path == path);
    let methods: Vec<Method> = rows.flat_map(|row| row.method.methods()).cloned().collect();
    names(&methods)
}

fn names(methods: &[Method]) -> String {
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    names.join(", ")
}

impl Verb {
    fn methods(self) -> &'static [Method] {
        match self {
            Self::Delete => &[Method::DELETE],
            Self::Get => &[Method::GET, Method::HEAD],
            Self::Post => &[Method::POST],
        }
    }

    fn is(self, method: &Method) -> bool {
        self.methods().contains(method)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.map_or("unlisted", |row| row.path))
    }
}

impl Eq for Endpoint {}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}
