//! Request bodies on their way in: read and bounded, or handed on unread.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::api::endpoint::Need;
use crate::api::headers;
use crate::config::Bounds;
use crate::tenant::{Full, Share};
use crate::transport::RequestBody;
use crate::workers;

pub(crate) mod form;

/// What is reserved before the first byte arrives, whatever length the client declares.
const FIRST_RESERVE: usize = 64 * 1024;

/// Room that is made for a body of more than one frame.
const FIRST_ROOM: usize = 1024 * 1024;
/// Room is made for so many times the bytes that have come.
const GROWTH: usize = 8;

/// A request's body, as far as this proxy looks at it.
#[derive(Debug)]
pub(crate) enum Intake {
    /// JSON that was read whole. Its share of the memory is given back when this is dropped.
    Json(Held),
    /// Anything else: it streams.
    Unread(RequestBody),
}

/// Bytes in memory, with their share of what all requests may hold.
#[derive(Debug)]
pub(crate) struct Held {
    /// The body, byte for byte.
    pub(crate) bytes: Bytes,
    /// Its share.
    pub(crate) share: Share,
    /// From asking for it to its last piece: the client's time.
    pub(crate) took: Duration,
}

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The client's connection failed while it was sending.
    #[error("the client broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// A compressed body where hone must read it.
    #[error("the body is compressed: {0:?}")]
    Encoded(String),
    /// A form of which hone must know the model, and does not.
    #[error("{0}")]
    Form(#[from] form::UnreadForm),
    /// The client stopped sending.
    #[error("no byte of the body for {0:?}")]
    Idle(Duration),
    /// Neither JSON nor a form, where a model decides which upstream gets it.
    #[error("of a type in which no model is found")]
    NoForm,
    /// Neither JSON nor of a known length, where it counts against a limit on tokens.
    #[error("the body's length is not known")]
    NoLength,
    /// Not JSON where hone must read it.
    #[error("the content type is not application/json")]
    NotJson,
    /// All requests together hold as much as they may.
    #[error("the memory for request bodies is full")]
    Overloaded,
    /// The whole body took too long.
    #[error("the body was not complete within {0:?}")]
    Slow(Duration),
    /// The caller's requests hold as much as they may.
    #[error("the caller's request bodies hold more than {0} bytes")]
    TenantFull(usize),
    /// What the JSON would become is more than a caller's requests may ever hold.
    #[error("larger in memory than {0} bytes")]
    TooHeavy(usize),
    /// Larger than allowed.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
}

impl IntakeError {
    /// Whether some of the body of the request with this head was read, and no limit of hone's is
    /// why it was not read further.
    pub(crate) fn has_read(&self, parts: &Parts) -> bool {
        match self {
            Self::Broken(_) | Self::Form(_) | Self::Idle(_) | Self::Slow(_) | Self::TooHeavy(_) => {
                true
            }
            Self::Encoded(_)
            | Self::NoForm
            | Self::NoLength
            | Self::NotJson
            | Self::Overloaded
            | Self::TenantFull(_) => false,
            // A length that is declared is refused as declared.
            Self::TooLarge(_) => !parts.headers.contains_key(CONTENT_LENGTH),
        }
    }
}

impl From<Full> for IntakeError {
    fn from(full: Full) -> Self {
        match full {
            Full::All => Self::Overloaded,
            Full::Tenant(most) => Self::TenantFull(most),
        }
    }
}

/// Reads the body of a JSON `POST`; leaves any other unread.
///
/// # Errors
///
/// When `need` is [`Need::Json`] and the body is of another type or compressed; when it is too
/// large, too slow, or memory is short.
///
/// # Cancel safety
///
/// Dropped, it gives back what it holds.
pub(crate) async fn read(
    parts: &Parts,
    body: RequestBody,
    need: Need,
    bounds: &Bounds,
    share: Share,
) -> Result<Intake, IntakeError> {
    let encoding = headers::coding(&parts.headers);
    let readable = parts.method == Method::POST && is_json(&parts.headers) && encoding.is_none();
    if readable {
        return Ok(Intake::Json(
            collect(&parts.headers, body, bounds, share).await?,
        ));
    }
    match need {
        Need::Json if parts.method != Method::POST => Ok(Intake::Unread(body)),
        Need::Json if !is_json(&parts.headers) => Err(IntakeError::NotJson),
        Need::Json => Err(IntakeError::Encoded(encoding.unwrap_or_default())),
        Need::Anything => Ok(Intake::Unread(body)),
    }
}

