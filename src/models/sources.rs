//! Which upstreams are asked for their models, and with whose key.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Uri};

use super::form::Form;
use crate::api::{endpoint, headers};
use crate::config::UpstreamConfig;
use crate::request::plan::{Route, select};
use crate::tenant::{AuthError, Credential, Principal};
use crate::upstream::Upstream;

/// An upstream that a caller may ask for its models.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its place among the upstreams.
    pub(crate) index: usize,
    /// The way there.
    pub(crate) route: Route,
    /// Whose key pays.
    pub(crate) credential: Credential,
    /// The form in which it is asked.
    pub(crate) form: Form,
}

/// The upstreams that a caller may ask which reads `form`, in their order. As in any request, the
/// provider slot's key goes to one of them: the first that takes it and has that form, else the
/// first that takes it. The others are asked with a key that was sent for them by name, or with the
/// operator's.
///
/// # Errors
///
/// Why the first may not be asked, if none may.
pub(crate) fn sources(
    upstreams: &[Arc<Upstream>],
    principal: &Principal,
    form: Form,
) -> Result<Vec<Source>, AuthError> {
    let takes_key = |upstream: &&Arc<Upstream>| principal.pays_by_provider_slot(&upstream.config);
    let mut takers = upstreams.iter().filter(takes_key);
    let given = takers
        .clone()
        .find(|upstream| form.at(&upstream.config) == form)
        .or_else(|| takers.next());
    let mut sources = Vec::with_capacity(upstreams.len());
    let mut refused = None;
    for (index, upstream) in upstreams.iter().enumerate() {
        let config = &upstream.config;
        let credential = if given.is_some_and(|given| Arc::ptr_eq(given, upstream)) {
            principal.credential(config, &Method::GET, "models")
        } else {
            principal.credential_beside(config, &Method::GET, "models")
        };
        match credential {
            Ok(credential) => sources.push(Source {
                index,
                route: Route::without_model(upstream),
                credential,
                form: form.at(config),
            }),
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
pub(crate) fn route(upstreams: &[Arc<Upstream>], path: &str) -> Option<(Route, String)> {
    let name = endpoint::model_in(path)?;
    let (index, model) = select::serving(upstreams, &name)?;
    let upstream = upstreams.get(index)?;
    let mut written = path.strip_prefix("models/")?;
    if model != name {
        let rest = written.strip_prefix(upstream.name())?;
        let mut slashes = ["/", "%2F", "%2f"].into_iter();
        written = slashes.find_map(|slash| rest.strip_prefix(slash))?;
    }
    let route = Route::without_model(upstream);
    Some((route, format!("models/{written}")))
}

/// A question for models, as it is put to an upstream.
#[derive(Debug)]
pub(crate) struct Question {
    /// Its head, from the client's.
    pub(crate) parts: Parts,
    /// What the upstream's dialect wants beside that.
    pub(crate) own: Option<(HeaderName, HeaderValue)>,
}

/// The question for models in the form `told` at `upstream`, from the head of a client that reads
/// `form`. A list is asked for whole.
pub(crate) fn question(
    client: &Parts,
    (form, told): (Form, Form),
    upstream: &UpstreamConfig,
    is_list: bool,
) -> Question {
    let mut parts = client.clone();
    let mut own = None;
    let crosses = told != form;
    if crosses {
        parts.method = Method::GET;
        parts.uri = Uri::from_static("/");
        headers::drop_dialects(&mut parts.headers);
    }
    if crosses && told == Form::Anthropic {
        let version = HeaderValue::try_from(&upstream.settings.anthropic_version).ok();
        own = version.map(|version| (HeaderName::from_static("anthropic-version"), version));
    }
    match told {
        Form::Anthropic if is_list => parts.uri = Uri::from_static("/?limit=1000"),
        Form::Google if is_list => parts.uri = Uri::from_static("/?pageSize=1000"),
        _ => {}
    }
    Question { parts, own }
}
