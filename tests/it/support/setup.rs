//! hone, configured as an operator would do it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use toml::{Table, Value};

use super::Hone;
use super::parts::{App, Config, ConfigErrors, KeyDigest, SimHandle, Workers};
use super::raw::RawUpstream;
use super::tls::Identity;

/// The operator's own key for an upstream, where [`Upstream::fallback_key`] gives one.
pub const OPERATORS_KEY: &str = "sk-operator";

/// A configuration in the making: `hone().upstream(&sim).limit("requests_per_minute", 7).start()`.
#[derive(Clone)]
pub struct Setup {
    table: Table,
    env: BTreeMap<String, String>,
}

/// Begins a configuration. It listens on loopback at any free port.
pub fn hone() -> Setup {
    let env = BTreeMap::from([("OPERATORS_KEY".to_owned(), OPERATORS_KEY.to_owned())]);
    let table = Table::new();
    Setup { table, env }.set("listen", "127.0.0.1:0")
}

impl Setup {
    /// Sets a key outside of any table.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.table.insert(key.to_owned(), value.into());
        self
    }

    /// Adds tables as the operator would write them.
    pub fn config(mut self, text: &str) -> Self {
        let added: Table = text.parse().expect("fixture: TOML");
        self.table.extend(added);
        self
    }

    /// Sets a key of `[bounds]`.
    pub fn bound(self, key: &str, value: impl Into<Value>) -> Self {
        self.set_in("bounds", key, value)
    }

    /// Sets a key of `[limits]`.
    pub fn limit(self, key: &str, value: impl Into<Value>) -> Self {
        self.set_in("limits", key, value)
    }

    /// Listens for the operator, too.
    pub fn admin(self) -> Self {
        self.set_in("admin", "listen", "127.0.0.1:0")
    }

    /// Serves by this certificate.
    pub fn tls(self, identity: &Identity) -> Self {
        self.set_in("tls", "certificate", identity.certificate())
            .set_in("tls", "key", identity.key())
    }

    /// Adds an environment variable that the configuration may name.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds an upstream, named `sim`, with nothing else said.
    pub fn upstream(self, at: &impl Listens) -> Self {
        self.upstream_with(at, |upstream| upstream)
    }

    /// Adds an upstream, named `sim` unless `more` says otherwise.
    pub fn upstream_with(self, at: &impl Listens, more: impl FnOnce(Upstream) -> Upstream) -> Self {
        let upstream = Upstream(Table::new())
            .named("sim")
            .set("base_url", at.base_url());
        self.push("upstream", more(upstream).0)
    }

    /// Adds a tenant.
    pub fn tenant(self, name: &str, more: impl FnOnce(Tenant) -> Tenant) -> Self {
        let tenant = Tenant(Table::new()).set("name", name);
        self.push("tenant", more(tenant).0)
    }

    /// Adds a virtual model: `name` stands for `model` by `approach`.
    pub fn model(self, name: &str, model: &str, approach: &str) -> Self {
        self.model_with(name, model, approach, Table::new())
    }

    /// Adds a virtual model with parameters.
    pub fn model_with(self, name: &str, model: &str, approach: &str, params: Table) -> Self {
        let names = [("name", name), ("model", model), ("approach", approach)];
        let mut table: Table = names
            .map(|(key, value)| (key.to_owned(), value.into()))
            .into_iter()
            .collect();
        table.insert("params".to_owned(), params.into());
        self.push("model", table)
    }

    /// The configuration as the operator's file.
    pub fn text(&self) -> String {
        toml::to_string(&self.table).expect("fixture: TOML")
    }

    /// What hone makes of the configuration.
    pub fn parse(&self) -> Result<Config, ConfigErrors> {
        Config::parse(&self.text(), &|name| self.env.get(name).cloned())
    }

    /// The configuration, which is right.
    pub fn read(&self) -> Config {
        self.parse().unwrap_or_else(|errors| {
            panic!(
                "fixture: the configuration is right: {errors}\n{}",
                self.table
            )
        })
    }

    /// Starts hone on the test's own thread.
    pub fn start(&self) -> Hone {
        Hone(App::start(self.read()).expect("fixture: hone starts"))
    }

    /// Starts hone with threads of its own for connections and for work on large bodies.
    pub fn start_with_workers(&self) -> Hone {
        let workers = Arc::new(Workers::start().expect("fixture: threads"));
        Hone(App::start_on(Some(workers), self.read()).expect("fixture: hone starts"))
    }

    fn set_in(mut self, table: &str, key: &str, value: impl Into<Value>) -> Self {
        let table = self.table.entry(table).or_insert(Table::new().into());
        let table = table.as_table_mut().expect("fixture: a table");
        table.insert(key.to_owned(), value.into());
        self
    }

    fn push(mut self, list: &str, table: Table) -> Self {
        let list = self.table.entry(list).or_insert(Value::Array(Vec::new()));
        let list = list.as_array_mut().expect("fixture: a list of tables");
        list.push(table.into());
        self
    }
}

