//! One list of several upstreams' models.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::listed::{Held, Listed};
use super::own;
use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::config::Config;
use crate::request::plan::select;
use crate::tenant::{Principal, Share};
use crate::upstream::Upstream;

/// One list of all answers, each given with its upstream's place. Without any list among them it is
/// the first answer, or why there is none.
pub fn merge(
    answers: Vec<(usize, Result<Listed, ProxyError>)>,
    upstreams: &[Arc<Upstream>],
    config: &Config,
    principal: &Principal,
) -> Result<Reply, ProxyError> {
    let mut merged = Merged::default();
    let (mut no_list, mut has_list) = (None, false);
    for (index, answer) in answers {
        let mut answer = answer;
        match answer.as_ref().ok().and_then(Listed::models) {
            Some(models) => {
                has_list = true;
                let share = answer.as_mut().ok().and_then(|listed| listed.share.take());
                merged.shares.extend(share);
                for model in models {
                    merged.add(model, index, upstreams, principal);
                }
            }
            None => {
                no_list.get_or_insert(answer);
            }
        }
    }
    // What cannot be read cannot be searched for what the caller may not see.
    let is_told =
        |listed: &Listed| listed.status != StatusCode::OK || !principal.permissions().is_confined();
    match no_list {
        Some(Err(error)) if !has_list => Err(error),
        Some(Ok(first)) if !has_list && is_told(&first) => Ok(first.into()),
        _ => Ok(merged.with(own::documents(config, principal))),
    }
}

#[derive(Default)]
struct Merged {
    models: Vec<Value>,
    seen: HashSet<String>,
    /// The memory of the lists.
    shares: Vec<Share>,
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
        let leads_here = select::serving(upstreams, id)
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

    /// The list, with the operator's own models in the place of their namesakes.
    fn with(mut self, own: Vec<Value>) -> Reply {
        self.models
            .retain(|model| !own.iter().any(|own| own.get("id") == model.get("id")));
        self.models.extend(own);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let list = json!({"object": "list", "data": self.models}).to_string();
        Reply::Verbatim {
            status: StatusCode::OK,
            headers,
            body: Bytes::from_owner(Held {
                list,
                _shares: self.shares,
            }),
        }
    }
}
