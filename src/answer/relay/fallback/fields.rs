//! What of a JSON body the operator's key serves: the listed fields, and within them values of the
//! listed types and members. Items, parts and tools carry their content themselves instead of
//! naming what is stored in the account.
//!
//! Every occurrence of a name is looked at, and names must be spelled exactly: an upstream may take
//! another one of two, or ignore case. `null` is nothing.

use hone_strategies::catalogue::COMMON_PARAMS;
use hone_strategies::{Entry, STRATEGIES};

use crate::api::endpoint::Kind;
use crate::api::endpoint::fields::Served;
use crate::request::envelope::{EnvelopeError, members};

mod google;
mod item;
mod messages;
mod shape;
mod shapes;

/// What is refused: a field, with what it stands in.
type Checked = Result<(), Refused>;

/// Why a body is not served.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No JSON object.
    Envelope(EnvelopeError),
    /// What the client is told of the field, item or tool.
    Field(String),
}

/// Fields of hone's own.
const OWN: [&str; 2] = ["decoding", "optillm_approach"];

/// Whether `body`, of a request to an endpoint of this `kind`, has nothing but `served` fields.
pub(super) fn check(kind: Kind, served: Served<'_>, body: &[u8]) -> Checked {
    let text = std::str::from_utf8(body).map_err(|error| {
        Refused::Envelope(EnvelopeError::InvalidUtf8 {
            at: error.valid_up_to(),
        })
    })?;
    let is_served = |name: &str| {
        served.has(name) || kind == Kind::Chat && (OWN.contains(&name) || is_parameter(name))
    };
    each_member(text, |name, value| {
        // What is asked not to run in the background is asked for what is served.
        if name == "background" && value == "false" {
            return Ok(());
        }
        if !is_served(name) {
            return refuse(name);
        }
        if served.is_own(name) && !served.is_named(name) {
            shapes::of(kind, name).check(name, value)
        } else {
            Ok(())
        }
    })
}

/// Whether some strategy has a parameter of this name.
fn is_parameter(name: &str) -> bool {
    let declared = STRATEGIES.iter().flat_map(Entry::params);
    declared
        .chain(COMMON_PARAMS)
        .any(|param| param.name == name)
}

fn refuse(what: impl Into<String>) -> Checked {
    Err(Refused::Field(what.into()))
}

/// Each member of the object that `json` is, unless it is `null`.
fn each_member(json: &str, mut look: impl FnMut(&str, &str) -> Checked) -> Checked {
    visit(|stop| {
        members(json, |member| {
            stop(if member.value == "null" {
                Ok(())
            } else {
                look(&member.name(), member.value)
            })
        })
    })
}

/// Ends a scan with the first refusal.
type Stop<'a> = &'a mut dyn FnMut(Checked) -> Result<(), EnvelopeError>;

/// What a scan refuses.
fn visit(scan: impl FnOnce(Stop<'_>) -> Result<(), EnvelopeError>) -> Checked {
    let mut refused = Ok(());
    let ended = scan(&mut |checked| match checked {
        Ok(()) => Ok(()),
        Err(why) => {
            refused = Err(why);
            Err(EnvelopeError::NotAnObject)
        }
    });
    refused?;
    ended.map_err(Refused::Envelope)
}

#[cfg(test)]
mod tests;
