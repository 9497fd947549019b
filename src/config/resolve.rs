//! From the text of a configuration to its meaning, collecting every mistake on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ConfigErrors, Mistakes, Wrong, wrong};
use super::file::{self, Section};
use super::secret::{Sources, environment};
use super::{Config, Log, SolverPlace, TlsFiles, UpstreamConfig, check, quality, reach};

mod approach;
mod bounds;
mod keys;
mod limits;
mod price;
mod tenant;
mod upstream;
mod values;

pub(super) use upstream::OPENAI;

/// The tenants' listener, unless the configuration says otherwise.
const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8000);
/// Shorter secrets could be guessed.
const SHORTEST_TENANT_SECRET: usize = 16;

/// What reading a configuration needs beside its text.
struct Context<'c> {
    sources: &'c Sources<'c>,
    mistakes: &'c Mistakes,
}

impl Config {
    /// Reads the file at `path`, and the secrets that it refers to. Relative paths in it start at
    /// its directory. hone listens on `listen`, if given, instead of where the file says.
    /// `without_secrets` those that are not there are made up.
    pub(crate) fn load(
        path: &Path,
        listen: Option<SocketAddr>,
        without_secrets: bool,
    ) -> Result<Self, ConfigErrors> {
        let text = fs::read_to_string(path).map_err(|error| {
            let wrong = wrong(
                format!("cannot be read ({})", error.kind()),
                "name a file that hone may read, with --config",
            );
            ConfigErrors::one(path.display().to_string(), wrong)
        })?;
        let directory = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let sources = Sources {
            without_secrets,
            ..Sources::new(&environment, directory)
        };
        resolve(&text, &sources, listen)
            .map_err(|errors| errors.in_file(&path.display().to_string()))
    }

    /// Reads `text`, looking up environment variables in `env`. Relative paths start at the working
    /// directory.
    ///
    /// ```
    /// use hone::config::Config;
    /// let config = Config::parse("access = \"known\"", &|_| None).unwrap();
    /// assert_eq!(config.listen.port(), 8000);
    /// let errors = Config::parse("acess = \"known\"\nlisten = 8000", &|_| None).unwrap_err();
    /// assert_eq!(errors.iter().count(), 2);
    /// ```
    pub fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        resolve(text, &Sources::new(env, PathBuf::new()), None)
    }
}

/// The meaning of `text`; `listen` replaces what it says.
pub(super) fn resolve(
    text: &str,
    sources: &Sources<'_>,
    listen: Option<SocketAddr>,
) -> Result<Config, ConfigErrors> {
    let (table, mistakes) = file::read(text)?;
    table_to_config(table, mistakes, sources, listen)
}

/// The meaning of `table`; `listen` replaces what it says.
pub(super) fn table_to_config(
    table: toml::Table,
    mistakes: Mistakes,
    sources: &Sources<'_>,
    listen: Option<SocketAddr>,
) -> Result<Config, ConfigErrors> {
    let context = Context {
        sources,
        mistakes: &mistakes,
    };
    let mut config = read(Section::root(table, &mistakes), &context, listen);
    config.warnings = check::warnings(&config);
    config.files = sources.files.take();
    mistakes.or(config)
}

