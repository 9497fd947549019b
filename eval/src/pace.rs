//! How many requests are under way at once, and when the next may begin.
//!
//! A provider that answers 429 is left alone for as long as it asks, by everybody, and then asked
//! by half as many at once. Each round of good answers adds one again.

use std::cell::RefCell;
use std::time::Duration;

use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::endpoint::{Endpoint, Failure, FailureKind, Reply};

/// So often a request is made that finds the provider busy each time.
const BUSY_TRIES: u32 = 12;
/// So often a request is made that fails in passing, and one that finds nobody.
const PASSING_TRIES: u32 = 3;
const UNREACHABLE_TRIES: u32 = 4;
/// The first pause where the provider names none; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_mins(1);
/// The longest wait that is waited. A provider that asks for more ends the run.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// How often a run has waited for its provider, and how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Waits {
    /// Refusals (429, or 503 with a time) after which it waited.
    pub(crate) refusals: u32,
    /// Seconds in which nothing was asked.
    pub(crate) seconds: f64,
    /// The fewest requests that were under way at once after one.
    pub(crate) least_concurrency: u16,
}

/// An endpoint that is asked no faster than it likes.
#[derive(Debug)]
pub(crate) struct Paced<'a, E> {
    endpoint: &'a E,
    most: u16,
    state: RefCell<State>,
    changed: Notify,
    progress: &'a ProgressBar,
}

#[derive(Debug)]
struct State {
    /// Requests that may be under way at once.
    allowed: u16,
    running: u16,
    /// Good answers since `allowed` changed.
    good: u16,
    /// Refusals since the last good answer.
    in_a_row: u32,
    /// When asking goes on.
    resume: Instant,
    waits: Waits,
}

/// Room for one request; given back when dropped.
struct Room<'a, 'e, E>(&'a Paced<'e, E>);

impl<E> Drop for Room<'_, '_, E> {
    fn drop(&mut self) {
        self.0.state.borrow_mut().running -= 1;
        self.0.changed.notify_waiters();
    }
}

impl<'a, E: Endpoint> Paced<'a, E> {
    /// `endpoint`, asked at most `most` requests at once.
    pub(crate) fn new(endpoint: &'a E, most: u16, progress: &'a ProgressBar) -> Self {
        let state = State {
            allowed: most,
            running: 0,
            good: 0,
            in_a_row: 0,
            resume: Instant::now(),
            waits: Waits::default(),
        };
        Self {
            endpoint,
            most,
            state: RefCell::new(state),
            changed: Notify::new(),
            progress,
        }
    }

    /// Where its user sees how far it is.
    pub(crate) const fn progress(&self) -> &ProgressBar {
        self.progress
    }

    /// How often it has waited so far.
    pub(crate) fn waits(&self) -> Waits {
        self.state.borrow().waits
    }

    /// Asks until there is an answer or no hope, and tells how long the last attempt took.
    pub(crate) async fn ask(&self, body: &Value) -> (Result<Reply, Failure>, Duration) {
        let mut tries = 0;
        loop {
            let room = self.enter().await;
            let begun = Instant::now();
            let result = self.endpoint.chat(body).await;
            drop(room);
            tries += 1;
            let took = begun.elapsed();
            match result {
                Ok(reply) => {
                    self.answered(&reply, begun);
                    return (Ok(reply), took);
                }
                Err(failure) => {
                    if !self.tries_again(&failure, tries, begun).await {
                        return (Err(failure), took);
                    }
                }
            }
        }
    }

    /// Waits for room, and for the time at which asking goes on.
    async fn enter(&self) -> Room<'_, 'a, E> {
        loop {
            let changed = self.changed.notified();
            let resume = {
                let mut state = self.state.borrow_mut();
                let now = Instant::now();
                if state.resume <= now && state.running < state.allowed {
                    state.running += 1;
                    return Room(self);
                }
                (state.resume > now).then_some(state.resume)
            };
            match resume {
                Some(resume) => sleep_until(resume).await,
                None => changed.await,
            }
        }
    }

    fn answered(&self, reply: &Reply, begun: Instant) {
        if reply.limited_calls > 0 {
            // The approach has waited as its provider asked. Fewer at once are better all the same.
            self.slow_down(begun);
            let limited = u32::try_from(reply.limited_calls).unwrap_or(u32::MAX);
            let mut state = self.state.borrow_mut();
            state.waits.refusals = state.waits.refusals.saturating_add(limited);
            return;
        }
        let mut state = self.state.borrow_mut();
        state.in_a_row = 0;
        state.good += 1;
        if state.good >= state.allowed && state.allowed < self.most {
            state.allowed += 1;
            state.good = 0;
            self.changed.notify_waiters();
        }
    }

    /// Whether a request that failed is to be made again; returns when it is time.
    async fn tries_again(&self, failure: &Failure, tries: u32, begun: Instant) -> bool {
        match failure.kind {
            FailureKind::Busy { wait } => {
                if tries >= BUSY_TRIES || wait.is_some_and(|wait| wait > LONGEST_WAIT) {
                    return false;
                }
                self.slow_down(begun);
                self.pause(wait);
                true
            }
            FailureKind::Passing if tries < PASSING_TRIES => {
                sleep(pause_after(tries)).await;
                true
            }
            FailureKind::Unreachable if tries < UNREACHABLE_TRIES => {
                sleep(pause_after(tries)).await;
                true
            }
            FailureKind::Final
            | FailureKind::Passing
            | FailureKind::Refused
            | FailureKind::Unreachable => false,
        }
    }

