//! The forms in which dialects write lists of models.

use hone_dialects::{Codec, Dialect, Model, codec};
use serde_json::Value;

use crate::api::endpoint::BETA;
use crate::config::UpstreamConfig;

/// The form of a list of models. Both of OpenAI's dialects have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Google,
    /// OpenAI's.
    OpenAi,
}

impl Form {
    /// The form that clients and upstreams of `dialect` have.
    pub(crate) fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Anthropic => Self::Anthropic,
            Dialect::Gemini => Self::Google,
            Dialect::OpenAiChat | Dialect::OpenAiResponses => Self::OpenAi,
        }
    }

    /// The form in which `upstream` is asked for a client that wants this one.
    pub(crate) fn at(self, upstream: &UpstreamConfig) -> Self {
        if upstream.may_speak(self.dialect()) {
            self
        } else {
            Self::of(upstream.dialect)
        }
    }

    /// The form of a document that was asked for in this one. Servers of OpenAI's API do not look
    /// at the headers by which a client of Anthropic's is known.
    pub(super) fn of_document(self, document: &[u8]) -> Self {
        match self {
            Self::Anthropic if is_openais(document) => Self::OpenAi,
            form => form,
        }
    }

    /// Where an upstream of this form has what `path` names, which is `models` or below: in the
    /// version of `asked`, the path of the client, if that has the same form.
    pub(crate) fn place(self, path: &str, (client, asked): (Self, &str)) -> String {
        let is_beta = self == Self::Google && (client != self || asked.starts_with(BETA));
        let version = if is_beta { BETA } else { "" };
        format!("{version}{path}")
    }

    /// The dialect.
    pub(super) fn dialect(self) -> Dialect {
        match self {
            Self::Anthropic => Dialect::Anthropic,
            Self::Google => Dialect::Gemini,
            Self::OpenAi => Dialect::OpenAiChat,
        }
    }

    /// The field that holds the models of a list.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Google => "models",
            Self::Anthropic | Self::OpenAi => "data",
        }
    }

    /// What writes and reads it.
    pub(super) fn codec(self) -> &'static dyn Codec {
        codec(self.dialect())
    }

    /// A model of which no more is known.
    pub(super) fn document(self, id: &str, created: u64) -> Value {
        let document = self.codec().encode_model(&Model { id, created });
        serde_json::from_str(&document).unwrap_or_default()
    }

    /// The name of a model in this form.
    pub(super) fn name(self, model: &Value) -> Option<&str> {
        match self {
            Self::Google => {
                let name = model.get("name")?.as_str()?;
                Some(name.strip_prefix("models/").unwrap_or(name))
            }
            Self::Anthropic | Self::OpenAi => model.get("id")?.as_str(),
        }
    }

    /// Gives a model in this form another name.
    pub(super) fn rename(self, model: &mut Value, name: &str) {
        let (field, name) = match self {
            Self::Google => ("name", format!("models/{name}")),
            Self::Anthropic | Self::OpenAi => ("id", name.to_owned()),
        };
        if let Some(fields) = model.as_object_mut() {
            fields.insert(field.to_owned(), name.into());
        }
    }
}

/// Whether `document` says of itself that it is one of OpenAI's.
fn is_openais(document: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Object {
        object: String,
    }
    let told: Option<Object> = serde_json::from_slice(document).ok();
    told.is_some_and(|told| matches!(&*told.object, "list" | "model"))
}