fn read(mut root: Section<'_>, context: &Context<'_>, listen: Option<SocketAddr>) -> Config {
    let written = root.parsed("listen", values::socket);
    let bounds = bounds::bounds(root.section("bounds"), super::container::memory_limit());
    let (limits, address_limits) = limits::server(root.section("limits"));
    let upstreams = upstreams(&mut root, context);
    let approach = root
        .parsed("approach", approach::approach(bounds.expression_bytes))
        .unwrap_or_else(approach::no_approach);
    let tenants = root.sections("tenant");
    let tenants: Vec<_> = tenants
        .into_iter()
        .map(|section| tenant::tenant(section, limits, &bounds))
        .collect();
    let models = root.sections("model");
    let models: Vec<_> = models
        .into_iter()
        .map(|section| tenant::virtual_model(section, &upstreams, &bounds))
        .collect();
    let config = Config {
        listen: listen.or(written).unwrap_or(DEFAULT_LISTEN),
        tls: tls(root.section("tls"), context),
        access: root.parsed("access", values::choice).unwrap_or_default(),
        approach,
        params: root
            .params("params", approach::any_param)
            .unwrap_or_default(),
        solver: root
            .parsed("solver", |text| solver(text, context))
            .unwrap_or_default(),
        quality: quality::quality(root.section("quality"), context.sources),
        tags: root.boolean("tags").unwrap_or_default().into(),
        usage: root.parsed("usage", values::choice).unwrap_or_default(),
        trusted_proxies: root
            .list("trusted_proxies", values::network)
            .unwrap_or_default(),
        placeholders: root
            .list("placeholders", values::placeholder)
            .unwrap_or_else(|| vec!["none".to_owned()]),
        hosts: root.list("hosts", values::host).unwrap_or_default(),
        cors_origins: root
            .list("cors_origins", values::origin)
            .unwrap_or_default(),
        revoked_keys: root
            .list("revoked_keys", values::digest)
            .unwrap_or_default(),
        tenant_secret: tenant_secret(&mut root, context),
        bounds,
        limits,
        address_limits,
        fallback_limits: limits::section(root.section("fallback_limits"), super::Limits::default()),
        upstreams: upstreams.into_iter().map(Arc::new).collect(),
        tenants: tenants.into_iter().map(Arc::new).collect(),
        models: models.into_iter().map(Arc::new).collect(),
        prices: price::prices(&mut root),
        admin: admin(root.section("admin")),
        proxy_from_env: root.boolean("proxy_from_env").unwrap_or_default().into(),
        log: log(root.section("log")),
        warnings: Vec::new(),
        files: BTreeSet::new(),
    };
    root.finish();
    cross_check(&config, context.mistakes);
    config
}

/// All upstreams; OpenAI if none is configured.
fn upstreams(root: &mut Section<'_>, context: &Context<'_>) -> Vec<UpstreamConfig> {
    let sections = root.sections("upstream").into_iter().enumerate();
    let upstreams: Vec<_> = sections
        .map(|(index, section)| upstream::upstream(section, index, context))
        .collect();
    if upstreams.is_empty() {
        vec![upstream::openai()]
    } else {
        upstreams
    }
}

fn solver(text: &str, context: &Context<'_>) -> Result<SolverPlace, Wrong> {
    match text {
        "auto" => Ok(SolverPlace::Auto),
        "off" => Ok(SolverPlace::Off),
        path if path.contains('/') => context.sources.readable(path).map(SolverPlace::At),
        _ => Err(wrong(
            "is not a place of a solver",
            "write \"auto\", \"off\" or the path of a z3",
        )),
    }
}

fn tls(section: Option<Section<'_>>, context: &Context<'_>) -> Option<TlsFiles> {
    let mut section = section?;
    let certificate = section.required(
        "certificate",
        "name a PEM file, the server's certificate first",
        |path| context.sources.readable(path),
    );
    let key = section.required("key", "name a PEM file with the private key", |path| {
        context.sources.readable(path)
    });
    section.finish();
    Some(TlsFiles {
        certificate: certificate?,
        key: key?,
    })
}

fn tenant_secret(root: &mut Section<'_>, context: &Context<'_>) -> Option<super::Secret> {
    let reference = root.reference("tenant_secret")?;
    let long_enough = |secret: super::Secret| {
        let enough = secret.expose().len() >= SHORTEST_TENANT_SECRET;
        let right = format!(
            "use at least {SHORTEST_TENANT_SECRET} random bytes, e.g. from `openssl rand -hex 32`"
        );
        if enough {
            Ok(secret)
        } else {
            Err(wrong(
                "leads to a secret that is short enough to be guessed",
                right,
            ))
        }
    };
    match context.sources.secret(&reference).and_then(long_enough) {
        Ok(secret) => Some(secret),
        Err(wrong) => {
            root.wrong("tenant_secret", wrong);
            None
        }
    }
}

