//! Rate-limit headers, as pure text.

use std::cell::RefCell;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::gate::RateStatus;
use super::refused::Dimension;

/// The largest integer of a structured field (RFC 9651 §3.3.1).
const LARGEST_INTEGER: u64 = 999_999_999_999_999;
const MILLIS: u128 = 1000;
/// Room for one rate's level, as long as its numbers are not huge.
const MEMBER_BYTES: usize = 48;
/// Policies that a thread remembers.
const MOST_KNOWN: usize = 16;

thread_local! {
    /// A few lists of limits serve most callers, and change only with the configuration.
    static KNOWN: RefCell<Vec<Policy>> = const { RefCell::new(Vec::new()) };
}

/// The policy of some limits, in their order.
struct Policy {
    limits: Vec<(Dimension, u64)>,
    value: HeaderValue,
}

/// The limit, remainder and reset of a rate in OpenAI's `x-ratelimit-*` headers, which know only
/// requests and tokens.
#[derive(Debug)]
pub(crate) struct OpenaiFields<'a> {
    rate: &'a RateStatus,
    names: &'static [HeaderName; 3],
}

/// Parsed once, and not with each answer.
static OF_REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
static OF_TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

impl<'a> OpenaiFields<'a> {
    /// Those of `rate`, if it has any.
    pub(crate) fn of(rate: &'a RateStatus) -> Option<Self> {
        let names = match rate.dimension {
            Dimension::Requests => &OF_REQUESTS,
            Dimension::Tokens => &OF_TOKENS,
            Dimension::ConcurrentRequests | Dimension::UpstreamCalls => return None,
        };
        Some(Self { rate, names })
    }

    /// Whether `headers` tell of a limit of somebody else's that leaves more.
    pub(crate) fn are_nearer(&self, headers: &HeaderMap) -> bool {
        let [_, remaining, _] = self.names;
        headers
            .get(remaining)
            .and_then(|told| told.to_str().ok()?.trim().parse().ok())
            .is_some_and(|told: u64| self.rate.remaining < told)
    }

    /// Puts them into `headers`, in the place of others of their names.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let reset = HeaderValue::try_from(duration_text(self.rate.reset));
        let values = [self.rate.limit.into(), self.rate.remaining.into()];
        let values = values.into_iter().chain(reset);
        for (name, value) in self.names.iter().zip(values) {
            headers.insert(name, value);
        }
    }
}

/// `ratelimit-policy` of draft-ietf-httpapi-ratelimit-headers-10: the limits themselves.
pub(crate) fn policy(status: &[RateStatus]) -> Option<HeaderValue> {
    KNOWN.with_borrow_mut(|known| {
        if let Some(policy) = known
            .iter()
            .find(|policy| policy.limits.iter().copied().eq(limits(status)))
        {
            return Some(policy.value.clone());
        }
        let value = HeaderValue::try_from(policy_text(status)).ok()?;
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.push(Policy {
            limits: limits(status).collect(),
            value: value.clone(),
        });
        Some(value)
    })
}

/// `ratelimit` of the same draft: what is left of them.
pub(crate) fn level(status: &[RateStatus]) -> String {
    let mut list = String::with_capacity(MEMBER_BYTES * status.len());
    for rate in status {
        member(&mut list, rate.name());
        parameter(&mut list, ";r=", rate.remaining);
        parameter(&mut list, ";t=", whole_seconds(rate.reset));
    }
    list
}

fn limits(status: &[RateStatus]) -> impl Iterator<Item = (Dimension, u64)> {
    status.iter().map(|rate| (rate.dimension, rate.limit))
}

fn policy_text(status: &[RateStatus]) -> String {
    let mut list = String::new();
    for rate in status {
        member(&mut list, rate.name());
        parameter(&mut list, ";q=", rate.limit);
        parameter(&mut list, ";w=", rate.window.as_secs());
        // "requests" is the default unit of the draft; the others are ours.
        if rate.dimension != Dimension::Requests {
            list.extend([";qu=\"", rate.name(), "\""]);
        }
    }
    list
}

/// Begins the next member of a list of strings (RFC 9651 §3.1).
fn member(list: &mut String, name: &str) {
    list.extend([if list.is_empty() { "\"" } else { ", \"" }, name, "\""]);
}

fn parameter(list: &mut String, key: &str, value: u64) {
    list.push_str(key);
    list.push_str(itoa::Buffer::new().format(value.min(LARGEST_INTEGER)));
}

/// Seconds, rounded up: for `retry-after`, which must not be too early.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0))
}

/// Milliseconds, rounded up: for `retry-after-ms`.
pub(crate) fn whole_millis(duration: Duration) -> u128 {
    duration.as_nanos().div_ceil(1_000_000)
}

