//! The effective configuration as TOML: every key with its value, defaults included, secrets
//! redacted.

use hone_dialects::Dialect;
use hone_strategies::Params;
use toml::{Table, Value};

use super::choices::word;
use super::{
    Config, Limits, Log, Price, ShownUsage, Switch, TenantConfig, UpstreamConfig, VirtualModel,
};

/// Stands where a secret would.
const REDACTED: &str = "redacted";

impl Config {
    /// The configuration as TOML, as the operator would have to write it to get the same without
    /// relying on defaults. Unset keys are left out, and a secret is shown as `"redacted"`.
    pub fn effective(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&self.table())
    }

    /// The tables that name files.
    fn set_files(&self, table: &mut Table) {
        if let Some(tls) = &self.tls {
            let mut files = Table::new();
            set(
                &mut files,
                "certificate",
                tls.certificate.display().to_string(),
            );
            set(&mut files, "key", tls.key.display().to_string());
            set(table, "tls", files);
        }
        if let Some(measured) = &self.quality {
            let mut files = Table::new();
            set(&mut files, "file", measured.file.display().to_string());
            set(table, "quality", files);
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        set(&mut table, "listen", self.listen.to_string());
        set(&mut table, "access", self.access.as_str());
        set(&mut table, "approach", self.approach.to_string());
        set_params(&mut table, "params", &self.params);
        set(&mut table, "solver", self.solver.to_string());
        set(&mut table, "tags", self.tags == Switch::On);
        set(&mut table, "usage", self.usage.as_str());
        set(
            &mut table,
            "trusted_proxies",
            strings(&self.trusted_proxies),
        );
        set(&mut table, "placeholders", strings(&self.placeholders));
        set(&mut table, "hosts", strings(&self.hosts));
        set(&mut table, "cors_origins", strings(&self.cors_origins));
        set(&mut table, "revoked_keys", strings(&self.revoked_keys));
        set(
            &mut table,
            "proxy_from_env",
            self.proxy_from_env == Switch::On,
        );
        set_some(
            &mut table,
            "tenant_secret",
            self.tenant_secret.as_ref().map(|_| REDACTED),
        );
        set(&mut table, "log", log(&self.log));
        set(&mut table, "bounds", self.bounds.table());
        let mut server = limits(&self.limits);
        set(&mut server, "address", limits(&self.address_limits));
        set(&mut table, "limits", server);
        set(&mut table, "fallback_limits", limits(&self.fallback_limits));
        self.set_files(&mut table);
        if let Some(admin) = self.admin {
            set(
                &mut table,
                "admin",
                Table::from_iter([("listen".to_owned(), Value::from(admin.to_string()))]),
            );
        }
        set(
            &mut table,
            "upstream",
            list(self.upstreams.iter().map(|each| upstream(each))),
        );
        set(
            &mut table,
            "tenant",
            list(self.tenants.iter().map(|each| tenant(each))),
        );
        set(
            &mut table,
            "model",
            list(self.models.iter().map(|each| model(each))),
        );
        set(&mut table, "price", list(self.prices.iter().map(price)));
        table
    }
}

/// The dialect, and the settings that say something of it.
fn dialect(table: &mut Table, upstream: &UpstreamConfig) {
    let settings = &upstream.settings;
    if !upstream.is_dialect_open {
        set(table, "dialect", upstream.dialect.name());
    }
    let system = word(settings.system);
    match upstream.dialect {
        Dialect::OpenAiChat => {
            let field = settings.max_tokens_field.as_str();
            set(table, "max_tokens_field", field);
            set(table, "reasoning_field", word(settings.reasoning_field));
            set(table, "system_messages", system);
        }
        Dialect::Anthropic => {
            let version = settings.anthropic_version.as_str();
            set(table, "anthropic_version", version);
            let most = i64::try_from(settings.max_tokens_default).unwrap_or(i64::MAX);
            set(table, "max_tokens_default", most);
            set(table, "system_messages", system);
            set(table, "thinking", word(settings.thinking));
        }
        Dialect::Gemini => {
            let uris = if settings.passes_file_uris {
                "pass"
            } else {
                "refuse"
            };
            set(table, "file_uris", uris);
        }
        Dialect::OpenAiResponses => {}
    }
}

