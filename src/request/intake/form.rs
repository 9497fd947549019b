//! A form, read as far as tells its model.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;

use super::{Clock, FIRST_RESERVE, IntakeError, content_type, declared, next_data, with_room};
use crate::config::Bounds;
use crate::request::form::{FormError, FormReader, Found};
use crate::tenant::{Share, charged};
use crate::transport::RequestBody;

/// A form as far as it was read, and the rest of it.
#[derive(Debug)]
pub(crate) struct HeldForm {
    front: Bytes,
    rest: RequestBody,
    share: Share,
    model: Result<Option<Range<usize>>, UnreadForm>,
    /// From asking for it to the last piece that was read: the client's time.
    pub(crate) took: Duration,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// To its model.
    Model,
    /// To its end, and without these fields, so that nothing in it can choose another model.
    Whole(&'static [&'static str]),
}

/// Whether a body is a form, by its type.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let essence = content_type(headers).and_then(|kind| kind.split(';').next());
    essence.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("multipart/form-data"))
}

/// Reads a form until its model is known, or is known to be unknown: it may pass all the same.
///
/// # Errors
///
/// When it is too slow, broke off, or memory is short.
///
/// # Cancel safety
///
/// Dropped, it gives back what it holds.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: RequestBody,
    extent: Extent,
    bounds: &Bounds,
    share: Share,
) -> Result<HeldForm, IntakeError> {
    let length = declared(headers);
    let mut held = Gathered {
        front: BytesMut::new(),
        share,
        clock: Clock::new(bounds),
        most: length.unwrap_or(usize::MAX).min(bounds.body_bytes),
        bounds,
    };
    let whole = extent != Extent::Model;
    let model = match FormReader::new(content_type(headers).unwrap_or_default()) {
        Err(error) => Err(error.into()),
        Ok(_) if whole && length.is_some_and(|length| length > bounds.body_bytes) => {
            Err(UnreadForm::TooLarge(bounds.body_bytes))
        }
        Ok(reader) => {
            let reader = match extent {
                Extent::Model => reader,
                Extent::Whole(lists) => reader.without(lists),
            };
            held.gather(&mut body, reader, whole).await?
        }
    };
    Ok(HeldForm {
        took: held.clock.took(),
        front: held.front.freeze(),
        rest: body,
        share: held.share,
        model,
    })
}

/// What has been read of a form.
struct Gathered<'a> {
    front: BytesMut,
    share: Share,
    clock: Clock,
    most: usize,
    bounds: &'a Bounds,
}

impl Gathered<'_> {
    async fn gather(
        &mut self,
        body: &mut RequestBody,
        mut reader: FormReader,
        whole: bool,
    ) -> Result<Result<Option<Range<usize>>, UnreadForm>, IntakeError> {
        let (mut model, mut is_over) = (None, false);
        while let Some(data) = next_data(body, &mut self.clock).await? {
            self.take(&data).await?;
            loop {
                match reader.read(&self.front) {
                    Ok(Found::Model(place)) => model = Some(place),
                    Ok(Found::End) => is_over = true,
                    Ok(Found::Nothing) => break,
                    Err(error) => return Ok(Err(error.into())),
                }
                if is_over || !whole {
                    break;
                }
            }
            if !whole && (is_over || model.is_some()) {
                return Ok(Ok(model));
            }
            let most = self.bounds.body_bytes;
            if self.front.len() > most {
                return Ok(Err(if whole {
                    UnreadForm::TooLarge(most)
                } else {
                    UnreadForm::Behind(most)
                }));
            }
        }
        if is_over {
            return Ok(Ok(model));
        }
        Ok(Err(
            FormError::Unclear("it ends before its last boundary").into()
        ))
    }

    async fn take(&mut self, data: &[u8]) -> Result<(), IntakeError> {
        let length = self.front.len() + data.len();
        let held = self.share.bytes();
        if length > held {
            let wanted = (held + FIRST_RESERVE).min(self.most).max(length);
            self.share.grow(wanted - held, self.bounds)?;
        }
        if self.front.capacity() < length {
            let front = std::mem::take(&mut self.front);
            self.front = with_room(front, length, self.most.max(length)).await;
        }
        self.front.extend_from_slice(data);
        Ok(())
    }
}

impl HeldForm {
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
        let front = [before, name.as_bytes(), after].concat();
        self.model = Ok(Some(place.start..place.start + name.len()));
        self.front = front.into();
        Ok(())
    }

    /// What was read, and the rest if there may be more. What was read holds its share.
    pub(crate) fn into_parts(self) -> (Bytes, Option<RequestBody>) {
        let rest = Some(self.rest).filter(|rest| !rest.is_end_stream());
        (charged(self.front, &Arc::new(self.share)), rest)
    }
}
