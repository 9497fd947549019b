//! Why a request has no principal, or its principal no credential.

use http::Method;

use super::address::NotLocal;
use super::slots::SlotError;
use crate::api::endpoint::Endpoint;

/// Why nobody can be charged or nothing can pay. Holds facts for the client's message, and never a
/// key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// 403 `endpoint_not_allowed`: the caller may use some models only, and the request names none,
    /// or may name several.
    #[error("a confined tenant at an endpoint without a model")]
    EndpointNotAllowed,
    /// 403 `fallback_path_not_allowed`: the fallback key would pay, but does not serve this path.
    // A path may hold a key that its caller has put there by mistake.
    #[error(
        "the fallback key of `{upstream}` does not serve {:?}",
        Endpoint::of(method, path)
    )]
    FallbackPathNotAllowed {
        /// The upstream's name.
        upstream: String,
        /// The request's method.
        method: Method,
        /// The request's path below `/v1`.
        path: String,
    },
    /// 403 `foreign_page`: a web page of another site asks for an upstream that wants no key.
    #[error("a page of another site asks for a keyless upstream: {unmet}")]
    Foreign {
        /// How hone can tell.
        unmet: NotLocal,
    },
    /// 401 `invalid_api_key`: only named keys are admitted, and the request carries none.
    #[error("no key, and only known keys are admitted")]
    NoKey,
    /// 401 `invalid_api_key`: no key of the request may go to this upstream, and no fallback pays.
    #[error("no credential for `{upstream}`: {sent}; {fallback}")]
    NoCredential {
        /// The upstream's name.
        upstream: String,
        /// The header that carries a key for this upstream and no other.
        header: String,
        /// What was found in the provider slot.
        sent: Sent,
        /// Why the operator's key does not pay.
        fallback: FallbackRefusal,
    },
    /// 400 for ambiguous slots; 401 for a gateway key that is not known, or a key that was revoked.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// 400: gateway keys of two tenants.
    #[error("gateway keys of two tenants, `{first}` and `{second}`")]
    TwoTenants {
        /// The tenant of the key that was read first.
        first: String,
        /// The other one.
        second: String,
    },
    /// 401 `unknown_key`: only named keys are admitted.
    #[error("the key is not known")]
    UnknownKey,
    /// 400: a header carries a key for an upstream that does not exist.
    #[error("`{header}` names no upstream")]
    UnknownUpstream {
        /// The header's name.
        header: String,
    },
    /// 500: the operator's key has bytes that no header can carry.
    #[error("the key for `{upstream}` cannot be sent in a header")]
    UnusableKey {
        /// The upstream's name.
        upstream: String,
    },
}

impl AuthError {
    /// Whether a key was presented that nobody has named, where only named ones are taken: what
    /// somebody who tries keys out would see.
    pub(crate) fn is_rejected_key(&self) -> bool {
        use SlotError::{LostGatewayKey, Misplaced, Revoked, UnknownGatewayKey};
        matches!(
            self,
            Self::Slot(
                UnknownGatewayKey | LostGatewayKey { .. } | Misplaced { .. } | Revoked { .. }
            ) | Self::UnknownKey
        )
    }
}

/// What stood in the provider slot of a request that nothing pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Sent {
    /// A key, but this upstream takes client keys only in its own header.
    #[error("the provider key is for another upstream")]
    KeyForAnother,
    /// Nothing, or a placeholder.
    #[error("no key was sent")]
    Nothing,
}

/// Why the operator's key does not pay for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FallbackRefusal {
    /// It is for callers with a gateway key.
    #[error("the fallback key needs a gateway key")]
    NeedsGatewayKey,
    /// The upstream has none.
    #[error("no fallback key is configured")]
    NotConfigured,
    /// It is for callers with a gateway key or on this machine, and this one is neither.
    #[error("the fallback key is for local callers: {0}")]
    NotLocal(NotLocal),
}

impl FallbackRefusal {
    /// A stable word for `whoami`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NeedsGatewayKey => "needs_gateway_key",
            Self::NotConfigured => "not_configured",
            Self::NotLocal(_) => "not_local",
        }
    }
}
