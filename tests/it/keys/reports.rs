//! Reports of other proxies' users that must be impossible here.

use crate::support::setup::Upstream;
use crate::support::sim::{calls, calls_with};
use crate::support::{hone, upstream};

#[tokio::test]
async fn report_a_the_key_was_set_in_the_client_yet_the_proxy_wanted_one_on_the_server() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let answer = hone.client("sk-mine").ask("sim-small").await;
    answer
        .assert_ok()
        .assert_header("x-hone-credential", "client");
    assert_eq!(calls_with("sk-mine", [&upstream]), [1]);
}

#[tokio::test]
async fn report_b_a_configured_key_was_overridden_by_another_source_and_the_probe_answered_401() {
    let upstream = upstream().await;
    // What other proxies read on their own.
    let hone = hone()
        .env("OPENAI_API_KEY", "sk-ambient")
        .env("OPTILLM_API_KEY", "sk-ambient")
        .env("LITELLM_MASTER_KEY", "sk-ambient")
        .upstream_with(&upstream, |upstream| upstream.fallback_for("loopback"))
        .start();
    let answer = hone.keyless().ask("sim-small").await;
    answer
        .assert_ok()
        .assert_header("x-hone-credential", "fallback");
    assert_eq!(calls_with("sk-operator", [&upstream]), [1]);
    assert_eq!(calls_with("sk-ambient", [&upstream]), [0]);
    let before = calls([&upstream]);
    for probe in ["/livez", "/readyz", "/health"] {
        hone.keyless().get(probe).await.assert_ok();
    }
    assert_eq!(calls([&upstream]), before, "probes call no provider");
}

#[tokio::test]
async fn report_c_first_start_and_the_admin_user_was_not_found_in_a_database() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("never-seen-before");
    client.ask("sim-small").await.assert_ok();
    let whoami = client.get("/hone/whoami").await.json();
    assert_eq!(whoami["identified_by"], "unregistered_provider_key");
}

#[tokio::test]
async fn report_d_a_valid_key_was_rejected_because_another_source_won_by_precedence() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.fallback_for("anyone"))
        .tenant("alice", |alice| alice.key("hk-alice"))
        .start();
    let with_both = hone.client("sk-mine").header("x-hone-key", "hk-alice");
    let answer = with_both.ask("sim-small").await;
    answer
        .assert_ok()
        .assert_header("x-hone-credential", "client");
    assert_eq!(calls_with("sk-mine", [&upstream]), [1]);
    assert_eq!(calls_with("sk-operator", [&upstream]), [0]);
}

#[tokio::test]
async fn report_e_a_keyless_local_model_demanded_a_dummy_provider_key() {
    let upstream = upstream().await;
    let hone = hone().upstream_with(&upstream, Upstream::keyless).start();
    for client in [hone.keyless(), hone.client("sk-by-habit")] {
        let answer = client.ask("sim-small").await;
        answer
            .assert_ok()
            .assert_header("x-hone-credential", "none");
    }
    // Whatever was sent is stripped.
    assert_eq!(calls_with("sk-by-habit", [&upstream]), [0]);
}
