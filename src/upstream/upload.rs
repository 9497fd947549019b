//! A request body that streams through: how slow its client may be, and how long the upstream may
//! take with it.
//!
//! While a body goes up, two may be slow. The client is given [`Upload`]'s pace; time in which the
//! upstream does not read is not counted against it. The upstream's time to answer begins anew with
//! each piece that it takes, and so in full with the last one.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::transport::RequestBody;
use crate::upstream::body::BodyError;

/// For so many bytes the client may be waited for as long as for a body's next byte: slower is no
/// upload, but a way to hold a place.
const PIECE: usize = 16 * 1024;

/// A body on its way from a client to an upstream. Fails when the client is too slow.
#[derive(Debug)]
pub(crate) struct Upload<B = RequestBody> {
    body: B,
    /// Longest wait for the client, over [`PIECE`] bytes.
    limit: Duration,
    /// Bytes of the current piece, and how long they have been waited for.
    bytes: usize,
    waited: Duration,
    silent: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    progress: Progress,
}

/// How far an upload is, for the caller that waits for its answer.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// When the upstream last took something.
    moved: Instant,
    waits_for_client: bool,
    is_stalled: bool,
}

impl Progress {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            moved: Instant::now(),
            waits_for_client: false,
            is_stalled: false,
        })))
    }

    /// When the upstream's time is over, if nothing happens until then.
    pub(super) fn due(&self, head_timeout: Duration) -> Instant {
        let state = self.state();
        if state.waits_for_client {
            Instant::now() + head_timeout
        } else {
            state.moved + head_timeout
        }
    }

    /// Whether the client was too slow.
    pub(super) fn is_stalled(&self) -> bool {
        self.state().is_stalled
    }

    fn moved(&self) {
        let mut state = self.state();
        state.moved = Instant::now();
        state.waits_for_client = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Upload<B> {
    /// Lets the client of `body` be waited for `limit` for every [`PIECE`] bytes.
    pub(super) fn new(body: B, limit: Duration) -> (Self, Progress) {
        let progress = Progress::new();
        let upload = Self {
            body,
            limit,
            bytes: 0,
            waited: Duration::ZERO,
            silent: None,
            timer: None,
            progress: progress.clone(),
        };
        (upload, progress)
    }

    fn arrived(&mut self, bytes: usize) {
        if let Some(since) = self.silent.take() {
            self.waited += since.elapsed();
        }
        self.bytes += bytes;
        if self.bytes >= PIECE {
            self.bytes = 0;
            self.waited = Duration::ZERO;
        }
        self.progress.moved();
    }

    /// Ready when the client has been waited for long enough.
    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline =
            *self.silent.get_or_insert_with(Instant::now) + self.limit.saturating_sub(self.waited);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Body for Upload<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        while let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            // Trailers are headers that nothing has filtered, and no API reads any.
            if matches!(&frame, Some(Ok(frame)) if !frame.is_data()) {
                continue;
            }
            let data = frame
                .as_ref()
                .and_then(|frame| frame.as_ref().ok()?.data_ref());
            this.arrived(data.map_or(0, Bytes::len));
            return Poll::Ready(frame.map(|result| result.map_err(BodyError::Broken)));
        }
        this.progress.state().waits_for_client = true;
        ready!(this.poll_limit(cx));
        this.progress.state().is_stalled = true;
        Poll::Ready(Some(Err(BodyError::Idle(this.limit))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Upload<B> {
    /// Whatever the reason, from now on only the upstream is waited for.
    fn drop(&mut self) {
        self.progress.moved();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body_util::BodyExt;

    use super::*;

    /// Gives one piece after each of these times.
    struct Client {
        pieces: VecDeque<(Duration, usize)>,
        timer: Option<Pin<Box<Sleep>>>,
    }

    impl Body for Client {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            let this = self.get_mut();
            let Some((after, bytes)) = this.pieces.front().copied() else {
                return Poll::Ready(None);
            };
            let timer = this
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
            ready!(timer.as_mut().poll(cx));
            this.timer = None;
            this.pieces.pop_front();
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; bytes])))))
        }
    }

    fn upload(pieces: impl IntoIterator<Item = (u64, usize)>) -> (Upload<Client>, Progress) {
        let pieces = pieces
            .into_iter()
            .map(|(seconds, bytes)| (Duration::from_secs(seconds), bytes))
            .collect();
        Upload::new(
            Client {
                pieces,
                timer: None,
            },
            Duration::from_secs(60),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_enough_may_take_as_long_as_it_likes() {
        let (upload, progress) = upload(vec![(50, PIECE); 20]);
        assert_eq!(upload.collect().await.unwrap().to_bytes().len(), 20 * PIECE);
        assert!(!progress.is_stalled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_is_no_upload() {
        let began = Instant::now();
        let (upload, progress) = upload(vec![(25, 1); 20]);
        assert!(matches!(upload.collect().await, Err(BodyError::Idle(_))));
        assert_eq!(
            (began.elapsed().as_secs(), progress.is_stalled()),
            (60, true)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_upstream_does_not_read_is_not_the_clients() {
        let (mut upload, progress) = upload(vec![(25, 1); 4]);
        for _ in 0..2 {
            upload.frame().await.unwrap().unwrap();
            tokio::time::advance(Duration::from_secs(100)).await;
        }
        assert!(!progress.is_stalled());
    }

    #[tokio::test(start_paused = true)]
    async fn the_upstreams_time_begins_when_it_has_taken_the_last_piece() {
        let limit = Duration::from_secs(10);
        let (mut upload, progress) = upload([(0, 1), (30, 1)]);
        upload.frame().await.unwrap().unwrap();
        assert_eq!(progress.due(limit), Instant::now() + limit);
        tokio::select! {
            _ = upload.frame() => panic!("nothing for thirty seconds"),
            () = tokio::time::sleep(Duration::from_secs(20)) => {}
        }
        assert_eq!(
            progress.due(limit),
            Instant::now() + limit,
            "it is the client that is waited for"
        );
        upload.frame().await.unwrap().unwrap();
        let end = Instant::now();
        drop(upload);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(progress.due(limit), end + limit);
    }
}
