//! A form, read as far as tells its model.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;

use super::{Clock, FIRST_RESERVE, IntakeError, content_type, declared, next_data, with_room};
use crate::config::Bounds;
use crate::request::form::{Fields, FormError, FormReader, Found};
use crate::tenant::{Share, charged};
use crate::transport::RequestBody;

/// A form as far as it was read, and the rest of it.
#[derive(Debug)]
pub(crate) struct HeldForm {
    front: BytesMut,
    rest: RequestBody,
    share: Share,
    clock: Clock,
    model: Result<Option<Range<usize>>, UnreadForm>,
}

/// Why a form's model is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadForm {
    /// There are none in so many bytes.
    #[error("no `model` in the first {0} bytes")]
    Behind(usize),
    /// It is no form, or an unclear one.
    #[error(transparent)]
    Form(#[from] FormError),
    /// More than so many bytes, where all of it must be read.
    #[error("a form of more than {0} bytes, which must be read whole")]
    TooLarge(usize),
}

/// How far a form is read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extent<'a> {
    /// To its model.
    Model,
    /// To its end, with these fields only.
    Whole(Fields<'a>),
}

/// Whether a body is a form, by its type.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let essence = content_type(headers).and_then(|kind| kind.split(';').next());
    essence.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("multipart/form-data"))
}

impl HeldForm {
    /// A form of which nothing has been read.
    pub(crate) fn new(body: RequestBody, bounds: &Bounds, share: Share) -> Self {
        Self {
            front: BytesMut::new(),
            rest: body,
            share,
            clock: Clock::new(bounds),
            model: Ok(None),
        }
    }

    /// Reads it from its beginning, to where `extent` ends or it is known to be unreadable: then
    /// it may pass all the same.
    ///
    /// # Errors
    ///
    /// When it is too slow, broke off, or memory is short.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it gives back what it holds.
    pub(crate) async fn read(
        &mut self,
        headers: &HeaderMap,
        extent: Extent<'_>,
        bounds: &Bounds,
    ) -> Result<(), IntakeError> {
        let (length, most) = (declared(headers), bounds.body_bytes);
        let (fields, is_whole) = match extent {
            Extent::Model => (Fields::Any, false),
            Extent::Whole(fields) => (fields, true),
        };
        self.model = match FormReader::new(content_type(headers).unwrap_or_default()) {
            Err(error) => Err(error.into()),
            Ok(_) if is_whole && length.is_some_and(|length| length > most) => {
                Err(UnreadForm::TooLarge(most))
            }
            Ok(reader) => {
                let length = length.unwrap_or(usize::MAX).min(most);
                let reader = reader.with(fields);
                self.gather(reader, is_whole, length, bounds).await?
            }
        };
        Ok(())
    }

    /// Where the model stands in a form of this length.
    async fn gather(
        &mut self,
        mut reader: FormReader<'_>,
        is_whole: bool,
        length: usize,
        bounds: &Bounds,
    ) -> Result<Result<Option<Range<usize>>, UnreadForm>, IntakeError> {
        let (mut model, mut is_over) = (None, false);
        loop {
            loop {
                match reader.read(&self.front) {
                    Ok(Found::Model(place)) => model = Some(place),
                    Ok(Found::End) => is_over = true,
                    Ok(Found::Nothing) => break,
                    Err(error) => return Ok(Err(error.into())),
                }
                if is_over || !is_whole {
                    break;
                }
            }
            if !is_whole && (is_over || model.is_some()) {
                return Ok(Ok(model));
            }
            let most = bounds.body_bytes;
            if self.front.len() > most {
                return Ok(Err(if is_whole {
                    UnreadForm::TooLarge(most)
                } else {
                    UnreadForm::Behind(most)
                }));
            }
            let Some(data) = next_data(&mut self.rest, &mut self.clock).await? else {
                break;
            };
            self.take(&data, length, bounds).await?;
        }
        if is_over {
            return Ok(Ok(model));
        }
        Ok(Err(
            FormError::Unclear("it ends before its last boundary").into()
        ))
    }

    async fn take(&mut self, data: &[u8], most: usize, bounds: &Bounds) -> Result<(), IntakeError> {
        let length = self.front.len() + data.len();
        let held = self.share.bytes();
        if length > held {
            let wanted = (held + FIRST_RESERVE).min(most).max(length);
            self.share.grow(wanted - held, bounds)?;
        }
        if self.front.capacity() < length {
            let front = std::mem::take(&mut self.front);
            self.front = with_room(front, length, most.max(length)).await;
        }
        self.front.extend_from_slice(data);
        Ok(())
    }

    /// From asking for it to the last piece that was read: the client's time.
    pub(crate) fn took(&self) -> Duration {
        self.clock.took()
    }

    /// The form's model, if it has one.
    pub(crate) fn model(&self) -> Result<Option<&str>, UnreadForm> {
        let Some(place) = self.model.clone()? else {
            return Ok(None);
        };
        let name = std::str::from_utf8(self.front.get(place).unwrap_or_default());
        let name = name.map_err(|_not_text| FormError::Unclear("its `model` is not UTF-8"))?;
        Ok(Some(name))
    }

    /// Gives its model another name.
    ///
    /// # Errors
    ///
    /// When there is no memory for it twice.
    pub(crate) fn rename(&mut self, name: &str, bounds: &Bounds) -> Result<(), IntakeError> {
        let Ok(Some(place)) = self.model.clone() else {
            return Ok(());
        };
        self.share.grow(self.front.len() + name.len(), bounds)?;
        let before = self.front.get(..place.start).unwrap_or_default();
        let after = self.front.get(place.end..).unwrap_or_default();
        let length = before.len() + name.len() + after.len();
        let mut front = BytesMut::with_capacity(length);
        for piece in [before, name.as_bytes(), after] {
            front.extend_from_slice(piece);
        }
        self.model = Ok(Some(place.start..place.start + name.len()));
        self.front = front;
        Ok(())
    }

    /// What was read, and the rest if there may be more. What was read holds its share.
    pub(crate) fn into_parts(self) -> (Bytes, Option<RequestBody>) {
        let rest = Some(self.rest).filter(|rest| !rest.is_end_stream());
        (charged(self.front.freeze(), &Arc::new(self.share)), rest)
    }
}
