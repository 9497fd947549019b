//! Sending a request once more, where the operator allows it (`retries` of an upstream).
//!
//! Only what is held in memory can be sent again, and only a broken connection or a 5xx is worth
//! it. Between two tries the request gives its place at the upstream to others, and each try is a
//! call that the tenant pays for: if its limits refuse that, the client gets the failure that there
//! is.

use std::time::Duration;

use http::Response;
use rand::Rng;
use tokio::time::Instant;

use super::Relay;
use crate::admission::{Admitted, Refused};
use crate::api::headers;
use crate::upstream::body::AnswerBody;
use crate::upstream::{AdmittedCall, Outgoing, Payload, UpstreamError};

/// The first wait; it doubles.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// The longest wait that an upstream may ask for. One that asks for more has its answer passed on,
/// and the client decides.
const LONGEST_ASKED: Duration = Duration::from_secs(10);

type Sent = Result<Response<AnswerBody>, UpstreamError>;

/// What a try that was made in vain has cost.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tried {
    /// The upstream may bill it: what was reserved.
    Billed,
    /// The upstream refused it, and what an upstream refuses it does not bill.
    Unbilled,
}

/// The tries of one relayed request.
pub(super) struct Tries<'a> {
    pub(super) relay: &'a Relay<'a>,
    pub(super) admitted: &'a Admitted,
    /// What the current try is made with.
    pub(super) turn: AdmittedCall,
    /// Calls made.
    pub(super) calls: &'a mut u32,
    /// When the client stops waiting.
    pub(super) until: Option<Instant>,
}

impl Tries<'_> {
    /// Sends `body`, as often as may be and helps, and waits for a response's head.
    pub(super) async fn send(&mut self, body: Payload) -> Sent {
        let again = match &body {
            Payload::Buffered(bytes) => Some(bytes.clone()),
            Payload::Pieces(_) | Payload::Streamed(_) => None,
        };
        let upstream = &self.relay.route.upstream;
        let mut result = upstream.send(self.outgoing(body)).await;
        let Some(bytes) = again else { return result };
        if matches!(result, Err(UpstreamError::Refused { .. })) {
            // Nobody has looked at it: this is the same call still.
            result = upstream
                .send(self.outgoing(Payload::Buffered(bytes.clone())))
                .await;
        }
        for retry in 0..upstream.config.retries {
            if !self.may_retry(&result, retry).await {
                break;
            }
            result = upstream
                .send(self.outgoing(Payload::Buffered(bytes.clone())))
                .await;
        }
        result
    }

    fn outgoing(&self, body: Payload) -> Outgoing<'_> {
        self.relay.outgoing(body, self.turn.slot.clone())
    }

    /// Closes the account of a try that was made in vain, and takes another call from the tenant.
    pub(super) fn another_call(&mut self, tried: Tried) -> Result<(), Refused> {
        match tried {
            Tried::Unbilled => self.admitted.again_unbilled()?,
            Tried::Billed => self.admitted.again(&mut self.turn.guard)?,
        }
        *self.calls += 1;
        Ok(())
    }

    /// Waits for the time of the next try. `false` if there is none.
    async fn may_retry(&mut self, failed: &Sent, retry: u32) -> bool {
        let Some(wait) = wait(failed, retry) else {
            return false;
        };
        let at = Instant::now() + wait;
        if self.until.is_some_and(|until| at >= until) {
            return false;
        }
        drop(self.turn.slot.take());
        tokio::time::sleep_until(at).await;
        let Relay {
            route, principal, ..
        } = self.relay;
        match route.upstream.place(self.admitted, principal).await {
            Ok(slot) => self.turn.slot = slot,
            Err(error) => {
                tracing::debug!(%error, "no second try");
                return false;
            }
        }
        let tried = match failed {
            Ok(_) => Tried::Unbilled,
            Err(error) if error.never_sent() => return true,
            Err(_) => Tried::Billed,
        };
        self.another_call(tried)
            .inspect_err(|error| tracing::debug!(%error, "no second try"))
            .is_ok()
    }
}

/// How long to wait before another try, if one may help.
fn wait(failed: &Sent, retry: u32) -> Option<Duration> {
    match failed {
        Ok(response) if response.status().is_server_error() => {
            let fields = response.headers();
            if fields
                .get("x-should-retry")
                .is_some_and(|value| value == "false")
            {
                return None;
            }
            let asked = headers::retry_after(fields);
            asked.map_or_else(
                || Some(backoff(retry)),
                |asked| (asked <= LONGEST_ASKED).then_some(asked),
            )
        }
        Err(
            UpstreamError::Broken { .. }
            | UpstreamError::Refused { .. }
            | UpstreamError::Unreachable { .. },
        ) => Some(backoff(retry)),
        _ => None,
    }
}

/// Doubles with every try, and is spread so that those who failed together do not come back
/// together.
fn backoff(retry: u32) -> Duration {
    let whole = FIRST_BACKOFF
        .saturating_mul(2_u32.saturating_pow(retry))
        .min(LONGEST_BACKOFF);
    whole.mul_f64(rand::rng().random_range(0.5..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_are_spread() {
        for (retry, whole) in [(0, 250), (1, 500), (3, 2000), (5, 5000), (1000, 5000)] {
            let whole = Duration::from_millis(whole);
            let waits: Vec<Duration> = (0..50).map(|_| backoff(retry)).collect();
            assert!(
                waits.iter().all(|wait| (whole / 2..=whole).contains(wait)),
                "{retry}: {waits:?}"
            );
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{retry}");
        }
    }
}
