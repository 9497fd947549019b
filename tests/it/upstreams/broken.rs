//! Broken upstreams: each has a stated outcome, for a relay and for a strategy, and the process
//! serves the next request.

use super::{through, whole};
use crate::support::head::{Head, answer, chunk, chunks, post_chat};
use crate::support::raw::{RawUpstream, Then};
use crate::support::sim::calls;
use crate::support::{chat_body, hone, text, upstream};

const NOT_UTF8: &[u8] = b"\xff\xfe\0";

fn ok() -> Head {
    answer("200 OK")
}

fn html() -> Vec<u8> {
    ok().header("content-type", "text/html").body("<p>hi</p>")
}

fn gzip() -> Vec<u8> {
    ok().header("content-encoding", "gzip").body("\u{1f}zip")
}

/// The first of a hundred bytes of JSON.
fn cut() -> Vec<u8> {
    ok().json().content_length(100).then(r#"{"id""#)
}

/// The same of more than hone waits for before it answers.
fn long_cut() -> Vec<u8> {
    ok().json().content_length(100_000).then(r#"{"id""#)
}

/// The first chunk of a stream.
fn cut_stream() -> Vec<u8> {
    let events = chunk("data: 1234567\n\n");
    ok().event_stream().chunked().then(events)
}

#[tokio::test]
async fn a_relay_hands_on_what_it_gets_and_never_repairs_it() {
    let redirect = answer("307 Temporary Redirect").header("location", "http://127.0.0.1:1/");
    let hints = Vec::from(answer("103 Early Hints").header("link", "x"));
    let late = [hints, ok().body("late")].concat();
    let event = format!("data: {}\n\n", "x".repeat(3000));
    for (given, status, beginning) in [
        (ok().json().body("{not json"), 200, "{not json"),
        (html(), 200, "<p>hi</p>"),
        (redirect.body("x"), 307, "x"),
        (late, 200, "late"),
        (answer("418 I'm a teapot").body("short"), 418, "short"),
        (
            answer("500 Internal Server Error").body("boom"),
            500,
            "boom",
        ),
        (gzip(), 200, "\u{1f}zip"),
        (ok().event_stream().body(event), 200, "data: x"),
    ] {
        let seen = whole(given, Then::Close, "m").await;
        seen.assert_status(status).assert_header("x-hone-error", "");
        assert!(seen.text().starts_with(beginning), "{beginning}: {seen}");
    }
}

#[tokio::test]
async fn invalid_utf8_is_relayed_byte_for_byte() {
    let seen = whole(ok().body(NOT_UTF8), Then::Close, "m").await;
    assert_eq!(seen.body, NOT_UTF8);
}

#[tokio::test]
async fn a_cut_answer_aborts_the_clients_connection_and_adds_no_byte() {
    let error = through(long_cut(), Then::Close, "m", false).await;
    assert!(error.is_err(), "content-length");
    let error = through(cut_stream(), Then::Close, "m", true).await;
    let error = error.expect_err("chunked");
    assert!(error.starts_with("200"), "{error}");
    let upstream = RawUpstream::start(cut_stream(), Then::Close).await;
    let hone = hone().upstream(&upstream).start();
    let request = post_chat("k").body(chat_body("m").to_string());
    let seen = hone.exchange(request).await;
    assert!(seen.contains("data: 1234567"), "{seen}");
    assert!(!seen.ends_with("0\r\n\r\n"), "an end is made up: {seen}");
    assert!(!seen.contains("[DONE]"), "{seen}");
}

#[tokio::test]
async fn an_answer_that_is_cut_before_its_client_has_heard_of_it_is_502() {
    for (then, status, code) in [
        (Then::Close, 502, "upstream_unavailable"),
        (Then::Hang, 504, "deadline_exceeded"),
    ] {
        let none = ok().json().content_length(100_000).then("");
        for given in [cut(), none] {
            let seen = whole(given, then, "m").await;
            seen.assert_refused(status, code);
        }
    }
    let events = ok().event_stream().content_length(100);
    let seen = through(events.then("data: 1\n\n"), Then::Close, "m", true).await;
    let cut = seen.expect_err("a stream is not waited for");
    assert!(cut.starts_with("200"), "{cut}");
}

#[tokio::test]
async fn an_answer_whose_first_chunk_is_none_is_502() {
    for head in [ok().json(), ok().event_stream(), ok()] {
        let given = head.chunked().then("zz\r\n{}\r\n0\r\n\r\n");
        for stream in [false, true] {
            let seen = through(given.clone(), Then::Close, "m", stream).await;
            let seen = seen.expect("an answer");
            seen.assert_refused(502, "upstream_unavailable");
        }
    }
}

#[tokio::test]
async fn an_answer_has_one_framing_and_says_so() {
    let twice = ok().header("content-length", 4).chunked();
    let twice = twice.then(chunks(["{\"a\"", ":true}"]));
    let listed = ok().header("content-length", "2, 2").then("{}");
    let repeated = ok().content_length(2).content_length(2).then("{}");
    for (given, body, length) in [
        (twice, r#"{"a":true}"#, ""),
        (listed, "{}", "2"),
        (repeated, "{}", "2"),
    ] {
        let seen = whole(given, Then::Close, "m").await;
        seen.assert_ok().assert_header("content-length", length);
        assert_eq!(seen.text(), body);
    }
}

#[tokio::test]
async fn an_answer_whose_head_nobody_can_read_is_called_that() {
    let begin = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    for line in [
        "x-folded: one\r\n two",
        "x-name : with a blank before the colon",
        "x name: with a blank in it",
        "no colon at all",
        "content-length: two",
    ] {
        for model in ["m", "re2-m"] {
            let given = format!("{begin}{line}\r\n\r\n{{}}");
            let seen = whole(given, Then::Close, model).await;
            seen.assert_refused(502, "upstream_unavailable");
            if model == "m" {
                seen.assert_says("cannot be read as HTTP");
            }
            seen.assert_hides("broke before it answered");
        }
    }
}

#[tokio::test]
async fn an_answer_whose_framing_nobody_asked_for_is_502() {
    let switch = answer("101 Switching Protocols").header("upgrade", "websocket");
    let switch = switch.header("connection", "upgrade");
    let coded = ok().header("transfer-encoding", "gzip, chunked");
    for given in [
        Vec::from(switch),
        coded.then(chunks(["{}"])),
        ok().header("transfer-encoding", "gzip").then("{}"),
        ok().header("content-length", "2, 3").then("{}"),
        ok().content_length(2).content_length(3).then("{}"),
    ] {
        for model in ["m", "bon-m"] {
            let seen = whole(given.clone(), Then::Close, model).await;
            seen.assert_status(502);
            seen.assert_header("x-hone-error", "upstream_unavailable");
        }
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_502_and_soon_given_a_rest() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let nobody = nobody.expect("fixture: binds").local_addr();
    let hone = hone().upstream(&nobody.expect("an address")).start();
    let client = hone.client("k");
    for _ in 0..4 {
        let answer = client.ask("m").await;
        answer.assert_refused(502, "upstream_unavailable");
    }
    let rested = client.ask("m").await;
    assert_ne!(rested.header("retry-after"), "", "the breaker is open");
}

#[tokio::test]
async fn a_strategy_never_takes_a_broken_answer_for_an_answer() {
    for (name, given) in [
        ("malformed", ok().json().body("{not json")),
        ("no choices", ok().json().body("{}")),
        ("wrong type", html()),
        ("cut", cut()),
        ("invalid UTF-8", ok().body(NOT_UTF8)),
        ("above the bound", ok().json().body(" ".repeat(6000))),
        ("gzip", gzip()),
    ] {
        for stream in [false, true] {
            let seen = through(given.clone(), Then::Close, "bon-m", stream).await;
            let seen = seen.expect("an error");
            seen.assert_status(502);
            let code = seen.header("x-hone-error");
            let expected = ["upstream_malformed", "upstream_unavailable"];
            assert!(expected.contains(&code), "{name}: {seen}");
        }
    }
}

#[tokio::test]
async fn an_upstreams_own_error_reaches_the_client_unchanged_through_a_strategy_too() {
    let body = r#"{"error":{"message":"no","type":"x","param":null,"code":"y"}}"#;
    for (status, line) in [
        (401, "401 Unauthorized"),
        (404, "404 Not Found"),
        (400, "400 Bad Request"),
    ] {
        let error = answer(line).json().header("x-request-id", "r1").body(body);
        for model in ["m", "bon-m", "self_consistency-m"] {
            let seen = whole(error.clone(), Then::Close, model).await;
            seen.assert_status(status).assert_header("x-hone-error", "");
            assert_eq!(text(&seen.body), body, "{model}");
        }
    }
}

#[tokio::test]
async fn redirects_are_never_followed() {
    let target = upstream().await;
    let location = format!("{}/chat/completions", target.base_url());
    let redirect = answer("307 Temporary Redirect").header("location", location);
    for model in ["m", "bon-m"] {
        let seen = whole(redirect.clone().body("x"), Then::Close, model).await;
        seen.assert_status(307);
    }
    assert_eq!(calls([&target]), [0]);
}
