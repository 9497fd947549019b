//! The list of the only upstream, with the operator's models.

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::list::List;
use super::listed::{Listed, MAX_LIST};
use super::own;
use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::config::Config;
use crate::tenant::{Principal, Share};

/// Adds the virtual models that the caller may use to the only upstream's list, and leaves out
/// those that it may not. An answer that is no list is passed on unchanged.
pub(crate) async fn extend(
    reply: Reply,
    config: &Config,
    principal: &Principal,
    share: Share,
) -> Result<Reply, ProxyError> {
    let extra = own::documents(config, principal);
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
    let mut listed = Listed::read(*answer, share, &config.bounds).await?;
    listed.body = extended(listed.body, extra, principal);
    Ok(listed.into())
}

fn extended(list: Bytes, extra: Vec<Value>, principal: &Principal) -> Bytes {
    let permissions = principal.permissions();
    let mut list = match List::read(&list) {
        Some(list) => list,
        // What cannot be read cannot be searched for what the caller may not see.
        None if permissions.is_confined() => List::default(),
        None => return list,
    };
    list.models.retain(|model| {
        let is_allowed = model
            .get("id")
            .and_then(Value::as_str)
            .is_some_and(|id| permissions.allows_model(id));
        is_allowed && !extra.iter().any(|own| own.get("id") == model.get("id"))
    });
    list.models.extend(extra);
    Bytes::from(list.into_json())
}
