//! What strangers choose, in what the operator reads.

use serde_json::json;

use crate::support::{hone, upstream};

#[tokio::test]
async fn no_model_has_an_absurd_name() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    for (name, fits) in [
        ("m".repeat(256), true),
        (format!("re2-{}", "m".repeat(256)), true),
        (format!("sim/{}", "m".repeat(252)), true),
        ("m".repeat(257), false),
        (format!("re2-{}", "m".repeat(257)), false),
        (format!("bon-re2-{}", "m".repeat(5_000_000)), false),
        ("é".repeat(2_500_000), false),
    ] {
        let before = upstream.requests().len();
        let answer = client.ask(&name).await;
        if fits {
            assert_ne!(answer.code(), "invalid_model");
            assert!(upstream.requests().len() > before);
        } else {
            answer.assert_refused(400, "invalid_model");
            assert!(answer.body.len() < 1000 && answer.headers.len() < 30);
            assert_eq!(upstream.requests().len(), before);
        }
        let embedding = json!({"model": name, "input": "x"}).to_string();
        let answer = client.post("/v1/embeddings", embedding).await;
        assert_eq!(answer.code() == "invalid_model", !fits, "{answer}");
    }
    let asked = json!({"moa_models": ["m".repeat(257)]});
    let answer = client.ask_with("moa-sim-small", asked).await;
    answer.assert_refused(400, "invalid_parameter");
}
