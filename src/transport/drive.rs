//! A connection from its first request to its end.

use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Expired};
use super::drain::Drain;
use super::protocol::Protocol;
use crate::telemetry::connections;

/// Whatever can end a connection or a response's body early.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a connection without a request is closed.
pub(super) const LATE: &str = "no request in time";

/// Drives a connection to its end. Once it is to `stop`, or when it has been idle for long, asks
/// it to finish what runs and take nothing new; when the drain closes, has what still runs say its
/// last.
pub(super) async fn drive<C>(
    connection: &mut Pin<Box<C>>,
    finish: fn(Pin<&mut C>),
    protocol: Protocol,
    activity: &Activity,
    (stop, drain): (&CancellationToken, &Drain),
) -> Result<(), BoxError>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut finishing = false;
    // Polled only when one of them happens, while the connection's task runs several times for
    // each request.
    let closing = drain.closing();
    let interruption = |finishing| interruption(activity, stop, closing, finishing);
    let mut rare = FuturesUnordered::from_iter([interruption(finishing)]);
    loop {
        let interrupted = tokio::select! {
            biased;
            output = connection.as_mut() => return Ok(output?),
            Some(interruption) = rare.next() => interruption,
        };
        if matches!(interrupted, Interruption::Close) {
            activity.close();
        }
        if let Interruption::Expired(expired) = interrupted {
            if !finishing {
                connections::expired(expired.as_str());
            }
            // In HTTP/1 there is nobody to tell. In HTTP/2 a peer that was told and goes on has
            // had its time twice.
            match expired {
                Expired::Head if protocol == Protocol::Http1 || finishing => {
                    return Err(LATE.into());
                }
                Expired::Resets if finishing => {
                    return Err("requests were taken back all the time".into());
                }
                Expired::Idle if protocol == Protocol::Http2 && finishing => {
                    return Err("what was sent is not read".into());
                }
                Expired::Head | Expired::Idle | Expired::Resets => {}
            }
            activity.mark();
        }
        if !finishing {
            finishing = true;
            finish(connection.as_mut());
        }
        rare.push(interruption(finishing));
    }
}

/// What a connection is to react to, beside its peer.
enum Interruption {
    /// The drain closes.
    Close,
    /// It has waited too long.
    Expired(Expired),
    /// It is to stop.
    Stop,
}

/// Returns when a connection has waited too long, when the drain closes or, unless it is already
/// `finishing`, when it is to `stop`.
async fn interruption(
    activity: &Activity,
    stop: &CancellationToken,
    closing: &CancellationToken,
    finishing: bool,
) -> Interruption {
    tokio::select! {
        () = stop.cancelled(), if !finishing => Interruption::Stop,
        () = closing.cancelled(), if !activity.is_closing() => Interruption::Close,
        expired = activity.expired() => Interruption::Expired(expired),
    }
}
