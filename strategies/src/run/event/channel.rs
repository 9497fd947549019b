//! A queue with a bound: the way of a run's events to whoever tells them to the client. A slow
//! reader slows the run.
//!
//! One such queue stands behind every open stream, and nearly always it is empty. It takes some 200
//! bytes, where a general channel takes a thousand.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A way for what is told, with room for `most` of it, at least one.
pub(super) fn channel<T>(most: usize) -> (Sink<T>, Source<T>) {
    let queue = Arc::new(Queue {
        most: most.max(1),
        state: Mutex::new(State {
            waiting: VecDeque::new(),
            sinks: 1,
            has_no_reader: false,
            reader: None,
            writers: Vec::new(),
        }),
    });
    (Sink(Arc::clone(&queue)), Source(queue))
}

/// Where it goes in.
pub struct Sink<T>(Arc<Queue<T>>);

/// Where it comes out, in its order.
pub struct Source<T>(Arc<Queue<T>>);

/// Nobody reads any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads what is told")]
pub struct Closed;

struct Queue<T> {
    most: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    waiting: VecDeque<T>,
    sinks: usize,
    has_no_reader: bool,
    reader: Option<Waker>,
    /// Those that wait for room.
    writers: Vec<Waker>,
}

impl<T> State<T> {
    /// Wakes all that wait for room: whoever is woken and finds none waits again.
    fn make_room(&mut self) {
        self.writers.drain(..).for_each(Waker::wake);
    }
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Sink<T> {
    /// Tells something, as soon as there is room.
    ///
    /// # Errors
    ///
    /// [`Closed`], and it is gone.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is done has told nothing.
    pub async fn send(&self, item: T) -> Result<(), Closed> {
        let mut item = Some(item);
        poll_fn(|cx| self.poll_send(&mut item, Some(cx))).await
    }

    /// Tells what is in `item`, and takes it, unless there is no room now: then `cx` is woken.
    pub(super) fn poll_send(
        &self,
        item: &mut Option<T>,
        cx: Option<&mut Context<'_>>,
    ) -> Poll<Result<(), Closed>> {
        let mut state = self.0.lock();
        if state.has_no_reader {
            return Poll::Ready(Err(Closed));
        }
        if state.waiting.len() >= self.0.most {
            if let Some(cx) = cx
                && !state.writers.iter().any(|own| own.will_wake(cx.waker()))
            {
                state.writers.push(cx.waker().clone());
            }
            return Poll::Pending;
        }
        state.waiting.extend(item.take());
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> Clone for Sink<T> {
    fn clone(&self) -> Self {
        self.0.lock().sinks += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sink<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.sinks -= 1;
        let is_last = state.sinks == 0;
        let reader = state.reader.take_if(|_| is_last);
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl<T> Source<T> {
    /// The next; none once all sinks are gone.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is done has taken nothing.
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The same for whoever polls by hand.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock();
        if let Some(item) = state.waiting.pop_front() {
            state.make_room();
            return Poll::Ready(Some(item));
        }
        if state.sinks == 0 {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The next, if it is there.
    pub fn try_recv(&mut self) -> Option<T> {
        let mut state = self.0.lock();
        let item = state.waiting.pop_front()?;
        state.make_room();
        Some(item)
    }
}

impl<T> Drop for Source<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_no_reader = true;
        state.waiting = VecDeque::new();
        state.make_room();
    }
}

impl<T> fmt::Debug for Sink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future};

    use super::*;

    #[tokio::test]
    async fn events_come_in_their_order_and_end_with_the_last_sink() {
        let (sink, mut events) = channel(2);
        let other = sink.clone();
        let told = async {
            for choice in 0..100 {
                sink.send(choice).await.unwrap();
            }
            drop(sink);
            other.send(100).await.unwrap();
            drop(other);
        };
        let heard = async {
            let mut heard = Vec::new();
            while let Some(event) = events.recv().await {
                heard.push(event);
            }
            heard
        };
        let ((), heard) = future::join(told, heard).await;
        assert!((0..=100).eq(heard));
    }

    #[tokio::test]
    async fn a_full_queue_makes_the_run_wait_and_what_is_given_up_is_not_told() {
        let (sink, mut events) = channel(1);
        sink.send(0).await.unwrap();
        assert!(sink.send(1).now_or_never().is_none());
        let (waits, heard) = future::join(sink.send(2), events.recv()).await;
        assert_eq!((waits, heard), (Ok(()), Some(0)));
        assert_eq!(events.try_recv(), Some(2));
        assert_eq!(events.try_recv(), None);
    }

    #[tokio::test]
    async fn whoever_waits_for_room_is_told_that_the_reader_is_gone() {
        let (sink, events) = channel(1);
        sink.send(0).await.unwrap();
        let waiting = sink.send(1);
        let (waits, ()) = future::join(waiting, async { drop(events) }).await;
        assert_eq!(waits, Err(Closed));
        assert_eq!(sink.send(2).await, Err(Closed));
    }
}
