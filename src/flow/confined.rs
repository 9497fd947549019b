//! What a tenant may not ask for that may use some models only.

use bytes::Bytes;

use crate::answer::error::ProxyError;
use crate::config::Permissions;
use crate::request::envelope::{Envelope, EnvelopeError, elements, is_same, members};
use crate::request::head::RequestHead;
use crate::request::plan::PlanError;
use crate::workers;

/// Fields that name further models beside `model`, of which the provider chooses one.
pub(super) const LISTS: [&str; 3] = ["models", "fallbacks", "fallback_models"];

/// Refuses a body that names no model, or any that may not be used where another one than `model`
/// is named: a list to choose from, a tool with a model of its own.
///
/// # Errors
///
/// [`PlanError::ModelNotAllowed`].
pub(super) async fn check(
    head: RequestHead<'_>,
    envelope: &Envelope<'_>,
    body: &Bytes,
) -> Result<(), ProxyError> {
    let permissions = head.principal.permissions();
    if !permissions.is_confined() {
        return Ok(());
    }
    if envelope.model.as_deref().is_none_or(str::is_empty) {
        return Err(not_allowed("(none is named)"));
    }
    let allowed = permissions.clone();
    let look = if head.call.is_some() {
        refused_by_google
    } else {
        refused
    };
    let refused = workers::offload(body, move |body| look(&allowed, body)).await;
    refused.map_or(Ok(()), |model| Err(not_allowed(&model)))
}

pub(super) fn not_allowed(model: &str) -> ProxyError {
    PlanError::ModelNotAllowed {
        model: model.to_owned(),
    }
    .into()
}

/// The first model beside `model` that may not be used, or the field in which none can be read. To
/// most servers `Model` names none, and then they choose.
fn refused(permissions: &Permissions, body: &[u8]) -> Option<String> {
    let (mut refused, mut is_named) = (None, false);
    let mut refuse = |model: Option<String>| match model {
        Some(model) => {
            refused = Some(model);
            Err(EnvelopeError::NotAnObject)
        }
        None => Ok(()),
    };
    // What is no JSON object has been refused before.
    let _ended = members(std::str::from_utf8(body).ok()?, |member| {
        let name = member.name();
        is_named |= name == "model";
        if let Some(list) = LISTS.iter().find(|list| is_same(&name, list)) {
            refuse(in_list(permissions, list, member.value))
        } else if is_same(&name, "tools") {
            refuse(in_tools(permissions, member.value))
        } else {
            Ok(())
        }
    });
    refused.or_else(|| (!is_named).then(|| "(none is named)".to_owned()))
}

/// The first model in a body of Google's API that may not be used, or the field in which none can
/// be read. Its path names the model; its server may obey the body all the same.
fn refused_by_google(permissions: &Permissions, body: &[u8]) -> Option<String> {
    const NESTED: [&str; 2] = ["generatecontentrequest", "generate_content_request"];
    let mut refused = None;
    let mut look = |value: &str| match serde_json::from_str::<Option<String>>(value) {
        Ok(model) => {
            let model = model.filter(|model| {
                let name = model.strip_prefix("models/").unwrap_or(model);
                !permissions.allows_model(name)
            });
            refused = model.or(refused.take());
        }
        Err(_other) => refused = Some("(in `model`)".to_owned()),
    };
    // What is no JSON object has been refused before.
    let _ended = members(std::str::from_utf8(body).ok()?, |member| {
        let name = member.name();
        if is_same(&name, "model") {
            look(member.value);
        } else if NESTED.iter().any(|nested| is_same(&name, nested)) {
            let _ended = members(member.value, |member| {
                if is_same(&member.name(), "model") {
                    look(member.value);
                }
                Ok(())
            });
        }
        Ok(())
    });
    refused
}

/// What of a list of names may not be used.
fn in_list(permissions: &Permissions, field: &str, list: &str) -> Option<String> {
    if list == "null" {
        return None;
    }
    let mut refused = None;
    // One name at a time: nobody has made room for a list of them.
    let read = elements(list, |name| match serde_json::from_str::<String>(name) {
        Ok(name) if permissions.allows_model(&name) => Ok(()),
        Ok(name) => {
            refused = Some(name);
            Err(EnvelopeError::NotAnObject)
        }
        Err(_other) => Err(EnvelopeError::NotAnObject),
    });
    refused.or_else(|| read.is_err().then(|| format!("(in `{field}`)")))
}

