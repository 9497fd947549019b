//! How one call is said to its upstream.
//!
//! What a chat client sent goes to a chat upstream as it is. All else goes through the codecs of
//! [`hone_dialects`]: from the client's dialect, by chat, to the upstream's.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use hone_dialects::stops::Guard;
use hone_dialects::{Dialect, Refusal, Source, Target, codec};
use hone_strategies::model::Unspeakable;
use hone_strategies::{ChatRequest, ModelError};
use http::{HeaderName, HeaderValue};

use super::{HttpModel, no_room};
use crate::tenant::Taken;

/// A call as it is sent.
pub(super) struct Speech {
    /// The body.
    pub(super) pieces: Vec<Bytes>,
    /// The memory of those pieces that are this call's alone.
    pub(super) taken: Taken,
    /// Where it is sent to.
    pub(super) place: Place,
    /// Headers that the dialect wants.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// How its answer is read, if that is not chat's own way.
    pub(super) foreign: Option<Box<Foreign>>,
}

/// Path and query behind the upstream's base URL.
pub(super) struct Place(Cow<'static, str>);

impl Place {
    /// Without a slash in front, and the query.
    pub(super) fn parts(&self) -> (&str, Option<&str>) {
        match self.0.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&self.0, None),
        }
    }
}

/// What is to be known to read the answer.
pub(super) struct Foreign {
    pub(super) dialect: Dialect,
    pub(super) source: Source,
    /// Watches for stop sequences that the upstream is not told.
    pub(super) guard: Option<Guard>,
}

impl HttpModel {
    /// Puts `request` into words.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unspeakable`], [`ModelError::NoRoom`].
    pub(super) fn say(&self, request: &ChatRequest) -> Result<Speech, ModelError> {
        let dialect = self.upstream.config.dialect;
        if dialect == Dialect::OpenAiChat && request.origin().is_none() {
            let segments = request.to_segments();
            return Ok(Speech {
                taken: self.room.take(segments.own).map_err(no_room)?,
                pieces: segments.pieces,
                place: Place(Cow::Borrowed("chat/completions")),
                headers: Vec::new(),
                foreign: None,
            });
        }
        self.translate(request, dialect)
    }

    fn translate(&self, request: &ChatRequest, dialect: Dialect) -> Result<Speech, ModelError> {
        let target = self.target(request);
        let encoded = codec(dialect)
            .encode_request(request, &target)
            .map_err(unspeakable)?;
        self.note_losses(&encoded.losses);
        let text = |(name, value): (&'static str, String)| {
            let value = HeaderValue::try_from(value).ok()?;
            Some((HeaderName::from_static(name), value))
        };
        let path = encoded.path.trim_start_matches('/').to_owned();
        Ok(Speech {
            taken: self.room.take(encoded.body.len()).map_err(no_room)?,
            pieces: vec![Bytes::from(encoded.body)],
            place: Place(Cow::Owned(path)),
            headers: encoded.headers.into_iter().filter_map(text).collect(),
            foreign: Some(Box::new(Foreign {
                dialect,
                source: Source {
                    maker: target.maker(),
                    names: Arc::new(encoded.names),
                    seed: self.next_seed(),
                    max_event_bytes: self.bounds.sse_event_bytes,
                },
                guard: Guard::of(request, dialect),
            })),
        })
    }

    /// Whom the call is written for.
    pub(super) fn target(&self, request: &ChatRequest) -> Target {
        Target {
            upstream: self.upstream.name().to_owned(),
            model: request.model().to_owned(),
            is_asked: self.asked.as_deref() == Some(request.model()),
            stream: request.stream(),
            settings: self.settings(request.model()),
        }
    }
}

fn unspeakable(refusal: Refusal) -> ModelError {
    ModelError::Unspeakable(Box::new(Unspeakable {
        param: refusal.param,
        message: refusal.message,
        code: refusal.code,
    }))
}