/// A duration as OpenAI writes it: `20ms`, `1s`, `7.66s`, `6m0s`, `1h0m0s`. Rounded up to whole
/// milliseconds.
pub(crate) fn duration_text(duration: Duration) -> String {
    let millis = whole_millis(duration);
    if 0 < millis && millis < MILLIS {
        return format!("{millis}ms");
    }
    let (total_seconds, millis) = (millis / MILLIS, millis % MILLIS);
    let (hours, minutes, seconds) = (
        total_seconds / 3600,
        total_seconds / 60 % 60,
        total_seconds % 60,
    );
    let fraction = if millis == 0 {
        String::new()
    } else {
        format!(".{millis:03}").trim_end_matches('0').to_owned()
    };
    match (hours, minutes) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, minutes) => format!("{minutes}m{seconds}{fraction}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn status() -> [RateStatus; 3] {
        let rate = |dimension, limit, remaining, reset| RateStatus {
            dimension,
            limit,
            remaining,
            reset,
            window: MINUTE,
        };
        [
            rate(Dimension::Requests, 60, 59, Duration::from_millis(1000)),
            rate(
                Dimension::Tokens,
                90_000,
                81_234,
                Duration::from_millis(5_844),
            ),
            rate(Dimension::UpstreamCalls, 100, 0, MINUTE),
        ]
    }

    #[test]
    fn durations_read_as_openai_writes_them() {
        let cases = [
            (0, "0s"),
            (20, "20ms"),
            (999, "999ms"),
            (1000, "1s"),
            (7_660, "7.66s"),
            (59_951, "59.951s"),
            (60_000, "1m0s"),
            (86_400, "1m26.4s"),
            (360_000, "6m0s"),
            (3_600_000, "1h0m0s"),
            (3_723_004, "1h2m3.004s"),
        ];
        for (millis, text) in cases {
            assert_eq!(duration_text(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_time_to_wait_is_never_rounded_down() {
        let just_over = Duration::from_nanos(1_000_000_001);
        assert_eq!(duration_text(just_over), "1.001s");
        assert_eq!(whole_millis(just_over), 1001);
        assert_eq!(whole_seconds(just_over), 2);
        assert_eq!(duration_text(Duration::from_nanos(1)), "1ms");
        assert_eq!(whole_seconds(Duration::from_secs(2)), 2);
    }

    #[test]
    fn openai_headers_know_requests_and_tokens() {
        let mut headers = HeaderMap::new();
        for rate in &status() {
            if let Some(fields) = OpenaiFields::of(rate) {
                fields.write(&mut headers);
            }
        }
        let expected = [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-limit-tokens", "90000"),
            ("x-ratelimit-remaining-tokens", "81234"),
            ("x-ratelimit-reset-tokens", "5.844s"),
        ];
        assert_eq!(headers.len(), expected.len());
        for (name, value) in expected {
            assert_eq!(headers[name], value);
        }
    }

    #[test]
    fn only_a_larger_remainder_of_somebody_elses_is_replaced() {
        let [rate, ..] = status();
        let fields = OpenaiFields::of(&rate).unwrap();
        for (told, nearer) in [
            (Some("60"), true),
            (Some(" 18446744073709551615 "), true),
            (Some("59"), false),
            (Some("0"), false),
            (Some("many"), false),
            (Some("-1"), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(told) = told {
                let told = HeaderValue::from_static(told);
                headers.insert("x-ratelimit-remaining-requests", told);
            }
            assert_eq!(fields.are_nearer(&headers), nearer, "{told:?}");
        }
    }

    #[test]
    fn ietf_headers_name_every_rate() {
        let policy = policy(&status()).unwrap();
        assert_eq!(
            policy,
            concat!(
                r#""requests";q=60;w=60, "tokens";q=90000;w=60;qu="tokens", "#,
                r#""upstream-calls";q=100;w=60;qu="upstream-calls""#
            )
        );
        assert_eq!(
            level(&status()),
            r#""requests";r=59;t=1, "tokens";r=81234;t=6, "upstream-calls";r=0;t=60"#
        );
    }

    #[test]
    fn numbers_beyond_a_structured_field_are_clamped() {
        let huge = RateStatus {
            dimension: Dimension::Tokens,
            limit: u64::MAX,
            remaining: u64::MAX,
            reset: Duration::ZERO,
            window: MINUTE,
        };
        for header in [policy_text(&[huge]), level(&[huge])] {
            assert!(header.contains("=999999999999999;"), "{header}");
        }
    }

    #[test]
    fn a_policy_is_that_of_its_own_limits_however_many_there_are() {
        for limit in (1..=3 * MOST_KNOWN as u64).chain(1..=3) {
            for dimension in [Dimension::Requests, Dimension::Tokens] {
                let status = [RateStatus {
                    dimension,
                    limit,
                    remaining: 0,
                    reset: Duration::ZERO,
                    window: MINUTE,
                }];
                assert_eq!(policy(&status).unwrap(), policy_text(&status));
            }
        }
        assert!(KNOWN.with_borrow(Vec::len) <= MOST_KNOWN);
    }
}
