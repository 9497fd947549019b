//! The models that the caller may use: the operator's virtual ones, and what is hidden.

use std::sync::Arc;

use serde_json::Value;

use super::form::Form;
use super::list::Models;
use crate::api::endpoint;
use crate::config::{Config, VirtualModel};
use crate::request::plan::select;
use crate::tenant::Principal;
use crate::upstream::Upstream;

/// Whether `models/<name>` is about a model that the caller may not use, plainly or through an
/// upstream's name.
pub(crate) fn is_hidden(upstreams: &[Arc<Upstream>], principal: &Principal, path: &str) -> bool {
    let Some(name) = endpoint::model_in(path) else {
        return false;
    };
    !principal
        .permissions()
        .allows_model(select::serving(upstreams, &name).map_or(&name, |(_, model)| model))
}

/// The virtual model that `models/<name>` asks for in `form`, if the caller may use it.
pub(crate) fn find(
    config: &Config,
    principal: &Principal,
    (path, form): (&str, Form),
) -> Option<Value> {
    let name = endpoint::model_in(path)?;
    visible(config, principal)
        .find(|model| model.name == name)
        .map(|model| form.document(&model.name, 0))
}

/// The virtual models that the caller may use, as a list in `form` has them.
pub(super) fn documents(config: &Config, principal: &Principal, form: Form) -> Models {
    visible(config, principal)
        .map(|model| (model.name.clone(), form.document(&model.name, 0)))
        .collect()
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
