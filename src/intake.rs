//! Request bodies on their way in: read and bounded, or handed on unread.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Bounds;

/// Permits of the shared memory are counted in units of this many bytes.
const UNIT: usize = 1024;
/// What is reserved before the first byte arrives, whatever length the client declares.
const FIRST_RESERVE: usize = 64 * 1024;

/// The memory that all buffered request bodies share.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Semaphore>);

impl Memory {
    /// Room for `bytes` over all requests.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))))
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, IntakeError> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_too_large| IntakeError::Overloaded)?;
        Arc::clone(&self.0).try_acquire_many_owned(units).map_err(|_full| IntakeError::Overloaded)
    }
}

/// A request's body, as far as this proxy looks at it.
#[derive(Debug)]
pub enum Intake {
    /// JSON that was read whole. Its share of the memory is given back when this is dropped.
    Json(Held),
    /// Anything else: it streams.
    Unread(Incoming),
}

/// Bytes in memory, with their share of what all requests may hold.
#[derive(Debug)]
pub struct Held {
    /// The body, byte for byte.
    pub bytes: Bytes,
    _share: OwnedSemaphorePermit,
}

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The client's connection failed while it was sending.
    #[error("the client broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// A compressed body where hone must read it.
    #[error("the body is compressed")]
    Encoded,
    /// The client stopped sending.
    #[error("no byte of the body for {0:?}")]
    Idle(Duration),
    /// Not JSON where hone must read it.
    #[error("the content type is not application/json")]
    NotJson,
    /// All requests together hold as much as they may.
    #[error("the memory for request bodies is full")]
    Overloaded,
    /// Larger than allowed.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
}

/// Whether the endpoint insists on JSON that hone can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Chat: the body decides what runs.
    Json,
    /// Any other path: what hone cannot read, it forwards.
    Anything,
}

/// Reads the body of a JSON `POST`; leaves any other unread.
///
/// # Errors
///
/// When `need` is [`Need::Json`] and the body is of another type or compressed; when it is too large, too slow, or memory is short.
pub async fn read(parts: &Parts, body: Incoming, need: Need, bounds: &Bounds, memory: &Memory) -> Result<Intake, IntakeError> {
    let readable = parts.method == Method::POST && is_json(&parts.headers) && !is_encoded(&parts.headers);
    if readable {
        return Ok(Intake::Json(collect(&parts.headers, body, bounds, memory).await?));
    }
    match need {
        Need::Json if parts.method != Method::POST => Ok(Intake::Unread(body)),
        Need::Json if !is_json(&parts.headers) => Err(IntakeError::NotJson),
        Need::Json => Err(IntakeError::Encoded),
        Need::Anything => Ok(Intake::Unread(body)),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

async fn collect(headers: &HeaderMap, mut body: Incoming, bounds: &Bounds, memory: &Memory) -> Result<Held, IntakeError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|length| length > bounds.body_bytes) {
        return Err(IntakeError::TooLarge(bounds.body_bytes));
    }
    let mut share = memory.take(declared.unwrap_or(FIRST_RESERVE).min(FIRST_RESERVE))?;
    let mut whole = BytesMut::new();
    while let Some(data) = next_data(&mut body, bounds.body_idle).await? {
        if whole.len() + data.len() > bounds.body_bytes {
            return Err(IntakeError::TooLarge(bounds.body_bytes));
        }
        let held = share.num_permits() * UNIT;
        if whole.len() + data.len() > held {
            share.merge(memory.take((whole.len() + data.len() - held).max(held.min(FIRST_RESERVE)))?);
        }
        if whole.is_empty() && body.is_end_stream() {
            // The common case: one frame is the whole body, and nothing is copied.
            return Ok(Held { bytes: data, _share: share });
        }
        if whole.is_empty() {
            whole.reserve(declared.unwrap_or_default().min(1024 * 1024));
        }
        whole.extend_from_slice(&data);
    }
    Ok(Held { bytes: whole.freeze(), _share: share })
}

async fn next_data(body: &mut Incoming, idle: Duration) -> Result<Option<Bytes>, IntakeError> {
    loop {
        let frame = tokio::time::timeout(idle, body.frame()).await.map_err(|_elapsed| IntakeError::Idle(idle))?;
        match frame {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(data) = frame?.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}
