//! Model names: whatever prefix, upstream or virtual model they name, a tenant reaches only the
//! models that it may use.
#![no_main]

use std::sync::LazyLock;

use hone::config::Config;
use hone::request::plan::{Plan, RoutingInput, StrategyPlan, select};
use hone::snapshot::Snapshot;
use libfuzzer_sys::fuzz_target;

const CONFIG: &str = r#"
[[upstream]]
name = "a"
base_url = "http://127.0.0.1:9/v1"
models = ["listed", "re2-listed", "gpt-*"]
[[upstream]]
name = "b"
base_url = "http://127.0.0.1:9/v1"
models = ["*"]
[[tenant]]
name = "t"
keys = ["sha256:0000000000000000000000000000000000000000000000000000000000000000"]
models = ["gpt-4*", "listed", "virtual"]
approaches = ["re2", "bon"]
[[model]]
name = "virtual"
model = "hidden"
approach = "moa"
"#;

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| {
    let config = Config::parse(CONFIG, &|_| None).expect("the configuration above");
    Snapshot::new(config, None).expect("it names no certificates")
});

fuzz_target!(|model: &str| {
    let Snapshot {
        config, upstreams, ..
    } = &*SNAPSHOT;
    let ask = RoutingInput {
        model: Some(model),
        is_answered: true,
        ..RoutingInput::default()
    };
    let Ok(plan) = select(config, upstreams, Some(&config.tenants[0]), &ask) else {
        return;
    };
    let reached = plan.route().model.as_deref().unwrap_or_default();
    let is_listed = reached.starts_with("gpt-4") || ["listed", "virtual"].contains(&reached);
    assert!(is_listed || (model == "virtual" && reached == "hidden") || model.is_empty());
    if let Plan::Strategy(StrategyPlan { approach, .. }) = &plan {
        assert!(
            model == "virtual"
                || approach
                    .slugs()
                    .iter()
                    .all(|slug| ["re2", "bon", "none"].contains(slug))
        );
    }
});
