//! Which HTTP version a plain-text connection speaks.

use std::io;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The first bytes of an HTTP/2 connection (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An HTTP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Reads as much of a connection as it takes to know, at least a byte. Bound it with a timeout: it
/// waits as long as the peer is silent.
///
/// # Errors
///
/// When the connection fails or is closed before it is known.
pub(super) async fn detect(stream: &mut TcpStream) -> io::Result<(Protocol, BytesMut)> {
    let mut begun = BytesMut::with_capacity(HTTP2_PREFACE.len());
    loop {
        if stream.read_buf(&mut begun).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !HTTP2_PREFACE.starts_with(&begun) {
            return Ok((Protocol::Http1, begun));
        }
        if begun.len() == HTTP2_PREFACE.len() {
            return Ok((Protocol::Http2, begun));
        }
    }
}
