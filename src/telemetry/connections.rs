//! What becomes of connections, apart from their requests. Reasons are a few words of the server's.

use metrics::{counter, describe_counter};

const CLOSED: &str = "hone_connections_closed_total";
const REFUSED: &str = "hone_connections_refused_total";

/// Tells the recorder what each metric is.
pub(super) fn describe() {
    describe_counter!(
        CLOSED,
        "Connections that were closed because no request came: no head in time, or idle for long."
    );
    describe_counter!(
        REFUSED,
        "Connections that were refused because their address has too many open, or opens them too \
            often, and requests over HTTP/2 that count as connections."
    );
    for reason in ["too_many", "too_many_streams", "too_often"] {
        counter!(REFUSED, "reason" => reason).increment(0);
    }
    for reason in ["head_timeout", "idle", "resets"] {
        counter!(CLOSED, "reason" => reason).increment(0);
    }
}

/// A connection was refused.
pub(crate) fn refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

/// A connection was closed, or asked to close, because no request came.
pub(crate) fn expired(reason: &'static str) {
    counter!(CLOSED, "reason" => reason).increment(1);
}
