//! Web pages in a browser beside hone: what they ask in vain is nothing to whoever sits there.

use http::Method;

use crate::support::client::CHAT;
use crate::support::parts::SimHandle;
use crate::support::setup::{Setup, Upstream};
use crate::support::sim::calls;
use crate::support::{Client, Hone, chat_body, hone, upstream};

/// Requests a minute of an address, and gateway keys of it that may be wrong.
const LIMIT: i64 = 2;

/// hone as a person runs it on their own machine, which counts that person's requests.
fn limited() -> Setup {
    hone()
        .config(&format!(
            "[limits.address]\nrequests_per_minute = {LIMIT}\n"
        ))
        .bound("rejected_keys_per_minute", LIMIT)
}

/// The same with models that need no key, with the operator's key for this machine, and with both.
fn setups(upstream: &SimHandle) -> [Setup; 3] {
    let keyless = limited().upstream_with(upstream, Upstream::keyless);
    let paid = |setup: Setup| {
        setup.upstream_with(upstream, |upstream| {
            let named = upstream.named("paid").models(&["paid-*"]);
            named.fallback_for("loopback")
        })
    };
    [keyless.clone(), paid(limited()), paid(keyless)]
}

/// Browsers that ask for pages of other sites: an image, a form, a script of a name that was bound
/// anew to this machine, which may say what it likes.
fn pages(hone: &Hone) -> Vec<Client> {
    let rebound = || hone.keyless().header("host", "evil.example:8000");
    vec![
        hone.keyless().header("sec-fetch-site", "cross-site"),
        hone.keyless().header("sec-fetch-site", "same-site"),
        hone.keyless().header("origin", "https://evil.example"),
        hone.keyless().header("origin", "null"),
        rebound(),
        rebound().header("sec-fetch-site", "same-origin"),
        rebound().header("x-forwarded-for", "203.0.113.7"),
    ]
}

/// Asks whatever a page may ask, and expects to be refused.
async fn ask_for_everything(page: &Client) {
    let chat = chat_body("sim-small").to_string();
    for (method, path, kind, body) in [
        (Method::GET, "/v1/models", "", ""),
        (Method::HEAD, "/v1/models", "", ""),
        (Method::GET, "/v1/models/sim-small", "", ""),
        (Method::GET, "/v1/files", "", ""),
        (Method::GET, "/v1/anything", "", ""),
        (Method::POST, CHAT, "text/plain", &chat),
        (Method::POST, CHAT, "application/json", &chat),
        (Method::POST, CHAT, "application/json", "no JSON"),
        (Method::POST, "/v1/embeddings", "application/json", "{}"),
        (
            Method::POST,
            "/v1/audio/transcriptions",
            "multipart/form-data; boundary=b",
            "--b--",
        ),
        (
            Method::POST,
            "/v1/files",
            "application/x-www-form-urlencoded",
            "a=b",
        ),
    ] {
        let page = page.clone().header("content-type", kind);
        let answer = page.send(method.clone(), path, body.to_owned()).await;
        let refused = [401, 403].contains(&answer.status.as_u16());
        assert!(refused, "{answer}");
    }
    let asks = page
        .clone()
        .header("access-control-request-method", "POST")
        .send(Method::OPTIONS, CHAT, "")
        .await;
    assert!([401, 403].contains(&asks.status.as_u16()), "{asks}");
}

/// Whoever sits at the machine has all of its requests, and no more.
async fn assert_untouched(hone: &Hone, model: &str) {
    for _ in 0..LIMIT {
        hone.keyless().ask(model).await.assert_ok();
    }
    let beyond = hone.keyless().ask(model).await;
    beyond.assert_refused(429, "rate_limit_exceeded");
}

#[tokio::test]
async fn what_a_page_asks_in_vain_counts_for_nobody() {
    let upstream = upstream().await;
    for (setup, model) in setups(&upstream)
        .into_iter()
        .zip(["sim-small", "paid-sim", "sim-small"])
    {
        let hone = setup.start();
        for page in pages(&hone) {
            ask_for_everything(&page).await;
        }
        assert_untouched(&hone, model).await;
    }
    assert_eq!(calls([&upstream]), [6]);
}

#[tokio::test]
async fn a_key_that_a_page_makes_up_opens_no_model_without_one_and_counts_for_nobody() {
    let upstream = upstream().await;
    let hone = limited()
        .upstream_with(&upstream, Upstream::keyless)
        .start();
    for page in pages(&hone) {
        for _ in 0..=LIMIT {
            let made_up = page.clone().key("sk-made-up").ask("sim-small").await;
            made_up.assert_refused(403, "foreign_page");
        }
    }
    assert_eq!(calls([&upstream]), [0]);
    assert_untouched(&hone, "sim-small").await;
}

#[tokio::test]
async fn gateway_keys_that_a_page_makes_up_bar_pages_and_nobody_else() {
    let upstream = upstream().await;
    let made_up = format!("hone-{}", "0f".repeat(32));
    for setup in setups(&upstream) {
        let hone = setup.tenant("alice", |alice| alice.key("gateway-alice"));
        let hone = hone.start();
        for page in pages(&hone).into_iter().take(6) {
            for _ in 0..=LIMIT {
                let target = format!("/v1/models?key={made_up}");
                let misplaced = page.get(&target).await;
                assert!(
                    [400, 429].contains(&misplaced.status.as_u16()),
                    "{misplaced}"
                );
                let guess = page.clone().header("x-hone-key", "guess");
                let guess = guess.get("/v1/models").await;
                assert!([401, 429].contains(&guess.status.as_u16()), "{guess}");
            }
        }
        let page = pages(&hone).swap_remove(0).header("x-hone-key", "guess");
        let barred = page.get("/v1/models").await;
        barred.assert_refused(429, "rejected_keys_limit_exceeded");
        let habit = hone.client("by-habit").get("/hone/whoami").await;
        habit.assert_ok();
        // Of programs they count.
        for _ in 0..LIMIT {
            let guess = hone.keyless().header("x-hone-key", "guess");
            guess.get("/v1/models").await.assert_status(401);
        }
        let barred = hone.client("by-habit").get("/hone/whoami").await;
        barred.assert_status(429);
    }
}

#[tokio::test]
async fn a_pages_questions_of_who_it_is_leave_the_others_theirs() {
    let upstream = upstream().await;
    let hone = limited()
        .upstream_with(&upstream, Upstream::keyless)
        .start();
    let page = hone.keyless().header("sec-fetch-site", "cross-site");
    let mut told = Vec::new();
    for _ in 0..130 {
        told.push(page.get("/hone/whoami").await.status.as_u16());
    }
    assert!(told.contains(&200) && told.contains(&429), "{told:?}");
    hone.keyless().get("/hone/whoami").await.assert_ok();
}

#[tokio::test]
async fn a_page_that_may_ask_counts() {
    let upstream = upstream().await;
    let welcome = vec!["https://app.example".to_owned()];
    let hone = limited()
        .upstream_with(&upstream, Upstream::keyless)
        .set("cors_origins", welcome)
        .start();
    let page = hone.keyless().header("origin", "https://app.example");
    for _ in 0..LIMIT {
        page.ask("sim-small").await.assert_ok();
    }
    hone.keyless().ask("sim-small").await.assert_status(429);
}

#[tokio::test]
async fn a_key_pays_from_any_page() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    for page in pages(&hone) {
        page.key("own").ask("sim-small").await.assert_ok();
    }
}
