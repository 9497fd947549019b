//! Which keys are accepted.

use http::{HeaderMap, StatusCode};

use crate::key::{KeyDigest, Slot, bearer};
use crate::knobs::Knobs;
use crate::refusal::Refusal;

/// Refuses a request whose key is missing or not accepted.
pub(crate) fn check(knobs: &Knobs, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(slot) = knobs
        .auth
        .or_else(|| knobs.keys.is_some().then_some(Slot::Bearer))
    else {
        return Ok(());
    };
    let mut values = headers.get_all(slot.header()).iter();
    let refused = |message: String| Refusal::new(StatusCode::UNAUTHORIZED, message);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refused(format!(
            "You didn't provide an API key. Provide it once, in the {} header.",
            slot.header()
        )));
    };
    if slot == Slot::Bearer && bearer(value.as_bytes()).is_none() {
        return Err(refused(
            "The Authorization header must be of the form: Bearer KEY.".to_owned(),
        ));
    }
    match &knobs.keys {
        Some(accepted) if !accepted.contains(&KeyDigest::of(slot.key(value))) => {
            Err(refused("Incorrect API key provided.".to_owned()).code("invalid_api_key"))
        }
        _ => Ok(()),
    }
}
