//! `[[upstream]]`.

use std::num::NonZeroU32;

use hone_dialects::{Dialect, Settings};
use http::{HeaderName, Uri};

use super::{Context, limits, values};
use crate::api::headers;
use crate::config::error::{Wrong, wrong};
use crate::config::file::Section;
use crate::config::{AuthSlot, Fallback, Limits, StreamUsage, TENANT_SHARE, UpstreamConfig};

mod dialect;

/// Where requests go if no upstream is configured.
pub(in crate::config) const OPENAI: &str = "https://api.openai.com/v1";
/// The upstream of a hone whose operator configured none.
pub(in crate::config) fn openai() -> UpstreamConfig {
    UpstreamConfig {
        name: "openai".to_owned(),
        base_url: Uri::from_static(OPENAI),
        accepts_client_keys: true,
        ..unset()
    }
}

pub(super) fn upstream(
    mut section: Section<'_>,
    index: usize,
    context: &Context<'_>,
) -> UpstreamConfig {
    let defaults = unset();
    let auth = section.parsed("auth", values::choice);
    let fallback = fallback(&mut section, auth, context);
    let (dialect, settings) = dialect::dialect(&mut section);
    let concurrency = section.count("concurrency", 1_000_000);
    let limits = limits::section(section.section("limits"), Limits::default());
    let tenant_share = section.share("tenant_share");
    let shares_something = concurrency.is_some() || limits != Limits::default();
    if tenant_share.is_some() && !shares_something {
        refuse_share(&mut section);
    }
    let upstream = UpstreamConfig {
        name: section
            .required("name", "name it, such as \"openai\"", values::name)
            .unwrap_or_default(),
        base_url: section
            .required(
                "base_url",
                "write it like \"https://api.openai.com/v1\"",
                values::base_url,
            )
            .unwrap_or(defaults.base_url),
        dialect: dialect.unwrap_or(defaults.dialect),
        is_dialect_open: dialect.is_none(),
        settings,
        models: section
            .list("models", values::model)
            .unwrap_or(defaults.models),
        auth,
        accepts_client_keys: section.boolean("accepts_client_keys").unwrap_or(index == 0),
        fallback,
        concurrency,
        tenant_share: tenant_share.unwrap_or(TENANT_SHARE),
        limits,
        forward_headers: section
            .list("forward_headers", forward_header)
            .unwrap_or_default(),
        stream_usage: section
            .parsed("stream_usage", values::choice)
            .unwrap_or_default(),
        stream_calls: section.boolean("stream_calls"),
        ca_file: section.parsed("ca_file", |path| context.sources.readable(path)),
        retries: section
            .integer("retries", 0..=10)
            .and_then(|retries| u32::try_from(retries).ok())
            .unwrap_or_default(),
        http2_prior_knowledge: section.boolean("http2_prior_knowledge").unwrap_or_default(),
        http2_connections: section
            .count("http2_connections", 10_000)
            .unwrap_or(defaults.http2_connections),
    };
    dialect::check_base_url(&mut section, &upstream);
    if upstream.http2_prior_knowledge && upstream.base_url.scheme_str() == Some("https") {
        let right = "leave it out: with TLS both sides agree on HTTP/2 by themselves";
        section.wrong(
            "http2_prior_knowledge",
            wrong("is for http:// upstreams", right),
        );
    }
    section.finish();
    upstream
}

fn refuse_share(section: &mut Section<'_>) {
    let right = "set one, or leave tenant_share out";
    let what = "is a share of `concurrency` and `limits`, which are not set";
    section.wrong("tenant_share", wrong(what, right));
}

fn unset() -> UpstreamConfig {
    UpstreamConfig {
        name: String::new(),
        base_url: Uri::default(),
        dialect: Dialect::OpenAiChat,
        is_dialect_open: true,
        settings: Settings::default(),
        models: vec!["*".to_owned()],
        auth: None,
        accepts_client_keys: false,
        fallback: None,
        concurrency: None,
        tenant_share: TENANT_SHARE,
        limits: Limits::default(),
        forward_headers: Vec::new(),
        stream_usage: StreamUsage::default(),
        stream_calls: None,
        ca_file: None,
        retries: 0,
        http2_prior_knowledge: false,
        http2_connections: NonZeroU32::MIN.saturating_add(63),
    }
}

fn fallback(
    section: &mut Section<'_>,
    auth: Option<AuthSlot>,
    context: &Context<'_>,
) -> Option<Fallback> {
    let configured = section.has("fallback_key");
    let reference = section.reference("fallback_key");
    let dependents = [
        ("fallback_for", section.has("fallback_for")),
        ("fallback_paths", section.has("fallback_paths")),
        ("fallback_fields", section.has("fallback_fields")),
    ];
    let allowed = section
        .parsed("fallback_for", values::choice)
        .unwrap_or_default();
    let paths = section
        .list("fallback_paths", fallback_path)
        .unwrap_or_default();
    let fields = section
        .list("fallback_fields", values::field)
        .unwrap_or_default();
    if !configured {
        for (key, _) in dependents.into_iter().filter(|(_, written)| *written) {
            section.wrong(
                key,
                wrong(
                    "is about a fallback key, and there is none",
                    "set fallback_key, or leave this out",
                ),
            );
        }
        return None;
    }
    if auth == Some(AuthSlot::None) {
        section.wrong(
            "fallback_key",
            wrong(
                "is for an upstream that takes no key (auth = \"none\")",
                "leave one of the two out",
            ),
        );
    }
    match context.sources.key(&reference?) {
        Ok(key) => Some(Fallback {
            key,
            allowed,
            paths,
            fields,
        }),
        Err(wrong) => {
            section.wrong("fallback_key", wrong);
            None
        }
    }
}

/// A path below `/v1`.
fn fallback_path(text: &str) -> Result<String, Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let segments = || text.split('/');
    if segments().any(|segment| matches!(segment, "" | "." | ".."))
        || segments().next() == Some("v1")
        || !text.chars().all(fits)
    {
        return Err(wrong(
            "is not a path below /v1",
            "write it without /v1 and without slashes around it, such as \"rerank\"",
        ));
    }
    Ok(text.to_owned())
}

/// The lower-case name of a header, or a prefix of names that ends in `-`.
fn forward_header(text: &str) -> Result<String, Wrong> {
    let name = text.to_ascii_lowercase();
    if HeaderName::from_bytes(name.as_bytes()).is_err() || name == "-" {
        return Err(wrong(
            "is not the name of a header",
            "write a name such as \"x-title\", or a prefix that ends in `-`",
        ));
    }
    if headers::is_never_forwarded(&name) {
        return Err(wrong(
            "is never forwarded: it carries keys, framing or the client's address",
            "leave it out",
        ));
    }
    Ok(name)
}
