//! What users of other proxies reported, as far as it can be told from the resolution of keys.

use super::*;
use crate::config::AuthSlot;

#[test]
fn the_key_was_set_in_the_client_yet_an_api_key_had_to_be_set_on_the_server() {
    // No fallback, nothing registered, nothing in the environment is read.
    let credential = credential(
        &config(),
        &[("authorization", "Bearer gsk_any-shape")],
        &remote(),
        0,
    )
    .unwrap();
    assert_eq!(credential.source(), CredentialSource::Client);
    assert_eq!(
        sent(&credential),
        [(
            "authorization".to_owned(),
            "Bearer gsk_any-shape".to_owned()
        )]
    );
}

#[test]
fn a_key_in_the_config_file_was_silently_overridden_by_another_source() {
    // The file's key pays for those it is for. Only a key that the caller sent comes before it, and
    // the source says which it was.
    let config = with_fallback(FallbackFor::Known);
    let gateway = ("x-hone-key", ALICE);
    let paid = credential(
        &config,
        &[gateway, ("x-api-key", "none"), ("authorization", "Bearer ")],
        &remote(),
        0,
    )
    .unwrap();
    assert_eq!(
        sent(&paid),
        [("authorization".to_owned(), "Bearer sk-operator".to_owned())]
    );
    assert_eq!(paid.source().as_str(), "fallback");
    assert_eq!(
        source(&config, &[gateway, KEY], &remote()).map(CredentialSource::as_str),
        Ok("client")
    );
}

#[test]
fn on_first_start_the_user_was_not_found_in_a_database() {
    // A fresh directory knows nobody, and the first key that comes is a tenant.
    let config = config();
    let directory = Directory::new(&config);
    assert_eq!(directory.unknown_tenants(), 0);
    let caller = identify(&directory, &config, &head(&[KEY]), &remote()).unwrap();
    assert_eq!(caller.identified_by(), "unregistered_provider_key");
    assert!(
        caller
            .credential(&config.upstreams[0], &Method::POST, "chat/completions")
            .is_ok()
    );
}

#[test]
fn a_valid_key_was_rejected_because_another_source_won_by_precedence() {
    // Two keys are never ranked: equal ones agree, different ones are refused by naming both slots,
    // and a gateway key does not compete at all.
    let config = with_fallback(FallbackFor::Anyone);
    let other = ("x-api-key", "sk-other");
    let error = credential(&config, &[KEY, other], &remote(), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`authorization` and `x-api-key` hold different keys"
    );
    assert_eq!(
        source(&config, &[KEY, ("x-api-key", "sk-mine")], &remote()),
        Ok(CredentialSource::Client)
    );
    let both = credential(
        &config,
        &[("authorization", "Bearer hone-alice"), other],
        &remote(),
        0,
    )
    .unwrap();
    assert_eq!(
        sent(&both),
        [("authorization".to_owned(), "Bearer sk-other".to_owned())]
    );
}

#[test]
fn a_keyless_local_model_demanded_a_dummy_provider_key() {
    let local = UpstreamConfig {
        auth: Some(AuthSlot::None),
        ..upstream("ollama")
    };
    let config = Config {
        upstreams: vec![Arc::new(local)],
        ..config()
    };
    for lines in [
        &[][..],
        &[("authorization", "Bearer none")],
        &[KEY],
        &[("x-hone-key-ollama", "sk-mine")],
    ] {
        let credential = credential(&config, lines, &remote(), 0).unwrap();
        assert_eq!(credential.source(), CredentialSource::None);
        assert!(
            sent(&credential).is_empty(),
            "nobody's key is handed to a local server"
        );
    }
}
