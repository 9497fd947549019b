//! What a provider serves that gives what it is asked for, against the limit.

use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::future::join_all;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::support::parts::{Knobs, SimHandle};
use crate::support::sim::{idle, paced};
use crate::support::{Client, hone, in_time, upstream};

const LIMIT: u64 = 12_000;
/// An answer without a bound.
const UNBOUNDED: u32 = 3000;
/// Tokens in one event of a stream.
const CHUNK: NonZeroU32 = NonZeroU32::new(50).expect("it is not 0");
const CASES: u64 = 12;

/// One request that means to get more than it should.
#[derive(Debug)]
struct Attempt {
    path: &'static str,
    body: Value,
    /// How many frames of the answer are read before its client leaves.
    frames: Option<u32>,
    /// The most that the provider may serve, if the request says so.
    most: Option<u64>,
}

/// The fields that bound an answer's tokens at each endpoint.
const BOUNDS: [(&str, &[&str]); 4] = [
    (
        "/v1/chat/completions",
        &["max_completion_tokens", "max_tokens"],
    ),
    ("/v1/completions", &["max_tokens"]),
    ("/v1/messages", &["max_tokens"]),
    ("/v1/responses", &["max_output_tokens"]),
];

impl Attempt {
    fn draw(dice: &mut StdRng, bounded: bool) -> Self {
        let (path, own) = BOUNDS[dice.random_range(0..BOUNDS.len())];
        let mut fields = Map::new();
        let text = "x".repeat(dice.random_range(1..400));
        match path {
            "/v1/completions" => fields.insert("prompt".into(), json!(text)),
            "/v1/responses" => fields.insert("input".into(), json!(text)),
            _ => {
                let message = json!({"role": "user", "content": text});
                fields.insert("messages".into(), json!([message]))
            }
        };
        let most = (bounded || path == "/v1/messages").then(|| dice.random_range(1..5000));
        if let Some(most) = most {
            let field = own[dice.random_range(0..own.len())];
            fields.insert(field.into(), json!(most));
        }
        if let (Some(most), [new, old]) = (most, own) {
            // Of two, one provider obeys the one and another the other.
            let both = [(*new, json!(most)), (*old, json!(1))];
            let (ignored, both) = if dice.random_bool(0.5) {
                (*old, both)
            } else {
                (*new, [(*new, json!(1)), (*old, json!(most))])
            };
            if dice.random_bool(0.5) {
                fields.extend(both.map(|(name, value)| (name.to_owned(), value)));
                fields.insert("sim".into(), json!({"ignores": [ignored]}));
            }
        }
        decoys(&mut fields, own, most, dice);
        let choices = if path == "/v1/chat/completions" {
            dice.random_range(1..=3_u64)
        } else {
            1
        };
        if choices > 1 {
            fields.insert("n".into(), json!(choices));
        }
        fields.insert("model".into(), json!("sim-small"));
        let stream = dice.random_bool(0.5);
        fields.insert("stream".into(), json!(stream));
        Self {
            path,
            body: fields.into(),
            frames: (stream && dice.random_bool(0.5)).then(|| dice.random_range(1..6)),
            most: most.map(|most| most * choices + 200),
        }
    }

    async fn make(self, client: &Client) -> (bool, Option<u64>) {
        let json = client.clone().header("content-type", "application/json");
        let body = self.body.to_string();
        let mut response = json.open(Method::POST, self.path, body).await;
        let served = response.status() == StatusCode::OK;
        assert!(
            served || response.status() == StatusCode::TOO_MANY_REQUESTS,
            "{:?}: {self:?}",
            response.status()
        );
        if let Some(frames) = self.frames {
            for _ in 0..frames {
                let _frame = in_time(response.body_mut().frame()).await;
            }
        } else {
            let _whole = in_time(response.into_body().collect()).await;
        }
        (served, self.most)
    }
}

