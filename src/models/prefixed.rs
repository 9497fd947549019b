//! A model that is asked about under a name with an approach before it.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::listed::{Listed, MAX_LIST};
use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::api::endpoint;
use crate::config::Bounds;
use crate::request::plan::{PlanError, select};
use crate::snapshot::Snapshot;
use crate::tenant::{Principal, Share};

/// The path of the model itself, if `path` is `models/<approach>-<model>`.
///
/// # Errors
///
/// Why the caller may not ask a model of that name. Of a hidden one it learns nothing.
pub(crate) fn unprefixed<'a>(
    snapshot: &Snapshot,
    principal: &Principal,
    path: &'a str,
) -> Result<Cow<'a, str>, PlanError> {
    let Some(name) = endpoint::model_in(path) else {
        return Ok(path.into());
    };
    let (config, upstreams) = (&snapshot.config, &snapshot.upstreams);
    match select::unprefixed(config, upstreams, principal.permissions(), &name) {
        Ok(None) => Ok(path.into()),
        // As the client wrote it: escapes that are in it stay. No approach has a hyphen.
        Ok(Some(model)) => Ok(path.split_once('-').map_or_else(
            || format!("models/{model}").into(),
            |(_, written)| format!("models/{written}").into(),
        )),
        Err(PlanError::ModelNotAllowed { .. }) => Err(PlanError::ModelNotFound {
            model: name.into_owned(),
        }),
        Err(error) => Err(error),
    }
}

/// Gives the model in `reply` the name `asked`. An answer that is no model is passed on unchanged.
pub(crate) async fn renamed(
    reply: Reply,
    asked: &str,
    bounds: &Bounds,
    share: Share,
) -> Result<Reply, ProxyError> {
    let Reply::Relayed(answer) = reply else {
        return Ok(reply);
    };
    let size = http_body::Body::size_hint(&answer.body).upper();
    if answer.status != StatusCode::OK || size.is_some_and(|size| size > MAX_LIST as u64) {
        return Ok(Reply::Relayed(answer));
    }
    let mut listed = Listed::read(*answer, share, bounds).await?;
    if let Ok(Value::Object(mut model)) = serde_json::from_slice(&listed.body)
        && let Some(id) = model.get_mut("id")
    {
        *id = asked.into();
        listed.body = Bytes::from(Value::Object(model).to_string());
    }
    Ok(listed.into())
}
