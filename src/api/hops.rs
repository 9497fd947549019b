//! Loops: a hone that is its own upstream, alone or in a ring with others, would ask itself until
//! no connection is left.
//!
//! Each hone has a random name, and writes it into `via` (RFC 9110 §7.6.3) of what it sends to a
//! private address, behind the names of the hones that the request has passed before. What comes
//! back with it is refused. Providers on the internet learn nothing of this: a ring that leads over
//! them ends at their own limits.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderValue, VIA};

/// What every name starts with.
const PREFIX: &[u8] = b"hone-";
/// Hexadecimal digits behind it. A gateway key has more.
const DIGITS: usize = 16;
/// The protocol that stands before a name.
const PROTOCOL: &[u8] = b"1.1 ";
/// Hones that a request may have passed: no honest chain is so long.
const MOST: usize = 16;

/// A hone as others see it.
#[derive(Clone)]
pub(crate) struct Name {
    name: Bytes,
    /// The whole of `via`, where it is the first.
    line: HeaderValue,
}

/// Why a request goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Loop {
    /// It has been here.
    #[error("the request has passed this proxy before: an upstream leads back to it")]
    Again,
    /// It has passed too many others.
    #[error("the request has passed too many proxies")]
    TooLong,
}

impl Name {
    /// A name that no other hone has.
    pub(crate) fn random() -> Self {
        let digits = hex::encode(rand::random::<[u8; DIGITS / 2]>());
        let name = Bytes::from([PREFIX, digits.as_bytes()].concat());
        let line = [PROTOCOL, &name].concat();
        // Letters, digits and a space are a header's value.
        let line = HeaderValue::from_maybe_shared(Bytes::from(line));
        Self {
            line: line.unwrap_or_else(|_never| HeaderValue::from_static("1.1 hone")),
            name,
        }
    }

    /// Refuses a request that has been here before.
    ///
    /// # Errors
    ///
    /// [`Loop`].
    pub(crate) fn check(&self, client: &HeaderMap) -> Result<(), Loop> {
        let mut passed = passed(client);
        if passed.any(|name| name == self.name) {
            return Err(Loop::Again);
        }
        if self::passed(client).nth(MOST - 1).is_some() {
            return Err(Loop::TooLong);
        }
        Ok(())
    }

    /// Tells a private upstream which hones the client's request has passed, this one last.
    pub(crate) fn sign(&self, client: &HeaderMap, out: &mut HeaderMap) {
        let mut passed = passed(client).take(MOST).peekable();
        if passed.peek().is_none() {
            out.insert(VIA, self.line.clone());
            return;
        }
        let mut line = Vec::new();
        for name in passed {
            line.extend_from_slice(PROTOCOL);
            line.extend_from_slice(name);
            line.extend_from_slice(b", ");
        }
        line.extend_from_slice(self.line.as_bytes());
        if let Ok(line) = HeaderValue::from_maybe_shared(Bytes::from(line)) {
            out.insert(VIA, line);
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Name").field(&self.name).finish()
    }
}

/// The names of hones in `via`, whatever else stands there.
fn passed(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(VIA).iter();
    let words = lines.flat_map(|line| {
        let bytes = line.as_bytes();
        bytes.split(|byte| matches!(byte, b',' | b' ' | b'\t'))
    });
    words.filter(|word| is_name(word))
}

fn is_name(word: &[u8]) -> bool {
    word.strip_prefix(PREFIX)
        .is_some_and(|digits| digits.len() == DIGITS && digits.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request with these lines of `via`.
    fn by(lines: &[&str]) -> HeaderMap {
        lines
            .iter()
            .map(|line| (VIA, line.parse().unwrap()))
            .collect()
    }

    /// What goes on to a private upstream.
    fn signed(name: &Name, client: &HeaderMap) -> HeaderMap {
        let mut out = HeaderMap::new();
        name.sign(client, &mut out);
        out
    }

    #[test]
    fn a_request_comes_back_with_the_name_and_is_refused() {
        let (one, other) = (Name::random(), Name::random());
        assert_eq!(one.check(&HeaderMap::new()), Ok(()));
        let first = signed(&one, &HeaderMap::new());
        assert_eq!(one.check(&first), Err(Loop::Again));
        assert_eq!(other.check(&first), Ok(()), "another hone's request");
        let second = signed(&other, &first);
        assert_eq!(one.check(&second), Err(Loop::Again), "a ring of two");
        assert_eq!(other.check(&second), Err(Loop::Again));
    }

    #[test]
    fn what_others_write_around_a_name_hides_nothing() {
        let name = Name::random();
        let text = String::from_utf8(name.name.to_vec()).unwrap();
        for lines in [
            &[&*format!("1.0 fred, 1.1 {text} (x)")][..],
            &["1.1 nginx", &format!("HTTP/2 {text}")],
            &[&format!("1.1\t{text},1.1 p")],
        ] {
            assert_eq!(name.check(&by(lines)), Err(Loop::Again), "{lines:?}");
        }
    }

    #[test]
    fn only_names_of_hones_go_on() {
        let name = Name::random();
        let other = "hone-0123456789abcdef";
        let gateway_key = format!("1.1 hone-{}", "0f".repeat(32));
        let lines = ["1.1 secret.internal", "1.1 hone-short", &gateway_key, other];
        let sent = signed(&name, &by(&lines));
        let line = sent[VIA].to_str().unwrap();
        let own = name.line.to_str().unwrap();
        assert_eq!(line, format!("1.1 {other}, {own}"));
    }

    #[test]
    fn a_ring_of_strangers_ends_too() {
        let mut request = HeaderMap::new();
        for passed in 0..MOST {
            let hone = Name::random();
            assert_eq!(hone.check(&request), Ok(()), "{passed}");
            request = signed(&hone, &request);
        }
        assert_eq!(Name::random().check(&request), Err(Loop::TooLong));
        let long = "1.1 hone-0123456789abcdef, ".repeat(1000);
        let sent = signed(&Name::random(), &by(&[long.trim_end_matches(", ")]));
        assert!(sent[VIA].len() < 500, "{sent:?}");
    }
}
