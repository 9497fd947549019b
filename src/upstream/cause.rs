//! Why an upstream cannot be reached, told so that its operator can act on it.
//!
//! What the libraries below say at the top of an error ("tcp connect error") is the least of it:
//! the reason stands at the end of its chain of sources.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::iter::successors;

use rustls::CertificateError;
use tokio::time::error::Elapsed;

/// What kept a connection from being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its certificate is not trusted, or not for this host or time.
    Certificate,
    /// It hung up before the connection was ready.
    Closed,
    /// It speaks TLS, but nothing that both sides can.
    Handshake,
    /// No way leads there.
    NoRoute,
    /// What answers speaks no TLS.
    NotTls,
    /// Anything else.
    Other,
    /// The proxy on the way would not connect.
    Proxy,
    /// Nothing listens there.
    Refused,
    /// Its certificate is signed by itself.
    SelfSigned,
    /// It took too long.
    TimedOut,
    /// No address belongs to the name.
    UnknownHost,
}

impl Kind {
    /// What it means, and what to look at.
    fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "its certificate is not accepted",
            Self::Closed => "it closed the connection before it was ready",
            Self::Handshake => "the TLS handshake failed",
            Self::NoRoute => "no route leads there",
            Self::NotTls => "what answers does not speak TLS: is it http:// rather than https://?",
            Self::Other => "no connection",
            Self::Proxy => "the proxy on the way refuses to connect",
            Self::Refused => "connection refused: nothing listens there",
            Self::SelfSigned => {
                "its certificate is self-signed: name it in `ca_file` if it is the right one"
            }
            Self::TimedOut => "connecting timed out",
            Self::UnknownHost => "the host name cannot be resolved",
        }
    }
}

/// Why no connection could be made: what kind of reason, and the words of whoever noticed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Of what kind.
    pub(crate) kind: Kind,
    detail: String,
}

impl Cause {
    /// The reason in `error`, or behind it.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let known = chain(error).find_map(kind);
        Self {
            kind: known.unwrap_or(Kind::Other),
            detail: last(error),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.kind.as_str(), self.detail)
    }
}

/// The words of what `error` came from in the end.
pub(super) fn last(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// `error` and all that it came from.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error: &&'a (dyn Error + 'static)| {
        // Its own `source` leaves out the error that it wraps.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        wrapped
            .map(|inner| inner as &(dyn Error + 'static))
            .or_else(|| error.source())
    })
}

/// What one error of a chain says by itself.
fn kind(error: &(dyn Error + 'static)) -> Option<Kind> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(tls(error));
    }
    if error.is::<Elapsed>() {
        return Some(Kind::TimedOut);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return io(error.kind());
    }
    // The types of these errors are private to hyper-util.
    let text = error.to_string();
    if text.starts_with("dns error") {
        return Some(Kind::UnknownHost);
    }
    let refused = ["unsuccessful", "proxy authorization required"];
    (text.starts_with("tunnel error") && refused.iter().any(|why| text.ends_with(why)))
        .then_some(Kind::Proxy)
}

fn io(kind: ErrorKind) -> Option<Kind> {
    match kind {
        ErrorKind::ConnectionRefused => Some(Kind::Refused),
        ErrorKind::TimedOut => Some(Kind::TimedOut),
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => Some(Kind::NoRoute),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Some(Kind::Closed),
        _ => None,
    }
}

fn tls(error: &rustls::Error) -> Kind {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other))
            if other.0.is::<SelfSigned>() =>
        {
            Kind::SelfSigned
        }
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            Kind::Certificate
        }
        rustls::Error::InvalidMessage(_) => Kind::NotTls,
        _ => Kind::Handshake,
    }
}

/// A certificate that vouches for itself, and that nobody has said to trust.
#[derive(Debug, thiserror::Error)]
#[error("the certificate names itself as its issuer")]
pub(super) struct SelfSigned;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Outer(&'static str, #[source] io::Error);

    fn kind_of(error: impl Error + 'static) -> Kind {
        Cause::of(&error).kind
    }

    #[test]
    fn the_reason_is_found_however_deep_it_stands() {
        let refused = || io::Error::from(ErrorKind::ConnectionRefused);
        assert_eq!(kind_of(refused()), Kind::Refused);
        assert_eq!(kind_of(io::Error::other(refused())), Kind::Refused);
        let nested = Outer("tcp connect error", io::Error::other(refused()));
        let cause = Cause::of(&nested);
        assert_eq!(cause.kind, Kind::Refused);
        assert!(cause.to_string().contains("refused"), "{cause}");
        let name = io::Error::other("failed to lookup address information: Name not known");
        let cause = Cause::of(&Outer("dns error", name));
        assert_eq!(cause.kind, Kind::UnknownHost);
        assert!(cause.to_string().contains("Name not known"), "{cause}");
    }

    #[test]
    fn what_tls_says_is_told_apart() {
        use rustls::{AlertDescription, Error, InvalidMessage};
        let wrapped = |error| io::Error::new(ErrorKind::InvalidData, error);
        let expired = Error::InvalidCertificate(CertificateError::Expired);
        let own = CertificateError::Other(rustls::OtherError(std::sync::Arc::new(SelfSigned)));
        for (error, expected) in [
            (expired, Kind::Certificate),
            (Error::InvalidCertificate(own), Kind::SelfSigned),
            (
                Error::InvalidMessage(InvalidMessage::InvalidContentType),
                Kind::NotTls,
            ),
            (
                Error::AlertReceived(AlertDescription::HandshakeFailure),
                Kind::Handshake,
            ),
        ] {
            assert_eq!(kind_of(wrapped(error.clone())), expected, "{error}");
        }
    }

    #[test]
    fn other_reasons_keep_their_words() {
        for (error, expected) in [
            (ErrorKind::TimedOut, Kind::TimedOut),
            (ErrorKind::NetworkUnreachable, Kind::NoRoute),
            (ErrorKind::UnexpectedEof, Kind::Closed),
        ] {
            assert_eq!(kind_of(io::Error::from(error)), expected);
        }
        let cause = Cause::of(&io::Error::other("out of luck"));
        assert_eq!(cause.kind, Kind::Other);
        assert!(cause.to_string().contains("out of luck"), "{cause}");
    }
}
