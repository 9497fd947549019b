//! Where a request comes from: the address that is limited, and whether the caller sits at this
//! very machine.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_PREFIX: &str = "x-forwarded-";

/// The two ends of the connection that a request came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Who connected.
    pub address: SocketAddr,
    /// To which of our addresses.
    pub listener: SocketAddr,
}

/// Why a request does not count as local. A browser page, a tunnel or a reverse proxy on the
/// operator's machine must not pass for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotLocal {
    /// A forwarding header is present: somebody else's request came through a proxy.
    #[error("the request was forwarded")]
    Forwarded,
    /// `Host` is not `localhost` or a loopback literal, as after DNS rebinding.
    #[error("the host is not a loopback name")]
    Host,
    /// The listener is not bound to loopback.
    #[error("the listener is not bound to loopback")]
    Listener,
    /// A browser sends the request for a web page.
    #[error("the request has an origin")]
    Origin,
    /// The peer is not loopback.
    #[error("the peer is not loopback")]
    Peer,
}

impl NotLocal {
    /// The unmet condition in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Host => "host",
            Self::Listener => "listener",
            Self::Origin => "origin",
            Self::Peer => "peer",
        }
    }
}

/// The client's address: the right-most `X-Forwarded-For` entry that is not itself a trusted proxy,
/// if the peer is one; else the peer's.
///
/// If every entry is a trusted proxy, the left-most is the client. A malformed entry on the way
/// makes the header worthless: the peer it is.
pub fn client_address(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    if !is_trusted(&peer) {
        return peer;
    }
    let mut client = peer;
    let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
    for line in lines.into_iter().rev() {
        let Ok(line) = line.to_str() else { return peer };
        for entry in line.rsplit(',') {
            let Some(address) = forwarded_entry(entry) else {
                return peer;
            };
            client = address;
            if !is_trusted(&address) {
                return client;
            }
        }
    }
    client
}

/// An address, or an address with a port, as some load balancers write.
fn forwarded_entry(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let address = entry
        .parse::<IpAddr>()
        .or_else(|_| entry.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// Whether a request comes from a program on this machine, by every sign there is.
pub(super) fn local(head: &Parts, peer: &Peer) -> Result<(), NotLocal> {
    let forwarded = |name: &HeaderName| {
        *name == FORWARDED || *name == X_REAL_IP || name.as_str().starts_with(X_FORWARDED_PREFIX)
    };
    if !peer.listener.ip().to_canonical().is_loopback() {
        return Err(NotLocal::Listener);
    }
    if !peer.address.ip().to_canonical().is_loopback() {
        return Err(NotLocal::Peer);
    }
    if head.headers.keys().any(forwarded) {
        return Err(NotLocal::Forwarded);
    }
    if head.headers.contains_key(ORIGIN) {
        return Err(NotLocal::Origin);
    }
    if is_loopback_host(head) {
        Ok(())
    } else {
        Err(NotLocal::Host)
    }
}

/// All names of the host that the request gives (`Host` lines, and HTTP/2's `:authority`) must be
/// loopback, and there must be one.
fn is_loopback_host(head: &Parts) -> bool {
    let lines = head
        .headers
        .get_all(HOST)
        .iter()
        .map(|line| line.to_str().ok());
    let mut names = lines
        .chain(
            head.uri
                .authority()
                .map(|authority| Some(authority.as_str())),
        )
        .peekable();
    names.peek().is_some() && names.all(|name| name.is_some_and(is_loopback_name))
}

fn is_loopback_name(name: &str) -> bool {
    let host = match name.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            host
        }
        _ => name,
    };
    if let Some(literal) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return literal
            .parse::<std::net::Ipv6Addr>()
            .is_ok_and(|address| IpAddr::V6(address).to_canonical().is_loopback());
    }
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
