//! One list of several upstreams' models.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use super::form::Form;
use super::list::{self, Models};
use super::listed::{Held, Listed};
use super::own;
use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::config::Config;
use crate::request::plan::select;
use crate::tenant::{Principal, Share};
use crate::upstream::Upstream;

/// One list of all answers in `form`, each given with its upstream's place. Without any list among
/// them it is the first answer, or why there is none.
pub fn merge(
    answers: Vec<(usize, Result<Listed, ProxyError>)>,
    form: Form,
    upstreams: &[Arc<Upstream>],
    config: &Config,
    principal: &Principal,
) -> Result<Reply, ProxyError> {
    let mut merged = Merged {
        form,
        models: Models::new(),
        seen: HashSet::new(),
        shares: Vec::new(),
    };
    let (mut no_list, mut has_list) = (None, false);
    for (index, answer) in answers {
        let mut answer = answer;
        let models = answer.as_ref().ok().and_then(|listed| listed.models(form));
        match models {
            Some(models) => {
                has_list = true;
                let share = answer.as_mut().ok().and_then(|listed| listed.share.take());
                merged.shares.extend(share);
                for (id, model) in models {
                    merged.add((&id, model), index, upstreams, principal);
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
        Some(Ok(first)) if !has_list && is_told(&first) => first.told(form),
        _ => Ok(merged.with(own::documents(config, principal, form))),
    }
}

struct Merged {
    form: Form,
    models: Models,
    seen: HashSet<String>,
    /// The memory of the lists.
    shares: Vec<Share>,
}

impl Merged {
    /// Lists a model of the upstream at `index` under the name that leads there, unless the caller
    /// may not use it.
    fn add(
        &mut self,
        (id, mut model): (&str, Value),
        index: usize,
        upstreams: &[Arc<Upstream>],
        principal: &Principal,
    ) {
        if !principal.permissions().allows_model(id) {
            return;
        }
        let leads_here = select::serving(upstreams, id)
            .is_some_and(|(served, name)| served == index && name == id);
        let name = match upstreams.get(index) {
            Some(upstream) if !leads_here => format!("{}/{id}", upstream.name()),
            _ => id.to_owned(),
        };
        if self.seen.insert(name.clone()) {
            self.form.rename(&mut model, &name);
            self.models.push((name, model));
        }
    }

    /// The list, with the operator's own models in the place of their namesakes.
    fn with(mut self, own: Models) -> Reply {
        self.models
            .retain(|(name, _)| !own.iter().any(|(own, _)| own == name));
        self.models.extend(own);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Reply::Verbatim {
            status: StatusCode::OK,
            headers,
            body: Bytes::from_owner(Held {
                list: list::write(self.form, self.models),
                _shares: self.shares,
            }),
        }
    }
}
