//! Whose doing an error is.

/// Whose doing an error is. Sets the log level and one metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Blame {
    /// The request is wrong.
    Client,
    /// hone itself is short of something, or misconfigured.
    Proxy,
    /// The caller is over a limit.
    Tenant,
    /// The provider failed.
    Upstream,
}

impl Blame {
    /// A word for logs and metric labels.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Proxy => "proxy",
            Self::Tenant => "tenant",
            Self::Upstream => "upstream",
        }
    }
}
