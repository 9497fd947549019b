//! The way of events from a run to its reader, across threads.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

use hone_strategies::chat::Delta;
use hone_strategies::{Event, event_channel};

fn number(choice: u32) -> Event {
    let delta = Box::<Delta>::default();
    Event::Delta { choice, delta }
}

#[test]
fn threads_that_tell_events_lose_nothing() {
    let (sink, mut events) = event_channel(3);
    let tell = |from: u32| {
        let sink = sink.clone();
        thread::spawn(move || {
            for at in 0..500 {
                block_on(sink.send(number(from * 500 + at))).unwrap();
            }
        })
    };
    let threads: Vec<_> = (0..4).map(tell).collect();
    drop(sink);
    let mut seen = vec![0; 4];
    while let Some(Event::Delta { choice, .. }) = block_on(events.recv()) {
        let from = &mut seen[(choice / 500) as usize];
        assert_eq!(*from, choice % 500, "in the order of their thread");
        *from += 1;
    }
    assert_eq!(seen, [500; 4]);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Sleeps until it is woken: a wake that is lost hangs the test.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return done;
        }
        thread::park();
    }
}
