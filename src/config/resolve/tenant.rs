//! `[[tenant]]` and `[[model]]`.

use std::num::NonZeroU32;

use super::{approach, limits, serves, values};
use crate::config::error::wrong;
use crate::config::file::Section;
use crate::config::{Bounds, Limits, Permissions, TenantConfig, UpstreamConfig, VirtualModel};

const HEAVIEST: u32 = 1_000;

/// A tenant, whose limits are `server_limits` where its own table says nothing.
pub(super) fn tenant(
    mut section: Section<'_>,
    server_limits: Limits,
    bounds: &Bounds,
) -> TenantConfig {
    let identified = section.has("keys") || section.has("provider_keys");
    if !identified {
        section.wrong(
            "keys",
            wrong(
                "is missing, and so is provider_keys: nobody could be this tenant",
                "write the digest of a key",
            ),
        );
    }
    let tenant = TenantConfig {
        name: section
            .required("name", "name the tenant", values::name)
            .unwrap_or_default(),
        keys: section.list("keys", values::digest).unwrap_or_default(),
        provider_keys: section
            .list("provider_keys", values::digest)
            .unwrap_or_default(),
        permissions: Permissions {
            approaches: section.list("approaches", approach::slug),
            models: section.list("models", values::model),
        },
        approach: section.parsed("approach", approach::approach(bounds.expression_bytes)),
        params: section
            .params("params", approach::any_param)
            .unwrap_or_default(),
        limits: limits::section(section.section("limits"), server_limits),
        usage: section.parsed("usage", values::choice),
        weight: section.count("weight", HEAVIEST).unwrap_or(NonZeroU32::MIN),
    };
    section.finish();
    tenant
}

/// A virtual model over one of `upstreams`.
pub(super) fn virtual_model(
    mut section: Section<'_>,
    upstreams: &[UpstreamConfig],
    bounds: &Bounds,
) -> VirtualModel {
    let model = section
        .required("model", "name the upstream's model", values::model)
        .unwrap_or_default();
    if !model.is_empty() && !serves(upstreams, &model) {
        section.wrong(
            "model",
            wrong(
                "is a model that no upstream serves",
                "add it to the models of an upstream, or write \"upstream/model\"",
            ),
        );
    }
    let name = section
        .required("name", "name the virtual model", values::model)
        .unwrap_or_default();
    let right = "write what runs, such as \"bon\" or \"none\"";
    let approach = section.required(
        "approach",
        right,
        approach::approach(bounds.expression_bytes),
    );
    let params = match &approach {
        Some(expr) => section.params("params", approach::param_of(expr)),
        None => section.params("params", approach::any_param),
    };
    section.finish();
    let approach = approach.unwrap_or_else(approach::no_approach);
    VirtualModel {
        name,
        model,
        approach,
        params: params.unwrap_or_default(),
    }
}