    /// Halves what may be under way, once for all requests that were under way together.
    fn slow_down(&self, begun: Instant) {
        let mut state = self.state.borrow_mut();
        if begun >= state.resume {
            state.resume = Instant::now();
            state.allowed = (state.allowed / 2).max(1);
            state.good = 0;
            let least = state.waits.least_concurrency;
            if least == 0 || state.allowed < least {
                state.waits.least_concurrency = state.allowed;
            }
        }
    }

    /// Lets nobody ask for `wait`, or for longer the more refusals there were in a row.
    fn pause(&self, wait: Option<Duration>) {
        let mut state = self.state.borrow_mut();
        state.in_a_row += 1;
        state.waits.refusals += 1;
        let wait = wait.unwrap_or_else(|| pause_after(state.in_a_row));
        let now = Instant::now();
        let until = now + wait;
        if until > state.resume {
            let more = until - state.resume.max(now);
            state.waits.seconds += more.as_secs_f64();
            state.resume = until;
        }
        self.progress.set_message(format!(
            "asking {} at once, after {} refusals (429)",
            state.allowed, state.waits.refusals
        ));
    }
}

impl<E: Endpoint> Endpoint for Paced<'_, E> {
    async fn chat(&self, request: &Value) -> Result<Reply, Failure> {
        self.ask(request).await.0
    }
}

/// The pause after so many failures.
fn pause_after(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(LAST_PAUSE)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;
    use serde_json::json;

    use super::*;

    /// Answers so many requests each second, as a token bucket does, and asks for what is missing.
    struct Limited {
        each: Duration,
        free_at: Cell<Option<Instant>>,
        refused: Cell<u32>,
        at_once: Cell<u32>,
        most_at_once: Cell<u32>,
        says: bool,
    }

    impl Limited {
        fn new(each: Duration, says: bool) -> Self {
            Self {
                each,
                free_at: Cell::default(),
                refused: Cell::default(),
                at_once: Cell::default(),
                most_at_once: Cell::default(),
                says,
            }
        }
    }

    impl Endpoint for Limited {
        async fn chat(&self, _request: &Value) -> Result<Reply, Failure> {
            let now = Instant::now();
            self.at_once.set(self.at_once.get() + 1);
            self.most_at_once
                .set(self.most_at_once.get().max(self.at_once.get()));
            sleep(Duration::from_millis(5)).await;
            self.at_once.set(self.at_once.get() - 1);
            if let Some(free) = self.free_at.get().filter(|free| *free > now) {
                self.refused.set(self.refused.get() + 1);
                let wait = self.says.then(|| free - now);
                return Err(Failure::new(FailureKind::Busy { wait }, "429"));
            }
            self.free_at.set(Some(now + self.each));
            Ok(Reply::default())
        }
    }

    async fn ask_all(endpoint: &Limited, requests: u32) -> (u32, Waits) {
        let progress = ProgressBar::hidden();
        let paced = Paced::new(endpoint, 8, &progress);
        let body = json!({});
        let asked = join_all((0..requests).map(|_| paced.ask(&body))).await;
        let good = asked.iter().filter(|(result, _)| result.is_ok()).count();
        (u32::try_from(good).unwrap(), paced.waits())
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_provider_is_waited_for_as_it_asks_and_asked_by_fewer() {
        let endpoint = Limited::new(Duration::from_millis(200), true);
        let begun = Instant::now();
        let (good, waits) = ask_all(&endpoint, 40).await;
        assert_eq!(good, 40, "nothing is lost");
        assert!(
            waits.refusals == endpoint.refused.get() && waits.seconds > 1.0,
            "{waits:?}"
        );
        assert!(waits.least_concurrency <= 4, "{waits:?}");
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            begun.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_the_pauses_double() {
        let endpoint = Limited::new(Duration::from_secs(3), false);
        let (good, waits) = ask_all(&endpoint, 5).await;
        assert_eq!(good, 5);
        assert!(waits.seconds >= 9.0 && waits.refusals < 60, "{waits:?}");
    }

    /// Fails as it is told, and counts how often it is asked.
    struct Failing(FailureKind, Cell<u32>);

    impl Endpoint for Failing {
        async fn chat(&self, _request: &Value) -> Result<Reply, Failure> {
            self.1.set(self.1.get() + 1);
            Err(Failure::new(self.0, "no"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_succeed_is_not_asked_again() {
        let long = Some(LONGEST_WAIT + Duration::from_secs(1));
        for (kind, times) in [
            (FailureKind::Refused, 1),
            (FailureKind::Final, 1),
            (FailureKind::Busy { wait: long }, 1),
            (FailureKind::Passing, PASSING_TRIES),
            (FailureKind::Unreachable, UNREACHABLE_TRIES),
            (FailureKind::Busy { wait: None }, BUSY_TRIES),
        ] {
            let endpoint = Failing(kind, Cell::new(0));
            let progress = ProgressBar::hidden();
            let (result, _) = Paced::new(&endpoint, 1, &progress).ask(&json!({})).await;
            assert_eq!(result.unwrap_err().kind, kind);
            assert_eq!(endpoint.1.get(), times, "{kind:?}");
        }
    }
}
