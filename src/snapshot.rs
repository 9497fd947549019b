//! Everything a request reads of the configuration, swapped whole by a reload.

use std::io;
use std::sync::Arc;

use crate::admission::{Gate, Scope, Sharing};
use crate::api::hops;
use crate::config::{Bounds, Config, TENANT_SHARE};
use crate::solver::Z3;
use crate::telemetry;
use crate::upstream::Upstream;

/// A configuration and the live upstreams that it names. A request keeps the one it started with.
#[derive(Debug)]
pub struct Snapshot {
    /// What the operator said.
    pub config: Config,
    /// In the order of the configuration; never empty.
    pub upstreams: Vec<Arc<Upstream>>,
    /// The solver, found when the configuration became live.
    pub(crate) solver: Option<Arc<Z3>>,
    /// What this hone is called in requests to other hones.
    pub(crate) name: hops::Name,
    /// Limits over all use of any fallback key.
    fallback_gate: Arc<Gate>,
}

impl Snapshot {
    /// Makes `config` live. Counters, queues and breakers of `earlier` go on under the same names.
    ///
    /// # Errors
    ///
    /// When an upstream's CA file cannot be used.
    pub fn new(config: Config, earlier: Option<&Self>) -> io::Result<Self> {
        let fallback_gate = earlier.map_or_else(
            || {
                let (limits, sharing) = (&config.fallback_limits, fallback_sharing(&config.bounds));
                Arc::new(Gate::shared(Scope::Fallback, limits, &sharing))
            },
            |earlier| Arc::clone(&earlier.fallback_gate),
        );
        let name = earlier.map_or_else(hops::Name::random, |earlier| earlier.name.clone());
        let mut upstreams = Vec::with_capacity(config.upstreams.len());
        for upstream in &config.upstreams {
            let before = earlier
                .and_then(|earlier| {
                    earlier
                        .upstreams
                        .iter()
                        .find(|old| old.name() == upstream.name)
                })
                .map(|before| &**before);
            let gate = Arc::clone(&fallback_gate);
            upstreams.push(Arc::new(Upstream::new(
                Arc::clone(upstream),
                gate,
                &config.bounds,
                (config.proxy_from_env, &name),
                before,
            )?));
        }
        telemetry::know_models(named_models(&config));
        let before = earlier
            .filter(|earlier| earlier.config.solver == config.solver)
            .and_then(|earlier| earlier.solver.clone());
        let solver = before.or_else(|| Z3::of(&config.solver).map(Arc::new));
        Ok(Self {
            config,
            upstreams,
            solver,
            name,
            fallback_gate,
        })
    }

    /// Lets the limits of this snapshot hold from now on. Apart from [`Snapshot::new`], which may
    /// fail and must then have changed nothing.
    pub(crate) fn apply_limits(&self) {
        let sharing = fallback_sharing(&self.config.bounds);
        self.fallback_gate
            .relimit_shared(&self.config.fallback_limits, &sharing);
        for upstream in &self.upstreams {
            upstream.apply_limits(&self.config.bounds);
        }
    }
}

/// The models that the operator names, by the names that upstreams know.
fn named_models(config: &Config) -> impl Iterator<Item = &str> {
    let listed = config
        .upstreams
        .iter()
        .flat_map(|upstream| &upstream.models);
    let behind = config.models.iter().map(|model| &model.model);
    let names = listed.filter(|name| !name.contains('*')).chain(behind);
    names.map(|name| {
        let named = name.split_once('/').filter(|(upstream, _)| {
            let mut upstreams = config.upstreams.iter();
            upstreams.any(|known| known.name == *upstream)
        });
        named.map_or(name.as_str(), |(_, model)| model)
    })
}

/// How tenants share the limits of the operator's keys.
fn fallback_sharing(bounds: &Bounds) -> Sharing {
    Sharing {
        tenant_share: TENANT_SHARE,
        max_waiting: bounds.queue_length,
        max_wait: bounds.queue_wait,
    }
}
