//! What hone and the provider say about themselves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use serde_json::{Map, Value};

use crate::client::{Ask, Client};
use crate::fatal::Fatal;

const PATIENCE: Duration = Duration::from_secs(10);

/// hone's metrics that are whole numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics(BTreeMap<String, i64>);

impl Metrics {
    /// Those of the hone whose operator connects here.
    pub(crate) async fn of(admin: SocketAddr) -> Result<Self, Fatal> {
        let text = get(admin, "/metrics").await?;
        let series = text.lines().filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Ok(Self(series.collect()))
    }

    fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// What is under way, of one kind.
    pub(crate) fn in_flight(&self, kind: &str) -> i64 {
        self.get(&format!("hone_inflight{{kind=\"{kind}\"}}"))
    }

    /// Tokens charged on any ground.
    pub(crate) fn charged_tokens(&self) -> i64 {
        ["settled", "streamed", "estimated"]
            .iter()
            .map(|basis| self.get(&format!("hone_charged_tokens_total{{basis=\"{basis}\"}}")))
            .sum()
    }

    /// Calls that were charged without an answer's end.
    pub(crate) fn calls_cut_off(&self) -> i64 {
        ["streamed", "estimated"]
            .iter()
            .map(|basis| self.get(&format!("hone_charged_calls_total{{basis=\"{basis}\"}}")))
            .sum()
    }
}

/// The provider's own counters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Served(Value);

impl Served {
    pub(crate) async fn of(sim: SocketAddr) -> Result<Self, Fatal> {
        Ok(Self(serde_json::from_str(&get(sim, "/sim/stats").await?)?))
    }

    pub(crate) fn count(&self, name: &str) -> i64 {
        self.0.get(name).and_then(Value::as_i64).unwrap_or(0)
    }

    /// Tokens that the provider has read and handed out.
    pub(crate) fn tokens(&self) -> i64 {
        self.count("prompt_tokens") + self.count("tokens_served")
    }

    /// All calls.
    pub(crate) fn calls(&self) -> i64 {
        self.0
            .get("calls")
            .and_then(Value::as_object)
            .map_or(0, |calls| calls.values().filter_map(Value::as_i64).sum())
    }

    /// Calls with the key of this digest.
    pub(crate) fn calls_with(&self, digest: &str) -> i64 {
        let slots = self
            .0
            .get("keys")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::values);
        slots.filter_map(|keys| keys.get(digest)?.as_i64()).sum()
    }

    /// Faults by kind, as text.
    pub(crate) fn faults(&self) -> String {
        self.0
            .get("faults")
            .map(Value::to_string)
            .unwrap_or_default()
    }
}

/// Turns the provider's knobs.
pub(crate) async fn turn(sim: SocketAddr, knobs: &Value) -> Result<(), Fatal> {
    let ask = Ask {
        method: Method::POST,
        path: "/sim/knobs",
        key: String::new(),
        body: knobs.to_string(),
    };
    let answer = Client::new(sim).send(&ask, PATIENCE).await;
    if answer.status == 200 {
        Ok(())
    } else {
        Err(format!("knobs: {}", String::from_utf8_lossy(&answer.body)).into())
    }
}

/// The text at a path.
pub(crate) async fn get(address: SocketAddr, path: &'static str) -> Result<String, Fatal> {
    let answer = Client::new(address).send(&Ask::get(path), PATIENCE).await;
    if answer.status == 200 {
        Ok(String::from_utf8(answer.body)?)
    } else {
        Err(format!("{path}: {:?}", answer.ending).into())
    }
}

/// The models that a tenant sees.
pub(crate) async fn model_list(address: SocketAddr) -> Result<String, Fatal> {
    let ask = Ask {
        method: Method::GET,
        path: "/v1/models",
        key: "sk-tenant-00000".to_owned(),
        body: String::new(),
    };
    let answer = Client::new(address).send(&ask, PATIENCE).await;
    if answer.status == 200 {
        Ok(String::from_utf8(answer.body)?)
    } else {
        Err(format!("/v1/models: {} {:?}", answer.status, answer.ending).into())
    }
}
