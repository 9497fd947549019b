//! The answer to `GET /hone/whoami`: how the caller is resolved, so that nobody has to guess.

use std::num::{NonZero, NonZeroU32};

use hone_dialects::Dialect;
use http::Method;
use serde_json::{Map, Value, json};

use super::directory::limits_of;
use super::slots;
use super::{AuthError, FallbackRefusal, Principal};
use crate::admission::{Gate, RateStatus};
use crate::config::{Config, Limits, UpstreamConfig};

/// How `principal` is resolved: its tag, whose key would pay for a chat completion at each
/// upstream, its limits and what it may use. Never a key.
pub fn whoami(principal: &Principal, config: &Config) -> Value {
    let tenant = principal.config();
    let all = || vec!["*".to_owned()];
    json!({
        "tenant": principal.tag(),
        "identified_by": principal.identified_by(),
        "address": principal.address().to_string(),
        "vouched": !principal.is_unvouched(),
        "upstreams": config.upstreams.iter().map(|upstream| source(principal,
            upstream)).collect::<Vec<_>>(),
        "limits": principal.gates().iter().map(|gate| limits(gate, principal,
            config)).collect::<Vec<_>>(),
        "weight": principal.weight(),
        "approach": tenant.and_then(|tenant| tenant.approach.as_ref()).unwrap_or(&config.approach)
            .to_string(),
        "approaches": principal.permissions().approaches.clone().unwrap_or_else(all),
        "models": principal.permissions().models.clone().unwrap_or_else(all),
    })
}

/// How one upstream is asked: its dialect, the dialects that it gets as they came, the header that
/// it reads a key from, and whose key that would be.
fn source(principal: &Principal, upstream: &UpstreamConfig) -> Value {
    let forwards = Dialect::ALL.into_iter();
    let forwards: Vec<_> = forwards
        .filter(|dialect| upstream.may_speak(*dialect))
        .map(Dialect::name)
        .collect();
    let slot = upstream.slot(principal.sent_for(upstream));
    let mut told = json!({
        "name": upstream.name,
        "dialect": upstream.dialect.name(),
        "forwards": forwards,
        "slot": slots::header(slot).map(|header| header.as_str().to_owned()),
    });
    merge(&mut told, pays(principal, upstream));
    told
}

/// Adds the fields of `more`.
fn merge(told: &mut Value, more: Value) {
    if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
        told.extend(more);
    }
}

/// Whose key pays, or what is missing.
fn pays(principal: &Principal, upstream: &UpstreamConfig) -> Value {
    match principal.credential(upstream, &Method::POST, "chat/completions") {
        Ok(credential) => json!({"credential": credential.source().as_str()}),
        Err(AuthError::NoCredential {
            header, fallback, ..
        }) => {
            let unmet = if let FallbackRefusal::NotLocal(condition) = fallback {
                Some(condition.as_str())
            } else {
                None
            };
            let header = if upstream.accepts_client_keys {
                "authorization".to_owned()
            } else {
                header
            };
            json!({"credential": null, "needs": header, "fallback": fallback.as_str(),
                "unmet": unmet})
        }
        Err(_) => json!({"credential": null}),
    }
}

fn limits(gate: &Gate, principal: &Principal, config: &Config) -> Value {
    let configured = limits_of(gate, principal.config(), config);
    let now = |rate: &RateStatus| {
        json!({"name": rate.name(), "remaining": rate.remaining,
        "reset_seconds": rate.reset.as_secs_f64()})
    };
    json!({"of": gate.scope().name(), "limits": set(configured), "now": gate.status().iter()
        .map(now).collect::<Vec<_>>()})
}

