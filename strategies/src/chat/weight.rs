//! What a JSON text takes as a tree, known before any of it is one.
//!
//! A byte of JSON may become a hundred in memory: `[0],` of four bytes is a list of its own with
//! room for four values. Who holds strangers' JSON must know that before it parses. The text is
//! read once, from left to right, and nothing is allocated.

use memchr::memchr2;
use serde_json::{Map, Value};

/// A [`Value`], with what alignment costs.
const VALUE: usize = 72;
/// A member of an object: its value, its name's `String` and its hash.
pub(super) const MEMBER: usize = VALUE + 24 + 8;
/// A place in an object's index.
const PLACE: usize = 16;
/// A list that is full moves to one of twice its size, and holds both while it does.
const GROWTH: usize = 3;
/// A list with anything in it has room for so many.
const FIRST: u32 = 4;
/// What an allocator adds to a text of its own.
const ALLOCATION: usize = 16;

/// Parsers go no deeper, so nothing below takes memory.
const DEPTH: usize = 128;

/// The most memory in bytes that `json` takes as a tree of [`Value`], while it is
/// parsed and after. Of a text that is no JSON it is what is parsed until that shows.
///
/// ```
/// use hone_strategies::chat::weight;
/// assert!(weight(b"[[0],[0],[0]]") > 300);
/// assert!(weight(br#"{"text":"twenty bytes of text"}"#) < 1000);
/// ```
pub fn weight(json: &[u8]) -> usize {
    let mut scan = Scan::default();
    let mut rest = json;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => {
                let length = string_length(rest);
                scan.value(length + ALLOCATION);
                rest = rest.get(length + 1..).unwrap_or_default();
            }
            b'{' => scan.open(true),
            b'[' => scan.open(false),
            b'}' | b']' => scan.close(),
            // In an object the next text is a name.
            b',' => scan.is_name = scan.is_object(),
            b':' | b' ' | b'\n' | b'\t' | b'\r' => {}
            _scalar => {
                scan.value(0);
                let length = rest
                    .iter()
                    .take_while(|byte| !matches!(byte, b',' | b']' | b'}' | b'"' | b'[' | b'{'))
                    .count();
                rest = rest.get(length..).unwrap_or_default();
            }
        }
    }
    scan.bytes
}

/// [`weight`] of a text that comes in pieces, as far as it has come. What stands around JSON there,
/// as in `text/event-stream`, counts for next to nothing.
#[derive(Debug, Default)]
pub struct Weighing {
    scan: Scan,
    /// Bytes of the text that is open.
    text: Option<usize>,
    is_escaped: bool,
    is_in_scalar: bool,
}

impl Weighing {
    /// Adds the next piece. Gives the weight of all of them.
    pub fn push(&mut self, json: &[u8]) -> usize {
        for byte in json {
            self.byte(*byte);
        }
        self.scan.bytes.saturating_add(self.text.unwrap_or(0))
    }

    fn byte(&mut self, byte: u8) {
        if let Some(length) = &mut self.text {
            match byte {
                _ if std::mem::take(&mut self.is_escaped) => *length += 1,
                b'"' => {
                    let own = *length + ALLOCATION;
                    self.text = None;
                    self.scan.value(own);
                }
                byte => {
                    self.is_escaped = byte == b'\\';
                    *length += 1;
                }
            }
            return;
        }
        let is_in_scalar = std::mem::take(&mut self.is_in_scalar);
        match byte {
            b'"' => self.text = Some(0),
            b'{' => self.scan.open(true),
            b'[' => self.scan.open(false),
            b'}' | b']' => self.scan.close(),
            b',' => self.scan.is_name = self.scan.is_object(),
            b':' | b' ' | b'\n' | b'\t' | b'\r' => {}
            _scalar => {
                if !is_in_scalar {
                    self.scan.value(0);
                }
                self.is_in_scalar = true;
            }
        }
    }
}

/// Whether `json` nests deeper than parsers go. What is too deep for them is refused whether or not
/// it is parsed.
pub(super) fn is_deep(json: &[u8]) -> bool {
    // An object around it is open already.
    let most = DEPTH - 2;
    if json.len() <= 2 * most {
        return false;
    }
    let (mut rest, mut depth) = (json, 0_usize);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => {
                let length = string_length(rest);
                rest = rest.get(length + 1..).unwrap_or_default();
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return true;
        }
    }
    false
}

/// What a tree takes, with the room into which its lists grow.
pub(super) fn tree_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => VALUE,
        Value::String(text) => VALUE + ALLOCATION + text.len(),
        Value::Array(values) => {
            VALUE + room(VALUE, values.len()) + values.iter().map(tree_bytes).sum::<usize>()
        }
        Value::Object(members) => members_bytes(members),
    }
}

/// The same of an object.
pub(super) fn members_bytes(members: &Map<String, Value>) -> usize {
    let each = |(name, value): (&String, &Value)| name.len() + ALLOCATION + tree_bytes(value);
    VALUE + room(MEMBER + PLACE, members.len()) + members.iter().map(each).sum::<usize>()
}

fn room(one: usize, count: usize) -> usize {
    if count == 0 {
        0
    } else {
        one * (count * 2).max(FIRST as usize)
    }
}

/// To the quote that ends the text.
fn string_length(text: &[u8]) -> usize {
    let mut length = 0;
    while let Some(rest) = text.get(length..) {
        match memchr2(b'"', b'\\', rest) {
            Some(plain) if rest.get(plain) == Some(&b'\\') => length += plain + 2,
            Some(plain) => return length + plain,
            None => break,
        }
    }
    text.len()
}

