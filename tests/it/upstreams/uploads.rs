//! Forms: they go where the model in them is served, as they are, or nowhere.

use bytes::Bytes;
use http::Method;

use crate::support::head::{answer, chunk, post};
use crate::support::raw::{RawUpstream, Then, read_to_end, send};
use crate::support::setup::{Setup, Upstream};
use crate::support::sim::{busy, calls, upstream_of};
use crate::support::{Answer, Client, Hone, hone, upstream};

const SPEECH: &str = "/v1/audio/transcriptions";
const KIND: &str = "multipart/form-data; boundary=b";

fn field(name: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(content: &str) -> String {
    field("file\"; filename=\"a.wav", content)
}

/// A form of these parts.
fn form<const N: usize>(parts: &[String; N]) -> String {
    parts.concat() + "--b--\r\n"
}

async fn send_form(client: &Client, path: &str, form: impl Into<Bytes>) -> Answer {
    let client = client.clone().header("content-type", KIND);
    client.send(Method::POST, path, form).await
}

/// Two providers, of which the second one is for speech.
struct Two {
    text: RawUpstream,
    speech: RawUpstream,
}

impl Two {
    async fn start() -> Self {
        Self {
            text: recorder().await,
            speech: recorder().await,
        }
    }

    fn setup(&self) -> Setup {
        hone()
            .upstream_with(&self.text, |text| text.named("text").models(&["gpt-*"]))
            .upstream_with(&self.speech, |speech| {
                let speech = speech.named("speech").models(&["whisper-*"]);
                speech.takes_client_keys()
            })
    }

    fn calls(&self) -> [usize; 2] {
        [&self.text, &self.speech].map(|upstream| upstream.heard().len())
    }
}

async fn recorder() -> RawUpstream {
    let answer = answer("200 OK").json().close().body("{}");
    RawUpstream::start(answer, Then::Close).await
}

/// The body that reached `upstream` last.
fn last(upstream: &RawUpstream) -> String {
    let heard = upstream.heard();
    let (head, body) = heard
        .last()
        .and_then(|request| request.split_once("\r\n\r\n"))
        .expect("a request");
    let length = format!("content-length: {}", body.len());
    assert!(head.to_lowercase().contains(&length), "{head}");
    body.to_owned()
}

#[tokio::test]
async fn a_form_goes_where_its_model_is_served_wherever_it_stands() {
    let two = Two::start().await;
    let hone = two.setup().start();
    let large = "RIFF".repeat(100_000);
    for path in [
        SPEECH,
        "/v1/audio/translations",
        "/v1/images/edits",
        "/v1/videos",
        "/v1/ocr",
    ] {
        for form in [
            form(&[field("model", "whisper-1"), file("RIFF")]),
            form(&[file("RIFF"), field("model", "whisper-1")]),
            form(&[file(&large), field("model", "whisper-1"), file(&large)]),
        ] {
            let before = two.calls();
            send_form(&hone.client("k"), path, form.clone()).await;
            assert_eq!(two.calls(), [before[0], before[1] + 1], "{path}");
            assert!(last(&two.speech) == form, "{path}: the same bytes");
        }
    }
}

#[tokio::test]
async fn a_form_that_comes_slowly_and_without_a_length_is_routed_too() {
    let (text, speech) = (upstream_of(&["m"]).await, upstream_of(&["whisper-1"]).await);
    let hone = hone()
        .upstream_with(&text, |text| text.named("text").models(&["m"]))
        .upstream_with(&speech, Upstream::takes_client_keys)
        .start();
    let form = form(&[field("model", "whisper-1"), file("RIFF")]);
    let head = post(SPEECH).key("k").header("content-type", KIND);
    let mut client = hone.dial(head.chunked().close()).await;
    let pieces: Vec<&str> = form.split_inclusive("\r\n").collect();
    for piece in &pieces[..5] {
        send(&mut client, chunk(piece)).await;
    }
    // Nothing but the model is waited for.
    busy(&speech).await;
    for piece in &pieces[5..] {
        send(&mut client, chunk(piece)).await;
    }
    send(&mut client, "0\r\n\r\n").await;
    let answer = read_to_end(client).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(calls([&text, &speech]), [0, 1]);
}

#[tokio::test]
async fn names_of_forms_mean_what_they_mean_elsewhere() {
    let two = Two::start().await;
    let hone = two
        .setup()
        .model("dictation", "speech/whisper-1", "none")
        .start();
    let form_of = |model: &str| form(&[file("RIFF"), field("model", model), file("more")]);
    for name in ["dictation", "speech/whisper-1", "none-whisper-1"] {
        send_form(&hone.client("k"), SPEECH, form_of(name))
            .await
            .assert_ok();
        assert_eq!(last(&two.speech), form_of("whisper-1"), "{name}");
    }
    let client = hone.client("k");
    for (name, status, code) in [
        ("bon-whisper-1", 400, "approach_not_supported_here"),
        ("tts-1", 404, "model_not_found"),
        ("", 404, "model_not_found"),
        (&"m".repeat(2000), 400, "invalid_model"),
    ] {
        let refused = send_form(&client, SPEECH, form_of(name)).await;
        refused.assert_refused(status, code);
    }
    assert_eq!(two.calls(), [0, 3]);
}

#[tokio::test]
async fn a_virtual_model_has_its_name_in_forms_for_one_upstream_too() {
    let upstream = recorder().await;
    let setup = hone()
        .upstream(&upstream)
        .model("dictation", "whisper-1", "none");
    let hone = setup.bound("body_bytes", 2000).start();
    for (sent, heard) in [("dictation", "whisper-1"), ("whisper-1", "whisper-1")] {
        let form_of = |model: &str| form(&[file("RIFF"), field("model", model)]);
        send_form(&hone.client("k"), SPEECH, form_of(sent))
            .await
            .assert_ok();
        assert_eq!(last(&upstream), form_of(heard));
    }
    // What hone cannot read is not its to refuse here.
    for form in [form(&[file(&"x".repeat(5000))]), "no form".to_owned()] {
        send_form(&hone.client("k"), "/v1/audio/x", form.clone()).await;
        assert!(last(&upstream) == form);
    }
}

#[tokio::test]
async fn a_model_behind_too_large_a_file_is_refused_with_the_cure() {
    let two = Two::start().await;
    let hone = two.setup().bound("body_bytes", 100_000).start();
    let large = file(&"x".repeat(200_000));
    let refused = form(&[large.clone(), field("model", "whisper-1")]);
    let refused = send_form(&hone.client("k"), SPEECH, refused).await;
    refused
        .assert_refused(413, "body_too_large")
        .assert_says("Put `model` before the file");
    assert_eq!(two.calls(), [0, 0]);
    let first = form(&[field("model", "whisper-1"), large]);
    send_form(&hone.client("k"), SPEECH, first)
        .await
        .assert_ok();
    assert_eq!(two.calls(), [0, 1]);
}

#[tokio::test]
async fn a_form_in_which_no_model_can_be_found_reaches_nobody() {
    let two = Two::start().await;
    let hone = two.setup().start();
    let whole = form(&[field("model", "whisper-1"), file("RIFF")]);
    let send = async |lines: &[(&str, &str)], path: &str, body: &str| {
        let mut client = hone.client("k");
        for (name, value) in lines {
            client = client.header(name, value);
        }
        client.send(Method::POST, path, body.to_owned()).await
    };
    for body in [
        whole.replace("\r\n", "\n"),
        whole.replace("name=", "name*="),
    ] {
        let refused = send(&[("content-type", KIND)], "/v1/ocr", &body).await;
        refused.assert_refused(400, "invalid_form");
    }
    for (lines, path, code) in [
        (
            &[("content-type", "multipart/form-data")][..],
            SPEECH,
            "invalid_form",
        ),
        (
            &[("content-type", "audio/wav")],
            SPEECH,
            "unsupported_media_type",
        ),
        (&[], SPEECH, "unsupported_media_type"),
        (
            &[("content-type", KIND), ("content-encoding", "gzip")],
            SPEECH,
            "unsupported_encoding",
        ),
        (
            &[
                ("content-type", "application/json"),
                ("content-encoding", "br"),
            ],
            "/v1/images/generations",
            "unsupported_encoding",
        ),
    ] {
        let refused = send(lines, path, &whole).await;
        assert_eq!(refused.code(), code, "{refused}");
    }
    assert_eq!(two.calls(), [0, 0]);
}

#[tokio::test]
async fn what_names_no_model_goes_to_the_first_upstream() {
    let two = Two::start().await;
    let hone = two.setup().bound("body_bytes", 1024).start();
    let large = form(&[field("purpose", "assistants"), file(&"x".repeat(100_000))]);
    for path in ["/v1/files", "/v1/uploads/u1/parts"] {
        send_form(&hone.client("k"), path, large.clone()).await;
    }
    let small = form(&[file("RIFF")]);
    send_form(&hone.client("k"), "/v1/images/variations", small).await;
    assert_eq!(two.calls(), [3, 0]);
}

#[tokio::test]
async fn a_confined_tenant_uploads_for_the_models_that_it_may_use() {
    let two = Two::start().await;
    let hone = two
        .setup()
        .tenant("alice", |alice| {
            alice.provider_key("alice").models(&["whisper-*"])
        })
        .start();
    let alice = hone.client("alice");
    let good = form(&[
        file("RIFF"),
        field("model", "whisper-1"),
        field("language", "en"),
    ]);
    send_form(&alice, SPEECH, good.clone()).await.assert_ok();
    assert_eq!(last(&two.speech), good);
    let after = |more: String| form(&[field("model", "whisper-1"), file("RIFF"), more]);
    for (body, status, code) in [
        (
            form(&[field("model", "gpt-4o"), file("RIFF")]),
            403,
            "model_not_allowed",
        ),
        (form(&[file("RIFF")]), 403, "model_not_allowed"),
        (after(field("models[]", "gpt-4o")), 403, "model_not_allowed"),
        (
            after(field("fallbacks", "gpt-4o")),
            403,
            "model_not_allowed",
        ),
        (after(field("model", "gpt-4o")), 400, "duplicate_field"),
        (
            good.clone() + &form(&[field("model", "gpt-4o")]),
            400,
            "invalid_form",
        ),
        (
            after(String::new()).replace("--b--", "--b"),
            400,
            "invalid_form",
        ),
    ] {
        send_form(&alice, SPEECH, body)
            .await
            .assert_refused(status, code);
    }
    send_form(&alice, "/v1/files", good.clone())
        .await
        .assert_refused(403, "endpoint_not_allowed");
    assert_eq!(two.calls(), [0, 1]);
}

/// Begins an upload and leaves it open; the form's model is in what has been sent.
async fn begin(hone: &Hone, form: &str) -> tokio::net::TcpStream {
    let head = post(SPEECH).key("k").header("content-type", KIND);
    hone.dial(head.content_length(1_000_000).then(form)).await
}

#[tokio::test]
async fn with_one_upstream_no_form_is_waited_for_nor_held() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).admin().start();
    let _upload = begin(&hone, "--b\r\nno model so far").await;
    busy(&upstream).await;
    assert!(hone.metric("hone_buffered_bytes").await < 1.0);
}

#[tokio::test]
async fn what_is_held_of_a_form_counts_until_it_is_sent() {
    let two = Two::start().await;
    let setup = two.setup().bound("body_bytes", 150_000);
    let hone = setup.bound("tenant_buffered_bytes", 150_000).start();
    let content = file(&"x".repeat(100_000));
    let upload = begin(&hone, &content).await;
    let client = hone.client("k");
    let behind = form(&[content, field("model", "whisper-1")]);
    // Until hone has read what the other upload has sent.
    while send_form(&client, SPEECH, behind.clone()).await.status == 200 {}
    let refused = send_form(&client, SPEECH, behind.clone()).await;
    refused.assert_refused(429, "concurrency_limit_exceeded");
    let before = form(&[field("model", "whisper-1"), file("RIFF")]);
    send_form(&client, SPEECH, before).await.assert_ok();
    drop(upload);
    while send_form(&client, SPEECH, behind.clone()).await.status != 200 {}
}