/// The content type, if there is one.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(CONTENT_TYPE).iter();
    let first = lines.next()?;
    lines.next().is_none().then_some(first)?.to_str().ok()
}

/// Whether the body is JSON for every server: of one type, and in UTF-8 (RFC 8259 §8.1), which
/// some would read otherwise if the type says so.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = content_type(headers) else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
        && parts.all(is_utf8)
}

/// Whether a parameter of a content type leaves the body UTF-8.
fn is_utf8(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return true;
    };
    let value = value.trim().trim_matches('"');
    !name.trim().eq_ignore_ascii_case("charset")
        || ["utf-8", "utf8", "us-ascii"]
            .iter()
            .any(|charset| value.eq_ignore_ascii_case(charset))
}

/// The length that a head gives its body.
fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn collect<B>(
    headers: &HeaderMap,
    mut body: B,
    bounds: &Bounds,
    mut share: Share,
) -> Result<Held, IntakeError>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    let declared = declared(headers);
    if declared.is_some_and(|length| length > bounds.body_bytes) {
        return Err(IntakeError::TooLarge(bounds.body_bytes));
    }
    let most = declared.unwrap_or(bounds.body_bytes);
    share.grow(most.min(FIRST_RESERVE), bounds)?;
    let mut clock = Clock::new(bounds);
    let mut whole = BytesMut::new();
    while let Some(data) = next_data(&mut body, &mut clock).await? {
        let length = whole.len() + data.len();
        if length > bounds.body_bytes {
            return Err(IntakeError::TooLarge(bounds.body_bytes));
        }
        let held = share.bytes();
        if length > held {
            // In steps, but never more than the body can have.
            share.grow((held + FIRST_RESERVE).min(most).max(length) - held, bounds)?;
        }
        if whole.is_empty() && body.is_end_stream() {
            // The common case: one frame is the whole body, and nothing is copied.
            return Ok(Held {
                bytes: data,
                share,
                took: clock.took(),
            });
        }
        if whole.capacity() < length {
            whole = with_room(whole, length, most).await;
        }
        whole.extend_from_slice(&data);
    }
    Ok(Held {
        bytes: whole.freeze(),
        share,
        took: clock.took(),
    })
}

/// `whole` with room for `length` bytes and more, but never for more than `most`, nor for much more
/// than has come, whatever length was declared.
async fn with_room(mut whole: BytesMut, length: usize, most: usize) -> BytesMut {
    let more = length
        .saturating_mul(GROWTH)
        .max(FIRST_ROOM)
        .min(most)
        .saturating_sub(whole.len());
    if whole.len() > workers::LARGE {
        // All of it is copied.
        return workers::offload_future(async move {
            whole.reserve(more);
            whole
        })
        .await;
    }
    whole.reserve(more);
    whole
}

/// When a body is too slow: no piece of it for a while, or not all of it in time. A client that
/// sends a byte now and then keeps to the first bound only.
#[derive(Debug)]
struct Clock {
    idle: Duration,
    whole: Duration,
    /// When hone began to read.
    start: Instant,
    /// When the last piece came.
    now: Instant,
    end: Instant,
    /// Bytes taken in this turn.
    taken: usize,
}

impl Clock {
    fn new(bounds: &Bounds) -> Self {
        let now = Instant::now();
        Self {
            idle: bounds.body_idle,
            whole: bounds.body_read,
            start: now,
            now,
            end: now + bounds.body_read,
            taken: 0,
        }
    }

    /// When the next piece is due.
    fn due(&self) -> Instant {
        self.end.min(self.now + self.idle)
    }

