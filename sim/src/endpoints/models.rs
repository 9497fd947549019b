//! Lists of models, in the form of whoever asks.

use http::StatusCode;
use serde_json::{Value, json};

use crate::endpoints::CREATED;
use crate::refusal::Refusal;
use crate::voice::Dialect;

/// Every model.
pub(crate) fn list(dialect: Dialect, names: &[String]) -> Value {
    let models: Vec<Value> = names.iter().map(|name| one(dialect, name)).collect();
    match dialect {
        Dialect::Chat | Dialect::Responses => json!({"object": "list", "data": models}),
        Dialect::Messages => json!({"data": models, "has_more": false,
            "first_id": names.first(), "last_id": names.last()}),
        Dialect::Gemini => json!({"models": models}),
    }
}

/// One model.
pub(crate) fn one(dialect: Dialect, name: &str) -> Value {
    match dialect {
        Dialect::Chat | Dialect::Responses => {
            json!({"id": name, "object": "model", "created": CREATED, "owned_by": "sim"})
        }
        Dialect::Messages => json!({"type": "model", "id": name, "display_name": name,
            "created_at": "2026-01-01T00:00:00Z"}),
        Dialect::Gemini => json!({"name": format!("models/{name}"), "version": "1",
            "displayName": name, "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"]}),
    }
}

/// There is no such model.
pub(crate) fn unknown(dialect: Dialect, name: &str) -> Refusal {
    let refused = |message| Refusal::new(StatusCode::NOT_FOUND, message);
    match dialect {
        Dialect::Chat | Dialect::Responses => refused(format!(
            "The model '{name}' does not exist or you do not have access to it."
        ))
        .code("model_not_found"),
        Dialect::Messages => refused(format!("model: {name}")),
        Dialect::Gemini => refused(format!("Model is not found: models/{name}")),
    }
}