fn admin(section: Option<Section<'_>>) -> Option<SocketAddr> {
    let mut section = section?;
    let listen = section.required(
        "listen",
        "write an address and a port, such as \"127.0.0.1:8001\"",
        values::socket,
    );
    section.finish();
    listen
}

fn log(section: Option<Section<'_>>) -> Log {
    let mut log = Log::default();
    let Some(mut section) = section else {
        return log;
    };
    log.format = section.parsed("format", values::choice).unwrap_or_default();
    if let Some(filter) = section.parsed("filter", values::log_filter) {
        log.filter = filter;
    }
    section.finish();
    log
}

/// What is wrong between tables, each of which is right by itself.
fn cross_check(config: &Config, mistakes: &Mistakes) {
    unique(
        "upstream",
        config
            .upstreams
            .iter()
            .map(|upstream| upstream.name.to_ascii_lowercase()),
        mistakes,
    );
    unique(
        "tenant",
        config.tenants.iter().map(|tenant| tenant.name.clone()),
        mistakes,
    );
    unique(
        "model",
        config.models.iter().map(|model| model.name.clone()),
        mistakes,
    );
    for (index, model) in config.models.iter().enumerate() {
        if config.models.iter().any(|other| other.name == model.model) {
            let right = "name a model that an upstream knows";
            mistakes.add(
                format!("model[{index}].model"),
                wrong("is itself a virtual model", right),
            );
        }
    }
    keys::digests(config, mistakes);
    approach::check_costs(config, mistakes);
    loops(config, mistakes);
    keys::published(config, mistakes);
    if let Some(admin) = config.admin
        && admin.port() != 0
        && admin == config.listen
    {
        mistakes.add(
            "admin.listen",
            wrong(
                "is the tenants' address",
                "write another port: the admin listener is not for tenants",
            ),
        );
    }
}

/// A hone that is its own upstream would ask itself until nothing is left.
fn loops(config: &Config, mistakes: &Mistakes) {
    let own = [
        ("listen", Some(config.listen)),
        ("admin.listen", config.admin),
    ];
    for (index, upstream) in config.upstreams.iter().enumerate() {
        let leads_to = |address| reach::leads_to(&upstream.base_url, address);
        if let Some((key, _)) = own
            .iter()
            .find(|(_, address)| address.is_some_and(leads_to))
        {
            mistakes.add(
                format!("upstream[{index}].base_url"),
                wrong(
                    format!("leads back to this hone: `{key}` is there"),
                    "write the provider's address, or let hone listen on another port",
                ),
            );
        }
    }
}

/// Names stand in headers, logs and metrics, so each must mean one thing. An empty name is a
/// mistake already recorded.
fn unique(kind: &str, names: impl Iterator<Item = String>, mistakes: &Mistakes) {
    let mut first = BTreeMap::new();
    for (index, name) in names.enumerate().filter(|(_, name)| !name.is_empty()) {
        if let Some(earlier) = first.get(&name) {
            mistakes.add(
                format!("{kind}[{index}].name"),
                wrong(
                    format!("is also the name of {kind}[{earlier}]"),
                    "choose another name",
                ),
            );
        } else {
            first.insert(name, index);
        }
    }
}

/// The upstream that serves `model`: the one named before a `/`, else the first with a glob that
/// matches.
fn serves(upstreams: &[UpstreamConfig], model: &str) -> bool {
    let named = model
        .split_once('/')
        .is_some_and(|(name, _)| upstreams.iter().any(|upstream| upstream.name == name));
    named
        || upstreams
            .iter()
            .any(|upstream| super::glob::matches_any(&upstream.models, model))
}
