//! Which endpoint a request is for.

use http::Method;

/// What the provider serves, and what controls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Chat,
    Models,
    /// `GET /v1/models/{name}`.
    Model(String),
    /// `GET /sim/stats`.
    Stats,
    /// `GET` and `POST /sim/knobs`.
    Knobs,
    Unknown,
}

impl Route {
    /// The route of a method and a path, where the endpoints are below `base`.
    pub(super) fn of(method: &Method, path: &str, base: &str) -> Self {
        let (get, post) = (method == Method::GET, method == Method::POST);
        match path {
            "/sim/stats" if get => return Self::Stats,
            "/sim/knobs" if get || post => return Self::Knobs,
            _ => {}
        }
        match path.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')) {
            Some("chat/completions") if post => Self::Chat,
            Some("models") if get => Self::Models,
            Some(rest) => match rest.strip_prefix("models/") {
                Some(name) if get => Self::Model(name.to_owned()),
                _ => Self::Unknown,
            },
            None => Self::Unknown,
        }
    }

    /// The name under which requests are counted.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Models | Self::Model(_) => "models",
            Self::Stats => "sim/stats",
            Self::Knobs => "sim/knobs",
            Self::Unknown => "unknown",
        }
    }
}
