use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;

use super::*;

/// Takes a lot of memory to answer.
struct Large;

impl Answer for Large {
    type Body = Full<Bytes>;
    type Visit = ();

    fn admits(&self, _: SocketAddr) -> Result<(), ConnectionRefused> {
        Ok(())
    }

    fn admits_stream(
        &self,
        _: SocketAddr,
        _: &HeaderMap,
        _: bool,
    ) -> Result<(), ConnectionRefused> {
        Ok(())
    }

    async fn answer(
        self: Arc<Self>,
        _: Request<RequestBody>,
        _: ConnectionAddrs,
        _: Closing,
    ) -> Response<Full<Bytes>> {
        let room = [0_u8; 8 * 1024];
        tokio::task::yield_now().await;
        Response::new(Full::new(Bytes::copy_from_slice(&room)))
    }

    fn refuse(&self, _: ConnectionRefused) -> Response<Full<Bytes>> {
        Response::default()
    }
}

#[tokio::test]
async fn an_open_connection_has_a_small_task_whatever_answers_take() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).await.unwrap();
    let ends = ConnectionAddrs {
        peer: client.local_addr().unwrap(),
        listener: address,
    };
    let server = Server::new(
        (listener, address),
        Arc::new(Large),
        Arc::new(ArcSwap::from_pointee(Bounds::default())),
        Drain::new(),
    );
    let held = (server.cap.place().await.unwrap(), ());
    let task = Arc::new(server).connection(client, ends, held);
    assert!(size_of_val(&task) <= 2048, "{} bytes", size_of_val(&task));
}
