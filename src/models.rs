//! The model list: the upstreams' own, each asked with the key that the caller has for it, and the
//! operator's virtual models.
//!
//! What is listed can be asked for under that name: a model that another upstream would serve under
//! its plain name is listed as `upstream/model`.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::answer::relay::Relayed;
use crate::config::{Config, VirtualModel};
use crate::request::plan::{self, Route};
use crate::tenant::{AuthError, Credential, Principal};
use crate::upstream::Upstream;
use crate::upstream::body::BodyError;

/// A list larger than this is not read.
const MAX_LIST: usize = 8 * 1024 * 1024;

/// An upstream that a caller may ask for its models.
#[derive(Debug)]
pub struct Source {
    /// Its place among the upstreams.
    pub index: usize,
    /// The way there.
    pub route: Route,
    /// Whose key pays.
    pub credential: Credential,
}

/// An upstream's answer, read whole.
#[derive(Debug)]
pub struct Listed {
    /// The upstream's status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its bytes.
    pub body: Bytes,
}

/// The upstreams that the caller may ask, in their order. As in any request, the provider slot's
/// key goes to one of them: the first that takes it. The others are asked with a key that was sent
/// for them by name, or with the operator's.
///
/// # Errors
///
/// Why the first may not be asked, if none may.
pub fn sources(
    upstreams: &[Arc<Upstream>],
    principal: &Principal,
) -> Result<Vec<Source>, AuthError> {
    let mut sources = Vec::with_capacity(upstreams.len());
    let (mut refused, mut is_given) = (None, false);
    for (index, upstream) in upstreams.iter().enumerate() {
        let config = &upstream.config;
        let credential = if is_given {
            principal.credential_beside(config, &Method::GET, "models")
        } else {
            principal.credential(config, &Method::GET, "models")
        };
        is_given |= principal.pays_by_provider_slot(config);
        match credential {
            Ok(credential) => {
                let route = Route {
                    upstream: Arc::clone(upstream),
                    model: None,
                    renamed: false,
                };
                sources.push(Source {
                    index,
                    route,
                    credential,
                });
            }
            Err(error) => {
                refused.get_or_insert(error);
            }
        }
    }
    match refused {
        Some(error) if sources.is_empty() => Err(error),
        _ => Ok(sources),
    }
}

/// Where `models/<name>` is answered, and under which path: by the upstream that serves the model,
/// if one is known to.
pub fn route(upstreams: &[Arc<Upstream>], path: &str) -> Option<(Route, String)> {
    let (index, model) = plan::select::serving(upstreams, path.strip_prefix("models/")?)?;
    let route = Route {
        upstream: Arc::clone(upstreams.get(index)?),
        model: None,
        renamed: false,
    };
    Some((route, format!("models/{model}")))
}

/// Whether `models/<name>` is about a model that the caller may not use, plainly or through an
/// upstream's name.
pub fn is_hidden(upstreams: &[Arc<Upstream>], principal: &Principal, path: &str) -> bool {
    let Some(name) = path.strip_prefix("models/") else {
        return false;
    };
    !principal
        .permissions()
        .allows_model(plan::select::serving(upstreams, name).map_or(name, |(_, model)| model))
}

/// The virtual model that `models/<name>` asks for, if the caller may use it.
pub fn find(config: &Config, principal: &Principal, path: &str) -> Option<Value> {
    let name = path.strip_prefix("models/")?;
    visible(config, principal)
        .find(|model| model.name == name)
        .map(document)
}

/// Reads an upstream's answer whole.
pub async fn read(answer: Relayed) -> Result<Listed, ProxyError> {
    let Relayed {
        status,
        mut headers,
        mut body,
        upstream_time: _,
    } = answer;
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(ProxyError::Cut)?.into_data() {
            if bytes.len() + data.len() > MAX_LIST {
                return Err(ProxyError::Cut(BodyError::TooLarge(MAX_LIST)));
            }
            bytes.extend_from_slice(&data);
        }
    }
    headers.remove(CONTENT_LENGTH);
    Ok(Listed {
        status,
        headers,
        body: bytes.freeze(),
    })
}

