//! A configuration from a few flags, for those who need no file.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value as Json;
use toml::{Table, Value};

use super::error::{ConfigErrors, Mistakes};
use super::resolve::{OPENAI, table_to_config};
use super::secret::{Sources, environment};
use super::{AuthSlot, Config};

/// What `hone serve` is told on its command line when there is no file.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServeFlags {
    /// The tenants' listener.
    pub(crate) listen: Option<SocketAddr>,
    /// The provider's base URL.
    pub(crate) upstream: Option<String>,
    /// The slot that the provider reads its key from, `bearer` unless told otherwise.
    pub(crate) auth: Option<AuthSlot>,
    /// The environment variable with the operator's key. Only local callers may spend it.
    pub(crate) fallback_key_env: Option<String>,
    /// The approach of requests that choose none.
    pub(crate) approach: Option<String>,
    /// Strategy parameters.
    pub(crate) params: Vec<(String, Json)>,
}

impl Config {
    /// The configuration that `flags` describe. Without any: listen on 127.0.0.1:8000 and forward
    /// to `https://api.openai.com/v1` with the clients' keys.
    pub(crate) fn default_for(flags: &ServeFlags) -> Result<Self, ConfigErrors> {
        Self::from_flags(flags, &environment)
    }

    pub(super) fn from_flags(
        flags: &ServeFlags,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        let sources = Sources::new(env, PathBuf::new());
        table_to_config(flags.table(), Mistakes::default(), &sources, flags.listen)
            .map_err(|errors| errors.renamed(flag))
    }
}

impl ServeFlags {
    /// What the flags would be in a file.
    fn table(&self) -> Table {
        let mut upstream = Table::new();
        let mut set = |key: &str, value: Value| upstream.insert(key.to_owned(), value);
        set(
            "name",
            if self.upstream.is_some() {
                "upstream"
            } else {
                "openai"
            }
            .into(),
        );
        set(
            "base_url",
            self.upstream.as_deref().unwrap_or(OPENAI).into(),
        );
        if let Some(auth) = self.auth {
            set("auth", auth.as_str().into());
        }
        if let Some(name) = &self.fallback_key_env {
            set(
                "fallback_key",
                Table::from_iter([("env".to_owned(), Value::from(name.as_str()))]).into(),
            );
            set("fallback_for", "loopback".into());
        }
        let mut table = Table::from_iter([("upstream".to_owned(), vec![upstream].into())]);
        if let Some(approach) = &self.approach {
            table.insert("approach".to_owned(), approach.as_str().into());
        }
        let params = self
            .params
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), Value::try_from(value).ok()?)));
        table.insert("params".to_owned(), params.collect::<Table>().into());
        table
    }
}

/// The flag that sets `path`.
fn flag(path: &str) -> Option<String> {
    match path {
        "approach" => Some("--approach".to_owned()),
        "upstream[0].auth" => Some("--auth".to_owned()),
        "upstream[0].base_url" => Some("--upstream".to_owned()),
        "upstream[0].fallback_key" => Some("--fallback-key-env".to_owned()),
        _ => path
            .strip_prefix("params.")
            .map(|name| format!("--param {name}")),
    }
}
