//! Which HTTP version a plain-text connection speaks.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// The first bytes of an HTTP/2 connection (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An HTTP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Looks at the first bytes without taking them. Bound it with a timeout: it waits as long as the
/// peer is silent.
///
/// # Errors
///
/// When the connection fails or is closed before it says anything.
pub async fn detect(stream: &TcpStream) -> io::Result<Protocol> {
    let mut buffer = [0; HTTP2_PREFACE.len()];
    loop {
        let length = stream.peek(&mut buffer).await?;
        let seen = buffer.get(..length).unwrap_or_default();
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !HTTP2_PREFACE.starts_with(seen) {
            return Ok(Protocol::Http1);
        }
        if length == HTTP2_PREFACE.len() {
            return Ok(Protocol::Http2);
        }
        // A preface in pieces: what is there stays readable, so readiness cannot be awaited.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
