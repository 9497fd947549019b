//! TLS, served to clients and spoken to upstreams.

use crate::support::tls::Identity;
use crate::support::{hone, upstream};

#[tokio::test]
async fn tls_is_served_and_spoken_with_both_versions_of_http() {
    let (upstream, identity) = (upstream().await, Identity::new());
    let outer = hone().upstream(&upstream).tls(&identity).start();
    // A second hone is the client: it speaks TLS to the first, trusting its certificate by
    // `ca_file`.
    let url = format!("https://localhost:{}/v1", outer.address().port());
    let inner = hone()
        .upstream_with(&outer.address(), |upstream| {
            upstream
                .set("base_url", url.as_str())
                .set("ca_file", identity.certificate())
        })
        .start();
    let answer = inner.client("k").ask("bon-sim-small").await;
    answer.assert_ok();
    let untrusting = hone()
        .upstream_with(&outer.address(), |upstream| {
            upstream.set("base_url", url.as_str())
        })
        .start();
    let untrusted = untrusting.client("k").ask("sim-small").await;
    untrusted.assert_status(502);
    for version in ["h2", "http/1.1"] {
        let stream = identity.connect(outer.address(), version).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(version.as_bytes()));
    }
}
