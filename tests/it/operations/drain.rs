//! A drain finishes what runs and takes nothing new.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::head::post_chat;
use crate::support::parts::Drained;
use crate::support::sim::{busy, idle, slow, stuck};
use crate::support::{chat_body, hone, text, upstream};

#[tokio::test]
async fn a_drain_finishes_what_runs_and_takes_nothing_new() {
    let upstream = upstream().await;
    upstream.set(slow(400));
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    let (answer, drained) = tokio::join!(client.ask("sim-small"), async {
        busy(&upstream).await;
        hone.shutdown().await
    });
    answer.assert_ok();
    assert_eq!(drained, Drained::Clean);
    assert!(
        TcpStream::connect(hone.address()).await.is_err(),
        "nothing listens any more"
    );
}

#[tokio::test]
async fn a_drain_ends_by_force_when_its_grace_period_is_over() {
    let upstream = upstream().await;
    upstream.set(stuck());
    let hone = hone().upstream(&upstream).bound("drain", "200ms").start();
    let body = chat_body("sim-small").to_string();
    let mut stream = hone.dial(post_chat("k").body(&body)).await;
    busy(&upstream).await;
    assert!(matches!(hone.shutdown().await, Drained::Forced { .. }));
    idle(&upstream).await;
    let mut rest = Vec::new();
    let _cut = stream.read_to_end(&mut rest).await;
    assert_eq!(text(rest), "", "no success is claimed");
}
