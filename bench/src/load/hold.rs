//! Streams that stay open and idle, for what an open stream costs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::events::Events;
use crate::link::Link;
use crate::output::say;
use crate::target::{Target, TargetArgs};

/// How many may be on their way to their first event.
const OPENING: usize = 200;

/// How many, and for how long.
#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Streams; over HTTP/1.1 each has a connection
    #[arg(long)]
    streams: usize,
    /// Streams of one HTTP/2 connection
    #[arg(long, default_value_t = 100)]
    each: usize,
    /// By then all must have begun, and as long again they are held at most: seconds
    #[arg(long, default_value_t = 120)]
    limit: u64,
}

/// What a stream tells.
#[derive(Debug)]
enum News {
    Begun,
    Ended(io::Result<()>),
}

/// Opens the streams, says so, waits for the end of standard input, and says how many ended before.
pub(crate) async fn run(args: HoldArgs) -> io::Result<()> {
    let HoldArgs {
        target,
        streams: count,
        each,
        limit,
    } = args;
    let target = target.resolve()?;
    let limit = Duration::from_secs(limit);
    let (tell, mut news) = mpsc::unbounded_channel();
    let began = Instant::now();
    let mut streams = JoinSet::new();
    let open = timeout(limit, async {
        open(&target, count, each, &mut streams, &tell).await?;
        begun(&mut news, count).await
    });
    let open = open
        .await
        .map_err(|_late| io::Error::other("not every stream has begun in time"))??;
    say(&json!({ "open": open, "seconds": began.elapsed().as_secs_f64() }))?;
    let mut input = [0];
    // Too long a silence ends it like a closed input.
    drop(timeout(limit, tokio::io::stdin().read(&mut input)).await);
    let mut lost = 0;
    let mut first_failure = None;
    while let Ok(News::Ended(result)) = news.try_recv() {
        lost += 1;
        first_failure = first_failure.or(result.err().map(|error| error.to_string()));
    }
    say(&json!({ "lost": lost, "first_failure": first_failure }))
}

async fn open(
    target: &Arc<Target>,
    count: usize,
    each: usize,
    streams: &mut JoinSet<()>,
    tell: &mpsc::UnboundedSender<News>,
) -> io::Result<()> {
    let opening = Arc::new(Semaphore::new(OPENING));
    while streams.len() < count {
        for link in Link::open(target, 1, each.min(count - streams.len())).await? {
            let permit = Arc::clone(&opening)
                .acquire_owned()
                .await
                .map_err(io::Error::other)?;
            streams.spawn(hold(link, permit, tell.clone()));
        }
    }
    Ok(())
}

/// Keeps one stream open for as long as it lasts. The permit is for its opening.
async fn hold(mut link: Link, permit: OwnedSemaphorePermit, tell: mpsc::UnboundedSender<News>) {
    let (mut events, mut permit) = (Events::new(&link.target().mark), Some(permit));
    let read = link.ask(|bytes| {
        events.take(bytes);
        if events.count > 0 && permit.take().is_some() {
            drop(tell.send(News::Begun));
        }
    });
    let result = read.await;
    drop(tell.send(News::Ended(result)));
}

/// Waits until all of `streams` have begun. One that ends instead is an error.
async fn begun(news: &mut mpsc::UnboundedReceiver<News>, streams: usize) -> io::Result<usize> {
    for open in 0..streams {
        match news.recv().await {
            Some(News::Begun) => {}
            Some(News::Ended(Err(error))) => {
                return Err(io::Error::other(format!("after {open} streams: {error}")));
            }
            Some(News::Ended(Ok(()))) | None => {
                return Err(io::Error::other(format!("after {open} streams: one ended")));
            }
        }
    }
    Ok(streams)
}
