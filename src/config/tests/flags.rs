//! The flags that take the place of a file.

use super::*;

#[test]
fn without_flags_hone_forwards_to_openai_with_the_clients_keys() {
    let config = Config::from_flags(&ServeFlags::default(), &env).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.upstreams[0].base_url, "https://api.openai.com/v1");
    assert!(
        config.upstreams[0].accepts_client_keys
            && config.upstreams[0].fallback.is_none()
            && config.warnings.is_empty()
    );
    assert_eq!(config.effective(), parse("").effective());
}

#[test]
fn a_fallback_key_from_a_flag_is_for_local_callers_only() {
    let flags = ServeFlags {
        fallback_key_env: Some("KEY".to_owned()),
        ..ServeFlags::default()
    };
    let config = Config::from_flags(&flags, &env).unwrap();
    assert_eq!(
        config.upstreams[0].fallback.as_ref().unwrap().allowed,
        FallbackFor::Loopback
    );
}

#[test]
fn a_mistake_in_a_flag_names_the_flag() {
    let flags = ServeFlags {
        upstream: Some("localhost".to_owned()),
        fallback_key_env: Some("ABSENT".to_owned()),
        approach: Some("bon&".to_owned()),
        ..ServeFlags::default()
    };
    let errors = Config::from_flags(&flags, &env).unwrap_err();
    let mut paths: Vec<_> = errors.iter().map(|mistake| mistake.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["--approach", "--fallback-key-env", "--upstream"]);
}
