//! The bodies of requests on their way upstream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::Upload;
use super::body::BodyError;
use crate::admission::QueuePermit;
use crate::workers;

/// Most bytes of one frame: what takes it copies it in one go.
const LARGEST_FRAME: usize = 512 * 1024;

/// A request on its way upstream. Boxed: it passes through many futures, each of which would have
/// room for it twice, and all of them are copied as one.
pub(crate) type Outbound = Box<Request<OutBody>>;

/// A request body on its way upstream, with its caller's turn there.
#[derive(Debug)]
pub(crate) struct OutBody {
    content: Content,
    slot: Option<Arc<QueuePermit>>,
}

#[derive(Debug)]
enum Content {
    /// Held in memory, so that it can be sent again.
    Held(Slices),
    /// Handed on as it arrives. Boxed, because a connection's queue has room for 32 requests of the
    /// largest kind.
    Streamed(Box<Upload>),
}

impl OutBody {
    /// A body held in memory; cloning `bytes` copies nothing.
    pub(crate) fn buffered(bytes: Bytes) -> Self {
        Self::pieces([bytes])
    }

    /// The same in pieces, which other requests may share, sent one after the other.
    pub(crate) fn pieces(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let mut pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        let next = pieces.next();
        let mut rest: Vec<_> = pieces.collect();
        rest.reverse();
        Self::of(Content::Held(Slices {
            next,
            rest,
            given: 0,
        }))
    }

    /// What a client sends, handed on as it comes.
    pub(super) fn streamed(upload: Upload) -> Self {
        Self::of(Content::Streamed(Box::new(upload)))
    }

    fn of(content: Content) -> Self {
        Self {
            content,
            slot: None,
        }
    }

    /// The same, which holds `slot` as long as some of it is unsent.
    pub(super) fn in_turn(self, slot: Option<Arc<QueuePermit>>) -> Self {
        Self { slot, ..self }
    }

    /// Its caller's turn, if turns are counted.
    pub(super) fn slot(&self) -> Option<Arc<QueuePermit>> {
        self.slot.clone()
    }

    /// When its caller has waited as long as it may, if it had to wait for its turn.
    pub(super) fn until(&self) -> Option<Instant> {
        self.slot.as_ref().and_then(|slot| slot.until())
    }

    /// Whether its length is not known before its end.
    pub(super) fn is_endless(&self) -> bool {
        matches!(&self.content, Content::Streamed(upload) if upload.size_hint().exact().is_none())
    }
}

/// What is held in memory, given in slices and not too much of it at once: an upstream that reads
/// as fast as it can would else have all of it in one poll.
#[derive(Debug, Clone)]
pub(crate) struct Slices {
    /// The piece that is being given; none is empty.
    next: Option<Bytes>,
    /// The others, the last one first.
    rest: Vec<Bytes>,
    /// Bytes given in this turn.
    given: usize,
}

impl Slices {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(piece) = &mut self.next else {
            return Poll::Ready(None);
        };
        if self.given >= workers::YIELD_BYTES {
            self.given = 0;
            return workers::end_turn(cx);
        }
        let slice = piece.split_to(piece.len().min(LARGEST_FRAME));
        if piece.is_empty() {
            self.next = self.rest.pop();
        }
        self.given += slice.len();
        Poll::Ready(Some(slice))
    }

    fn bytes(&self) -> u64 {
        self.next
            .iter()
            .chain(&self.rest)
            .map(|piece| piece.len() as u64)
            .sum()
    }
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().content {
            Content::Held(slices) => slices
                .poll_next(cx)
                .map(|slice| slice.map(|slice| Ok(Frame::data(slice)))),
            Content::Streamed(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Held(slices) => slices.next.is_none(),
            Content::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Held(slices) => SizeHint::with_exact(slices.bytes()),
            Content::Streamed(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn pieces_are_one_body_of_known_length_and_are_not_copied() {
        let shared = Bytes::from("shared");
        let body = || {
            OutBody::pieces([
                Bytes::from("a"),
                shared.clone(),
                Bytes::new(),
                Bytes::from("z"),
            ])
        };
        assert_eq!(body().size_hint().exact(), Some(8));
        assert_eq!(body().collect().await.unwrap().to_bytes(), "asharedz");
        let mut again = body();
        let mut frame = async || again.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame().await, "a");
        assert_eq!(frame().await.as_ptr(), shared.as_ptr());
        assert_eq!(frame().await, "z");
        assert!(again.is_end_stream());
    }

    /// All of `body`, in the bytes of each turn.
    async fn turns(mut body: OutBody) -> Vec<BytesMut> {
        let mut turns = vec![BytesMut::new()];
        while !body.is_end_stream() {
            let polled =
                std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx))).await;
            let Poll::Ready(frame) = polled else {
                turns.push(BytesMut::new());
                continue;
            };
            let data = frame.unwrap().unwrap().into_data().unwrap();
            assert!(data.len() <= LARGEST_FRAME);
            turns.last_mut().unwrap().extend_from_slice(&data);
        }
        turns
    }

    #[tokio::test]
    async fn a_large_body_leaves_its_worker_a_turn_after_every_megabyte() {
        let whole: Bytes = (0..5_000_000_u32).map(|at| at.to_le_bytes()[0]).collect();
        for body in [
            OutBody::buffered(whole.clone()),
            OutBody::pieces([whole.slice(..3_000_000), whole.slice(3_000_000..)]),
        ] {
            assert_eq!(body.size_hint().exact(), Some(5_000_000));
            let turns = turns(body).await;
            assert!(
                turns
                    .iter()
                    .all(|turn| turn.len() < workers::YIELD_BYTES + LARGEST_FRAME)
            );
            assert_eq!(turns.len(), 5);
            assert!(turns.concat() == whole);
        }
    }
}
