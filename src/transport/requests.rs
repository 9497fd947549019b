//! The requests of one connection, and what answers them.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::Either;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;

use super::activity::{Activity, Close, Closing, RunningBody};
use super::body::{self, RequestBody};
use super::cap::Cap;
use super::drive::BoxError;
use super::place::Place;
use super::protocol::Protocol;
use super::refusal::{ConnectionRefused, Refusal};
use crate::telemetry::connections;

/// The two ends of one accepted connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionAddrs {
    /// The TCP peer.
    pub(crate) peer: SocketAddr,
    /// The address that the listener is bound to, which may be a wildcard.
    pub(crate) listener: SocketAddr,
}

/// What answers requests. It never fails: every error is a response.
pub(crate) trait Answer: Send + Sync + 'static {
    /// The body of its responses.
    type Body: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>>
        + Close
        + Send
        + Unpin
        + 'static;
    /// Held for as long as a connection is open, or a request that counts as one.
    type Visit: Send + Sync + 'static;

    /// Whether a new connection from this peer is welcome now.
    fn admits(&self, peer: SocketAddr) -> Result<Self::Visit, ConnectionRefused>;

    /// Whether another request, of these headers, is welcome beside those that run on its HTTP/2
    /// connection. Each takes the place of a connection; `is_room` tells whether one was left.
    fn admits_stream(
        &self,
        peer: SocketAddr,
        headers: &HeaderMap,
        is_room: bool,
    ) -> Result<Self::Visit, ConnectionRefused>;

    /// Answers one request, at once when `closing` is ready. Dropped when the client goes away, and
    /// everything done for the request with it.
    fn answer(
        self: Arc<Self>,
        request: Request<RequestBody>,
        addrs: ConnectionAddrs,
        closing: Closing,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Answers what is asked on a connection that is not welcome, or beside too many others.
    fn refuse(&self, refused: ConnectionRefused) -> Response<Self::Body>;
}

/// Answers the requests of one connection.
pub(super) struct Requests<A> {
    pub(super) answer: Arc<A>,
    pub(super) cap: Arc<Cap>,
    pub(super) activity: Arc<Activity>,
    pub(super) protocol: Protocol,
    pub(super) addrs: ConnectionAddrs,
    /// Why none is welcome.
    pub(super) refusal: Option<Refusal>,
}

impl<A: Answer> Requests<A> {
    /// Answers one.
    pub(super) fn serve(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<RunningBody<A::Body>>, Infallible>> + use<A> {
        let (answer, addrs, refusal) = (Arc::clone(&self.answer), self.addrs, self.refusal.clone());
        let running = self.activity.begin();
        let place = match self.place(request.headers()) {
            Ok(place) => place,
            Err(why) => {
                // At once, so that nothing is kept of a request without a place.
                let refused = answer.refuse(why);
                return Either::Left(ready(Ok(
                    refused.map(|body| RunningBody::new(body, running, None))
                )));
            }
        };
        let (request, expects_continue) = body::receive(request, running.connection());
        // hyper keeps a place of this future's size for as long as the connection or stream is
        // open; what is boxed is free once there is an answer.
        let answered = Box::pin(async move {
            let response = match refusal {
                None => answer.answer(request, addrs, running.closing()).await,
                Some(refusal) => answer.refuse(refusal.tell()),
            };
            body::answered(response, running.connection(), expects_continue)
                .await
                .map(|body| RunningBody::new(body, running, place))
        });
        Either::Right(async move { Ok(answered.await) })
    }

    /// The place of another request: its connection's, unless another request has that. HTTP/1 has
    /// no other.
    fn place(&self, headers: &HeaderMap) -> Result<Option<Place>, ConnectionRefused> {
        if self.protocol == Protocol::Http1 || self.refusal.is_some() {
            return Ok(None);
        }
        if let Some(own) = self.activity.occupy() {
            return Ok(Some(Place::new(own)));
        }
        let place = self.cap.try_place();
        let peer = self.addrs.peer;
        match self.answer.admits_stream(peer, headers, place.is_some()) {
            Ok(visit) => Ok(Some(Place::new((place, visit)))),
            Err(why) => {
                connections::refused("too_many_streams");
                Err(why)
            }
        }
    }
}
