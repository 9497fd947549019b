//! One HTTP/1.1 connection, written for little work per request: the client shares its cores with
//! what it measures.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::target::Target;

mod answer;

use answer::Answer;

/// Bodies up to this are sent together with their head.
const TOGETHER: usize = 16 * 1024;
/// Read at once at most.
const BUFFER: usize = 32 * 1024;

/// A connection that stays open from request to request; of a server that ends it with each answer,
/// one after the other.
pub(crate) struct Wire {
    address: SocketAddr,
    stream: TcpStream,
    is_over: bool,
    /// The request's head and, if it is small, its body.
    head: Vec<u8>,
    key: Range<usize>,
    body: Option<Bytes>,
    buffer: Box<[u8]>,
}

impl Wire {
    pub(crate) async fn open(target: &Target) -> io::Result<Self> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        let before = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nauthorization: \
                Bearer ",
            target.path, target.address
        );
        let key = target.key(0);
        let place = before.len()..before.len() + key.len();
        let mut head = format!(
            "{before}{key}\r\ncontent-length: {}\r\n\r\n",
            target.body.len()
        )
        .into_bytes();
        let together = target.body.len() <= TOGETHER;
        if together {
            head.extend_from_slice(&target.body);
        }
        let body = (!together).then(|| target.body.clone());
        Ok(Self {
            address: target.address,
            stream,
            is_over: false,
            head,
            key: place,
            body,
            buffer: vec![0; BUFFER].into_boxed_slice(),
        })
    }

    /// Sends the request with this key, which must be as long as every other, and hands each piece
    /// of the answer's body to `seen`. Returns the status.
    pub(crate) async fn exchange(
        &mut self,
        key: &str,
        mut seen: impl FnMut(&[u8]),
    ) -> io::Result<u16> {
        if let Some(place) = self
            .head
            .get_mut(self.key.clone())
            .filter(|place| place.len() == key.len())
        {
            place.copy_from_slice(key.as_bytes());
        }
        if self.is_over {
            self.stream = TcpStream::connect(self.address).await?;
            self.stream.set_nodelay(true)?;
        }
        self.stream.write_all(&self.head).await?;
        if let Some(body) = &self.body {
            self.stream.write_all(body).await?;
        }
        let mut answer = Answer::default();
        loop {
            let read = self.stream.read(&mut self.buffer).await?;
            let bytes = self.buffer.get(..read).unwrap_or_default();
            if let Some(status) = answer.take(bytes, &mut seen)? {
                self.is_over = answer.closes();
                return Ok(status);
            }
        }
    }
}
