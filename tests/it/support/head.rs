//! Heads of HTTP/1.1 messages, line by line, for what no well-behaved library would send.

use std::fmt::Display;

use super::client::CHAT;

/// A head in the making.
#[derive(Debug, Clone)]
pub(crate) struct Head(String);

/// `GET target`.
pub fn get(target: &str) -> Head {
    request("GET", target)
}

/// `POST target`.
pub fn post(target: &str) -> Head {
    request("POST", target)
}

/// A chat request with this key, without a word of its length.
pub fn post_chat(key: &str) -> Head {
    post(CHAT).key(key).json()
}

/// A request of any method.
pub fn request(method: &str, target: &str) -> Head {
    Head(format!("{method} {target} HTTP/1.1\r\n")).header("host", "x")
}

/// The head of an answer, such as `200 OK`.
pub fn answer(status: &str) -> Head {
    Head(format!("HTTP/1.1 {status}\r\n"))
}

/// `text` as one chunk of a body.
pub fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// A whole body of these chunks.
pub fn chunks<const N: usize>(texts: [&str; N]) -> String {
    texts.map(chunk).concat() + "0\r\n\r\n"
}

impl Head {
    /// Adds a header.
    pub fn header(self, name: &str, value: impl Display) -> Self {
        self.line(&format!("{name}: {value}"))
    }

    /// Adds a line as it is.
    pub fn line(mut self, line: &str) -> Self {
        self.0.push_str(line);
        self.0.push_str("\r\n");
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("authorization", format!("Bearer {key}"))
    }

    pub fn json(self) -> Self {
        self.header("content-type", "application/json")
    }

    pub fn event_stream(self) -> Self {
        self.header("content-type", "text/event-stream")
    }

    /// Asks for, or announces, the end of the connection.
    pub fn close(self) -> Self {
        self.header("connection", "close")
    }

    pub fn content_length(self, bytes: usize) -> Self {
        self.header("content-length", bytes)
    }

    pub fn chunked(self) -> Self {
        self.header("transfer-encoding", "chunked")
    }

    /// The head, and these bytes behind it.
    pub fn then(self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        let mut message = Vec::from(self);
        message.extend_from_slice(bytes.as_ref());
        message
    }

    /// The whole message with this body.
    pub fn body(self, body: impl AsRef<[u8]>) -> Vec<u8> {
        self.content_length(body.as_ref().len()).then(body)
    }
}

impl From<Head> for Vec<u8> {
    fn from(head: Head) -> Self {
        format!("{}\r\n", head.0).into_bytes()
    }
}
