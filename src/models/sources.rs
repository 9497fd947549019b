//! Which upstreams are asked for their models, and with whose key.

use std::sync::Arc;

use http::Method;

use crate::api::endpoint;
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
}

/// The upstreams that the caller may ask, in their order. As in any request, the provider slot's
/// key goes to one of them: the first that takes it. The others are asked with a key that was sent
/// for them by name, or with the operator's.
///
/// # Errors
///
/// Why the first may not be asked, if none may.
pub(crate) fn sources(
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
            Ok(credential) => sources.push(Source {
                index,
                route: Route::without_model(upstream),
                credential,
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
