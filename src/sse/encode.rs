//! Writing events.

use bytes::Bytes;

/// The event that ends an OpenAI stream.
pub const DONE: &str = "data: [DONE]\n\n";

/// An event whose data is `data`, which may have several lines.
pub fn event(data: &str) -> Bytes {
    lines("data: ", data)
}

/// A comment, which readers skip: a heartbeat or a note. Each line of `text` becomes one.
pub(crate) fn comment(text: &str) -> Bytes {
    lines(": ", text)
}

/// Every line of `text` behind `prefix`, and the blank line that ends an event. CR, LF and CR LF
/// end a line.
fn lines(prefix: &str, text: &str) -> Bytes {
    let mut out = String::with_capacity(prefix.len() + text.len() + 2);
    let mut rest = Some(text);
    while let Some(text) = rest {
        let end = memchr::memchr2(b'\n', b'\r', text.as_bytes());
        let line = end.and_then(|end| text.get(..end)).unwrap_or(text);
        let after = end.and_then(|end| text.get(end + 1..));
        let was_cr = text.as_bytes().get(line.len()) == Some(&b'\r');
        rest = after.map(|after| {
            if was_cr {
                after.strip_prefix('\n').unwrap_or(after)
            } else {
                after
            }
        });
        out.push_str(prefix);
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Splitter;
    use super::*;

    #[test]
    fn one_line_of_data_is_one_line() {
        assert_eq!(event(r#"{"a":1}"#), "data: {\"a\":1}\n\n");
        assert_eq!(comment("hone {}"), ": hone {}\n\n");
    }

    #[test]
    fn no_line_of_a_comment_or_of_data_can_become_a_field_of_its_own() {
        assert_eq!(
            comment("a\ndata: b\r\nc\rd"),
            ": a\n: data: b\n: c\n: d\n\n"
        );
        assert_eq!(event("a\n\nb"), "data: a\ndata: \ndata: b\n\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(data in "([a-z: é\"]|\n|\r){0,30}") {
            let mut splitter = Splitter::new(1024);
            let events: Vec<_> = splitter.push(event(&data)).collect();
            prop_assert_eq!(events.len(), 1);
            let read = events[0].data().unwrap().into_owned();
            prop_assert_eq!(String::from_utf8(read).unwrap(), data.replace("\r\n", "\n")
                .replace('\r', "\n"));
        }

        #[test]
        fn a_comment_has_no_data(text in "([a-z: é]|\n|\r){0,30}") {
            prop_assert!(Splitter::new(1024).push(comment(&text))
                .all(|event| event.data().is_none()));
        }
    }
}