/// Adds the virtual models that the caller may use to the only upstream's list, and leaves out
/// those that it may not. An answer that is no list is passed on unchanged.
pub async fn extend(
    reply: Reply,
    config: &Config,
    principal: &Principal,
) -> Result<Reply, ProxyError> {
    let extra: Vec<Value> = visible(config, principal).map(document).collect();
    let Reply::Relayed(answer) = reply else {
        return Ok(reply);
    };
    let size = http_body::Body::size_hint(&answer.body).upper();
    let nothing_to_do = extra.is_empty() && !principal.permissions().is_confined();
    if nothing_to_do
        || answer.status != StatusCode::OK
        || size.is_some_and(|size| size > MAX_LIST as u64)
    {
        return Ok(Reply::Relayed(answer));
    }
    let Listed {
        status,
        headers,
        body,
    } = read(*answer).await?;
    Ok(Reply::Verbatim {
        status,
        headers,
        body: extended(body, extra, principal),
    })
}

fn extended(list: Bytes, extra: Vec<Value>, principal: &Principal) -> Bytes {
    let Ok(mut document) = serde_json::from_slice::<Value>(&list) else {
        return list;
    };
    let Some(data) = document.get_mut("data").and_then(Value::as_array_mut) else {
        return list;
    };
    data.retain(|model| {
        let is_allowed = model
            .get("id")
            .and_then(Value::as_str)
            .is_none_or(|id| principal.permissions().allows_model(id));
        is_allowed && !extra.iter().any(|own| own.get("id") == model.get("id"))
    });
    data.extend(extra);
    Bytes::from(document.to_string())
}

/// One list of all answers, each given with its upstream's place. Without any list among them it is
/// the first answer, or why there is none.
pub fn merge(
    answers: Vec<(usize, Result<Listed, ProxyError>)>,
    upstreams: &[Arc<Upstream>],
    config: &Config,
    principal: &Principal,
) -> Result<Reply, ProxyError> {
    let mut merged = Merged {
        models: Vec::new(),
        seen: HashSet::new(),
    };
    let mut first = None;
    let mut has_list = false;
    for (index, answer) in answers {
        match answer.as_ref().ok().and_then(Listed::models) {
            Some(models) => {
                has_list = true;
                for model in models {
                    merged.add(model, index, upstreams, principal);
                }
            }
            None => {
                first.get_or_insert(answer);
            }
        }
    }
    match first {
        Some(answer) if !has_list => {
            let Listed {
                status,
                headers,
                body,
            } = answer?;
            return Ok(Reply::Verbatim {
                status,
                headers,
                body,
            });
        }
        _ => {}
    }
    let extra: Vec<Value> = visible(config, principal).map(document).collect();
    merged
        .models
        .retain(|model| !extra.iter().any(|own| own.get("id") == model.get("id")));
    merged.models.extend(extra);
    Ok(Reply::document(
        json!({"object": "list", "data": merged.models}),
    ))
}

struct Merged {
    models: Vec<Value>,
    seen: HashSet<String>,
}

impl Merged {
    /// Lists a model of the upstream at `index` under the name that leads there, unless the caller
    /// may not use it.
    fn add(
        &mut self,
        mut model: Value,
        index: usize,
        upstreams: &[Arc<Upstream>],
        principal: &Principal,
    ) {
        let Some(id) = model
            .get("id")
            .and_then(Value::as_str)
            .filter(|id| principal.permissions().allows_model(id))
        else {
            return;
        };
        let leads_here = plan::select::serving(upstreams, id)
            .is_some_and(|(served, name)| served == index && name == id);
        let name = match upstreams.get(index) {
            Some(upstream) if !leads_here => format!("{}/{id}", upstream.name()),
            _ => id.to_owned(),
        };
        if self.seen.insert(name.clone())
            && let Some(fields) = model.as_object_mut()
        {
            fields.insert("id".to_owned(), name.into());
            self.models.push(model);
        }
    }
}

impl Listed {
    /// The models, if this is a list of them.
    fn models(&self) -> Option<Vec<Value>> {
        let mut document: Value = serde_json::from_slice(&self.body)
            .ok()
            .filter(|_| self.status == StatusCode::OK)?;
        match document.get_mut("data")?.take() {
            Value::Array(models) => Some(models),
            _ => None,
        }
    }
}

fn visible<'a>(
    config: &'a Config,
    principal: &'a Principal,
) -> impl Iterator<Item = &'a VirtualModel> {
    config
        .models
        .iter()
        .map(|model| &**model)
        .filter(|model| principal.permissions().allows_model(&model.name))
}

fn document(model: &VirtualModel) -> Value {
    json!({"id": model.name, "object": "model", "created": 0, "owned_by": "hone"})
}
