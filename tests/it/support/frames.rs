//! HTTP/2 frame by frame, for what no well-behaved library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::in_time;
use super::raw::send;

/// What an HTTP/2 client says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// One frame (RFC 9113 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            flags,
            stream,
            payload: payload.into(),
        }
    }

    /// `GET path`, whole.
    pub fn get(stream: u32, path: &str) -> Self {
        Self::new(HEADERS, END_HEADERS | END_STREAM, stream, request(path))
    }

    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len())
            .expect("fixture: a small frame")
            .to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// The header block of `GET path` (RFC 7541: method and scheme by their index, path and authority
/// as literals).
pub fn request(path: &str) -> Vec<u8> {
    let literal = |index: u8, value: &str| {
        [
            &[
                index,
                u8::try_from(value.len()).expect("fixture: a short value"),
            ],
            value.as_bytes(),
        ]
        .concat()
    };
    [
        vec![0x82, 0x86],
        literal(0x04, path),
        literal(0x01, "localhost"),
    ]
    .concat()
}

/// The same with the key `k` (RFC 7541 §6.2.2: authorization by its index, not indexed anew).
pub fn request_with_key(path: &str) -> Vec<u8> {
    let key = [&[0x0f, 0x08, 0x08], b"Bearer k".as_slice()].concat();
    [request(path), key].concat()
}

/// The header block of `POST path` with this type of content and the key `k`.
pub fn upload(path: &str, content_type: &str) -> Vec<u8> {
    let mut block = request_with_key(path);
    block[0] = 0x83;
    let length = u8::try_from(content_type.len()).expect("fixture: a short value");
    block.extend([0x0f, 0x10, length]);
    block.extend(content_type.as_bytes());
    block
}

/// An HTTP/2 connection.
pub struct Connection<S = TcpStream>(pub S);

impl Connection {
    /// Connects, and sends the preface and empty settings.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connects");
        stream.set_nodelay(true).expect("fixture: a socket");
        Self::over(stream).await
    }
}

impl<S: AsyncReadExt + AsyncWriteExt + Unpin> Connection<S> {
    /// Sends the preface and empty settings over `stream`.
    pub async fn over(mut stream: S) -> Self {
        send(&mut stream, PREFACE).await;
        let mut connection = Self(stream);
        assert!(connection.send(&Frame::new(SETTINGS, 0, 0, [])).await);
        connection
    }

    /// Sends a frame; false if the peer has closed.
    pub async fn send(&mut self, frame: &Frame) -> bool {
        self.0.write_all(&frame.bytes()).await.is_ok()
    }

    /// Sends frames for as long as the peer takes them; false if it has closed before the last.
    pub async fn flood(&mut self, frames: impl Iterator<Item = Frame>) -> bool {
        for frame in frames {
            if !self.send(&frame).await {
                return false;
            }
        }
        true
    }

    /// The next frame, or `None` once the peer has closed.
    pub async fn receive(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        in_time(self.0.read_exact(&mut head)).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream,
            payload,
        })
    }

    /// The frames up to the first of this kind.
    pub async fn until(&mut self, kind: u8) -> Option<Frame> {
        while let Some(frame) = self.receive().await {
            if frame.kind == kind {
                return Some(frame);
            }
            if frame.kind == PING && frame.flags == 0 {
                self.send(&Frame { flags: 1, ..frame }).await;
            }
        }
        None
    }

    /// The next frame of either kind.
    pub async fn until_either(&mut self, one: u8, other: u8) -> Option<Frame> {
        while let Some(frame) = self.receive().await {
            if frame.kind == one || frame.kind == other {
                return Some(frame);
            }
        }
        None
    }

    /// Whether the peer closes, however it says so.
    pub async fn is_closed_at_last(&mut self) -> bool {
        while self.until(GOAWAY).await.is_some() {}
        true
    }
}
