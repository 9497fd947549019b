//! What an upstream is asked, in one of the dialects.

use std::sync::Arc;

use bytes::Bytes;
use hone_dialects::{Dialect, Source, Target, codec};
use hone_strategies::ChatRequest;
use hone_strategies::chat::Message;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use crate::config::UpstreamConfig;

/// A request without its key.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) method: Method,
    /// Behind the base URL, with a query if there is one.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// How the answer is read, if that is not chat's own way.
    pub(super) foreign: Option<(Dialect, Source)>,
}

/// Asks for the list of models.
pub(super) fn models(upstream: &UpstreamConfig) -> Question {
    let path = match upstream.dialect {
        Dialect::Gemini => "v1beta/models",
        _ => "models",
    };
    let mut headers = HeaderMap::new();
    if upstream.dialect == Dialect::Anthropic
        && let Ok(version) = HeaderValue::try_from(&*upstream.settings.anthropic_version)
    {
        headers.insert("anthropic-version", version);
    }
    Question {
        method: Method::GET,
        path: path.to_owned(),
        headers,
        body: Bytes::new(),
        foreign: None,
    }
}

/// The names in a list of models.
pub(super) fn names(dialect: Dialect, list: &[u8]) -> Vec<String> {
    let models = codec(dialect).decode_models(list).unwrap_or_default();
    models.into_iter().map(|(name, _created)| name).collect()
}

/// Asks `model` for a short answer, with these fields of a chat request.
///
/// # Errors
///
/// What cannot be said in `dialect`.
pub(super) fn answer(
    upstream: &UpstreamConfig,
    dialect: Dialect,
    model: &str,
    fields: &Value,
) -> Result<Question, String> {
    if dialect == Dialect::OpenAiChat {
        return Ok(chat(model, fields));
    }
    let mut request = ChatRequest::new(model, [Message::user("Say yes.")]);
    for (name, value) in fields.as_object().into_iter().flatten() {
        request.set(name, value.clone());
    }
    let target = Target {
        upstream: upstream.name.clone(),
        model: model.to_owned(),
        is_asked: true,
        stream: request.stream(),
        settings: upstream.settings.clone(),
    };
    let encoded = codec(dialect).encode_request(&request, &target);
    let encoded = encoded.map_err(|refusal| refusal.message)?;
    let header = |(name, value): (&'static str, String)| {
        let value = HeaderValue::try_from(value).ok()?;
        Some((HeaderName::from_static(name), value))
    };
    let source = Source {
        maker: target.maker(),
        names: Arc::new(encoded.names),
        seed: "check".to_owned(),
        max_event_bytes: 0,
    };
    Ok(Question {
        method: Method::POST,
        path: encoded.path.trim_start_matches('/').to_owned(),
        headers: encoded.headers.into_iter().filter_map(header).collect(),
        body: Bytes::from(encoded.body),
        foreign: Some((dialect, source)),
    })
}

fn chat(model: &str, fields: &Value) -> Question {
    let mut body = json!({"model": model,
        "messages": [{"role": "user", "content": "Say yes."}]});
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend(fields.clone());
    }
    Question {
        method: Method::POST,
        path: "chat/completions".to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_string()),
        foreign: None,
    }
}
