//! A way to ask one request after the other: an HTTP/1.1 connection of its own, or a stream on a
//! shared HTTP/2 connection.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::target::Target;
use crate::wire::Wire;

/// What a load sends requests through, one at a time.
pub(crate) struct Link {
    target: Arc<Target>,
    way: Way,
}

enum Way {
    One(Wire),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Link {
    /// Opens `connections` connections and returns the links over them: `each` per connection over
    /// HTTP/2, and one over HTTP/1.1.
    pub(crate) async fn open(
        target: &Arc<Target>,
        connections: usize,
        each: usize,
    ) -> io::Result<Vec<Self>> {
        let mut links = Vec::new();
        for _ in 0..connections {
            if target.http2 {
                let sender = connect(target).await?;
                links.extend((0..each).map(|_| Self {
                    target: Arc::clone(target),
                    way: Way::Two(sender.clone()),
                }));
            } else {
                links.push(Self {
                    target: Arc::clone(target),
                    way: Way::One(Wire::open(target).await?),
                });
            }
        }
        Ok(links)
    }

    /// What is asked, and where.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Asks once, with the next key, and hands each piece of the answer's body to `seen`.
    ///
    /// # Errors
    ///
    /// When the connection fails or the status is not 200. An HTTP/1.1 link is of no further use
    /// then.
    pub(crate) async fn ask(&mut self, seen: impl FnMut(&[u8])) -> io::Result<()> {
        let key = self.target.next_key();
        let status = match &mut self.way {
            Way::One(wire) => wire.exchange(&key, seen).await?,
            Way::Two(sender) => exchange(sender, &self.target, &key, seen).await?,
        };
        if status == 200 {
            Ok(())
        } else {
            Err(io::Error::other(format!("status {status}")))
        }
    }
}

async fn connect(target: &Target) -> io::Result<http2::SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).adaptive_window(true);
    let (sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // How a connection ends is seen by the requests on it.
    TokioExecutor::new().execute(async move { drop(connection.await) });
    Ok(sender)
}

async fn exchange(
    sender: &mut http2::SendRequest<Full<Bytes>>,
    target: &Target,
    key: &str,
    mut seen: impl FnMut(&[u8]),
) -> io::Result<u16> {
    let request = Request::post(format!("http://{}{}", target.address, target.path))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .body(Full::new(target.body.clone()))
        .map_err(io::Error::other)?;
    sender.ready().await.map_err(io::Error::other)?;
    let response = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame.map_err(io::Error::other)?.into_data() {
            seen(&bytes);
        }
    }
    Ok(status)
}
