//! One pass over the members of a top-level JSON object, none of whose values is parsed.
//!
//! It checks the grammar of RFC 8259 to the last byte and decodes nothing. Most of a body is text,
//! so what counts is how fast the end of a string is found: it is searched for, many bytes at a
//! time. A parser looks at each byte in turn. What is wrong with a text that is not JSON, and
//! where, a parser is asked.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr_iter, memchr2, memchr2_iter, memrchr};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::EnvelopeError;

/// One member of the object, as it was written.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    /// With its quotes.
    key: &'a str,
    /// The value's text, without the space around it.
    pub(crate) value: &'a str,
}

impl<'a> Member<'a> {
    /// The name with its escapes resolved. One that cannot be resolved (a lone surrogate) is given
    /// as written: it then holds a backslash, and so equals no name that we look for.
    pub(crate) fn name(&self) -> Cow<'a, str> {
        let quoted = self.key;
        let inner = quoted
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(quoted);
        if !inner.contains('\\') {
            return Cow::Borrowed(inner);
        }
        serde_json::from_str(quoted).map_or(Cow::Borrowed(inner), Cow::Owned)
    }

    /// From the key's first quote to the value's last byte, as offsets into `text`, which this
    /// member was read from.
    pub(super) fn span(&self, text: &str) -> Range<usize> {
        span(self.key, text).start..span(self.value, text).end
    }
}

/// Where `part` lies in `text`, which it was borrowed from.
pub(super) fn span(part: &str, text: &str) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    start..start.saturating_add(part.len())
}

