//! One upstream's answer, read whole.

use bytes::{Bytes, BytesMut};
use hone_strategies::chat::weight;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

use super::list::List;
use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::answer::relay::Relayed;
use crate::config::Bounds;
use crate::request::intake::IntakeError;
use crate::tenant::Share;
use crate::upstream::body::BodyError;

/// A list larger than this is not read.
pub(super) const MAX_LIST: usize = 8 * 1024 * 1024;

/// An upstream's answer, read whole.
#[derive(Debug)]
pub struct Listed {
    /// The upstream's status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its bytes.
    pub body: Bytes,
    /// The memory of the list, as bytes and as a tree.
    pub share: Option<Share>,
}

impl Listed {
    /// Reads `answer`. Its memory is `share`, within `bounds`.
    ///
    /// # Errors
    ///
    /// The answer breaks off, is larger than any list, or there is no memory for it.
    pub(crate) async fn read(
        answer: Relayed,
        mut share: Share,
        bounds: &Bounds,
    ) -> Result<Self, ProxyError> {
        let (mut headers, mut body) = (answer.headers, answer.body);
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(ProxyError::Cut)?.into_data() {
                if bytes.len() + data.len() > MAX_LIST {
                    return Err(ProxyError::Cut(BodyError::TooLarge(MAX_LIST)));
                }
                // What is full moves to twice the room.
                share
                    .grow(2 * data.len(), bounds)
                    .map_err(IntakeError::from)?;
                bytes.extend_from_slice(&data);
            }
        }
        share
            .grow(weight(&bytes), bounds)
            .map_err(IntakeError::from)?;
        // It may become longer or shorter before it is passed on.
        headers.remove(CONTENT_LENGTH);
        Ok(Self {
            status: answer.status,
            headers,
            body: bytes.freeze(),
            share: Some(share),
        })
    }

    /// The models, if this is a list of them.
    pub(super) fn models(&self) -> Option<Vec<Value>> {
        let list = List::read(&self.body).filter(|_| self.status == StatusCode::OK)?;
        Some(list.models)
    }
}

/// A list in memory, for as long as a client takes to read it.
pub(super) struct Held<T> {
    pub(super) list: T,
    pub(super) _shares: Vec<Share>,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        self.list.as_ref()
    }
}

impl From<Listed> for Reply {
    fn from(listed: Listed) -> Self {
        Self::Verbatim {
            status: listed.status,
            headers: listed.headers,
            body: Bytes::from_owner(Held {
                list: listed.body,
                _shares: listed.share.into_iter().collect(),
            }),
        }
    }
}
