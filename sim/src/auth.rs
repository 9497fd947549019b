//! Which keys are accepted.

use http::StatusCode;
use http::request::Parts;

use crate::key::{KeyDigest, Slot, bearer, in_query};
use crate::knobs::Knobs;
use crate::refusal::Refusal;
use crate::voice::Dialect;

/// Refuses a request whose key is missing or not accepted.
pub(crate) fn check(knobs: &Knobs, dialect: Dialect, head: &Parts) -> Result<(), Refusal> {
    if knobs.auth.is_none() && knobs.keys.is_none() {
        return Ok(());
    }
    let key = match (knobs.auth, dialect) {
        (Some(slot), _) => in_slot(slot, head)?,
        (None, Dialect::Chat | Dialect::Responses) => in_slot(Slot::Bearer, head)?,
        (None, Dialect::Messages) => anthropic(head)?,
        (None, Dialect::Gemini) => google(head)?,
    };
    match &knobs.keys {
        Some(accepted) if !accepted.contains(&key) => Err(wrong(dialect)),
        _ => Ok(()),
    }
}

/// The key in the one header that may have it.
fn in_slot(slot: Slot, head: &Parts) -> Result<KeyDigest, Refusal> {
    let mut values = head.headers.get_all(slot.header()).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(unauthorized(format!(
            "You didn't provide an API key. Provide it once, in the {} header.",
            slot.header()
        )));
    };
    if slot == Slot::Bearer && bearer(value.as_bytes()).is_none() {
        return Err(unauthorized(
            "The Authorization header must be of the form: Bearer KEY.".to_owned(),
        ));
    }
    Ok(KeyDigest::of(slot.key(value)))
}

/// The key in `x-api-key`, or else as a bearer.
fn anthropic(head: &Parts) -> Result<KeyDigest, Refusal> {
    let slot = [Slot::XApiKey, Slot::Bearer]
        .into_iter()
        .find(|slot| head.headers.contains_key(slot.header()));
    let missing = || unauthorized("x-api-key header is required".to_owned());
    in_slot(slot.ok_or_else(missing)?, head)
}

/// The key in `x-goog-api-key` or in the query.
fn google(head: &Parts) -> Result<KeyDigest, Refusal> {
    if head.headers.contains_key(Slot::XGoogApiKey.header()) {
        return in_slot(Slot::XGoogApiKey, head);
    }
    let key = in_query(head.uri.query()).next().ok_or_else(|| {
        Refusal::new(
            StatusCode::FORBIDDEN,
            "Method doesn't allow unregistered callers (callers without established identity). \
             Please use API Key or other form of API consumer identity to call this API.",
        )
    })?;
    Ok(KeyDigest::of(key.as_bytes()))
}

/// The key is nobody's.
fn wrong(dialect: Dialect) -> Refusal {
    match dialect {
        Dialect::Chat | Dialect::Responses => {
            unauthorized("Incorrect API key provided.".to_owned()).code("invalid_api_key")
        }
        Dialect::Messages => unauthorized("invalid x-api-key".to_owned()),
        // Google has no 401 for this.
        Dialect::Gemini => Refusal::invalid("API key not valid. Please pass a valid API key.")
            .code("API_KEY_INVALID"),
    }
}

fn unauthorized(message: String) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, message)
}
