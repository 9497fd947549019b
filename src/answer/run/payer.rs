//! Whose error a run's error is.

use std::sync::{Arc, PoisonError};

use hone_strategies::{ModelError, StrategyError};
use http::StatusCode;

use crate::answer::error::ProxyError;
use crate::answer::relay::fallback;
use crate::upstream::model::HttpModel;

/// Whose accounts the calls of a run are charged to.
pub(super) struct Payer {
    pub(super) targets: Vec<Arc<HttpModel>>,
}

impl Payer {
    /// An upstream's error about the operator's key is hone's own error, and so is a limit of
    /// hone's; any other is relayed.
    pub(super) fn blame(&self, error: StrategyError) -> ProxyError {
        match &error {
            // Whose limit it was and when to come back is known here, not in the strategies crate.
            StrategyError::Model(ModelError::Limited { .. }) => {
                let refusal = |target: &Arc<HttpModel>| {
                    target
                        .refusal
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .take()
                };
                self.targets
                    .iter()
                    .find_map(refusal)
                    .map_or_else(|| error.into(), ProxyError::from)
            }
            StrategyError::Model(
                ModelError::Rejected(rejection) | ModelError::RateLimited(rejection),
            ) => {
                let target = self
                    .targets
                    .iter()
                    .find(|target| target.upstream.name() == rejection.origin)
                    .or_else(|| self.targets.first());
                let Some(target) = target.filter(|target| target.credential.is_operators()) else {
                    return error.into();
                };
                let status =
                    StatusCode::from_u16(rejection.status).unwrap_or(StatusCode::BAD_GATEWAY);
                fallback::error_of_status(target.upstream.name(), status, rejection.retry_after)
                    .unwrap_or_else(|| error.into())
            }
            _ => error.into(),
        }
    }
}
