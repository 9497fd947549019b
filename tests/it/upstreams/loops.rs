//! A hone that is its own upstream, alone or in a ring, refuses what comes back; hones in a row
//! work.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use http::Method;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::client::CHAT;
use crate::support::parts::SimHandle;
use crate::support::raw::read_to_end;
use crate::support::setup::Listens;
use crate::support::{Answer, Hone, hone, upstream};

/// A way to a server that is not there yet. It counts the connections that pass.
struct Detour {
    address: SocketAddr,
    to: Arc<OnceLock<SocketAddr>>,
    passed: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Detour {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("fixture: binds");
        let address = listener.local_addr().expect("fixture: an address");
        let to = Arc::new(OnceLock::<SocketAddr>::new());
        let passed = Arc::new(AtomicUsize::new(0));
        let (target, count) = (Arc::clone(&to), Arc::clone(&passed));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let target = *target.get().expect("fixture: a target");
                connections.spawn(async move {
                    let mut to = TcpStream::connect(target).await.expect("connects");
                    let _end = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                });
            }
        });
        Self {
            address,
            to,
            passed,
            task,
        }
    }

    fn lead_to(&self, hone: &Hone) {
        self.to.set(hone.address()).expect("fixture: one target");
    }

    fn passed(&self) -> usize {
        self.passed.load(Ordering::Relaxed)
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listens for Detour {
    fn base_url(&self) -> String {
        self.address.base_url()
    }
}

/// A hone that is its own upstream, and the way back to it.
async fn its_own_upstream(http2: bool) -> (Hone, Detour) {
    let detour = Detour::start().await;
    let hone = hone().upstream_with(&detour, |upstream| {
        upstream
            .set("retries", 5)
            .set("http2_prior_knowledge", http2)
    });
    let hone = hone.start();
    detour.lead_to(&hone);
    (hone, detour)
}

#[track_caller]
fn assert_loop(answer: &Answer) {
    let answer = answer.assert_refused(508, "loop_detected");
    answer.assert_header("x-should-retry", "false");
}

async fn via(upstream: &SimHandle, hone: &Hone) -> String {
    hone.client("k").ask("sim-small").await;
    let request = upstream.requests().pop().expect("a request");
    let line = request.headers.get("via").expect("a line");
    line.to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_request_that_comes_back_goes_round_once() {
    for http2 in [false, true] {
        let (hone, detour) = its_own_upstream(http2).await;
        let client = hone.client("k");
        assert_loop(&client.ask("m").await);
        assert_loop(&client.get("/v1/models").await);
        assert_loop(&client.get("/v1/files/f").await);
        assert_loop(&client.post("/v1/embeddings", r#"{"model":"m"}"#).await);
        assert_loop(&client.post("/v1/tomorrow", "{}").await);
        let upload = client
            .clone()
            .header("content-type", "multipart/form-data; boundary=x");
        let path = "/v1/audio/transcriptions";
        assert_loop(&upload.send(Method::POST, path, "--x--").await);
        assert_eq!(detour.passed(), 1, "a connection that is used again");
        assert_eq!(client.get("/livez").await.status, 200);
    }
}

#[tokio::test]
async fn a_strategy_that_asks_itself_ends_with_its_calls() {
    let (hone, detour) = its_own_upstream(false).await;
    let answer = hone.client("k").ask("bon-m").await;
    assert_loop(&answer);
    assert!(detour.passed() <= 3, "as many as there are candidates");
}

#[tokio::test]
async fn a_ring_ends_however_many_are_in_it() {
    for others in 1..=3 {
        let detour = Detour::start().await;
        let mut ring = vec![hone().upstream(&detour).start()];
        for _ in 0..others {
            let next = ring[ring.len() - 1].address();
            ring.push(hone().upstream(&next).start());
        }
        detour.lead_to(&ring[ring.len() - 1]);
        for hone in &ring {
            assert_loop(&hone.client("k").ask("m").await);
        }
        assert_eq!(detour.passed(), 1);
    }
}

#[tokio::test]
async fn hones_in_a_row_work_and_name_themselves_in_order() {
    let upstream = upstream().await;
    let last = hone().upstream(&upstream).start();
    let first = hone().upstream(&last.address()).start();
    let alone = via(&upstream, &last).await;
    let both = via(&upstream, &first).await;
    let (name, rest) = both.split_once(", ").expect("two names");
    assert!(name.starts_with("1.1 hone-") && name != rest, "{both}");
    assert_eq!(rest, alone);
    let answer = first.client("k").ask("re2-sim-small").await;
    answer.assert_ok();
}

#[tokio::test]
async fn what_comes_back_is_refused_before_its_body_and_after_a_reload() {
    let upstream = upstream().await;
    let setup = hone().upstream(&upstream);
    let hone = setup.start();
    let via = via(&upstream, &hone).await;
    assert!(hone.reload(&setup).is_empty());
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer k\r\n\
         via: 1.1 p, {via}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
    );
    let answer = read_to_end(hone.dial(head).await).await;
    assert!(answer.starts_with("HTTP/1.1 508 "), "{answer}");
    assert_eq!(upstream.requests().len(), 1);
    // Even where no key is needed.
    let client = hone.keyless().header("via", &via);
    assert_loop(&client.get("/hone/whoami").await);
}

#[tokio::test]
async fn a_client_cannot_pass_on_more_than_names_of_hones() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone
        .client("k")
        .header("via", "1.1 10.0.0.7, 1.1 squid (me)");
    client.ask("sim-small").await;
    let request = upstream.requests().pop().expect("a request");
    let line = request.headers["via"].to_str().expect("text").to_owned();
    assert!(
        line.starts_with("1.1 hone-") && !line.contains(','),
        "{line}"
    );
    let too_many = "1.1 hone-0123456789abcdef, ".repeat(16);
    let answer = client.header("via", &too_many).ask("m").await;
    assert_loop(&answer);
}
