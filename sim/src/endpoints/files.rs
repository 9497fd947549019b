//! Uploads, and binary content of any size without memory for it.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::endpoints::CREATED;
use crate::refusal::Refusal;
use crate::script::{Aborted, Script, Step};

/// Content repeats after this many bytes, and is sent in pieces of at most so many.
const PERIOD: u64 = 64 * 1024;
/// The largest content, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024 * 1024;

/// An upload of which only size and digest are kept.
#[derive(Debug)]
pub(crate) struct Upload {
    size: u64,
    pub(crate) sha256: [u8; 32],
}

impl Upload {
    /// Reads an upload to its end. Fails if the client goes away before.
    pub(crate) async fn receive(mut body: Incoming) -> Result<Self, Aborted> {
        let (mut size, mut digest) = (0, Sha256::new());
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            if let Some(data) = frame.data_ref() {
                digest.update(data);
                size += u64::try_from(data.len()).unwrap_or(u64::MAX);
            }
        }
        Ok(Self {
            size,
            sha256: digest.finalize().into(),
        })
    }

    /// `POST /v1/files`: size and digest are those of the whole request body, multipart framing
    /// included, so that a relay can be checked byte for byte. The id names content of that size.
    pub(crate) fn file(&self) -> Script {
        Script::json(&json!({
            "id": format!("file-{}", self.size),
            "object": "file",
            "bytes": self.size,
            "sha256": hex::encode(self.sha256),
            "created_at": CREATED,
            "filename": "upload",
            "purpose": "user_data",
        }))
    }

    /// `POST /v1/audio/transcriptions`.
    pub(crate) fn transcription(&self) -> Script {
        Script::json(&json!({"text": format!("A simulated recording of {} bytes.", self.size)}))
    }
}

/// `GET /v1/files/file-<size>/content`: so many bytes, or the range of them that was asked for (RFC
/// 9110, section 14).
pub(crate) fn content(id: &str, headers: &HeaderMap) -> Result<Script, Refusal> {
    let size = id
        .strip_prefix("file-")
        .and_then(|size| size.parse().ok())
        .filter(|size| *size <= LARGEST);
    let size: u64 = size.ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, format!("No such File object: {id}")).param("id")
    })?;
    let mut script = match headers
        .get(RANGE)
        .and_then(|range| range.to_str().ok())
        .and_then(|range| requested(range, size))
    {
        None => binary("application/octet-stream", 0..size),
        Some(range) if range.is_empty() => {
            let mut script = Script::whole(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "text/plain",
                Bytes::new(),
                0,
            );
            insert(&mut script, CONTENT_RANGE, &format!("bytes */{size}"));
            script
        }
        Some(range) => {
            let stated = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let mut script = binary("application/octet-stream", range);
            script.status = StatusCode::PARTIAL_CONTENT;
            insert(&mut script, CONTENT_RANGE, &stated);
            script
        }
    };
    insert(&mut script, ACCEPT_RANGES, "bytes");
    Ok(script)
}

fn insert(script: &mut Script, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        script.headers.insert(name, value);
    }
}

/// The bytes of one range; empty if they are beyond the end; `None` if the header means nothing, or
/// several ranges, and is thus ignored.
fn requested(header: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let count: u64 = last.parse().ok()?;
        return Some(size.saturating_sub(count)..size);
    }
    let first: u64 = first.parse().ok()?;
    let last: u64 = if last.is_empty() {
        u64::MAX
    } else {
        last.parse().ok()?
    };
    let end = last.saturating_add(1).min(size);
    (first <= last).then_some(first.min(end)..end)
}

/// These bytes of the repeating content, with their length.
pub(crate) fn binary(content_type: &'static str, range: Range<u64>) -> Script {
    let block: Bytes = (0..=u8::MAX)
        .cycle()
        .zip(0..PERIOD)
        .map(|(byte, place)| byte ^ (place / 256).to_le_bytes()[0])
        .collect();
    let mut script = Script::stream(content_type, VecDeque::new());
    script.headers.insert(
        CONTENT_LENGTH,
        HeaderValue::from(range.end.saturating_sub(range.start)),
    );
    let mut at = range.start;
    while at < range.end {
        let (start, left) = (at % PERIOD, range.end - at);
        let end = PERIOD.min(start.saturating_add(left));
        if let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) {
            script.steps.push_back(Step::send(block.slice(start..end)));
        }
        at += end - start;
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(range: Range<u64>) -> Vec<u8> {
        let steps = binary("text/plain", range).steps.into_iter();
        steps
            .flat_map(|step| {
                if let Step::Send { bytes, .. } = step {
                    bytes.to_vec()
                } else {
                    Vec::new()
                }
            })
            .collect()
    }

    #[test]
    fn a_part_is_that_part_of_the_whole() {
        let whole = bytes(0..200_000);
        assert_eq!(whole.len(), 200_000);
        assert_eq!(bytes(65_000..140_000), whole[65_000..140_000]);
        assert_ne!(whole[0..256], whole[256..512]);
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let rows = [
            ("bytes=0-9", Some(0..10)),
            ("bytes=90-", Some(90..100)),
            ("bytes=-10", Some(90..100)),
            ("bytes=-1000", Some(0..100)),
            ("bytes=50-1000", Some(50..100)),
            ("bytes=100-", Some(100..100)),
            ("bytes=9-0", None),
            ("bytes=0-1,4-5", None),
            ("lines=0-9", None),
        ];
        for (header, range) in rows {
            assert_eq!(requested(header, 100), range, "{header}");
        }
    }
}
