//! What a caller is told of its limits where the provider has limits, too.

use serde_json::json;

use crate::support::head::answer;
use crate::support::raw::{RawUpstream, Then};
use crate::support::sim::fails_with;
use crate::support::{Answer, hone, upstream};

/// The limit, remainder and reset that an answer tells in OpenAI's headers.
fn told(answer: &Answer, dimension: &str) -> [String; 3] {
    ["limit", "remaining", "reset"].map(|part| {
        let name = format!("x-ratelimit-{part}-{dimension}");
        answer.header(&name).to_owned()
    })
}

#[tokio::test]
async fn a_limit_that_is_nearer_than_the_providers_is_told_in_its_place_dimension_by_dimension() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("requests_per_minute", 6)
        .limit("tokens_per_minute", 100_000_000)
        .start();
    let client = hone.client("k");
    let plain = client.ask("sim-small").await;
    let [limit, remaining, reset] = told(&plain, "requests");
    assert_eq!([limit, remaining], ["6", "5"]);
    assert!(reset == "10s" || reset.starts_with("9."), "{reset}");
    // The provider's own, which is nearer.
    assert_eq!(told(&plain, "tokens"), ["2000000", "1999900", "3ms"]);
    let refused = client
        .ask_with("sim-small", json!({"sim": fails_with(400)}))
        .await;
    refused.assert_status(400);
    assert_eq!(told(&refused, "requests")[..2], ["6", "4"]);
    // What hone answers itself tells of its own limits only.
    let own = client.ask("re2-sim-small").await;
    assert_eq!(told(&own, "requests")[..2], ["6", "3"]);
    assert_eq!(told(&own, "tokens")[0], "100000000");
    // A strategy's answer that is the provider's refusal is told like a relayed one.
    let refused = client
        .ask_with("re2-sim-small", json!({"sim": fails_with(400)}))
        .await;
    refused.assert_status(400);
    assert_eq!(told(&refused, "requests")[..2], ["6", "2"]);
}

#[tokio::test]
async fn without_a_limit_of_hones_and_without_one_of_the_providers_nothing_is_changed() {
    let simulated = upstream().await;
    let unlimited = hone().upstream(&simulated).start();
    let plain = unlimited.client("k").ask("sim-small").await;
    assert_eq!(told(&plain, "requests"), ["10000", "9999", "6ms"]);
    for (remaining, expected) in [("5", "5"), ("4", "4"), ("soon", "soon"), ("7", "5")] {
        let provider = answer("200 OK")
            .json()
            .header("x-ratelimit-remaining-requests", remaining)
            .close()
            .body("{}");
        let upstream = RawUpstream::start(provider, Then::Close).await;
        let limited = hone().upstream(&upstream).limit("requests_per_minute", 6);
        let plain = limited.start().client("k").ask("m").await;
        plain.assert_header("x-ratelimit-remaining-requests", expected);
        let limit = if expected == remaining { "" } else { "6" };
        plain.assert_header("x-ratelimit-limit-requests", limit);
        plain.assert_header("x-ratelimit-remaining-tokens", "");
    }
}