/// The limits that are set.
fn set(limits: &Limits) -> Map<String, Value> {
    let Limits {
        requests_per_minute,
        upstream_calls_per_minute,
        tokens_per_minute,
        concurrent_requests,
        concurrent_upstream_calls,
    } = limits;
    let wide = |limit: &Option<NonZeroU32>| limit.map(|limit| u64::from(limit.get()));
    [
        ("requests_per_minute", wide(requests_per_minute)),
        ("upstream_calls_per_minute", wide(upstream_calls_per_minute)),
        ("tokens_per_minute", tokens_per_minute.map(NonZero::get)),
        ("concurrent_requests", wide(concurrent_requests)),
        ("concurrent_upstream_calls", wide(concurrent_upstream_calls)),
    ]
    .into_iter()
    .filter_map(|(name, limit)| Some((name.to_owned(), limit?.into())))
    .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Directory;
    use super::super::fixture::{
        ALICE, config, every_limit, fallback, head, identify, loopback, requests_per_minute,
        tenant, upstream,
    };
    use super::*;
    use crate::config::KeyDigest;
    use crate::config::{AuthSlot, FallbackFor, Permissions, TenantConfig};

    fn configured() -> Config {
        let mut config = Config {
            limits: requests_per_minute(60),
            address_limits: requests_per_minute(600),
            ..config()
        };
        config.upstreams.push(Arc::new(UpstreamConfig {
            fallback: Some(fallback("gsk-hidden", FallbackFor::Loopback)),
            ..upstream("groq")
        }));
        config.upstreams.push(Arc::new(UpstreamConfig {
            auth: Some(AuthSlot::None),
            ..upstream("local")
        }));
        let keys = vec![KeyDigest::of(ALICE.as_bytes())];
        let approaches = Some(vec!["bon".to_owned()]);
        config.tenants.push(Arc::new(TenantConfig {
            keys,
            permissions: Permissions {
                approaches,
                ..Permissions::ALL
            },
            limits: every_limit(),
            ..tenant("alice")
        }));
        config
    }

    fn answer(lines: &[(&str, &str)]) -> Value {
        let config = configured();
        let principal =
            identify(&Directory::new(&config), &config, &head(lines), &loopback()).unwrap();
        whoami(&principal, &config)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_learns_whose_key_would_pay_where() {
        let answer = answer(&[("authorization", "Bearer sk-hidden")]);
        let paid = |name, slot, pays| {
            let all = ["anthropic", "openai-chat", "openai-responses"];
            let mut told = json!({"name": name, "dialect": "openai-chat", "forwards": all,
                "slot": slot});
            merge(&mut told, pays);
            told
        };
        let unpaid = json!({"credential": null, "needs": "x-hone-key-groq",
            "fallback": "not_local", "unmet": "host"});
        assert_eq!(
            answer["upstreams"],
            json!([
                paid(
                    "openai",
                    Some("authorization"),
                    json!({"credential": "client"})
                ),
                paid("groq", Some("authorization"), unpaid),
                paid("local", None, json!({"credential": "none"})),
            ])
        );
        assert_eq!(answer["identified_by"], "unregistered_provider_key");
        assert_eq!(answer["vouched"], false);
        assert_eq!(
            answer["limits"][0]["limits"],
            json!({"requests_per_minute": 60})
        );
        assert_eq!(
            answer["limits"][1]["limits"],
            json!({"requests_per_minute": 600})
        );
        assert_eq!(
            (&answer["approaches"], &answer["models"]),
            (&json!(["*"]), &json!(["*"]))
        );
        assert!(!answer.to_string().contains("hidden"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_dialect_of_each_upstream_is_told_with_the_header_of_its_key() {
        let slots = |dialect, auth, line| {
            let upstream = UpstreamConfig {
                dialect,
                is_dialect_open: false,
                auth,
                accepts_client_keys: true,
                ..upstream("other")
            };
            let config = Config {
                upstreams: vec![Arc::new(upstream)],
                ..config()
            };
            let head = head(&[line]);
            let principal = identify(&Directory::new(&config), &config, &head, &loopback());
            let told = whoami(&principal.unwrap(), &config)["upstreams"][0].clone();
            assert_eq!(told["dialect"], dialect.name());
            assert_eq!(told["forwards"], json!([dialect.name()]));
            told["slot"].as_str().unwrap_or_default().to_owned()
        };
        let token = ("authorization", "Bearer sk-hidden");
        let (xs, googles) = (("x-api-key", "sk-hidden"), ("x-goog-api-key", "sk-hidden"));
        for (dialect, auth, line, slot) in [
            (Dialect::Anthropic, None, token, "authorization"),
            (Dialect::Anthropic, None, xs, "x-api-key"),
            (Dialect::Anthropic, None, googles, "x-api-key"),
            (
                Dialect::Anthropic,
                Some(AuthSlot::Bearer),
                xs,
                "authorization",
            ),
            (Dialect::Gemini, None, googles, "x-goog-api-key"),
            (Dialect::OpenAiResponses, None, xs, "authorization"),
            (Dialect::Gemini, Some(AuthSlot::None), googles, ""),
        ] {
            assert_eq!(
                slots(dialect, auth, line),
                slot,
                "{dialect:?} {auth:?} {line:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_named_tenant_learns_its_own_limits_and_approaches() {
        let answer = answer(&[("x-hone-key", ALICE), ("host", "localhost")]);
        assert_eq!(answer["tenant"], "alice");
        let of = |index: usize, field: &str| &answer["upstreams"][index][field];
        assert_eq!(of(0, "credential"), &json!(null));
        assert_eq!(of(0, "needs"), "authorization");
        assert_eq!(of(0, "fallback"), "not_configured");
        assert_eq!(of(1, "credential"), "fallback");
        assert_eq!(of(1, "needs"), &json!(null));
        assert_eq!(answer["approaches"], json!(["bon"]));
        assert_eq!(answer["limits"][0]["limits"]["tokens_per_minute"], 60_000);
        assert_eq!(answer["limits"].as_array().map(Vec::len), Some(1));
        assert!(!answer.to_string().contains(ALICE));
    }
}
