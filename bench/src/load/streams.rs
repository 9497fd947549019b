//! Streams that are read to their end.

use std::io;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::events::Events;
use crate::link::Link;
use crate::tally::{Quantiles, Times};
use crate::target::TargetArgs;

/// How many, and how often.
#[derive(Debug, Args)]
pub(crate) struct StreamsArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Streams at once; over HTTP/1.1 each has a connection
    #[arg(long, default_value_t = 40)]
    streams: usize,
    /// Streams of one HTTP/2 connection
    #[arg(long, default_value_t = 1)]
    each: usize,
    /// Streams of each sender, one after the other
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// After so many seconds streams stand still, which is a failure
    #[arg(long, default_value_t = 60)]
    limit: u64,
}

/// What the streams were like.
#[derive(Debug, Serialize)]
pub(crate) struct StreamsReport {
    streams: usize,
    events: u64,
    seconds: f64,
    first_event: Quantiles,
    gap: Quantiles,
}

/// Connects, then measures. Any stream that is cut or refused is an error.
pub(crate) async fn run(args: StreamsArgs) -> io::Result<StreamsReport> {
    let target = args.target.resolve()?;
    let connections = if target.http2 {
        args.streams.div_ceil(args.each.max(1))
    } else {
        args.streams
    };
    let links = Link::open(&target, connections, args.each).await?;
    let began = Instant::now();
    let mut readers: JoinSet<_> = links
        .into_iter()
        .map(|link| read(link, args.rounds))
        .collect();
    let (mut first, mut gaps, mut events) = (Times::default(), Times::default(), 0);
    let gather = async {
        while let Some(streams) = readers.join_next().await {
            for stream in streams?? {
                first.append(stream.first);
                gaps.append(stream.gaps);
                events += stream.count;
            }
        }
        io::Result::Ok(())
    };
    timeout(Duration::from_secs(args.limit), gather)
        .await
        .map_err(|_late| io::Error::other("streams stand still"))??;
    let seconds = began.elapsed().as_secs_f64();
    Ok(StreamsReport {
        streams: first.len(),
        events,
        seconds,
        first_event: first.quantiles(),
        gap: gaps.quantiles(),
    })
}

async fn read(mut link: Link, rounds: usize) -> io::Result<Vec<Events>> {
    let mut streams = Vec::new();
    for _ in 0..rounds {
        let mut events = Events::new(&link.target().mark);
        link.ask(|bytes| events.take(bytes)).await?;
        if !events.complete() {
            return Err(io::Error::other("a stream without its end"));
        }
        streams.push(events);
    }
    Ok(streams)
}