#[derive(Debug)]
struct Scan {
    bytes: usize,
    depth: usize,
    /// Whether each open bracket is an object's.
    objects: u128,
    /// What each open bracket holds so far.
    held: [u32; DEPTH],
    /// Whether a text would be a name.
    is_name: bool,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            bytes: VALUE,
            depth: 0,
            objects: 0,
            held: [0; DEPTH],
            is_name: false,
        }
    }
}

impl Scan {
    fn is_object(&self) -> bool {
        self.objects & 1 == 1
    }

    /// A scalar or a text with `own` bytes beside its place; or a name.
    fn value(&mut self, own: usize) {
        self.bytes = self.bytes.saturating_add(own);
        // A member has its place by its name.
        if std::mem::take(&mut self.is_name) || !self.is_object() {
            self.place();
        }
    }

    /// One more place in what is open.
    fn place(&mut self) {
        let is_object = self.is_object();
        let Some(held) = self
            .depth
            .checked_sub(1)
            .and_then(|depth| self.held.get_mut(depth))
        else {
            return;
        };
        *held = held.saturating_add(1);
        let one = if is_object { MEMBER + PLACE } else { VALUE };
        let more = match *held {
            1 => one * FIRST as usize + ALLOCATION,
            2..=FIRST => 0,
            // What was held is held twice while it moves.
            5 => one * (GROWTH * 5 - FIRST as usize),
            _ => one * GROWTH,
        };
        self.bytes = self.bytes.saturating_add(more);
    }

    fn open(&mut self, is_object: bool) {
        if self.depth > 0 && !self.is_object() {
            self.place();
        }
        self.depth = self.depth.saturating_add(1);
        if self.depth <= DEPTH {
            self.objects = self.objects << 1 | u128::from(is_object);
        }
        if let Some(held) = self.held.get_mut(self.depth - 1) {
            *held = 0;
        }
        self.is_name = is_object;
    }

    fn close(&mut self) {
        if self.depth <= DEPTH {
            self.objects >>= 1;
        }
        self.depth = self.depth.saturating_sub(1);
        self.is_name = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a tree takes at least, if every list and text is as small as it can be.
    fn least(value: &Value) -> usize {
        VALUE
            + match value {
                Value::Array(values) if !values.is_empty() => {
                    values.capacity() * VALUE - values.len() * VALUE
                        + values.iter().map(least).sum::<usize>()
                }
                Value::Object(fields) => fields
                    .iter()
                    .map(|(name, value)| MEMBER - VALUE + name.capacity() + least(value))
                    .sum(),
                Value::String(text) => text.capacity(),
                _ => 0,
            }
    }

    fn is_enough(json: &str) -> bool {
        let tree: Value = serde_json::from_str(json).unwrap();
        weight(json.as_bytes()) >= least(&tree)
    }

    #[test]
    fn the_sizes_are_those_of_the_types() {
        assert!(size_of::<Value>() <= VALUE);
        assert!(size_of::<(String, Value)>() + 8 <= MEMBER);
        assert!(size_of::<Map<String, Value>>() <= VALUE);
    }

    #[test]
    fn what_grows_most_is_known_beforehand() {
        for piece in [
            "0",
            "[0]",
            "[]",
            "{\"\":0}",
            "{}",
            "\"\"",
            "null",
            "[[[[1]]]]",
            "1e2",
        ] {
            for count in [1, 2, 3, 4, 5, 8, 9, 1000] {
                let json = format!("[{}]", vec![piece; count].join(","));
                assert!(
                    is_enough(&json),
                    "{piece} {count} {}",
                    weight(json.as_bytes())
                );
                let members: Vec<_> = (0..count).map(|at| format!("\"{at}\":{piece}")).collect();
                assert!(
                    is_enough(&format!("{{{}}}", members.join(" , "))),
                    "{piece} {count}"
                );
            }
        }
    }

    #[test]
    fn a_text_counts_little_more_than_itself() {
        let text = "two words \\\" and \\\\ ".repeat(1000);
        let json = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}");
        assert!((text.len()..text.len() + 2500).contains(&weight(json.as_bytes())));
    }

    #[test]
    fn no_text_is_too_deep_or_too_broken() {
        for json in ["[", "{\"a\":", "]", "\"", "\\", "{{{{", "[\"\\"] {
            assert!(weight(json.repeat(100_000).as_bytes()) >= VALUE);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_weight(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let weight = weight(&bytes);
            if let Ok(tree) = serde_json::from_slice::<Value>(&bytes) {
                prop_assert!(weight >= least(&tree));
            }
        }

        #[test]
        fn json_of_any_shape_weighs_enough(json in r#"(\[|\]|\{"a":|\}|,|0|"b"|null| ){0,40}"#) {
            if let Ok(tree) = serde_json::from_str::<Value>(&json) {
                prop_assert!(weight(json.as_bytes()) >= least(&tree));
            }
        }
    }

    proptest! {
        #[test]
        fn a_text_in_pieces_weighs_what_it_weighs_whole(
            text in r#"[\[\]{},:"\\ a1-]{0,60}"#,
            cuts in proptest::collection::vec(0_usize..60, 0..5),
        ) {
            let mut weighing = Weighing::default();
            let mut cuts = cuts;
            cuts.sort_unstable();
            let (mut rest, mut at) = (text.as_str(), 0);
            for cut in cuts {
                let (piece, more) = rest.split_at(cut.saturating_sub(at).min(rest.len()));
                weighing.push(piece.as_bytes());
                (rest, at) = (more, at + piece.len());
            }
            // A text that is never closed counts without its allocation as long as it is open.
            let whole = weight(text.as_bytes());
            let pieces = weighing.push(rest.as_bytes());
            prop_assert!(pieces + ALLOCATION + 2 * VALUE * GROWTH * 4 >= whole, "{pieces} {whole}");
        }
    }
}
