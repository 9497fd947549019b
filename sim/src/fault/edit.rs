//! Edits of a script.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};

use super::gzip;
use crate::refusal::Refusal;
use crate::script::{Before, Script, Step};
use crate::voice::{Sent, Voice, is_whole};

/// Long enough for what was sent before an abort to leave the process: an abort throws away what is
/// still buffered.
pub(super) const FLUSH: Duration = Duration::from_millis(2);

/// `other` in the script's place, after the same wait.
fn instead(script: Script, mut other: Script) -> Script {
    other.before = script
        .before
        .into_iter()
        .filter(|before| matches!(before, Before::Wait(_)))
        .collect();
    let headers = script
        .headers
        .into_iter()
        .filter_map(|(name, value)| Some((name?, value)));
    for (name, value) in
        headers.filter(|(name, _)| *name != CONTENT_LENGTH && *name != CONTENT_TYPE)
    {
        other.headers.append(name, value);
    }
    other
}

/// An error that was told to happen.
pub(super) fn refusal(status: u16, code: Option<&str>) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut refusal = Refusal::new(status, "This error was injected by the simulated provider.");
    if let Some(code) = code {
        refusal = refusal.code(code);
    }
    if code == Some("insufficient_quota") {
        refusal = refusal.kind("insufficient_quota");
    }
    refusal
}

/// `error` instead of the answer.
pub(super) fn refused(script: Script, error: Script) -> Script {
    instead(script, error)
}

/// A redirection instead of the answer.
pub(super) fn redirect(script: Script, location: &str) -> Script {
    let mut redirection = instead(
        script,
        Script::whole(
            StatusCode::TEMPORARY_REDIRECT,
            "text/plain",
            Bytes::new(),
            0,
        ),
    );
    if let Ok(location) = HeaderValue::from_str(location) {
        redirection.headers.insert(LOCATION, location);
    }
    redirection
}

/// An HTML page, with status 200, instead of the answer.
pub(super) fn page(script: Script) -> Script {
    let page = Bytes::from_static(
        b"<!doctype html><title>Simulated gateway</title><p>Please try again later.",
    );
    instead(script, Script::whole(StatusCode::OK, "text/html", page, 0))
}

/// Keeps the first half of what is sent, and lets `end` follow.
pub(super) fn end_half_way(script: &mut Script, end: impl IntoIterator<Item = Step>) {
    let sends = sends(script);
    let mut kept = VecDeque::new();
    let mut left = sends / 2;
    for step in std::mem::take(&mut script.steps) {
        match step {
            Step::Send { bytes, tokens: _ } if sends == 1 => {
                kept.push_back(Step::send(bytes.slice(..bytes.len() / 2)));
                break;
            }
            Step::Send { .. } if left == 0 => break,
            Step::Send { .. } => left -= 1,
            Step::Wait(_) | Step::Hang | Step::Abort => {}
        }
        kept.push_back(step);
    }
    kept.extend(end);
    script.steps = kept;
}

/// Takes away the last thing that is sent: a stream's `[DONE]`.
pub(super) fn end_early(script: &mut Script) {
    script.steps.pop_back();
    correct_length(script);
}

/// Ends with an error: as an event after the first half of a stream, or else as the whole body.
pub(super) fn end_in_error(script: &mut Script, refusal: &Refusal, voice: &Voice) {
    if is_whole(script) {
        let error = voice.error(refusal).to_string();
        script.steps = VecDeque::from([Step::send(Bytes::from(error))]);
        correct_length(script);
        return;
    }
    let mut sent = script.steps.iter().filter_map(|step| match step {
        Step::Send { bytes, .. } => Some(bytes),
        Step::Wait(_) | Step::Hang | Step::Abort => None,
    });
    let first = sent.next().cloned().unwrap_or_default();
    let sent = Sent {
        first: &first,
        events: sends(script) / 2,
    };
    let event = voice.event(refusal, sent, &script.headers);
    end_half_way(script, [Step::send(event)]);
}

/// Replaces the middle one of the things that are sent by what `edit` makes of it.
pub(super) fn edit_middle(script: &mut Script, edit: impl FnOnce(&Bytes) -> Vec<u8>) {
    let middle = sends(script) / 2;
    let mut sent = script.steps.iter_mut().filter_map(|step| match step {
        Step::Send { bytes, .. } => Some(bytes),
        Step::Wait(_) | Step::Hang | Step::Abort => None,
    });
    if let Some(bytes) = sent.nth(middle) {
        *bytes = Bytes::from(edit(bytes));
    }
    correct_length(script);
}

/// The first half, and the end of an event if it was one.
pub(super) fn first_half(bytes: &Bytes) -> Vec<u8> {
    let mut half = bytes.slice(..bytes.len() / 2).to_vec();
    if bytes.ends_with(b"\n\n") || bytes.ends_with(b"\n\r\n") {
        half.extend(b"\n\n");
    }
    half
}

/// The text inside the first content, or else the last byte, made into something that is not UTF-8.
pub(super) fn not_utf8(bytes: &Bytes) -> Vec<u8> {
    const BEFORE: &[u8] = b"\"content\":\"";
    let mut broken = bytes.to_vec();
    let place = memchr::memmem::find(bytes, BEFORE).map_or_else(
        || bytes.len().saturating_sub(3),
        |start| start + BEFORE.len(),
    );
    broken.splice(place..place, [0xff, 0xfe]);
    broken
}

/// The JSON with another field, in the outermost object and in the first message or delta.
pub(super) fn with_field(bytes: &Bytes, value: &str) -> Vec<u8> {
    let field = format!("\"extra\":{value},");
    let mut filled = bytes.to_vec();
    // The later place first: what is put in moves all that follows.
    for object in ["\"message\":{", "\"delta\":{", "{"] {
        if let Some(start) = memchr::memmem::find(bytes, object.as_bytes()) {
            let place = start + object.len();
            filled.splice(place..place, field.bytes());
        }
    }
    filled
}

/// The whole body in one piece, compressed, whatever the client accepts.
pub(super) fn compress(script: &mut Script) {
    let mut all = BytesMut::new();
    for step in &script.steps {
        if let Step::Send { bytes, .. } = step {
            all.extend_from_slice(bytes);
        }
    }
    script.steps = VecDeque::from([Step::send(Bytes::from(gzip::stored(&all)))]);
    script
        .headers
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    correct_length(script);
}

/// A header of so many bytes.
pub(super) fn huge_header(script: &mut Script, bytes: usize) {
    if let Ok(value) = HeaderValue::from_bytes(&vec![b'h'; bytes]) {
        script
            .headers
            .insert(HeaderName::from_static("x-huge"), value);
    }
}

fn sends(script: &Script) -> usize {
    script
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Send { .. }))
        .count()
}

/// Makes a stated length true again.
pub(super) fn correct_length(script: &mut Script) {
    let total: usize = script
        .steps
        .iter()
        .map(|step| {
            if let Step::Send { bytes, .. } = step {
                bytes.len()
            } else {
                0
            }
        })
        .sum();
    if let Some(length) = script.headers.get_mut(CONTENT_LENGTH) {
        *length = HeaderValue::from(total);
    }
}