/// A table of `[[upstream]]`.
pub struct Upstream(Table);

impl Upstream {
    /// Sets any key.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Speaks this dialect. Google's base URL has no version.
    pub fn dialect(mut self, name: &str) -> Self {
        if name == "gemini" {
            let url = self.0.get("base_url").and_then(Value::as_str);
            let root = url
                .expect("fixture: a URL")
                .trim_end_matches("/v1")
                .to_owned();
            self = self.set("base_url", root);
        }
        self.set("dialect", name)
    }

    /// Has another name than `sim`.
    pub fn named(self, name: &str) -> Self {
        self.set("name", name)
    }

    /// Serves these models.
    pub fn models(self, names: &[&str]) -> Self {
        self.set("models", names.to_vec())
    }

    /// Takes no key.
    pub fn keyless(self) -> Self {
        self.set("auth", "none")
    }

    /// Takes the keys that clients send in the provider's slot, though it is not the first.
    pub fn takes_client_keys(self) -> Self {
        self.set("accepts_client_keys", true)
    }

    /// Has the operator's key for callers without one.
    pub fn fallback_key(self) -> Self {
        let reference = Table::from_iter([("env".to_owned(), "OPERATORS_KEY".into())]);
        self.set("fallback_key", reference)
    }

    /// Has the operator's key for these callers.
    pub fn fallback_for(self, callers: &str) -> Self {
        self.fallback_key().set("fallback_for", callers)
    }

    /// Holds each tenant to a limit of its own.
    pub fn limit(self, key: &str, value: u32) -> Self {
        self.set("limits", Table::from_iter([(key.to_owned(), value.into())]))
    }
}

/// A table of `[[tenant]]`.
pub struct Tenant(Table);

impl Tenant {
    /// Sets any key.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Is known by a key that hone issued.
    pub fn key(self, key: &str) -> Self {
        self.set("keys", vec![digest(key)])
    }

    /// Is known by the key of its provider.
    pub fn provider_key(self, key: &str) -> Self {
        self.set("provider_keys", vec![digest(key)])
    }

    /// May use these models only.
    pub fn models(self, names: &[&str]) -> Self {
        self.set("models", names.to_vec())
    }

    /// May choose these approaches only.
    pub fn approaches(self, slugs: &[&str]) -> Self {
        self.set("approaches", slugs.to_vec())
    }
}

/// What `hone key digest` prints for `key`.
pub fn digest(key: &str) -> String {
    KeyDigest::of(key.as_bytes()).to_string()
}

/// Something that answers as a provider.
pub trait Listens {
    fn base_url(&self) -> String;
}

impl Listens for SimHandle {
    fn base_url(&self) -> String {
        self.addr().base_url()
    }
}

impl Listens for RawUpstream {
    fn base_url(&self) -> String {
        self.address.base_url()
    }
}

impl Listens for SocketAddr {
    fn base_url(&self) -> String {
        format!("http://{self}/v1")
    }
}
