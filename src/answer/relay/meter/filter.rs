//! What is done with the events of a stream on their way to the client.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::answer::relay::UsageEvent;
use crate::api::account;
use crate::sse::{RawEvent, Splitter};
use crate::tenant::Credential;
use crate::usage::EventKind;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Takes the usage-only event out of a stream, or what its errors tell of the operator's account,
/// and lets every other byte through as it is.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    drops_usage: bool,
    /// Whose account the errors must not tell of: the key that pays.
    hides: Option<Credential>,
    /// Of a stream whose events nobody else reads.
    splitter: Option<Splitter>,
    ready: VecDeque<Bytes>,
}

impl Filter {
    /// A filter that also splits what it is given, if it has a `splitter`.
    pub(crate) fn new(
        usage_event: UsageEvent,
        hides: Option<Credential>,
        splitter: Option<Splitter>,
    ) -> Self {
        Self {
            drops_usage: usage_event == UsageEvent::Remove,
            hides,
            splitter,
            ready: VecDeque::new(),
        }
    }

    pub(super) fn keep(&mut self, event: Option<(RawEvent, EventKind)>) {
        let Some((event, kind)) = event else { return };
        if self.drops_usage && kind == EventKind::UsageOnly {
            return;
        }
        let bytes = if let Some(credential) = &self.hides {
            without_account(event, credential)
        } else {
            event.bytes
        };
        self.ready.push_back(bytes);
    }

    /// The next bytes of a stream that it splits.
    pub(super) fn push(&mut self, data: Bytes) {
        let Some(mut splitter) = self.splitter.take() else {
            return self.ready.push_back(data);
        };
        for event in splitter.push(data) {
            self.keep(Some((event, EventKind::Other)));
        }
        self.splitter = Some(splitter);
    }

    /// The end of a stream that it splits.
    pub(super) fn finish(&mut self) {
        let rest = self.splitter.take().and_then(Splitter::finish);
        self.keep(rest.map(|event| (event, EventKind::Other)));
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    pub(super) fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }
}

/// The event, with what it tells of the account taken out, if it is an error or holds one.
fn without_account(event: RawEvent, credential: &Credential) -> Bytes {
    let is_error = is_error(&event.bytes);
    if event.is_oversized() || !is_error && !account::may_tell(&event.bytes) {
        return event.bytes;
    }
    let Parts { others, data, name } = Parts::of(&event.bytes);
    let told = (!data.is_empty()).then(|| account::hide(&data, is_error));
    let Some(told) = told.flatten() else {
        return event.bytes;
    };
    let mut out = Vec::with_capacity(event.bytes.len());
    for line in others {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(name);
    out.extend_from_slice(&told);
    out.extend_from_slice(b"\n\n");
    credential.hide_in(out.into())
}

/// The lines of an event as whoever looks at them reads them. Programs skip what is indented, and
/// JSON without a field's name, as some servers write their errors; people do not.
struct Parts<'a> {
    others: Vec<&'a [u8]>,
    data: Vec<u8>,
    /// What stands before the data.
    name: &'static [u8],
}

impl<'a> Parts<'a> {
    fn of(event: &'a [u8]) -> Self {
        let mut parts = Self {
            others: Vec::new(),
            data: Vec::new(),
            name: b"data: ",
        };
        for line in lines(event.strip_prefix(BOM).unwrap_or(event)) {
            let text = line.trim_ascii_start();
            let is_bare = parts.name.is_empty() || matches!(text.first(), Some(b'{' | b'['));
            if is_bare && (parts.name.is_empty() || parts.data.is_empty()) {
                parts.name = b"";
                parts.add(text);
            } else if let Some(value) = value_of_data(text) {
                parts.add(value);
            } else if !line.is_empty() {
                parts.others.push(line);
            }
        }
        parts
    }

    fn add(&mut self, data: &[u8]) {
        if !self.data.is_empty() {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(data);
    }
}

fn value_of_data(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"data")?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix(b":")
    }
}

/// Whether the event is named `error`.
fn is_error(event: &[u8]) -> bool {
    lines(event.strip_prefix(BOM).unwrap_or(event)).any(|line| {
        let name = line.trim_ascii_start().strip_prefix(b"event:");
        name.is_some_and(|name| name.trim_ascii() == b"error")
    })
}

fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    event.split(|byte| matches!(byte, b'\n' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::{Api, EventReader};

    /// What a client gets of a stream whose usage hone has asked for.
    fn filtered(stream: &str) -> String {
        let mut filter = Filter::new(UsageEvent::Remove, None, None);
        let mut events = EventReader::new(Api::ChatCompletions, 1000, 1);
        for chunk in stream.as_bytes().chunks(5) {
            events.push(Bytes::copy_from_slice(chunk), |event, kind| {
                filter.keep(Some((event, kind)));
            });
        }
        filter.keep(events.rest());
        let seen = std::iter::from_fn(|| filter.pop()).flatten().collect();
        String::from_utf8(seen).unwrap()
    }

    const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    const USAGE: &str =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}";

    #[test]
    fn the_usage_event_is_taken_out_wherever_the_stream_ends() {
        assert_eq!(
            filtered(&format!("{TEXT}{USAGE}\n\ndata: [DONE]\n\n")),
            format!("{TEXT}data: [DONE]\n\n")
        );
        for end in ["\n\n", "\n", "\r\n", ""] {
            assert_eq!(filtered(&format!("{TEXT}{USAGE}{end}")), TEXT, "{end:?}");
        }
    }

    #[test]
    fn what_else_stands_at_an_end_without_a_blank_line_passes() {
        for rest in [
            "data: [DONE]",
            "data: {\"choices\":[],\"usage\":{\"prompt_tok",
            "data: {\"choices\":[{\"delta\":{}}]}",
            ": comment",
            "x",
        ] {
            assert_eq!(filtered(&format!("{TEXT}{rest}")), format!("{TEXT}{rest}"));
        }
    }

    /// What a client gets of a stream that the operator's key paid for.
    fn covered(stream: &str) -> String {
        let mut filter = Filter::new(
            UsageEvent::Keep,
            Some(Credential::Keyless),
            Some(Splitter::new(1000)),
        );
        for chunk in stream.as_bytes().chunks(7) {
            filter.push(Bytes::copy_from_slice(chunk));
        }
        filter.finish();
        let seen = std::iter::from_fn(|| filter.pop()).flatten().collect();
        String::from_utf8(seen).unwrap()
    }

    #[test]
    fn what_errors_tell_of_the_operators_account_is_taken_out_and_nothing_else() {
        let plain = format!("{TEXT}: org-OPERATOR1\n\n{USAGE}\r\n\r\ndata: [DONE]");
        assert_eq!(covered(&plain), plain);
        for (event, told) in [
            (
                "event: error\ndata: {\"error\":\ndata: {\"message\":\"no org-OPERATOR1\"}}\n\n",
                "event: error\ndata: {\"error\":{\"message\":\"no […]\"}}\n\n",
            ),
            (
                "id: 7\r\ndata: {\"error\":{\"message\":\"no org-OPERATOR1\"}}\r\n\r\n",
                "id: 7\ndata: {\"error\":{\"message\":\"no […]\"}}\n\n",
            ),
            (
                "event: error\rdata: {\"error\":{\"message\":\"no org-OPERATOR1\"}}\r\r",
                "event: error\ndata: {\"error\":{\"message\":\"no […]\"}}\n\n",
            ),
            (
                " id: 7\n data: {\"error\":{\"message\":\"no org-OPERATOR1\"}}\n\n",
                " id: 7\ndata: {\"error\":{\"message\":\"no […]\"}}\n\n",
            ),
            (
                "id: 7\n{\"error\":\n {\"message\":\"no org-OPERATOR1\"}}\n\n",
                "id: 7\n{\"error\":{\"message\":\"no […]\"}}\n\n",
            ),
        ] {
            assert_eq!(
                covered(&format!("{TEXT}{event}{TEXT}")),
                format!("{TEXT}{told}{TEXT}")
            );
        }
        let text = covered("event:error\ndata: org-OPERATOR1 has no credit\n\n");
        assert!(
            text.starts_with("event:error\ndata: {") && !text.contains("OPERATOR"),
            "{text}"
        );
    }
}
