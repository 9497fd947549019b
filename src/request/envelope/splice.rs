//! Changing single members of a JSON object and nothing else: every byte that no edit names is
//! copied as it stands.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::scan::{self, Member};
use super::{EnvelopeError, Field, is_same, utf8};

/// One change to a request body.
#[derive(Debug, Clone, Copy)]
pub enum Edit<'a> {
    /// Gives the body the member `name`, in the place of one that it has, else as its last.
    InsertMember {
        /// Not escaped.
        name: &'a str,
        /// Goes in as written.
        value: &'a RawValue,
    },
    /// Takes out every member of this name.
    RemoveField(&'a str),
    /// Gives `model` another value.
    ReplaceModel(&'a str),
    /// Sets `stream_options.include_usage` to true; other stream options stay.
    SetIncludeUsage,
}

/// `body` with `edits` made, in one scan.
///
/// The fields that [`super::Envelope::peek`] reads are found in any case, as there; others are not,
/// and neither is `stream_options`: what is asked in another spelling most servers never hear.
///
/// Without edits nothing is looked at. With some it fails if `body` is not an object, if a member
/// to be replaced is given more than once (which one counts would be a guess), or if
/// `stream_options` must be changed and is neither an object nor null.
///
/// ```
/// use bytes::Bytes;
/// use hone::request::envelope::{Edit, splice};
/// let body = Bytes::from_static(br#"{ "seed": 1e400, "model": "careful" }"#);
/// let edited = splice(&body, &[Edit::ReplaceModel("gpt-4o")]).unwrap();
/// assert_eq!(edited, r#"{ "seed": 1e400, "model": "gpt-4o" }"#);
/// ```
pub fn splice(body: &Bytes, edits: &[Edit<'_>]) -> Result<Bytes, EnvelopeError> {
    if edits.is_empty() {
        return Ok(body.clone());
    }
    let text = utf8(body)?;
    let changes = edits.iter().map(Change::of).collect();
    apply(text, changes).map(Bytes::from)
}

/// An edit, with what it has done so far.
struct Change<'a> {
    name: &'a str,
    /// Whether a member that differs in case is meant too.
    any_case: bool,
    action: Action<'a>,
    met: bool,
}

enum Action<'a> {
    Remove,
    Set(Cow<'a, str>),
    /// Sets this member of the member, to `true`.
    Switch(&'static str),
}

impl<'a> Change<'a> {
    fn of(edit: &Edit<'a>) -> Self {
        let (name, action) = match *edit {
            Edit::InsertMember { name, value } => (name, Action::Set(Cow::Borrowed(value.get()))),
            Edit::RemoveField(name) => (name, Action::Remove),
            Edit::ReplaceModel(model) => ("model", Action::Set(Cow::Owned(quoted(model)))),
            Edit::SetIncludeUsage => ("stream_options", Action::Switch("include_usage")),
        };
        Self {
            name,
            any_case: Field::of(name).is_some() && !matches!(action, Action::Switch(_)),
            action,
            met: false,
        }
    }

    fn is_about(&self, name: &str) -> bool {
        if self.any_case {
            is_same(name, self.name)
        } else {
            self.name == name
        }
    }

    /// The new value of the member whose value is `old`; `None` takes the member out.
    fn replacement(&mut self, old: &str) -> Result<Option<Cow<'_, str>>, EnvelopeError> {
        let again = std::mem::replace(&mut self.met, true);
        if again && !matches!(self.action, Action::Remove) {
            return Err(EnvelopeError::DuplicateField {
                name: self.name.to_owned(),
            });
        }
        match &self.action {
            Action::Remove => Ok(None),
            Action::Set(value) => Ok(Some(Cow::Borrowed(value))),
            Action::Switch(inner) => switched_on(inner, old).map(|value| Some(Cow::Owned(value))),
        }
    }

    /// The value that must still be added after the last member.
    fn addition(&self) -> Option<Cow<'_, str>> {
        match &self.action {
            _ if self.met => None,
            Action::Remove => None,
            Action::Set(value) => Some(Cow::Borrowed(value)),
            Action::Switch(inner) => Some(Cow::Owned(format!("{{{}:true}}", quoted(inner)))),
        }
    }
}

fn switched_on(name: &'static str, object: &str) -> Result<String, EnvelopeError> {
    let text = if object == "null" { "{}" } else { object };
    if !text.starts_with('{') {
        return Err(EnvelopeError::WrongType {
            name: "stream_options",
            expected: "an object",
        });
    }
    apply(
        text,
        vec![Change {
            name,
            any_case: false,
            action: Action::Set(Cow::Borrowed("true")),
            met: false,
        }],
    )
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn apply(text: &str, mut changes: Vec<Change<'_>>) -> Result<String, EnvelopeError> {
    let mut writer = Writer::new(text);
    scan::members(text, |member| {
        let name = member.name();
        match changes.iter_mut().find(|change| change.is_about(&name)) {
            None => writer.keep(member),
            Some(change) => match change.replacement(member.value)? {
                None => writer.remove(member),
                Some(value) => writer.replace(member, &value),
            },
        }
        Ok(())
    })?;
    for change in &changes {
        if let Some(value) = change.addition() {
            writer.append(change.name, &value);
        }
    }
    Ok(writer.finish())
}

/// Copies an object from member to member.
///
/// A removed member takes one comma with it: the one before it, or, while nothing before it is
/// kept, the one after it.
struct Writer<'a> {
    text: &'a str,
    out: String,
    /// Everything before this offset has been copied or dropped.
    copied: usize,
    /// The end of the last member, or of the opening brace.
    end: usize,
    is_empty: bool,
    /// A member was dropped and its comma was not: it ends where the next member starts.
    drops_comma: bool,
}

impl<'a> Writer<'a> {
    fn new(text: &'a str) -> Self {
        let end = text.find('{').map_or(0, |brace| brace + 1);
        Self {
            text,
            out: String::with_capacity(text.len() + 64),
            copied: 0,
            end,
            is_empty: true,
            drops_comma: false,
        }
    }

    fn copy_to(&mut self, end: usize) {
        self.out
            .push_str(self.text.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }

    fn keep(&mut self, member: Member<'_>) {
        let span = member.span(self.text);
        if std::mem::take(&mut self.drops_comma) {
            self.copied = span.start;
        }
        self.end = span.end;
        self.is_empty = false;
    }

    fn replace(&mut self, member: Member<'_>, value: &str) {
        self.keep(member);
        let span = scan::span(member.value, self.text);
        self.copy_to(span.start);
        self.out.push_str(value);
        self.copied = span.end;
    }

    fn remove(&mut self, member: Member<'_>) {
        let span = member.span(self.text);
        if !self.is_empty {
            self.copy_to(self.end);
        } else if !self.drops_comma {
            self.copy_to(span.start);
            self.drops_comma = true;
        }
        self.copied = span.end;
        self.end = span.end;
    }

    fn append(&mut self, name: &str, value: &str) {
        self.copy_to(self.end);
        if !self.is_empty {
            self.out.push(',');
        }
        self.out.push_str(&quoted(name));
        self.out.push(':');
        self.out.push_str(value);
        self.is_empty = false;
    }

    fn finish(mut self) -> String {
        self.copy_to(self.text.len());
        self.out
    }
}
