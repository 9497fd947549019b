//! `floor`: the least that a relay on hone's stack can cost.
//!
//! hyper on one single-threaded runtime per core, a pool of upstream connections on each, the
//! allocator that hone uses, and nothing else: no keys, no limits, no look at a body, no metrics,
//! no log. What hone costs beyond this is hone's own; what this costs beyond nginx is the stack's.

use std::io;
use std::net::SocketAddr;
use std::thread;

use clap::Parser;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A bare relay: HTTP/1.1 and HTTP/2 (prior knowledge) in, all to one upstream.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// Where everything goes
    #[arg(long)]
    upstream: SocketAddr,
    /// Speak HTTP/2 to the upstream
    #[arg(long)]
    upstream_http2: bool,
}

/// One worker's way to the upstream.
#[derive(Clone)]
struct Relay {
    pool: Client<HttpConnector, Incoming>,
    upstream: Authority,
}

impl Relay {
    fn new(args: &Args) -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let mut pool = Client::builder(TokioExecutor::new());
        pool.pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http2_only(args.upstream_http2)
            .http2_adaptive_window(true);
        let upstream = args
            .upstream
            .to_string()
            .parse()
            .map_err(io::Error::other)?;
        Ok(Self {
            pool: pool.build(tcp),
            upstream,
        })
    }

    /// The upstream's answer. An error ends the client's connection, which is all that a floor has
    /// to say.
    async fn answer(
        self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
        let mut target = std::mem::take(request.uri_mut()).into_parts();
        target.scheme = Some(Scheme::HTTP);
        target.authority = Some(self.upstream.clone());
        *request.uri_mut() = Uri::from_parts(target)?;
        *request.version_mut() = http::Version::HTTP_11;
        request.headers_mut().remove(header::HOST);
        Ok(self.pool.request(request).await?)
    }

    async fn serve(self, stream: std::net::TcpStream) {
        let Ok(stream) = TcpStream::from_std(stream) else {
            return;
        };
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new());
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(1000);
        let service = service_fn(move |request| self.clone().answer(request));
        // A connection that breaks is its client's to notice.
        drop(
            builder
                .serve_connection(TokioIo::new(stream), service)
                .await,
        );
    }
}

/// Starts a runtime on a thread of its own, for as long as the process lives.
fn worker() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    drop(thread::Builder::new().spawn(move || runtime.block_on(std::future::pending::<()>()))?);
    Ok(handle)
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let cores = thread::available_parallelism()?.get();
    let workers = (0..cores)
        .map(|_| Ok((worker()?, Relay::new(&args)?)))
        .collect::<io::Result<Vec<_>>>()?;
    Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let listener = TcpListener::bind(args.listen).await?;
            for (handle, relay) in workers.iter().cycle() {
                let (stream, _) = listener.accept().await?;
                drop(handle.spawn(relay.clone().serve(stream.into_std()?)));
            }
            Ok(())
        })
}
