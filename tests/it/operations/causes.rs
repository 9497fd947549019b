//! Why an upstream cannot be reached, in the operator's log.

use tokio::net::TcpListener;

use crate::support::head::answer;
use crate::support::process::Process;
use crate::support::raw::{RawUpstream, Then, send};
use crate::support::setup::Setup;
use crate::support::tls::Identity;
use crate::support::{hone, upstream};

/// An address at which nothing listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let address = listener.and_then(|listener| listener.local_addr());
    address.expect("fixture: an address").to_string()
}

/// Something that speaks plain text to everybody, whatever they send.
async fn plain_text() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("fixture: binds");
    let address = listener.local_addr().expect("fixture: an address");
    let said = answer("400 Bad Request").body("");
    tokio::task::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            send(&mut stream, said.clone()).await;
            open.push(stream);
        }
    });
    address.to_string()
}

fn at(base_url: &str) -> Setup {
    let table = format!("[[upstream]]\nname = 'far'\nbase_url = '{base_url}'");
    hone().admin().config(&table)
}

/// What the log says of an upstream at `base_url` once it has been asked.
async fn told(setup: Setup) -> String {
    let hone = Process::serve(&setup).await;
    let answer = hone.client("k").ask("m").await;
    answer.assert_refused(502, "upstream_unavailable");
    let line = hone.logs("cannot be reached: ").await;
    assert_eq!(line["level"], "WARN");
    line["message"].as_str().expect("a message").to_owned()
}

#[tokio::test]
async fn the_log_says_why_an_upstream_cannot_be_reached_and_where_it_is() {
    let nobody = nobody().await;
    let refused = told(at(&format!("http://{nobody}/v1"))).await;
    assert!(
        refused.contains("connection refused") && refused.contains(&nobody),
        "{refused}"
    );
    let unknown = told(at("http://no-such-host.invalid/v1")).await;
    assert!(unknown.contains("cannot be resolved"), "{unknown}");
    assert!(unknown.contains("no-such-host.invalid:80"), "{unknown}");
    let plain = plain_text().await;
    let not_tls = told(at(&format!("https://{plain}/v1"))).await;
    assert!(not_tls.contains("does not speak TLS"), "{not_tls}");
}

#[tokio::test]
async fn a_self_signed_certificate_and_one_for_another_host_are_told_apart() {
    let (sim, identity) = (upstream().await, Identity::new());
    let server = hone().upstream(&sim).tls(&identity).start();
    let port = server.address().port();
    let untrusted = told(at(&format!("https://localhost:{port}/v1"))).await;
    assert!(untrusted.contains("self-signed"), "{untrusted}");
    assert!(untrusted.contains("ca_file"), "{untrusted}");
    let trusted = hone().upstream_with(&server.address(), |upstream| {
        upstream
            .set("base_url", format!("https://127.0.0.1:{port}/v1"))
            .set("ca_file", identity.certificate())
    });
    let elsewhere = told(trusted).await;
    assert!(elsewhere.contains("not accepted"), "{elsewhere}");
    assert!(elsewhere.contains("not valid for name"), "{elsewhere}");
}

#[tokio::test]
async fn the_log_tells_once_that_an_upstream_is_gone_and_the_probe_until_it_is_back() {
    let address = nobody().await;
    let hone = Process::serve(&at(&format!("http://{address}/v1"))).await;
    let client = hone.client("k");
    assert!(
        hone.admin()
            .get("/readyz")
            .await
            .text()
            .contains("far untried")
    );
    for model in ["m", "m", "m", "bon-m", "m", "m", "m"] {
        client.ask(model).await.assert_status(502);
    }
    assert!(
        hone.admin()
            .get("/readyz")
            .await
            .text()
            .contains("far unreachable")
    );
    hone.logs_times("\"hone::request\"", 7).await;
    let warnings = hone.lines("WARN");
    let warnings: Vec<_> = warnings
        .iter()
        .filter(|line| line["target"] != "hone::request" && line["upstream"] == "far")
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
}

#[tokio::test]
async fn an_upstream_that_is_back_is_told_of_once() {
    let address = nobody().await;
    let hone = Process::serve(&at(&format!("http://{address}/v1"))).await;
    let client = hone.client("k");
    client.ask("m").await.assert_status(502);
    let answer = answer("200 OK").body("{}");
    let _upstream = RawUpstream::start_at(&address, answer, Then::Close).await;
    for _ in 0..3 {
        client.ask("m").await.assert_ok();
    }
    let back = hone.logs("can be reached again").await;
    assert_eq!(
        (&back["level"], &back["upstream"]),
        (&"INFO".into(), &"far".into())
    );
    assert!(hone.admin().get("/readyz").await.text().contains("far ok"));
    assert_eq!(hone.lines("can be reached again").len(), 1);
}

#[tokio::test]
async fn a_404_of_a_url_that_is_odd_is_explained_once() {
    let page = answer("404 Not Found").close().body("404 page not found");
    let pages = RawUpstream::start(page, Then::Close).await;
    for (path, told) in [
        ("", Some("has no path")),
        ("/v1/chat/completions", Some("ends with an endpoint")),
        ("/v1/v1", Some("has /v1 twice")),
        ("/v1", None),
    ] {
        let hone = Process::serve(&at(&format!("http://{}{path}", pages.address))).await;
        for model in ["m", "re2-m", "m"] {
            hone.client("k").ask(model).await.assert_status(404);
        }
        hone.logs_times("\"hone::request\"", 3).await;
        let lines = hone.lines("answers 404");
        assert_eq!(
            lines.len(),
            usize::from(told.is_some()),
            "{path}: {lines:?}"
        );
        for line in lines {
            assert_eq!(
                (&line["level"], &line["upstream"]),
                (&"WARN".into(), &"far".into())
            );
            let message = line["message"].as_str().unwrap_or_default();
            assert!(message.contains(told.unwrap_or_default()), "{message}");
        }
    }
}
