//! One model that is asked about: under a name with an approach before it, or in another form than
//! its upstream's.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::form::Form;
use super::list;
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

/// How the answer about a model is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling<'a> {
    /// The name that the client asked for.
    pub(crate) asked: &'a str,
    /// Whether its upstream has another.
    pub(crate) is_renamed: bool,
    /// The client's form.
    pub(crate) form: Form,
    /// The form in which the upstream was asked.
    pub(crate) told: Form,
    /// Whether nobody says what the upstream speaks.
    pub(crate) is_open: bool,
}

impl Telling<'_> {
    fn is_verbatim(&self) -> bool {
        let may_differ = self.is_open && self.form != Form::OpenAi;
        self.told == self.form && !self.is_renamed && !may_differ
    }
}

/// The model in `reply` as the client asked for it. An answer that is no model is passed on
/// unchanged where the client can read it.
pub(crate) async fn retold(
    reply: Reply,
    telling: Telling<'_>,
    bounds: &Bounds,
    share: Share,
) -> Result<Reply, ProxyError> {
    let Telling {
        asked, form, told, ..
    } = telling;
    let Reply::Relayed(answer) = reply else {
        return Ok(reply);
    };
    let size = http_body::Body::size_hint(&answer.body).upper();
    let is_read =
        answer.status == StatusCode::OK && size.is_none_or(|size| size <= MAX_LIST as u64);
    if telling.is_verbatim() || told == form && !is_read {
        return Ok(Reply::Relayed(answer));
    }
    let mut listed = Listed::read(*answer, told, share, bounds).await?;
    if listed.status != StatusCode::OK {
        return listed.told(form);
    }
    match model(&listed.body, (told.of_document(&listed.body), form)) {
        Some(mut model) => {
            if telling.is_renamed || told != form {
                form.rename(&mut model, asked);
            }
            listed.body = Bytes::from(model.to_string());
            Ok(listed.into())
        }
        None => listed.told(form),
    }
}

/// The one model of `document`, which is written in the form `told`, in `form`.
fn model(document: &[u8], (told, form): (Form, Form)) -> Option<Value> {
    let list = [b"[", document, b"]"].concat();
    let mut models = list::models(&list, (told, form))?.into_iter();
    models.next().map(|(_, model)| model)
}
