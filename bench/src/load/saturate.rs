//! As many requests as the server answers to a fixed number of senders.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::link::Link;
use crate::tally::{Report, Tally};
use crate::target::TargetArgs;

/// How hard, and how long.
#[derive(Debug, Args)]
pub(crate) struct SaturateArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Connections, each with one sender, or over HTTP/2 with as many as --each says
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Senders of one HTTP/2 connection
    #[arg(long, default_value_t = 1)]
    each: usize,
    /// No request starts later than this
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// No more requests than these
    #[arg(long, default_value_t = u64::MAX)]
    requests: u64,
}

/// Connects, then measures.
pub(crate) async fn run(args: SaturateArgs) -> io::Result<Report> {
    let target = args.target.resolve()?;
    let links = Link::open(&target, args.connections, args.each).await?;
    let left = Arc::new(AtomicU64::new(args.requests));
    let began = Instant::now();
    let until = began + Duration::try_from_secs_f64(args.seconds).map_err(io::Error::other)?;
    let mut senders: JoinSet<_> = links
        .into_iter()
        .map(|link| send(link, until, Arc::clone(&left)))
        .collect();
    let mut all = Tally::default();
    while let Some(tally) = senders.join_next().await {
        all.append(tally?);
    }
    Ok(all.report(began.elapsed()))
}

/// Asks until it is time, nothing is left, or the first failure.
async fn send(mut link: Link, until: Instant, left: Arc<AtomicU64>) -> Tally {
    let mut tally = Tally::default();
    let mut began = Instant::now();
    while began < until
        && left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
    {
        let result = link.ask(|_| ()).await;
        let ended = Instant::now();
        match result {
            Ok(()) => tally.times.push(ended - began),
            Err(error) => {
                tally.fail(&error);
                break;
            }
        }
        began = ended;
    }
    tally
}
