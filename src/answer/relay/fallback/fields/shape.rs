//! What JSON may look like: the types of values, and the members of objects, all the way down.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Checked, Refused, each_member, refuse, visit};
use crate::request::envelope::elements;

/// What a value may be. `null` is nothing, and may stand everywhere.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Anything: a schema, whose names are its author's.
    Any,
    /// A string, a number or a switch.
    Scalar,
    /// A string.
    Text,
    /// A string that is the address of something public, or the thing itself.
    Url,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// A list of values.
    List(&'static Self),
    /// An object whose names are its author's.
    Map(&'static Self),
    /// An object with no other members than these.
    Object(&'static [(&'static str, Self)]),
    /// The same where names may be written in `snake_case`, too.
    Googles(&'static [(&'static str, Self)]),
    /// The first of these that has the value's type.
    Either(&'static [Self]),
    /// What has rules of its own.
    By(fn(&str, &str) -> Checked),
}

impl Shape {
    /// Whether a value that begins with `first` can have this shape.
    fn begins_with(self, first: u8) -> bool {
        match self {
            Self::Any | Self::By(_) => true,
            Self::Scalar => !b"{[".contains(&first),
            Self::Text | Self::Url | Self::Word(_) => first == b'"',
            Self::List(_) => first == b'[',
            Self::Googles(_) | Self::Map(_) | Self::Object(_) => first == b'{',
            Self::Either(shapes) => shapes.iter().any(|shape| shape.begins_with(first)),
        }
    }

    /// Whether `json`, which stands in `place`, has this shape.
    pub(super) fn check(self, place: &str, json: &str) -> Checked {
        if json == "null" {
            return Ok(());
        }
        let first = json.bytes().next().unwrap_or(b'"');
        if !self.begins_with(first) {
            return refuse(format!("{place}: a value of this type"));
        }
        match self {
            Self::Any | Self::Scalar | Self::Text => Ok(()),
            Self::Url => url(place, json),
            Self::Word(words) => word(words, place, json),
            Self::List(shape) => visit(|stop| {
                elements(json, |value| {
                    let is_null = value == "null";
                    stop(if is_null {
                        Ok(())
                    } else {
                        shape.check(place, value)
                    })
                })
            }),
            Self::Map(shape) => each_member(json, |_name, value| shape.check(place, value)),
            Self::Object(members) => within(members, place, json, |name, member| name == member),
            Self::Googles(members) => within(members, place, json, is_googles),
            Self::Either(shapes) => {
                let shape = shapes.iter().find(|shape| shape.begins_with(first));
                shape.map_or(Ok(()), |shape| shape.check(place, json))
            }
            Self::By(rules) => rules(place, json),
        }
    }
}

/// Whether `json` has no other members than these, whose names are compared by `is`.
fn within(
    members: &[(&'static str, Shape)],
    place: &str,
    json: &str,
    is: fn(&str, &str) -> bool,
) -> Checked {
    each_member(json, |name, value| {
        let known = members.iter().find(|(member, _)| is(name, member));
        match known {
            Some((_, shape)) => shape.check(name, value),
            None => refuse(format!("{place}: `{name}`")),
        }
    })
}

/// Whether Google takes `name` for `field`, which is in `camelCase`.
pub(super) fn is_googles(name: &str, field: &str) -> bool {
    let mut letters = name.chars();
    let fits = field.chars().all(|letter| {
        let next = letters.next();
        next == Some(letter)
            || next == Some('_') && letters.next() == Some(letter.to_ascii_lowercase())
    });
    // Either spelling, and no mixture of both.
    let is_mixed = name.contains('_') && name.contains(|c: char| c.is_ascii_uppercase());
    fits && letters.next().is_none() && !is_mixed
}

/// The string that `json` is.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    /// A derived field borrows where a bare `Cow` would copy.
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    serde_json::from_str(json).ok().map(|Text(text)| text)
}

fn word(words: &[&str], place: &str, json: &str) -> Checked {
    if text(json).is_some_and(|word| words.contains(&&*word)) {
        Ok(())
    } else {
        Err(Refused::Field(format!("{place}: type {json}")))
    }
}

/// Some providers give files that are stored an address, which only their owner's key opens.
fn url(place: &str, json: &str) -> Checked {
    const OPEN: [&str; 3] = ["data:", "http://", "https://"];
    // Data may be long, and is not copied.
    if json.starts_with("\"data:") || json == "\"\"" {
        return Ok(());
    }
    let is_open = text(json).is_some_and(|url| {
        let url = url.trim_start().to_ascii_lowercase();
        let is_stored = url.contains("/v1") && url.contains("/files/");
        OPEN.iter().any(|scheme| url.starts_with(scheme)) && !is_stored
    });
    if is_open {
        Ok(())
    } else {
        refuse(format!("{place}: an address of this kind"))
    }
}

/// Whether `json` is more than an empty text, list or object.
pub(super) fn is_something(json: &str) -> bool {
    let inner = json
        .strip_prefix(['"', '[', '{'])
        .and_then(|rest| rest.strip_suffix(['"', ']', '}']))
        .unwrap_or(json);
    json != "null" && !inner.trim_ascii().is_empty()
}