/// Fields that the endpoint ignores, and its own in other spellings: all say next to nothing.
fn decoys(fields: &mut Map<String, Value>, own: &[&str], most: Option<u64>, dice: &mut StdRng) {
    let all = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
    for name in all {
        let is_decoy = !own.contains(&name) || most.is_none();
        if is_decoy && dice.random_bool(0.5) {
            let small = json!(dice.random_range(0..2));
            let name = if own.contains(&name) {
                name.to_ascii_uppercase()
            } else {
                name.to_owned()
            };
            fields.insert(name, small);
        }
    }
}

fn served(upstream: &SimHandle) -> u64 {
    let stats = upstream.stats();
    stats.prompt_tokens + stats.tokens_generated
}

fn knobs(dice: &mut StdRng) -> Knobs {
    let pace = if dice.random_bool(0.5) {
        paced(20_000)
    } else {
        Knobs::default()
    };
    Knobs {
        answer_tokens: UNBOUNDED,
        chunk_tokens: CHUNK,
        ..pace
    }
}

/// Many answers of one token, from which a tenant's next ones might be judged.
async fn short_history(client: &Client) {
    for _ in 0..12 {
        let body = json!({"model": "sim-small", "max_tokens": 1,
            "messages": [{"role": "user", "content": "x"}]});
        client.chat(&body).await.assert_ok();
    }
}

async fn check_a_known_maximum(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let upstream = upstream().await;
    upstream.set(knobs(&mut dice));
    let hone = hone()
        .upstream(&upstream)
        .limit("tokens_per_minute", i64::try_from(LIMIT).expect("small"))
        .start();
    let client = hone.client("k");
    let start = Instant::now();
    if dice.random_bool(0.5) {
        short_history(&client).await;
    }
    let mut above = 0;
    for _ in 0..3 {
        let attempts: Vec<_> = (0..20).map(|_| Attempt::draw(&mut dice, true)).collect();
        let made = join_all(attempts.into_iter().map(|attempt| attempt.make(&client))).await;
        for (was_served, most) in made {
            let most = most.expect("all are bounded");
            if was_served {
                above = above.max(most.saturating_sub(LIMIT));
            }
        }
    }
    idle(&upstream).await;
    let seconds = start.elapsed().as_secs() + 1;
    let most = LIMIT + LIMIT * seconds / 60 + above;
    let served = served(&upstream);
    assert!(served <= most, "seed {seed}: {served} of {most}");
    assert!(served > LIMIT / 4, "seed {seed}: {served} of {most}");
}

#[tokio::test]
async fn a_limit_holds_where_each_call_says_its_maximum() {
    for seed in 0..CASES {
        check_a_known_maximum(seed).await;
    }
}

#[tokio::test]
async fn where_no_maximum_is_known_the_excess_is_paid_for() {
    let mut dice = StdRng::seed_from_u64(7);
    let upstream = upstream().await;
    upstream.set(Knobs {
        answer_tokens: UNBOUNDED,
        chunk_tokens: CHUNK,
        ..Knobs::default()
    });
    let hone = hone()
        .upstream(&upstream)
        .limit("tokens_per_minute", i64::try_from(LIMIT).expect("small"))
        .start();
    let client = hone.client("k");
    let start = Instant::now();
    short_history(&client).await;
    let whole = |dice: &mut StdRng| {
        let mut attempt = Attempt::draw(dice, false);
        attempt.frames = None;
        attempt
    };
    let attempts: Vec<_> = (0..150).map(|_| whole(&mut dice)).collect();
    join_all(attempts.into_iter().map(|attempt| attempt.make(&client))).await;
    idle(&upstream).await;
    let first = served(&upstream);
    // What fits at 500 for each of up to three choices, and what these have beyond it.
    let seconds = start.elapsed().as_secs() + 1;
    let most = (LIMIT + LIMIT * seconds / 60) / 500 * u64::from(UNBOUNDED + 110);
    assert!(first <= most, "{first} of {most}");
    assert!(first > LIMIT, "there is an excess: {first}");
    // All of the excess is debt: nothing more passes before it is worked off.
    let refused = client.ask("sim-small").await;
    refused.assert_refused(429, "rate_limit_exceeded");
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    let owed = (first - LIMIT) * 60 / LIMIT;
    let passed = start.elapsed() + Duration::from_secs(1);
    assert!(wait + passed.as_secs() >= owed, "{wait} s of {owed} s");
}
