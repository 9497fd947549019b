//! From a reply, or from any error, to a response. Total: nothing here can fail.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use serde_json::Value;

use crate::answer::relay::{Metered, Relayed};
use crate::api::headers;
use crate::telemetry::RecordGuard;
use crate::tenant::Room;
use crate::transport::Close;
use crate::upstream::body::BodyError;

pub(crate) mod chat;
pub(crate) mod error;
pub(crate) mod notes;
pub(crate) mod stream;
pub(crate) mod writer;

pub(crate) use stream::EventBody;

/// hone's id of a request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-hone-request-id");
/// Whose key paid: `client`, `fallback` or `none`.
pub(crate) const CREDENTIAL: HeaderName = HeaderName::from_static("x-hone-credential");
/// What ran.
pub(crate) const APPROACH: HeaderName = HeaderName::from_static("x-hone-approach");
/// Who served it.
pub(crate) const UPSTREAM: HeaderName = HeaderName::from_static("x-hone-upstream");
/// How many calls that took.
pub(crate) const UPSTREAM_CALLS: HeaderName = HeaderName::from_static("x-hone-upstream-calls");
/// What the answer had to do without.
pub(crate) const DEGRADED: HeaderName = HeaderName::from_static("x-hone-degraded");
/// What `auto` picked, and why.
pub(crate) const AUTO: HeaderName = HeaderName::from_static("x-hone-auto");
/// What may be meant by a name that the provider does not know.
pub(crate) const HINT: HeaderName = HeaderName::from_static("x-hone-hint");
/// By what a count of tokens was estimated that nobody could make.
pub(crate) const ESTIMATE: HeaderName = HeaderName::from_static("x-hone-estimate");
/// hone's error code.
pub(crate) const ERROR: HeaderName = HeaderName::from_static("x-hone-error");
/// Whose limit it was: `hone` or `upstream`.
pub(crate) const LIMIT_SOURCE: HeaderName = HeaderName::from_static("x-hone-limit-source");

/// What a request comes to, before it is a response.
#[derive(Debug)]
pub enum Reply {
    /// A document that hone wrote.
    Document {
        /// Its status.
        status: StatusCode,
        /// hone's headers beside the content type.
        headers: HeaderMap,
        /// The JSON.
        body: String,
        /// The memory of the run that made it, if one did.
        room: Option<Arc<Room>>,
    },
    /// A strategy's answer as an event stream.
    Events {
        /// hone's headers.
        headers: HeaderMap,
        /// The running strategy.
        body: EventBody,
    },
    /// The upstream's answer, unchanged.
    Relayed(Box<Relayed>),
    /// An upstream's answer that was read whole: its bytes, unchanged or with virtual models added.
    /// Or a head without a body.
    Verbatim {
        /// The upstream's status.
        status: StatusCode,
        /// The upstream's headers and hone's.
        headers: HeaderMap,
        /// The upstream's bytes.
        body: Bytes,
    },
}

impl Reply {
    /// A document with status 200.
    pub(crate) fn document(body: &Value) -> Self {
        Self::json(body.to_string())
    }

    /// The same, of JSON that is written already.
    pub(crate) fn json(body: String) -> Self {
        Self::Document {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body,
            room: None,
        }
    }

    /// The same, with the memory of the run that made it: held until the client has it all.
    pub(crate) fn keep(mut self, run: Arc<Room>) -> Self {
        match &mut self {
            Self::Document { room, .. } => *room = Some(run),
            Self::Events { body, .. } => body.keep(run),
            Self::Relayed(_) | Self::Verbatim { .. } => {}
        }
        self
    }

    /// The status that the client will see.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Document { status, .. } | Self::Verbatim { status, .. } => *status,
            Self::Events { .. } => StatusCode::OK,
            Self::Relayed(answer) => answer.status,
        }
    }

    /// The headers that the client will see, hone's own and the upstream's.
    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        match self {
            Self::Document { headers, .. }
            | Self::Events { headers, .. }
            | Self::Verbatim { headers, .. } => headers,
            Self::Relayed(answer) => &mut answer.headers,
        }
    }
}

/// The body of every response.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    /// A strategy's event stream.
    Events(Box<EventBody>),
    /// In memory. The record is finished when the body is dropped.
    Full(Full<Bytes>, Option<RecordGuard>),
    /// An upstream's bytes.
    Relayed(Box<Metered>),
}

/// Makes the response of `reply`. `guard` is told how its body ends.
pub(crate) fn response(reply: Reply, mut guard: RecordGuard) -> Response<ReplyBody> {
    let (status, headers, body) = match reply {
        Reply::Document {
            status,
            mut headers,
            body,
            room,
        } => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            head_done(&mut guard, status);
            let json = match room {
                Some(room) => Bytes::from_owner(Written {
                    json: body,
                    _room: room,
                }),
                None => Bytes::from(body),
            };
            (status, headers, full(json, guard))
        }
        Reply::Verbatim {
            status,
            headers,
            body,
        } => {
            head_done(&mut guard, status);
            (status, headers, full(body, guard))
        }
        Reply::Events {
            mut headers,
            mut body,
        } => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(body.content_type()));
            headers.insert(
                http::header::CACHE_CONTROL,
                HeaderValue::from_static("no-cache"),
            );
            // nginx holds a stream back until its buffers are full, unless it is told not to.
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
            head_done(&mut guard, StatusCode::OK);
            guard.streams();
            body.tell(guard);
            (StatusCode::OK, headers, ReplyBody::Events(Box::new(body)))
        }
        Reply::Relayed(answer) => {
            let Relayed {
                status,
                headers,
                mut body,
                rejects_key: _,
                upstream_time: _,
            } = *answer;
            head_done(&mut guard, status);
            if headers::is_event_stream(&headers) {
                guard.streams();
                body.is_stream();
            }
            body.tell(guard);
            (status, headers, ReplyBody::Relayed(Box::new(body)))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The JSON of a run's answer. What is sent of it holds on to the run's memory.
struct Written {
    json: String,
    _room: Arc<Room>,
}

impl AsRef<[u8]> for Written {
    fn as_ref(&self) -> &[u8] {
        self.json.as_bytes()
    }
}

fn head_done(guard: &mut RecordGuard, status: StatusCode) {
    let record = guard.record();
    record.status = status.as_u16();
    record.to_head = Some(record.started.elapsed());
}

fn full(bytes: Bytes, guard: RecordGuard) -> ReplyBody {
    ReplyBody::Full(Full::new(bytes), Some(guard))
}

impl Close for ReplyBody {
    fn close(&mut self) {
        match self {
            Self::Events(body) => body.close(),
            // It is whole, and the rest of it is on its way.
            Self::Full(..) => {}
            Self::Relayed(body) => body.close(error::last_word),
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Events(body) => Pin::new(&mut **body).poll_frame(cx),
            Self::Relayed(body) => Pin::new(&mut **body).poll_frame(cx),
            Self::Full(body, guard) => {
                if let Some(guard) = guard.take() {
                    guard.complete();
                }
                Pin::new(body)
                    .poll_frame(cx)
                    .map(|frame| frame.map(|result| result.map_err(|never| match never {})))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Events(_) => false,
            Self::Full(body, _) => body.is_end_stream(),
            Self::Relayed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Events(_) => SizeHint::default(),
            Self::Full(body, _) => body.size_hint(),
            Self::Relayed(body) => body.size_hint(),
        }
    }
}