/// The model of a tool that may not be used.
fn in_tools(permissions: &Permissions, tools: &str) -> Option<String> {
    let mut refused = None;
    let mut look = |value: &str| match serde_json::from_str::<Option<String>>(value) {
        Ok(model) => {
            refused = model.filter(|model| !permissions.allows_model(model));
            refused.is_some()
        }
        Err(_other) => {
            refused = Some("(in `tools`)".to_owned());
            true
        }
    };
    let _ended = elements(tools, |tool| {
        // An element that is no object names nothing.
        let mut is_refused = false;
        let _ended = members(tool, |member| {
            is_refused |= is_same(&member.name(), "model") && look(member.value);
            if is_refused {
                Err(EnvelopeError::NotAnObject)
            } else {
                Ok(())
            }
        });
        if is_refused {
            Err(EnvelopeError::NotAnObject)
        } else {
            Ok(())
        }
    });
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Option<String> {
        let permissions = Permissions {
            models: Some(vec!["small*".to_owned()]),
            ..Permissions::ALL
        };
        refused(&permissions, body.as_bytes())
    }

    #[test]
    fn every_place_that_names_a_model_is_looked_at() {
        for body in [
            r#"{"model": "small-1", "models": ["small-1", "big"]}"#,
            r#"{"model": "small-1", "Models": ["big"]}"#,
            r#"{"model": "small-1", "model\u0073": ["big"]}"#,
            "{\"model\": \"small-1\", \"model\u{17f}\": [\"big\"]}",
            r#"{"model": "small-1", "models": "big"}"#,
            r#"{"model": "small-1", "models": [{"model": "big"}]}"#,
            r#"{"model": "small-1", "fallbacks": ["big"]}"#,
            r#"{"model": "small-1", "models": [], "models": ["big"]}"#,
            r#"{"model": "small-1", "tools": [{"type": "image_generation", "model": "big"}]}"#,
            r#"{"model": "small-1", "tools": [{}, {"model": "small", "MODEL": "big"}]}"#,
            r#"{"model": "small-1", "tools": [{"model": ["big"]}]}"#,
            // To most servers these name no model, and then they choose.
            r#"{"Model": "small-1"}"#,
            r#"{"MODEL": "small-1", "messages": [{"model": "small-1"}]}"#,
            "{}",
        ] {
            assert!(of(body).is_some(), "{body}");
        }
        for body in [
            r#"{"model": "small-1"}"#,
            r#"{"mod\u0065l": "small-1"}"#,
            r#"{"model": "small-1", "models": null, "fallbacks": []}"#,
            r#"{"model": "small-1", "models": ["small-1", "small-2"]}"#,
            r#"{"model": "small-1", "tools": [{"function": {"name": "model"}}]}"#,
            r#"{"model": "small-1", "tools": [{"model": null}], "user": {"models": ["big"]}}"#,
        ] {
            assert_eq!(of(body), None, "{body}");
        }
    }
    #[test]
    fn what_googles_clients_name_in_the_body_is_looked_at_too() {
        let permissions = Permissions {
            models: Some(vec!["small*".to_owned()]),
            ..Permissions::ALL
        };
        let of = |body: &str| refused_by_google(&permissions, body.as_bytes());
        for body in [
            r#"{"model": "models/big"}"#,
            r#"{"Model": "big", "contents": []}"#,
            r#"{"model": "big", "model": "models/small-1"}"#,
            r#"{"model": ["small-1"]}"#,
            r#"{"generateContentRequest": {"model": "models/big"}}"#,
            r#"{"generate_content_request": {"model": "small-1", "MODEL": "big"}}"#,
        ] {
            assert!(of(body).is_some(), "{body}");
        }
        for body in [
            "{}",
            r#"{"model": "models/small-1", "contents": [{"model": "big"}]}"#,
            r#"{"generateContentRequest": {"model": null}, "models": ["big"]}"#,
        ] {
            assert_eq!(of(body), None, "{body}");
        }
    }
}
