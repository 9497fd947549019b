//! Strategies that have no answer, and calls that failed for one.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use hone_strategies::{Exhausted, Missing, ModelError, StrategyError};
use http::StatusCode;

use super::{ErrorReply, Retry, SERVER};
use crate::telemetry::Blame;

pub(super) fn strategy(error: &StrategyError) -> ErrorReply {
    match error {
        StrategyError::Budget(exhausted) => {
            let what = match exhausted {
                Exhausted::Calls => "calls",
                Exhausted::Tokens => "tokens",
            };
            ErrorReply::invalid(
                "budget_exhausted",
                format!("The approach needs more {what} than one request may use."),
            )
            .retry(Retry::Never)
        }
        StrategyError::Deadline => ErrorReply::gateway_timeout(
            "The approach had no answer when the deadline passed. Allow more time, or choose a \
                lighter approach.",
        ),
        StrategyError::Gone => ErrorReply::new(
            StatusCode::SERVICE_UNAVAILABLE,
            SERVER,
            "client_gone",
            "The client stopped reading.",
        )
        .blame(Blame::Client),
        StrategyError::NoSolver => no_solver("z3"),
        StrategyError::Interrupted(error) | StrategyError::Model(error) => model(error),
        StrategyError::Unreachable(_) => ErrorReply::internal(),
        StrategyError::Unsupported(missing) => {
            let message = format!(
                "The approach needs {}, which the upstream does not do for this model. Choose \
                    another model or approach, or set `decoding_fallback` to true for the nearest \
                    thing.",
                needed(*missing)
            );
            ErrorReply::invalid("capability_missing", message)
                .param("model")
                .retry(Retry::Never)
        }
    }
}

fn needed(missing: Missing) -> &'static str {
    match missing {
        Missing::Continuation => {
            "answers that begin as the request says (a last message of the assistant's that is \
                continued)"
        }
        Missing::Thinking => {
            "control of how much the model thinks (`reasoning_effort`, or a last message of the \
                assistant's that is continued)"
        }
        Missing::Alternatives => {
            "log probabilities of alternative tokens (`logprobs` with `top_logprobs`)"
        }
    }
}

pub(super) fn no_solver(approach: &str) -> ErrorReply {
    let message = format!(
        "The approach `{approach}` needs the solver z3, which this proxy does not have. Choose \
            another approach, or have its operator install it \
         (`apt-get install z3`) and restart the proxy."
    );
    ErrorReply::invalid("solver_not_installed", message).param("optillm_approach")
}

/// Of an upstream's words so many characters are told in a message of hone's.
const LONGEST_WORDS: usize = 1000;

fn model(error: &ModelError) -> ErrorReply {
    match error {
        ModelError::Limited { .. } => {
            let message = "A limit refused the approach's calls. Try again later.";
            let retry = Retry::After(Duration::from_secs(1));
            ErrorReply::limited("hone", "rate_limit_exceeded", message, retry)
        }
        ModelError::Malformed { detail } => ErrorReply::new(
            StatusCode::BAD_GATEWAY,
            SERVER,
            "upstream_malformed",
            format!("The upstream's answer is not what its API promises: {detail}"),
        ),
        ModelError::NoRoom => ErrorReply::overloaded(
            "The approach's calls and their answers take more memory than there is for them. Try \
                again shortly, or ask for fewer or shorter answers.",
            Duration::from_secs(1),
        ),
        ModelError::RateLimited(_) => {
            let message = "The upstream limited the approach's calls.";
            ErrorReply::limited("upstream", "rate_limit_exceeded", message, Retry::Unsaid)
        }
        ModelError::Rejected(rejection) => {
            let message = rejection.message.as_deref().unwrap_or("it gave no reason");
            let message: String = message.chars().take(LONGEST_WORDS).collect();
            let status = rejection.status;
            ErrorReply::unavailable(format!(
                "The upstream rejected the approach's calls with status {status}: {message}"
            ))
        }
        ModelError::Unspeakable(why) => ErrorReply {
            param: why.param.clone(),
            ..ErrorReply::invalid(why.code, why.message.clone()).retry(Retry::Never)
        },
        ModelError::TimedOut => ErrorReply::gateway_timeout("The upstream did not answer in time."),
        ModelError::Unavailable { .. } => {
            ErrorReply::unavailable("The upstream could not be reached, or broke off.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_a_fault_of_the_proxy_and_no_timeout() {
        let reply = strategy(&StrategyError::Unreachable("no candidate"));
        assert_eq!(
            (reply.status, reply.code, reply.blame),
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal_error",
                Blame::Proxy
            )
        );
        assert!(!reply.message.contains("no candidate"));
    }
}
