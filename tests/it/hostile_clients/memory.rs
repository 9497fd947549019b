//! Bodies that are held in bounded memory, of which each tenant has its share.

use serde_json::json;
use tokio::net::TcpStream;

use crate::support::head::{chunks, post_chat};
use crate::support::parts::SimHandle;
use crate::support::setup::Setup;
use crate::support::sim::{paced, slow};
use crate::support::{Client, Hone, chat_with, hone, upstream};

const BODY: usize = 65_536;

/// A chat request of [`BODY`] bytes of which one arrives, and then nothing.
async fn stuck_body(hone: &Hone, key: &str) -> TcpStream {
    hone.dial(post_chat(key).content_length(BODY).then("{"))
        .await
}

/// Whether `client` is answered with `status` at last, while others come or go.
async fn comes_to(client: &Client, status: u16, code: &str) -> bool {
    for _ in 0..2000 {
        let answer = client.ask("sim-small").await;
        if answer.status == status && answer.header("x-hone-error") == code {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Room for so many bytes of bodies, none of them larger than [`BODY`].
fn room_for(bytes: u32, upstream: &SimHandle) -> Setup {
    hone()
        .upstream(upstream)
        .bound("body_bytes", 65_536)
        .bound("buffered_bytes", bytes)
}

fn two_tenants(setup: Setup) -> Hone {
    setup
        .tenant("alice", |alice| alice.provider_key("alice"))
        .tenant("bob", |bob| bob.provider_key("bob"))
        .start()
}

#[tokio::test]
async fn request_bodies_share_bounded_memory() {
    let upstream = upstream().await;
    let hone = two_tenants(room_for(131_072, &upstream));
    let held = [
        stuck_body(&hone, "alice").await,
        stuck_body(&hone, "bob").await,
    ];
    let client = hone.client("k");
    assert!(
        comes_to(&client, 503, "overloaded").await,
        "two held bodies leave no room for a third"
    );
    drop(held);
    assert!(comes_to(&client, 200, "").await, "the memory comes back");
}

#[tokio::test]
async fn one_tenants_slow_bodies_leave_room_for_another() {
    let upstream = upstream().await;
    let hone = two_tenants(room_for(1_048_576, &upstream));
    let held = [
        stuck_body(&hone, "alice").await,
        stuck_body(&hone, "alice").await,
    ];
    let alice = hone.client("alice");
    assert!(
        comes_to(&alice, 429, "concurrency_limit_exceeded").await,
        "an eighth of the memory is hers"
    );
    let refused = alice.ask("sim-small").await;
    refused
        .assert_header("x-hone-limit-source", "hone")
        .assert_header("retry-after", "1");
    hone.client("bob").ask("sim-small").await.assert_ok();
    drop(held);
    assert!(comes_to(&alice, 200, "").await, "her share comes back");
}

#[tokio::test]
async fn made_up_keys_of_one_address_share_its_part_of_the_memory() {
    let upstream = upstream().await;
    let hone = room_for(1_048_576, &upstream).start();
    let vouched = hone.client("sk-real");
    vouched.ask("sim-small").await.assert_ok();
    let _held = [
        stuck_body(&hone, "made-up-1").await,
        stuck_body(&hone, "made-up-2").await,
    ];
    let third = hone.client("made-up-3");
    assert!(comes_to(&third, 429, "concurrency_limit_exceeded").await);
    // A key that the provider knows has a share of its own.
    vouched.ask("sim-small").await.assert_ok();
}

#[tokio::test]
async fn a_body_of_the_largest_size_fits_where_it_may_be_all_there_is() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("body_bytes", 100_000)
        .bound("buffered_bytes", 100_000)
        .start();
    let empty = chat_with("sim-small", json!({"padding": ""})).to_string();
    let padding = "x".repeat(100_000 - empty.len());
    let body = chat_with("sim-small", json!({"padding": padding}));
    hone.client("k").chat(&body).await.assert_ok();
    let body = body.to_string();
    assert_eq!(body.len(), 100_000);
    let request = post_chat("k").chunked().close();
    let answer = hone.exchange(request.then(chunks([&body]))).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_streamed_run_holds_its_body_until_it_ends() {
    let upstream = upstream().await;
    upstream.set(paced(20));
    let hone = hone()
        .upstream(&upstream)
        .bound("body_bytes", 16_384)
        // With what a call of a run may have unread.
        .bound("buffered_bytes", 16_384 + 262_144)
        .bound("tenant_buffered_bytes", 16_384 + 262_144)
        .start();
    let client = hone.client("k");
    let padding = "x".repeat(9000);
    let fields = json!({"stream": true, "padding": padding});
    let stream = client.open_chat(&chat_with("re2-sim-small", fields)).await;
    assert_eq!(stream.status(), 200);
    let another = chat_with("sim-small", json!({"padding": padding}));
    let while_it_runs = client.chat(&another).await;
    while_it_runs.assert_status(429);
    drop(stream);
    assert!(comes_to(&client, 200, "").await);
}

#[tokio::test]
async fn a_run_makes_no_more_calls_at_once_than_there_is_memory_for_what_they_may_have_unread() {
    let upstream = upstream().await;
    upstream.set(slow(300));
    let hone = hone()
        .upstream(&upstream)
        .bound("body_bytes", 16_384)
        .bound("buffered_bytes", 1_000_000)
        .bound("tenant_buffered_bytes", 1_000_000)
        .start();
    let story = json!([{"role": "user", "content": "a story, not a question"}]);
    let fields = json!({"messages": story, "k": 12});
    let client = hone.client("k");
    // What a call takes is given back with it.
    for _ in 0..2 {
        let answer = client.ask_with("majority_voting-sim-small", fields.clone());
        answer.await.assert_ok();
    }
    let most = upstream.stats().peak_in_flight;
    assert!((1..=3).contains(&most), "{most} calls of 256 KiB at once");
}
