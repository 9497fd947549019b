//! One pass over the members of a top-level JSON object, none of whose values is parsed.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::EnvelopeError;

/// One member of the object, as it was written.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    key: &'a RawValue,
    /// The value's text, without the space around it.
    pub(super) value: &'a RawValue,
}

impl<'a> Member<'a> {
    /// The name with its escapes resolved. One that cannot be resolved (a lone surrogate) is given as written: it then holds a backslash, and so
    /// equals no name that we look for.
    pub(super) fn name(&self) -> Cow<'a, str> {
        let quoted = self.key.get();
        let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
        if !inner.contains('\\') {
            return Cow::Borrowed(inner);
        }
        serde_json::from_str(quoted).map_or(Cow::Borrowed(inner), Cow::Owned)
    }

    /// From the key's first quote to the value's last byte, as offsets into `text`, which this member was read from.
    pub(super) fn span(&self, text: &str) -> Range<usize> {
        span(self.key, text).start..span(self.value, text).end
    }
}

/// Where `part` lies in `text`, which it was borrowed from.
pub(super) fn span(part: &RawValue, text: &str) -> Range<usize> {
    let start = part.get().as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    start..start.saturating_add(part.get().len())
}

/// Calls `visit` with every member of the object that `text` is. The first error, of the text or of `visit`, ends the scan.
///
/// Values are skipped without recursion, so no depth of nesting overflows the stack.
pub(super) fn members<'a, F>(text: &'a str, visit: F) -> Result<(), EnvelopeError>
where
    F: FnMut(Member<'a>) -> Result<(), EnvelopeError>,
{
    let mut stopped = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let scanned = json.deserialize_map(Members { visit, stopped: &mut stopped }).and_then(|()| json.end());
    match (stopped, scanned) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) if error.is_data() => Err(EnvelopeError::NotAnObject),
        (None, Err(error)) => Err(EnvelopeError::InvalidJson { line: error.line(), column: error.column() }),
    }
}

struct Members<'s, F> {
    visit: F,
    stopped: &'s mut Option<EnvelopeError>,
}

impl<'de, F> Visitor<'de> for Members<'_, F>
where
    F: FnMut(Member<'de>) -> Result<(), EnvelopeError>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<&RawValue>()? {
            let value = map.next_value::<&RawValue>()?;
            if let Err(error) = (self.visit)(Member { key, value }) {
                *self.stopped = Some(error);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