    fn took(&self) -> Duration {
        self.now.saturating_duration_since(self.start)
    }

    fn late(&self) -> IntakeError {
        if self.due() < self.end {
            IntakeError::Idle(self.idle)
        } else {
            IntakeError::Slow(self.whole)
        }
    }
}

async fn next_data<B>(body: &mut B, clock: &mut Clock) -> Result<Option<Bytes>, IntakeError>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    if clock.taken >= workers::YIELD_BYTES {
        clock.taken = 0;
        // A client that sends as fast as it can would else have all of its body read in one poll.
        tokio::task::yield_now().await;
    }
    loop {
        let frame = tokio::time::timeout_at(clock.due(), body.frame())
            .await
            .map_err(|_elapsed| clock.late())?;
        let Some(frame) = frame else { return Ok(None) };
        if let Ok(data) = frame?.into_data() {
            clock.now = Instant::now();
            clock.taken += data.len();
            // A peer that always has a little more to send never lets the timer be asked.
            if clock.now >= clock.end && !body.is_end_stream() {
                return Err(clock.late());
            }
            return Ok(Some(data));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::rc::Rc;
    use std::task::{Context, Poll, Waker};

    use http::HeaderValue;
    use http_body::Frame;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn json_is_what_every_server_reads_as_utf_8() {
        let of = |lines: &[&'static str]| {
            let lines: Vec<_> = lines.iter().map(|line| ("content-type", *line)).collect();
            is_json(&headers(&lines))
        };
        for kind in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\" ; x=y",
            "application/json; charset = utf8",
            "application/json;",
        ] {
            assert!(of(&[kind]), "{kind}");
        }
        for kinds in [
            &["application/json; charset=utf-16"][..],
            &["application/json; x=y; CHARSET=\"utf-7\""],
            &["application/json; charset=utf-8; charset=ibm037"],
            &["application/json; charset="],
            &["application/json", "text/plain"],
            &["application/json", "application/json"],
            &["text/json"],
            &[],
        ] {
            assert!(!of(kinds), "{kinds:?}");
        }
    }

    const PIECE: usize = 100_000;

    /// Has another piece whenever it is asked, until it has given all.
    struct Eager {
        pieces: usize,
        given: Rc<Cell<usize>>,
    }

    impl Body for Eager {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            let this = self.get_mut();
            let Some(left) = this.pieces.checked_sub(1) else {
                return Poll::Ready(None);
            };
            this.pieces = left;
            this.given.set(this.given.get() + PIECE);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; PIECE])))))
        }
    }

    #[tokio::test]
    async fn a_body_that_arrives_at_once_leaves_its_worker_a_turn_after_every_megabyte() {
        let given = Rc::new(Cell::new(0));
        let mut body = Eager {
            pieces: 50,
            given: Rc::clone(&given),
        };
        let mut clock = Clock::new(&Bounds::default());
        let mut reading = pin!(async {
            let mut bytes = 0;
            while let Some(data) = next_data(&mut body, &mut clock).await.unwrap() {
                bytes += data.len();
            }
            bytes
        });
        let mut turns = 0;
        while reading
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {
            assert!(given.take() < workers::YIELD_BYTES + PIECE);
            turns += 1;
        }
        assert_eq!(turns, 4);
    }

    #[tokio::test]
    async fn room_is_made_for_what_has_come_and_some_more_but_not_for_what_was_declared() {
        const DECLARED: usize = 64 * 1024 * 1024;
        let first = with_room(BytesMut::new(), 10_000, DECLARED).await;
        assert!((10_000..=FIRST_ROOM).contains(&first.capacity()));
        let next = with_room(BytesMut::zeroed(FIRST_ROOM), FIRST_ROOM + 1, DECLARED).await;
        assert!((FIRST_ROOM + 1..=GROWTH * (FIRST_ROOM + 1)).contains(&next.capacity()));
        assert_eq!(
            with_room(BytesMut::zeroed(FIRST_ROOM), FIRST_ROOM + 1, 5_000_000)
                .await
                .capacity(),
            5_000_000
        );
    }
}