/// Calls `visit` with every member of the object that `text` is. The first error, of the text or of
/// `visit`, ends the scan.
///
/// Values are skipped without recursion, so no depth of nesting overflows the stack.
pub(crate) fn members<'a, F>(text: &'a str, visit: F) -> Result<(), EnvelopeError>
where
    F: FnMut(Member<'a>) -> Result<(), EnvelopeError>,
{
    let mut scan = Scan { text, at: 0 };
    scan.document(visit).map_err(|stop| match stop {
        Stop::Invalid => what_is_wrong(text, scan.at),
        Stop::Refused(error) => error,
    })
}

/// Calls `visit` with every element of the array that `text` is, in the same way.
pub(crate) fn elements<'a, F>(text: &'a str, visit: F) -> Result<(), EnvelopeError>
where
    F: FnMut(&'a str) -> Result<(), EnvelopeError>,
{
    let mut scan = Scan { text, at: 0 };
    scan.list(visit).map_err(|stop| match stop {
        Stop::Invalid => what_is_wrong(text, scan.at),
        Stop::Refused(error) => error,
    })
}

/// What a parser says of a text that is no JSON object, or, where it would need much memory for
/// that, how far the scan got.
fn what_is_wrong(text: &str, at: usize) -> EnvelopeError {
    if memchr2_iter(b'[', b'{', text.as_bytes())
        .nth(MOST_BRACKETS)
        .is_some()
    {
        let read = text.as_bytes().get(..at).unwrap_or_default();
        let line = memrchr(b'\n', read).map_or(0, |feed| feed + 1);
        return EnvelopeError::InvalidJson {
            line: memchr_iter(b'\n', read).count() + 1,
            column: read.len() - line,
        };
    }
    let is_object = text.trim_start_matches(SPACE).starts_with('{');
    let wrong = if is_object {
        serde_json::from_str::<IgnoredAny>(text).err()
    } else {
        serde_json::from_str::<Map<String, Value>>(text).err()
    };
    match wrong {
        Some(error) if error.is_data() => EnvelopeError::NotAnObject,
        Some(error) => EnvelopeError::InvalidJson {
            line: error.line(),
            column: error.column(),
        },
        // The two have never been seen to disagree.
        None => EnvelopeError::InvalidJson { line: 0, column: 0 },
    }
}

/// A parser remembers each open bracket.
const MOST_BRACKETS: usize = 1024 * 1024;

const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Why a scan ends early.
enum Stop {
    /// This is no JSON object.
    Invalid,
    /// A member was refused.
    Refused(EnvelopeError),
}

type Scanned = Result<(), Stop>;

/// The brackets that are open, a bit each: a body may be nothing but brackets.
#[derive(Default)]
struct Open {
    /// Below these a word of 64 is full.
    full: Vec<u64>,
    /// Those above, the last one lowest: 1 for an object's.
    word: u64,
    /// How many of them there are.
    count: u32,
}

impl Open {
    fn push(&mut self, bracket: u8) {
        if self.count == u64::BITS {
            self.full.push(self.word);
            self.count = 0;
        }
        self.word = (self.word << 1) | u64::from(bracket == b'{');
        self.count += 1;
    }

    fn pop(&mut self) {
        self.word >>= 1;
        self.count = self.count.saturating_sub(1);
        if self.count == 0
            && let Some(word) = self.full.pop()
        {
            self.word = word;
            self.count = u64::BITS;
        }
    }

    fn last(&self) -> Option<u8> {
        let bracket = if self.word & 1 == 1 { b'{' } else { b'[' };
        (self.count > 0).then_some(bracket)
    }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn document(
        &mut self,
        mut visit: impl FnMut(Member<'a>) -> Result<(), EnvelopeError>,
    ) -> Scanned {
        self.token(b'{')?;
        if self.after_space() == Some(b'}') {
            self.at += 1;
        } else {
            self.members(&mut visit)?;
        }
        if self.after_space().is_none() {
            Ok(())
        } else {
            Err(Stop::Invalid)
        }
    }

    fn list(&mut self, mut visit: impl FnMut(&'a str) -> Result<(), EnvelopeError>) -> Scanned {
        self.token(b'[')?;
        if self.after_space() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                let element = self.part(Self::value)?;
                visit(element).map_err(Stop::Refused)?;
                if self.after_space() != Some(b',') {
                    break;
                }
                self.at += 1;
            }
            self.token(b']')?;
        }
        if self.after_space().is_none() {
            Ok(())
        } else {
            Err(Stop::Invalid)
        }
    }

    /// From the first name to the closing brace.
    fn members(
        &mut self,
        visit: &mut impl FnMut(Member<'a>) -> Result<(), EnvelopeError>,
    ) -> Scanned {
        loop {
            let key = self.part(Self::string)?;
            self.token(b':')?;
            let value = self.part(Self::value)?;
            visit(Member { key, value }).map_err(Stop::Refused)?;
            match self.after_space() {
                Some(b',') => self.at += 1,
                _ => return self.token(b'}'),
            }
        }
    }

    /// What `skip` skips, without the space before it.
    fn part(&mut self, skip: impl FnOnce(&mut Self) -> Scanned) -> Result<&'a str, Stop> {
        self.after_space();
        let start = self.at;
        skip(self)?;
        self.text.get(start..self.at).ok_or(Stop::Invalid)
    }

    /// Any value. The brackets that are open are kept in a list instead of on the stack.
    fn value(&mut self) -> Scanned {
        let mut open = Open::default();
        loop {
            if let Some(bracket) = self.scalar_or_bracket()? {
                open.push(bracket);
                continue;
            }
            if self.close(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Skips a scalar or an empty list or object. Of another one it skips what stands before its
    /// first value, and gives its bracket.
    fn scalar_or_bracket(&mut self) -> Result<Option<u8>, Stop> {
        match self.after_space() {
            Some(b'"') => self.string()?,
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(bracket @ (b'[' | b'{')) => {
                self.at += 1;
                let closing = if bracket == b'[' { b']' } else { b'}' };
                if self.after_space() != Some(closing) {
                    self.name_within(bracket)?;
                    return Ok(Some(bracket));
                }
                self.at += 1;
            }
            _ => return Err(Stop::Invalid),
        }
        Ok(None)
    }

    /// After a value: closes what ends here, up to the place of the next value. Tells whether that
    /// was all.
    fn close(&mut self, open: &mut Open) -> Result<bool, Stop> {
        while let Some(bracket) = open.last() {
            match (self.after_space(), bracket) {
                (Some(b','), _) => {
                    self.at += 1;
                    self.name_within(bracket)?;
                    return Ok(false);
                }
                (Some(b']'), b'[') | (Some(b'}'), b'{') => {
                    self.at += 1;
                    open.pop();
                }
                _ => return Err(Stop::Invalid),
            }
        }
        Ok(true)
    }

    /// In an object, the next member's name and its colon.
    fn name_within(&mut self, bracket: u8) -> Scanned {
        if bracket == b'[' {
            return Ok(());
        }
        self.after_space();
        self.string()?;
        self.token(b':')
    }

    fn string(&mut self) -> Scanned {
        if self.next() != Some(b'"') {
            return Err(Stop::Invalid);
        }
        loop {
            self.at += 1;
            let rest = self.rest();
            let plain = memchr2(b'"', b'\\', rest)
                .and_then(|length| rest.get(..length))
                .ok_or(Stop::Invalid)?;
            // Control characters must be escaped. A loop for the least byte has no way out, so many
            // bytes are compared at once.
            if plain
                .iter()
                .copied()
                .min()
                .is_some_and(|least| least < b' ')
            {
                return Err(Stop::Invalid);
            }
            self.at += plain.len();
            if self.next() == Some(b'"') {
                self.at += 1;
                return Ok(());
            }
            self.escape()?;
        }
    }

    /// From a backslash to the last character that belongs to it.
    fn escape(&mut self) -> Scanned {
        self.at += 1;
        match self.next() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => {
                let digits = self.rest().get(1..5).ok_or(Stop::Invalid)?;
                self.at += digits.len();
                if digits.iter().all(u8::is_ascii_hexdigit) {
                    Ok(())
                } else {
                    Err(Stop::Invalid)
                }
            }
            _ => Err(Stop::Invalid),
        }
    }

    fn number(&mut self) -> Scanned {
        if self.next() == Some(b'-') {
            self.at += 1;
        }
        if self.next() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.next() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.next() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.next() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At least one.
    fn digits(&mut self) -> Scanned {
        let count = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.at += count;
        if count > 0 {
            Ok(())
        } else {
            Err(Stop::Invalid)
        }
    }

    fn word(&mut self, word: &str) -> Scanned {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(Stop::Invalid);
        }
        self.at += word.len();
        Ok(())
    }

    /// One character of the grammar, and the space before it.
    fn token(&mut self, wanted: u8) -> Scanned {
        if self.after_space() != Some(wanted) {
            return Err(Stop::Invalid);
        }
        self.at += 1;
        Ok(())
    }

    /// The next byte that is no space. It is not skipped; what stands before it is.
    fn after_space(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.next() {
            self.at += 1;
        }
        self.next()
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}
