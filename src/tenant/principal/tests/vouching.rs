//! What it takes until a key is charged no longer to its address.

use super::*;
use crate::config::AuthSlot;

/// How many gates the second request of a key is charged to, after `upstream` answered its first
/// with `status`.
fn gates_after(
    config: &Config,
    lines: &[(&str, &str)],
    upstream: usize,
    status: StatusCode,
) -> usize {
    let directory = Directory::new(config);
    let first = identify(&directory, config, &head(lines), &remote()).unwrap();
    first.vouch(&config.upstreams[upstream], status);
    identify(&directory, config, &head(lines), &remote())
        .unwrap()
        .gates()
        .len()
}

#[tokio::test(start_paused = true)]
async fn a_success_of_an_upstream_that_checks_keys_vouches_for_one() {
    assert_eq!(gates_after(&config(), &[KEY], 0, StatusCode::OK), 1);
    for status in [401, 403, 400, 404, 429, 500, 503] {
        assert_eq!(
            gates_after(&config(), &[KEY], 0, StatusCode::from_u16(status).unwrap()),
            2,
            "{status}"
        );
    }
}

#[test]
fn only_an_upstream_that_was_given_the_callers_key_vouches_for_it() {
    let keyless = two_upstreams(UpstreamConfig {
        auth: Some(AuthSlot::None),
        accepts_client_keys: true,
        ..upstream("local")
    });
    assert_eq!(
        gates_after(&keyless, &[KEY], 1, StatusCode::OK),
        2,
        "a keyless upstream has seen no key"
    );
    let paid = two_upstreams(UpstreamConfig {
        fallback: Some(fallback("gsk", FallbackFor::Anyone)),
        ..upstream("groq")
    });
    assert_eq!(
        gates_after(&paid, &[KEY], 1, StatusCode::OK),
        2,
        "the operator's key was good"
    );
    let lines = [KEY, ("x-hone-key-openai", "sk-other")];
    assert_eq!(
        gates_after(&config(), &lines, 0, StatusCode::OK),
        2,
        "another key was good"
    );
}

#[tokio::test(start_paused = true)]
async fn vouching_lapses_when_the_key_is_not_used() {
    let config = config();
    let directory = Directory::new(&config);
    let gates = || {
        identify(&directory, &config, &head(&[KEY]), &remote())
            .unwrap()
            .gates()
            .len()
    };
    identify(&directory, &config, &head(&[KEY]), &remote())
        .unwrap()
        .vouch(&config.upstreams[0], StatusCode::OK);
    tokio::time::advance(std::time::Duration::from_secs(3599)).await;
    assert_eq!(gates(), 1);
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(gates(), 2);
}