fn upstream(upstream: &UpstreamConfig) -> Table {
    let mut table = Table::new();
    set(&mut table, "name", upstream.name.as_str());
    set(&mut table, "base_url", upstream.base_url.to_string());
    dialect(&mut table, upstream);
    set(&mut table, "models", strings(&upstream.models));
    let is_openais = matches!(
        upstream.dialect,
        Dialect::OpenAiChat | Dialect::OpenAiResponses
    );
    // Unset it depends on the client in the other dialects.
    if upstream.auth.is_some() || is_openais {
        set(&mut table, "auth", upstream.slot(None).as_str());
    }
    set(
        &mut table,
        "accepts_client_keys",
        upstream.accepts_client_keys,
    );
    if let Some(fallback) = &upstream.fallback {
        set(&mut table, "fallback_key", REDACTED);
        set(&mut table, "fallback_for", fallback.allowed.as_str());
        set(&mut table, "fallback_paths", strings(&fallback.paths));
        set(&mut table, "fallback_fields", strings(&fallback.fields));
    }
    if let Some(concurrency) = upstream.concurrency {
        set(&mut table, "concurrency", i64::from(concurrency.get()));
    }
    if upstream.concurrency.is_some() || upstream.limits != Limits::default() {
        set(&mut table, "tenant_share", upstream.tenant_share);
    }
    set(&mut table, "limits", limits(&upstream.limits));
    set(
        &mut table,
        "forward_headers",
        strings(&upstream.forward_headers),
    );
    set(&mut table, "stream_usage", upstream.stream_usage.as_str());
    set_some(&mut table, "stream_calls", upstream.stream_calls);
    set_some(
        &mut table,
        "ca_file",
        upstream
            .ca_file
            .as_ref()
            .map(|path| path.display().to_string()),
    );
    set(&mut table, "retries", i64::from(upstream.retries));
    set(
        &mut table,
        "http2_prior_knowledge",
        upstream.http2_prior_knowledge,
    );
    set(
        &mut table,
        "http2_connections",
        i64::from(upstream.http2_connections.get()),
    );
    table
}

fn tenant(tenant: &TenantConfig) -> Table {
    let mut table = Table::new();
    set(&mut table, "name", tenant.name.as_str());
    set(&mut table, "keys", strings(&tenant.keys));
    set(&mut table, "provider_keys", strings(&tenant.provider_keys));
    set_some(
        &mut table,
        "approaches",
        tenant.permissions.approaches.as_deref().map(strings),
    );
    set_some(
        &mut table,
        "models",
        tenant.permissions.models.as_deref().map(strings),
    );
    set_some(
        &mut table,
        "approach",
        tenant.approach.as_ref().map(ToString::to_string),
    );
    set_params(&mut table, "params", &tenant.params);
    set(&mut table, "limits", limits(&tenant.limits));
    set(&mut table, "weight", i64::from(tenant.weight.get()));
    set_some(&mut table, "usage", tenant.usage.map(ShownUsage::as_str));
    table
}

fn model(model: &VirtualModel) -> Table {
    let mut table = Table::new();
    set(&mut table, "name", model.name.as_str());
    set(&mut table, "model", model.model.as_str());
    set(&mut table, "approach", model.approach.to_string());
    set_params(&mut table, "params", &model.params);
    table
}

fn price(price: &Price) -> Table {
    let mut table = Table::new();
    set(&mut table, "model", price.model.as_str());
    set(&mut table, "input", price.input);
    if let Some(cached) = price.cached {
        set(&mut table, "cached", cached);
    }
    set(&mut table, "output", price.output);
    table
}

fn limits(limits: &Limits) -> Table {
    let mut table = Table::new();
    let counts = [
        ("requests_per_minute", limits.requests_per_minute),
        (
            "upstream_calls_per_minute",
            limits.upstream_calls_per_minute,
        ),
        ("concurrent_requests", limits.concurrent_requests),
        (
            "concurrent_upstream_calls",
            limits.concurrent_upstream_calls,
        ),
    ];
    for (key, limit) in counts {
        set_some(&mut table, key, limit.map(|limit| i64::from(limit.get())));
    }
    set_some(
        &mut table,
        "tokens_per_minute",
        limits.tokens_per_minute.map(|limit| integer(limit.get())),
    );
    table
}

fn log(log: &Log) -> Table {
    let mut table = Table::new();
    set(&mut table, "format", log.format.as_str());
    set(&mut table, "filter", log.filter.as_str());
    table
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn strings<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn list(tables: impl Iterator<Item = Table>) -> Vec<Table> {
    tables.collect()
}

fn set(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}

fn set_some(table: &mut Table, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        set(table, key, value);
    }
}

fn set_params(table: &mut Table, key: &str, params: &Params) {
    let params: Table = params
        .iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::try_from(value).ok()?)))
        .collect();
    if !params.is_empty() {
        set(table, key, params);
    }
}
