//! Where a request comes from: the address that is limited, and whether the caller sits at this
//! very machine.

use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use ipnet::IpNet;

use crate::api::cors;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers that proxies, load balancers, tunnels and content networks add to what they pass on.
const FORWARDING: [&str; 18] = [
    "cdn-loop",
    "cf-connecting-ip",
    "cf-ray",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "true-client-ip",
    "via",
    "x-amzn-trace-id",
    "x-appengine-user-ip",
    "x-azure-clientip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-forwarded",
    "x-original-forwarded-for",
    "x-original-host",
    "x-real-ip",
];
const FORWARDING_PREFIX: &str = "x-forwarded-";

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
    /// A browser sends the request for a page of another site.
    #[error("the request comes from another site")]
    Site,
    /// HTTP/1.0, which proxies speak that say nothing of themselves.
    #[error("the request is HTTP/1.0")]
    Version,
}

impl NotLocal {
    /// The unmet condition in one word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Host => "host",
            Self::Listener => "listener",
            Self::Origin => "origin",
            Self::Peer => "peer",
            Self::Site => "site",
            Self::Version => "version",
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

/// Whether `peer` says for whom it asks, and is not believed.
pub(crate) fn forwards_in_vain(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    headers.contains_key(X_FORWARDED_FOR) && !trusted.iter().any(|net| net.contains(&peer))
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
    if !is_loopback(peer.listener) {
        return Err(NotLocal::Listener);
    }
    if !is_loopback(peer.address) {
        return Err(NotLocal::Peer);
    }
    if head.headers.keys().any(is_forwarding) {
        return Err(NotLocal::Forwarded);
    }
    // A plain nginx sends what it passes on as HTTP/1.0, to the very host that hone has.
    if head.version < Version::HTTP_11 {
        return Err(NotLocal::Version);
    }
    if head.headers.contains_key(ORIGIN) {
        return Err(NotLocal::Origin);
    }
    if !is_of_its_own_site(head) {
        return Err(NotLocal::Site);
    }
    let mut names = hosts(head).peekable();
    if names.peek().is_some() && names.all(|name| name.is_some_and(is_loopback_name)) {
        Ok(())
    } else {
        Err(NotLocal::Host)
    }
}

/// Whether a request is not a web page's that has no business here: one whose name was rebound to
/// loopback, or of another site. `allowed` names hosts beside loopback ones, `*` is all, and pages
/// of `origins` are welcome. Only a listener on loopback relies on who can reach it, so only there
/// it matters.
pub(super) fn at_home(
    head: &Parts,
    peer: &Peer,
    (allowed, origins): (&[String], &[String]),
) -> Result<(), NotLocal> {
    if !is_loopback(peer.listener) || allowed.iter().any(|host| host == "*") {
        return Ok(());
    }
    let is_ours = |name: &str| {
        let host = host_of(name);
        is_loopback_name(name) || allowed.iter().any(|ours| ours.eq_ignore_ascii_case(host))
    };
    if !hosts(head).all(|name| name.is_some_and(is_ours)) {
        return Err(NotLocal::Host);
    }
    let mut pages = head.headers.get_all(ORIGIN).iter().peekable();
    if pages.peek().is_some() && pages.all(|page| cors::allows(origins, page)) {
        return Ok(());
    }
    let pages = head.headers.get_all(ORIGIN);
    let mut authorities = pages.iter().map(authority_of).peekable();
    if authorities.peek().is_none() {
        return if is_of_its_own_site(head) {
            Ok(())
        } else {
            Err(NotLocal::Site)
        };
    }
    // A page of this machine may be of another site: another port, or `localhost` and 127.0.0.1.
    if authorities.all(|authority| authority.is_some_and(is_ours)) {
        Ok(())
    } else {
        Err(NotLocal::Origin)
    }
}

/// Whether a browser at this very machine asks for a page that has no business here. What came
/// through a proxy may be anybody's.
pub(super) fn is_foreign_page_here(
    head: &Parts,
    peer: &Peer,
    welcome: (&[String], &[String]),
) -> bool {
    use NotLocal::{Host, Origin, Site};
    at_home(head, peer, welcome).is_err() && matches!(local(head, peer), Err(Host | Origin | Site))
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn is_forwarding(name: &HeaderName) -> bool {
    FORWARDING.contains(&name.as_str()) || name.as_str().starts_with(FORWARDING_PREFIX)
}

/// Whether no browser says that it asks for a page of another site.
fn is_of_its_own_site(head: &Parts) -> bool {
    let mut sites = head.headers.get_all(SEC_FETCH_SITE).iter();
    sites.all(|site| site == "none" || site == "same-origin")
}

/// All names of the host that the request gives: `Host` lines, and HTTP/2's `:authority`.
fn hosts(head: &Parts) -> impl Iterator<Item = Option<&str>> {
    let lines = head.headers.get_all(HOST).iter();
    let authority = head.uri.authority();
    lines
        .map(|line| line.to_str().ok())
        .chain(authority.map(|authority| Some(authority.as_str())))
}

/// Host and port of an origin; `null` has none.
fn authority_of(origin: &HeaderValue) -> Option<&str> {
    let (_scheme, authority) = origin.to_str().ok()?.split_once("://")?;
    Some(authority)
}

/// A host without its port.
fn host_of(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            host
        }
        _ => name,
    }
}

fn is_loopback_name(name: &str) -> bool {
    let host = host_of(name);
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
