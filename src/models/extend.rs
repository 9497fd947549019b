//! The list of the only upstream, with the operator's models.

use bytes::Bytes;
use http::StatusCode;

use super::form::Form;
use super::list::{self, List, Models};
use super::listed::{Listed, MAX_LIST};
use super::own;
use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::config::Config;
use crate::tenant::{Principal, Share};

/// Adds the virtual models that the caller may use to the only upstream's list, and leaves out
/// those that it may not. An answer that is no list is passed on unchanged.
///
/// The list was asked for in `form`, and it is written so for the client whatever form it came in,
/// if `is_open`: nobody says what the upstream speaks.
pub(crate) async fn extend(
    reply: Reply,
    (form, is_open): (Form, bool),
    config: &Config,
    principal: &Principal,
    share: Share,
) -> Result<Reply, ProxyError> {
    let extra = own::documents(config, principal, form);
    let Reply::Relayed(answer) = reply else {
        return Ok(reply);
    };
    let size = http_body::Body::size_hint(&answer.body).upper();
    let may_differ = is_open && form != Form::OpenAi;
    let nothing_to_do = extra.is_empty() && !principal.permissions().is_confined() && !may_differ;
    if nothing_to_do
        || answer.status != StatusCode::OK
        || size.is_some_and(|size| size > MAX_LIST as u64)
    {
        return Ok(Reply::Relayed(answer));
    }
    let mut listed = Listed::read(*answer, form, share, &config.bounds).await?;
    listed.body = extended(listed.body, extra, principal, form);
    Ok(listed.into())
}

fn extended(body: Bytes, extra: Models, principal: &Principal, form: Form) -> Bytes {
    let permissions = principal.permissions();
    let told = form.of_document(&body);
    let is_shown =
        |name: &str| permissions.allows_model(name) && !extra.iter().any(|(own, _)| own == name);
    if told != form {
        let mut models = list::models(&body, (told, form)).unwrap_or_default();
        models.retain(|(name, _)| is_shown(name));
        models.extend(extra);
        return Bytes::from(list::write(form, models));
    }
    if extra.is_empty() && !permissions.is_confined() {
        return body;
    }
    let mut list = match List::read(&body) {
        Some(list) => list,
        // What cannot be read cannot be searched for what the caller may not see.
        None if permissions.is_confined() => List::default(),
        None => return body,
    };
    list.models
        .retain(|model| form.name(model).is_some_and(is_shown));
    if !list.has_more() {
        list.models.extend(extra.into_iter().map(|(_, own)| own));
    }
    Bytes::from(list.into_json(form))
}
