//! Which endpoint a request is for.

use http::{HeaderMap, Method};

use crate::voice::Dialect;

/// What the provider serves, and what controls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Chat,
    Completions,
    /// `POST /v1/messages/count_tokens`.
    CountTokens,
    Embeddings,
    /// `GET /v1/files/{id}/content`.
    FileContent(String),
    /// `POST /{v1,v1beta}/models/{model}:{verb}`.
    Gemini {
        model: String,
        verb: Verb,
    },
    /// `GET /v1beta/models`.
    GeminiModels,
    /// `GET /v1beta/models/{name}`.
    GeminiModel(String),
    Images,
    /// `POST /v1/responses/input_tokens`.
    InputTokens,
    Messages,
    Models,
    /// `GET /v1/models/{name}`.
    Model(String),
    Moderations,
    Responses,
    Speech,
    Transcriptions,
    UploadFile,
    /// `GET /sim/stats`.
    Stats,
    /// `GET` and `POST /sim/knobs`.
    Knobs,
    /// An unknown path below `/v1beta`.
    UnknownGemini,
    Unknown,
}

/// What is asked of a Gemini model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Generate,
    Stream,
    Count,
}

impl Route {
    /// The route of a method and a path, where the endpoints are below `base`.
    pub(crate) fn of(method: &Method, path: &str, base: &str) -> Self {
        let below = path
            .strip_prefix(base)
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or("");
        let beta = path.strip_prefix("/v1beta/");
        match *method {
            _ if beta.is_some() => Self::beta(method, beta.unwrap_or_default()),
            Method::GET if path == "/sim/stats" => Self::Stats,
            Method::GET | Method::POST if path == "/sim/knobs" => Self::Knobs,
            Method::GET => Self::get(below),
            Method::POST => Self::post(below),
            _ => Self::Unknown,
        }
    }

    /// A path below `/v1beta`, which is Gemini's alone.
    fn beta(method: &Method, path: &str) -> Self {
        match (method, path, path.strip_prefix("models/")) {
            (&Method::GET, "models", _) => Self::GeminiModels,
            (&Method::GET, _, Some(name)) => Self::GeminiModel(name.to_owned()),
            (&Method::POST, _, Some(rest)) => Self::verb(rest).unwrap_or(Self::UnknownGemini),
            _ => Self::UnknownGemini,
        }
    }

    /// `{model}:{verb}`, where the colon may be escaped.
    fn verb(rest: &str) -> Option<Self> {
        let (model, verb) = rest
            .rsplit_once(':')
            .or_else(|| rest.rsplit_once("%3A"))
            .or_else(|| rest.rsplit_once("%3a"))?;
        let verb = match verb {
            "generateContent" => Verb::Generate,
            "streamGenerateContent" => Verb::Stream,
            "countTokens" => Verb::Count,
            _ => return None,
        };
        let model = model.to_owned();
        Some(Self::Gemini { model, verb })
    }

    /// Whose forms its answers have. Lists of models have those of whoever asks.
    pub(crate) fn dialect(&self, headers: &HeaderMap) -> Dialect {
        match self {
            Self::Messages | Self::CountTokens => Dialect::Messages,
            Self::Responses | Self::InputTokens => Dialect::Responses,
            Self::Gemini { .. }
            | Self::GeminiModels
            | Self::GeminiModel(_)
            | Self::UnknownGemini => Dialect::Gemini,
            Self::Models | Self::Model(_) if headers.contains_key("anthropic-version") => {
                Dialect::Messages
            }
            Self::Models | Self::Model(_)
                if headers.contains_key("x-goog-api-key")
                    || headers.contains_key("x-goog-api-client") =>
            {
                Dialect::Gemini
            }
            _ => Dialect::Chat,
        }
    }

    /// Whether a provider that speaks only `dialect` has it. Each has a list of models.
    pub(crate) fn is_of(&self, dialect: Dialect) -> bool {
        matches!(self, Self::Models | Self::Model(_)) || self.dialect(&HeaderMap::new()) == dialect
    }

    fn get(path: &str) -> Self {
        let content = path
            .strip_prefix("files/")
            .and_then(|rest| rest.strip_suffix("/content"));
        match (path, path.strip_prefix("models/"), content) {
            ("models", _, _) => Self::Models,
            (_, Some(name), _) => Self::Model(name.to_owned()),
            (_, _, Some(id)) => Self::FileContent(id.to_owned()),
            _ => Self::Unknown,
        }
    }

    fn post(path: &str) -> Self {
        match path {
            "audio/speech" => Self::Speech,
            "audio/transcriptions" => Self::Transcriptions,
            "chat/completions" => Self::Chat,
            "completions" => Self::Completions,
            "embeddings" => Self::Embeddings,
            "files" => Self::UploadFile,
            "images/generations" => Self::Images,
            "messages" => Self::Messages,
            "messages/count_tokens" => Self::CountTokens,
            "moderations" => Self::Moderations,
            "responses" => Self::Responses,
            "responses/input_tokens" => Self::InputTokens,
            // The address of old; the model is still taken from the body.
            _ if path.starts_with("engines/") && path.ends_with("/completions") => {
                Self::Completions
            }
            _ => path
                .strip_prefix("models/")
                .and_then(Self::verb)
                .unwrap_or(Self::Unknown),
        }
    }

    /// The name under which requests are counted.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Completions => "completions",
            Self::CountTokens => "messages/count_tokens",
            Self::Embeddings => "embeddings",
            Self::FileContent(_) => "files/content",
            Self::Gemini {
                verb: Verb::Generate,
                ..
            } => "generateContent",
            Self::Gemini {
                verb: Verb::Stream, ..
            } => "streamGenerateContent",
            Self::Gemini {
                verb: Verb::Count, ..
            } => "countTokens",
            Self::Images => "images/generations",
            Self::InputTokens => "responses/input_tokens",
            Self::Messages => "messages",
            Self::Models | Self::Model(_) | Self::GeminiModels | Self::GeminiModel(_) => "models",
            Self::Moderations => "moderations",
            Self::Responses => "responses",
            Self::Speech => "audio/speech",
            Self::Transcriptions => "audio/transcriptions",
            Self::UploadFile => "files",
            Self::Stats => "sim/stats",
            Self::Knobs => "sim/knobs",
            Self::Unknown | Self::UnknownGemini => "unknown",
        }
    }

    /// Whether the body may be of any size, and is hashed as it passes.
    pub(crate) const fn is_upload(&self) -> bool {
        matches!(self, Self::Transcriptions | Self::UploadFile)
    }

    /// Whether the body must be a JSON object.
    pub(crate) const fn takes_json(&self) -> bool {
        matches!(
            self,
            Self::Chat
                | Self::Completions
                | Self::CountTokens
                | Self::Embeddings
                | Self::Gemini { .. }
                | Self::Images
                | Self::InputTokens
                | Self::Messages
                | Self::Moderations
                | Self::Responses
                | Self::Speech
        )
    }

    /// Whether this controls the provider, and is neither counted nor subject to the knobs.
    pub(crate) const fn is_control(&self) -> bool {
        matches!(self, Self::Stats | Self::Knobs)
    }
}
