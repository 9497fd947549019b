//! Uploads that the operator's key pays for: the listed fields, and no others.

use http::Method;

use crate::support::head::answer;
use crate::support::raw::{RawUpstream, Then};
use crate::support::setup::{OPERATORS_KEY, Setup, Upstream};
use crate::support::{Answer, Client, hone};

const KIND: &str = "multipart/form-data; boundary=b";

fn field(name: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(name: &str) -> String {
    field(&format!("{name}\"; filename=\"f"), "RIFF")
}

/// What may be uploaded somewhere.
struct Upload {
    path: &'static str,
    /// The file, without which there is nothing to do.
    file: &'static str,
    /// Fields that mean something there.
    texts: &'static [&'static str],
}

const UPLOADS: [Upload; 4] = [
    Upload {
        path: "/v1/audio/transcriptions",
        file: "file",
        texts: &[
            "chunking_strategy[type]",
            "include[]",
            "language",
            "response_format",
            "stream",
            "timestamp_granularities[]",
        ],
    },
    Upload {
        path: "/v1/audio/translations",
        file: "file",
        texts: &["prompt", "response_format", "temperature"],
    },
    Upload {
        path: "/v1/images/edits",
        file: "image[]",
        texts: &["background", "prompt", "quality", "size"],
    },
    Upload {
        path: "/v1/images/variations",
        file: "image",
        texts: &["n", "size", "user"],
    },
];

impl Upload {
    /// A form for it with the usual parts and these.
    fn form(&self, more: &[String]) -> String {
        let texts: String = self.texts.iter().map(|name| field(name, "x")).collect();
        let parts = [field("model", "m"), file(self.file), texts, more.concat()];
        parts.concat() + "--b--\r\n"
    }

    async fn send(&self, client: &Client, form: String) -> Answer {
        let client = client.clone().header("content-type", KIND);
        client.send(Method::POST, self.path, form).await
    }
}

async fn provider() -> RawUpstream {
    let answer = answer("200 OK").json().close().body("{}");
    RawUpstream::start(answer, Then::Close).await
}

fn for_loopback(upstream: &RawUpstream) -> Setup {
    let fallback = |upstream: Upstream| upstream.fallback_for("loopback");
    hone().upstream_with(upstream, fallback)
}

/// The bodies that reached `upstream`, each with the operator's key.
fn paid(upstream: &RawUpstream) -> Vec<String> {
    let heard = upstream.heard();
    let paid = heard.iter().map(|request| {
        assert!(request.contains(OPERATORS_KEY), "{request}");
        let (_head, body) = request.split_once("\r\n\r\n").expect("a request");
        body.to_owned()
    });
    paid.collect()
}

#[tokio::test]
async fn an_upload_of_listed_fields_is_paid_for_as_it_is() {
    for upload in UPLOADS {
        let upstream = provider().await;
        let hone = for_loopback(&upstream).start();
        let form = upload.form(&[field("seed", "1"), field("top_k", "1")]);
        let form = if upload.path.ends_with("variations") {
            upload.form(&[])
        } else {
            form
        };
        let answer = upload.send(&hone.keyless(), form.clone()).await;
        answer
            .assert_ok()
            .assert_header("x-hone-credential", "fallback");
        assert_eq!(paid(&upstream), [form], "{}", upload.path);
    }
}

#[tokio::test]
async fn an_upload_with_any_other_field_is_refused_before_a_byte_of_it_is_sent() {
    let upstream = provider().await;
    let hone = for_loopback(&upstream).start();
    for upload in UPLOADS {
        let bare = upload.file.trim_end_matches("[]");
        for (more, param) in [
            (field("file_id", "f"), "file_id"),
            (field("Prompt", "p"), "Prompt"),
            (field("voice", "v"), "voice"),
            (field("%70rompt", "p"), "%70rompt"),
            (field("model[]", "m"), "model[]"),
            (field("new", "1"), "new"),
            (file("reference"), "reference"),
            (field(bare, "file-of-another"), bare),
        ] {
            let refused = upload.send(&hone.keyless(), upload.form(&[more])).await;
            let refused = refused.assert_refused(403, "fallback_field_not_allowed");
            assert_eq!(refused.json()["error"]["param"], param, "{refused}");
        }
        let unclear = upload.form(&[]).replace("--b--", "--b");
        let refused = upload.send(&hone.keyless(), unclear).await;
        refused.assert_refused(400, "invalid_form");
    }
    assert!(upstream.heard().is_empty());
    // Whoever pays may send what the provider serves.
    for upload in UPLOADS {
        let form = upload.form(&[field("new", "1")]);
        upload.send(&hone.client("own"), form).await.assert_ok();
    }
}

#[tokio::test]
async fn the_operator_may_name_more_fields_of_forms() {
    let upstream = provider().await;
    let named = |upstream: Upstream| {
        let upstream = upstream.fallback_for("loopback");
        upstream.set("fallback_fields", vec!["hotwords".to_owned()])
    };
    let hone = hone().upstream_with(&upstream, named).start();
    let [upload, ..] = UPLOADS;
    let form = upload.form(&[field("hotwords", "hone")]);
    upload.send(&hone.keyless(), form).await.assert_ok();
    let form = upload.form(&[field("coldwords", "hone")]);
    let refused = upload.send(&hone.keyless(), form).await;
    refused.assert_refused(403, "fallback_field_not_allowed");
}

#[tokio::test]
async fn an_upload_is_looked_at_wherever_its_model_leads() {
    let (first, second) = (provider().await, provider().await);
    let hone = hone()
        .upstream_with(&first, |first| first.models(&["gpt-*"]))
        .upstream_with(&second, |second| {
            second.named("speech").fallback_for("loopback")
        })
        .model("dictation", "speech/m", "none")
        .tenant("alice", |alice| alice.key("alice").models(&["m"]))
        .start();
    let [upload, ..] = UPLOADS;
    let virtual_name = |more: &[String]| {
        let form = upload.form(more);
        form.replace("\r\n\r\nm\r\n", "\r\n\r\ndictation\r\n")
    };
    let clients = [hone.keyless(), hone.client("alice")];
    for client in &clients {
        let refused = upload.send(client, upload.form(&[field("new", "1")])).await;
        refused.assert_refused(403, "fallback_field_not_allowed");
        upload.send(client, upload.form(&[])).await.assert_ok();
    }
    let refused = upload
        .send(&clients[0], virtual_name(&[field("new", "1")]))
        .await;
    refused.assert_refused(403, "fallback_field_not_allowed");
    let renamed = upload.send(&clients[0], virtual_name(&[])).await;
    renamed.assert_ok();
    assert_eq!(paid(&second), vec![upload.form(&[]); 3]);
    assert!(first.heard().is_empty());
}

#[tokio::test]
async fn an_upload_that_the_operator_pays_for_has_a_size() {
    let upstream = provider().await;
    let hone = for_loopback(&upstream).bound("body_bytes", 1024).start();
    let [upload, ..] = UPLOADS;
    let large = upload.form(&[field("prompt", &"p".repeat(2000))]);
    let refused = upload.send(&hone.keyless(), large.clone()).await;
    refused.assert_refused(413, "body_too_large");
    assert!(upstream.heard().is_empty());
    upload.send(&hone.client("own"), large).await.assert_ok();
}
