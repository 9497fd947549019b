//! Requests at a fixed rate, whether or not the server keeps up.
//!
//! The schedule is made beforehand, and a time counts from when its request was due. A server that
//! stands still for a while is so charged for every request that should have been sent meanwhile; a
//! closed loop would have left those out (coordinated omission).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use clap::Args;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::link::Link;
use crate::tally::{Report, Tally};
use crate::target::TargetArgs;

/// Between two looks at the schedule. tokio's own timer has steps of a millisecond, longer than
/// most answers take.
const TICK: Duration = Duration::from_micros(50);
/// How long after the last due time everything must have been answered.
const PATIENCE: Duration = Duration::from_secs(20);

/// How fast, and how long.
#[derive(Debug, Args)]
pub(crate) struct PacedArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Requests at once; over HTTP/1.1 each has a connection
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Senders of one HTTP/2 connection
    #[arg(long, default_value_t = 1)]
    each: usize,
    /// Requests a second
    #[arg(long)]
    rate: f64,
    /// For how long
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// When each request is due.
#[derive(Debug)]
struct Schedule {
    began: Instant,
    between: Duration,
    requests: u64,
    /// One permit for each request that is due and not yet taken.
    due: Semaphore,
    taken: AtomicU64,
}

impl Schedule {
    fn new(rate: f64, seconds: f64) -> io::Result<Self> {
        let between = Duration::try_from_secs_f64(1.0 / rate).map_err(io::Error::other)?;
        let length = Duration::try_from_secs_f64(seconds).map_err(io::Error::other)?;
        let requests = u64::try_from(length.as_nanos() / between.as_nanos().max(1))
            .map_err(io::Error::other)?;
        Ok(Self {
            began: Instant::now(),
            between,
            requests,
            due: Semaphore::new(0),
            taken: AtomicU64::new(0),
        })
    }

    fn due_at(&self, number: u64) -> Instant {
        self.began
            + Duration::from_nanos(
                u64::try_from(self.between.as_nanos())
                    .unwrap_or(u64::MAX)
                    .saturating_mul(number),
            )
    }

    /// Gives out what is due until all is: a thread's work.
    #[expect(
        clippy::disallowed_methods,
        reason = "this thread has no other work than to sleep precisely"
    )]
    fn keep(&self) {
        let mut given = 0;
        while given < self.requests {
            let now = Instant::now();
            let mut fresh = 0;
            while given < self.requests && self.due_at(given) <= now {
                given += 1;
                fresh += 1;
            }
            self.due.add_permits(fresh);
            thread::sleep(TICK);
        }
    }

    /// The due time of the next request, once it has come. None if all have been taken.
    async fn next(&self) -> Option<Instant> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        if number >= self.requests {
            return None;
        }
        self.due.acquire().await.ok()?.forget();
        Some(self.due_at(number))
    }
}

/// Connects, then measures.
pub(crate) async fn run(args: PacedArgs) -> io::Result<Report> {
    let target = args.target.resolve()?;
    let links = Link::open(&target, args.connections, args.each).await?;
    let schedule = Arc::new(Schedule::new(args.rate, args.seconds)?);
    let keeper = Arc::clone(&schedule);
    drop(
        thread::Builder::new()
            .name("schedule".to_owned())
            .spawn(move || keeper.keep())?,
    );
    let mut senders: JoinSet<_> = links
        .into_iter()
        .map(|link| send(link, Arc::clone(&schedule)))
        .collect();
    let gather = async {
        let mut all = Tally::default();
        while let Some(tally) = senders.join_next().await {
            all.append(tally?);
        }
        io::Result::Ok(all)
    };
    let limit = schedule.due_at(schedule.requests) + PATIENCE - Instant::now();
    let all = timeout(limit, gather)
        .await
        .map_err(|_late| io::Error::other("the server does not keep up with this rate"))??;
    Ok(all.report(schedule.began.elapsed()))
}

/// Asks whenever something is due, until all is done or the first failure.
async fn send(mut link: Link, schedule: Arc<Schedule>) -> Tally {
    let mut tally = Tally::default();
    while let Some(due) = schedule.next().await {
        match link.ask(|_| ()).await {
            Ok(()) => tally.times.push(due.elapsed()),
            Err(error) => {
                tally.fail(&error);
                break;
            }
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_due_time_is_given_out_once_and_never_early() {
        let schedule = Arc::new(Schedule::new(20_000.0, 0.01).unwrap());
        let keeper = Arc::clone(&schedule);
        let thread = thread::spawn(move || keeper.keep());
        let mut seen = Vec::new();
        while let Some(due) = schedule.next().await {
            assert!(due <= Instant::now());
            seen.push(due - schedule.began);
        }
        thread.join().unwrap();
        assert_eq!(
            seen,
            (0..200)
                .map(|number| Duration::from_micros(50) * number)
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_rate_that_is_no_rate_is_refused() {
        assert!(Schedule::new(0.0, 1.0).is_err());
        assert!(Schedule::new(-1.0, 1.0).is_err());
        assert!(Schedule::new(1.0, f64::NAN).is_err());
    }
}
