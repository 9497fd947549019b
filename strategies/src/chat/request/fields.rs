//! The fields of a request in their order. What nobody reads stays the text that it was.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::MESSAGES;
use crate::chat::ChatError;
use crate::chat::weight::{is_deep, weight};

/// More fields than any API has.
const MOST: usize = 1024;
/// A text below this, in bytes, is a value of little memory whatever it says.
const SMALL: usize = 64;
/// What a field costs beside its text: its place in the list, which moves as it grows and is copied
/// for each call that a strategy makes otherwise.
const FIELD: usize = 256;

/// The members of a body, none of which is parsed.
#[derive(Debug)]
pub(super) struct Members<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    are_too_many: bool,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A derived field borrows where a bare `Cow` would copy.
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut found = Members {
                    members: Vec::new(),
                    are_too_many: false,
                };
                while let Some((Name(name), text)) = map.next_entry()? {
                    found.add(name, text);
                }
                Ok(found)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'a> Members<'a> {
    fn add(&mut self, name: Cow<'a, str>, text: &'a RawValue) {
        if self.members.len() < MOST {
            self.members.push((name, text));
        } else {
            self.are_too_many = true;
        }
    }

    pub(super) fn read(body: &'a [u8]) -> Result<Self, ChatError> {
        let members: Self =
            serde_json::from_slice(body).map_err(|error| ChatError::json(&error))?;
        if members.are_too_many {
            return Err(ChatError::body(format!(
                "The body has more than {MOST} fields."
            )));
        }
        let is_deep = |(_, text): &(Cow<'_, str>, &RawValue)| is_deep(text.get().as_bytes());
        if members.members.iter().any(is_deep) {
            return Err(ChatError::body(
                "The body holds lists and objects that are nested too deep.",
            ));
        }
        Ok(members)
    }

    /// What the fields take in bytes beside the body, if those that `is_read` become trees.
    pub(super) fn weight(&self, is_read: impl Fn(&str) -> bool) -> usize {
        let each = |(name, text): &(Cow<'_, str>, &RawValue)| {
            let text = text.get();
            let tree = if text.len() > SMALL && is_read(name) {
                weight(text.as_bytes())
            } else {
                0
            };
            FIELD + name.len() + tree
        };
        self.members.iter().map(each).sum()
    }

    /// The text of the messages, and all fields, with null in the place of the messages; of those
    /// that nobody `is_read` the text. Of a field that is given twice the last one holds, in the
    /// place of the first.
    pub(super) fn split(
        self,
        body: &Bytes,
        is_read: impl Fn(&str) -> bool,
    ) -> (Option<&'a str>, Fields) {
        let mut messages = None;
        let mut fields = Fields(Vec::with_capacity(self.members.len()));
        for (name, text) in self.members {
            let text = text.get();
            let json = || body.slice_ref(text.as_bytes());
            let field = if name == MESSAGES {
                messages = Some(text);
                Field::Value(Value::Null)
            } else if text.len() <= SMALL || is_read(&name) {
                Field::Text(json(), Arc::default())
            } else {
                Field::Unread(json())
            };
            fields.put(name.into_owned(), field);
        }
        (messages, fields)
    }
}

/// A list, because a request has few of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, Field)>);

/// One field.
#[derive(Debug, Clone)]
pub(super) enum Field {
    Value(Value),
    /// JSON as the client wrote it, and its value once somebody wanted to know, which all copies
    /// share. What cannot be a value is null to its reader, and goes upstream all the same.
    Text(Bytes, Arc<OnceLock<Value>>),
    /// JSON that nobody reads, and whose tree nobody has made room for: null to all readers.
    Unread(Bytes),
}

impl Field {
    fn value(&self) -> &Value {
        match self {
            Self::Value(value) => value,
            Self::Text(json, value) => {
                value.get_or_init(|| serde_json::from_slice(json).unwrap_or_default())
            }
            Self::Unread(_) => &Value::Null,
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Value(value) => value,
            Self::Text(json, value) => value
                .get()
                .cloned()
                .unwrap_or_else(|| serde_json::from_slice(&json).unwrap_or_default()),
            Self::Unread(_) => Value::Null,
        }
    }

    /// The client's own JSON, if the field still has it.
    pub(super) fn as_sent(&self) -> Option<&Bytes> {
        match self {
            Self::Text(json, _) | Self::Unread(json) => Some(json),
            Self::Value(_) => None,
        }
    }

    /// Adds the field's JSON to `out`.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Value(value) => out.push_str(&value.to_string()),
            Self::Text(json, _) | Self::Unread(json) => {
                out.push_str(std::str::from_utf8(json).unwrap_or("null"));
            }
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unread(json), other) | (other, Self::Unread(json)) => {
                let mut text = String::new();
                other.write(&mut text);
                text.as_bytes() == json
            }
            (one, other) => one.value() == other.value(),
        }
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .all(|(name, field)| other.find(name).is_some_and(|other| field.is_same(other)))
    }
}

impl Fields {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.0.iter().map(|(name, field)| (name.as_str(), field))
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.find(name).map(Field::value)
    }

    fn find(&self, name: &str) -> Option<&Field> {
        let (_, field) = self.0.iter().find(|(other, _)| other == name)?;
        Some(field)
    }

    /// Sets a field in its place, or as the last.
    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.put(name.to_owned(), Field::Value(value));
    }

    fn put(&mut self, name: String, field: Field) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, held)) => *held = field,
            None => self.0.push((name, field)),
        }
    }

    /// Takes a field out; the others keep their order.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.remove(name).map(Field::into_value)
    }

    /// The same, for somebody who does not want to know its value.
    pub(super) fn remove(&mut self, name: &str) -> Option<Field> {
        let at = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.remove(at).1)
    }
}
