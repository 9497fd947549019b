//! Which endpoint a request is for.

use http::Method;

/// What the provider serves, and what controls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Chat,
    Completions,
    Embeddings,
    /// `GET /v1/files/{id}/content`.
    FileContent(String),
    Images,
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
    Unknown,
}

impl Route {
    /// The route of a method and a path, where the endpoints are below `base`.
    pub(crate) fn of(method: &Method, path: &str, base: &str) -> Self {
        let below = path
            .strip_prefix(base)
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or("");
        match *method {
            Method::GET if path == "/sim/stats" => Self::Stats,
            Method::GET | Method::POST if path == "/sim/knobs" => Self::Knobs,
            Method::GET => Self::get(below),
            Method::POST => Self::post(below),
            _ => Self::Unknown,
        }
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
            "moderations" => Self::Moderations,
            "responses" => Self::Responses,
            // The address of old; the model is still taken from the body.
            _ if path.starts_with("engines/") && path.ends_with("/completions") => {
                Self::Completions
            }
            _ => Self::Unknown,
        }
    }

    /// The name under which requests are counted.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::FileContent(_) => "files/content",
            Self::Images => "images/generations",
            Self::Messages => "messages",
            Self::Models | Self::Model(_) => "models",
            Self::Moderations => "moderations",
            Self::Responses => "responses",
            Self::Speech => "audio/speech",
            Self::Transcriptions => "audio/transcriptions",
            Self::UploadFile => "files",
            Self::Stats => "sim/stats",
            Self::Knobs => "sim/knobs",
            Self::Unknown => "unknown",
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
                | Self::Embeddings
                | Self::Images
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
