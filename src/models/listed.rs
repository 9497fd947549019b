//! One upstream's answer, read whole.

use bytes::{Bytes, BytesMut};
use hone_strategies::chat::weight;
use hone_strategies::{ModelError, StrategyError};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;

use super::form::Form;
use super::list::{self, Models};
use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::answer::relay::Relayed;
use crate::config::Bounds;
use crate::request::intake::IntakeError;
use crate::tenant::Share;
use crate::upstream::body::BodyError;
use crate::upstream::model::rejection;

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
    /// The form in which it was asked for.
    pub form: Form,
    /// The memory of the list, as bytes and as a tree.
    pub share: Option<Share>,
}

impl Listed {
    /// Reads `answer`, which was asked for in `form`. Its memory is `share`, within `bounds`.
    ///
    /// # Errors
    ///
    /// The answer breaks off, is larger than any list, or there is no memory for it.
    pub(crate) async fn read(
        answer: Relayed,
        form: Form,
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
            form,
            share: Some(share),
        })
    }

    /// The models as a list in `form` has them, if this is a list.
    pub(super) fn models(&self, form: Form) -> Option<Models> {
        if self.status != StatusCode::OK {
            return None;
        }
        list::models(&self.body, (self.form.of_document(&self.body), form))
    }

    /// The status that the upstream means, whatever its dialect has for it.
    pub(crate) fn meant(&self) -> StatusCode {
        if self.status.is_success() || self.form == Form::OpenAi {
            return self.status;
        }
        let status = self.status.as_u16();
        let told = self.form.codec().decode_error(status, &self.body);
        StatusCode::from_u16(told.status).unwrap_or(self.status)
    }

    /// What is no list, for a client that reads `form`.
    ///
    /// # Errors
    ///
    /// Where it has another form than the client's: it has to be told in other words.
    pub(super) fn told(self, form: Form) -> Result<Reply, ProxyError> {
        if self.form == form {
            return Ok(self.into());
        }
        let error = if self.status.is_success() {
            ModelError::Malformed {
                detail: "its answer tells no models".to_owned(),
            }
        } else {
            let head = (self.status, self.headers);
            let dialect = self.form.dialect();
            ModelError::Rejected(Box::new(rejection::told(dialect, head, self.body, false)))
        };
        Err(StrategyError::Model(error).into())
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
