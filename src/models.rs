//! The model list: the upstream's own, asked with the caller's own credential, and the operator's virtual models.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::config::{Config, VirtualModel};
use crate::encode::Reply;
use crate::error::ProxyError;
use crate::relay::Relayed;
use crate::tenant::Principal;

/// A list larger than this is passed on as it is.
const MAX_LIST: usize = 8 * 1024 * 1024;

/// The virtual model that `models/<name>` asks for, if the caller may use it.
pub fn find(config: &Config, principal: &Principal, path: &str) -> Option<Value> {
    let name = path.strip_prefix("models/")?;
    visible(config, principal).find(|model| model.name == name).map(document)
}

/// Adds the virtual models that the caller may use to an upstream's list. An answer that is no list is passed on unchanged.
pub async fn extend(reply: Reply, config: &Config, principal: &Principal) -> Result<Reply, ProxyError> {
    let extra: Vec<Value> = visible(config, principal).map(document).collect();
    let Reply::Relayed { headers, answer } = reply else { return Ok(reply) };
    let size = http_body::Body::size_hint(&answer.body).upper();
    if extra.is_empty() || answer.status != StatusCode::OK || size.is_some_and(|size| size > MAX_LIST as u64) {
        return Ok(Reply::Relayed { headers, answer });
    }
    let Relayed { status, headers: mut all, mut body, upstream_time: _ } = *answer;
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(ProxyError::Cut)?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > MAX_LIST {
                return Err(ProxyError::Cut(crate::body::BodyError::TooLarge(MAX_LIST)));
            }
            bytes.extend_from_slice(&data);
        }
    }
    all.extend(headers);
    all.remove(CONTENT_LENGTH);
    Ok(Reply::Verbatim { status, headers: all, body: extended(bytes.freeze(), extra) })
}

fn extended(list: Bytes, extra: Vec<Value>) -> Bytes {
    let Ok(mut document) = serde_json::from_slice::<Value>(&list) else { return list };
    let Some(data) = document.get_mut("data").and_then(Value::as_array_mut) else { return list };
    data.retain(|model| !extra.iter().any(|own| own.get("id") == model.get("id")));
    data.extend(extra);
    Bytes::from(document.to_string())
}

fn visible<'a>(config: &'a Config, principal: &'a Principal) -> impl Iterator<Item = &'a VirtualModel> {
    config.models.iter().map(|model| &**model).filter(|model| principal.allows_model(&model.name))
}

fn document(model: &VirtualModel) -> Value {
    json!({"id": model.name, "object": "model", "created": 0, "owned_by": "hone"})
}
